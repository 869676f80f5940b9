package smartsheettest

// serverInfo is what the service tells everybody of itself: the tables that
// the numbers of a format descriptor point into.
func serverInfo() map[string]any {
	onOff := []string{"none", "on"}
	return map[string]any{
		"supportedLocales": []string{"en_US", "en_GB", "de_DE", "es_ES", "fr_FR", "it_IT", "ja_JP", "pt_BR"},
		"featureInfo":      map[string]any{"symbolsVersion": 4},
		"formats": map[string]any{
			"defaults": "0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
			"fontFamily": []map[string]any{
				{"name": "Arial", "traits": []string{"sans-serif"}}, {"name": "Tahoma", "traits": []string{"sans-serif"}},
				{"name": "Times New Roman", "traits": []string{"serif"}}, {"name": "Verdana", "traits": []string{"sans-serif"}},
			},
			"fontSize": []string{"8", "9", "10", "12", "14", "16", "18", "20", "24", "28", "32", "36"},
			"bold":     onOff, "italic": onOff, "underline": onOff, "strikethrough": onOff, "textWrap": onOff, "thousandsSeparator": onOff,
			"horizontalAlign": []string{"default", "left", "center", "right"}, "verticalAlign": []string{"default", "top", "middle", "bottom"},
			"color":        []string{"none", "#000000", "#FFFFFF"},
			"currency":     []map[string]string{{"code": "none", "symbol": "none"}, {"code": "EUR", "symbol": "€"}, {"code": "GBP", "symbol": "£"}, {"code": "USD", "symbol": "$"}},
			"decimalCount": []string{"0", "1", "2", "3", "4", "5"}, "numberFormat": []string{"none", "NUMBER", "CURRENCY", "PERCENT"},
		},
	}
}
