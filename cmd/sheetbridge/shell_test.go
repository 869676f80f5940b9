package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// curlLines are the curl commands in a text, each up to the end of its line, a
// pipe or a closing parenthesis that is not quoted.
func curlLines(text string) []string {
	var list []string
	for {
		at := strings.Index(text, "\ncurl ")
		if sub := strings.Index(text, "; curl "); sub >= 0 && (at < 0 || sub < at) {
			at = sub + 1
		}
		if at < 0 {
			return list
		}
		text = text[at+1:]
		end := commandEnd(text)
		list = append(list, text[:end])
		text = text[end:]
	}
}

func commandEnd(text string) int {
	quote := rune(0)
	for i, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
		case r == '\'' || r == '"':
			quote = r
		case r == '\n' || r == '|' || r == ')':
			return i
		}
	}
	return len(text)
}

// words splits a command as a shell does: quotes, and variables outside single
// quotes.
func words(command string, vars map[string]string) []string {
	var list []string
	var word, double strings.Builder
	quote, open := rune(0), false
	expand := func(text string) string { return os.Expand(text, func(name string) string { return vars[name] }) }
	flush := func() {
		word.WriteString(expand(double.String()))
		double.Reset()
	}
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			flush()
			quote = 0
		case quote == '\'':
			word.WriteRune(r)
		case quote == '"':
			double.WriteRune(r)
		case r == '\'' || r == '"':
			flush()
			quote, open = r, true
		case r == ' ' || r == '\n':
			flush()
			if open || word.Len() > 0 {
				list = append(list, word.String())
			}
			word.Reset()
			open = false
		default:
			double.WriteRune(r)
		}
	}
	flush()
	if open || word.Len() > 0 {
		list = append(list, word.String())
	}
	return list
}

// curl does what a curl command says, and returns the answer.
func curl(t *testing.T, command string, vars map[string]string) string {
	t.Helper()
	args := words(command, vars)
	method, url, body := "", "", ""
	header := http.Header{}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "-s":
		case "-X":
			i++
			method = args[i]
		case "-d":
			i++
			body = args[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		default:
			url = args[i]
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // read to its end below
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: got %s %s, error %v", command, resp.Status, answer, err)
	}
	return string(answer)
}

func TestWords(t *testing.T) {
	got := words(`curl -H "A: $B c" $U/x -d '{"a": "'$B'", "w": "'"'D'"'"}' ''`, map[string]string{"B": "b", "U": "u"})
	want := []string{"curl", "-H", "A: b c", "u/x", "-d", `{"a": "b", "w": "'D'"}`, ""}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
