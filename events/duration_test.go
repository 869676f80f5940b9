package events

import (
	"encoding/json"
	"testing"
)

func TestISODuration(t *testing.T) {
	for in, want := range map[string]string{
		`"days":4,"hours":6,"minutes":30`:         "P4DT6H30M",
		`"days":4,"hours":6`:                      "P4DT6H",
		`"days":1.5`:                              "P1.5D",
		`"weeks":1`:                               "P5D",
		`"weeks":1.5,"days":0.5`:                  "P8D",
		`"hours":1.5`:                             "PT1.5H",
		`"minutes":90`:                            "PT90M",
		`"hours":1.5,"minutes":1`:                 "PT1H31M",
		`"hours":0.01,"seconds":1`:                "PT37S",
		`"hours":0.5,"minutes":0.5,"seconds":0.5`: "PT30M30.5S",
		`"seconds":5.5,"milliseconds":6`:          "PT5.506S",
		`"milliseconds":1`:                        "PT0.001S",
		`"negative":true,"days":2,"hours":1`:      "-P2DT1H",
		`"days":-2`:                               "-P2D",
		`"elapsed":true,"days":3`:                 "P3D",
		`"days":3.0`:                              "P3D",
		`"days":0.1,"weeks":0.02`:                 "P0.2D",
		`"negative":true,"days":0`:                "PT0S",
		`"days":null`:                             "PT0S",
		``:                                        "PT0S",
		`"days":"2"`:                              "P2D",
		`"days":2,"hours":-1`:                     "",
		`"days":1e999999999`:                      "",
		`"days":1e-999999999`:                     "",
		`"days":1e-30`:                            "",
		`"days":[1]`:                              "",
		`"days":"two"`:                            "",
	} {
		raw := `{"objectType":"DURATION"`
		if in != "" {
			raw += "," + in
		}
		got, ok := isoDuration(json.RawMessage(raw + "}"))
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", in, got, ok, want)
		}
	}
	if got, ok := isoDuration(json.RawMessage(`{"objectType":"DATE","days":1}`)); ok {
		t.Errorf("of another type: got %q, want none", got)
	}
}
