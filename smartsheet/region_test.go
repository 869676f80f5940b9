package smartsheet

import "testing"

func TestParseRegion(t *testing.T) {
	want := map[string]string{
		"us":  "https://api.smartsheet.com/2.0",
		"eu":  "https://api.smartsheet.eu/2.0",
		"au":  "https://api.smartsheet.au/2.0",
		"gov": "https://api.smartsheetgov.com/2.0",
	}
	for name, base := range want {
		r, err := ParseRegion(name)
		if err != nil || r.BaseURL() != base {
			t.Errorf("%s: got %s, %v, want %s", name, r.BaseURL(), err, base)
		}
	}
	for _, name := range []string{"", "US", "uk", "us "} {
		if r, err := ParseRegion(name); err == nil {
			t.Errorf("%q: got %q, want an error", name, r)
		}
	}
}

func TestCheckURL(t *testing.T) {
	tests := map[string]bool{
		"https://api.smartsheet.com/2.0":       true,
		"https://proxy.a.example:8443":         true,
		"http://127.0.0.1:9090/2.0":            true,
		"http://127.8.8.8/":                    true,
		"http://[::1]:9090/2.0":                true,
		"http://localhost:9090/2.0":            true,
		"http://[::ffff:127.0.0.1]/2.0":        true,
		"http://api.smartsheet.com/2.0":        false,
		"http://127.0.0.1.a.example/":          false,
		"http://localhost.a.example/":          false,
		"http://10.0.0.1/":                     false,
		"http://0.0.0.0:9090/":                 false,
		"ftp://127.0.0.1/":                     false,
		"https://":                             false,
		"https:api.smartsheet.com":             false,
		"//api.smartsheet.com":                 false,
		"":                                     false,
		"https://me:secret@api.smartsheet.com": false,
		"https://api.smartsheet.com/2.0?a=b":   false,
		"https://api.smartsheet.com/2.0?":      false,
		"https://api.smartsheet.com/2.0#a":     false,
		"http://127.0.0.1@a.example/":          false,
		"http://bad host/":                     false,
	}
	for in, want := range tests {
		if err := CheckURL(in); (err == nil) != want {
			t.Errorf("%s: got %v, want ok %v", in, err, want)
		}
	}
}
