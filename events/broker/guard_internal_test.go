package broker

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestGreetWantsTLSBeyondLoopback(t *testing.T) {
	for name, test := range map[string]struct {
		host, info string
		ok         bool
	}{
		"loopback":               {"127.0.0.1", `INFO {}`, true},
		"loopback, TLS optional": {"localhost", `INFO {"tls_available":true}`, true},
		"beyond":                 {"192.0.2.1", `INFO {}`, false},
		"beyond, by name":        {"nats.b.example", `INFO {"tls_required":false}`, false},
		"name like loopback":     {"127.0.0.1.b.example", `INFO {}`, false},
		"not JSON":               {"127.0.0.1", `INFO {`, false},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { ours.Close(); theirs.Close() })
			go io.WriteString(theirs, test.info+"\r\n") // its end is seen by the reader
			conn, err := guardedDialer{}.greet(ours, test.host)
			if (err == nil) != test.ok {
				t.Fatalf("got %v, want ok %v", err, test.ok)
			}
			if err != nil {
				return
			}
			line, err := readLine(conn)
			if err != nil || string(line) != test.info+"\r\n" {
				t.Errorf("client reads %q, error %v, want the INFO", line, err)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	for name, test := range map[string]struct {
		sent string
		want error
	}{
		"messages":              {"PING\r\nMSG a 1 5\r\nhello\r\nHMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n+OK\r\nMSG a 1 0\r\n\r\nPING\r\n", nil},
		"MSG in a payload":      {"MSG a 1 24\r\nMSG x 1 999999999999999\r\n\r\nPING\r\n", errLine}, // one byte short
		"MSG as payload":        {"MSG a 1 23\r\nMSG x 1 999999999999999\r\nPING\r\n", nil},
		"largest":               {"MSG a 1 16777216\r\n", nil},
		"larger":                {"MSG a 1 16777217\r\n", errMessage},
		"larger, small letters": {"msg a 1 16777217\r\n", errMessage},
		"larger, with headers":  {"HMSG a 1 12 16777217\r\n", errMessage},
		"larger, tabs":          {"MSG\ta\t1\t16777217\r\n", errMessage},
		"larger, no CR":         {"MSG a 1 16777217\n", errMessage},
		"beyond integers":       {"MSG a 1 99999999999999999999\r\n", errLine},
		"negative":              {"MSG a 1 -1\r\n", errLine},
		"no size":               {"MSG a 1 x\r\n", errLine},
		"hidden by CR":          {"MSG a 1 16777217\r5\r\n", errLine},
		"payload too long":      {"MSG a 1 1\r\nxxMSG a 1 16777217\r\n", errLine},
		"endless line":          {"+OK" + strings.Repeat("x", maxLine), errLine},
	} {
		t.Run(name, func(t *testing.T) {
			var whole, bytewise guardedConn
			if err := whole.check([]byte(test.sent)); !errors.Is(err, test.want) {
				t.Errorf("at once: got %v, want %v", err, test.want)
			}
			if err := eachByte(&bytewise, test.sent); !errors.Is(err, test.want) {
				t.Errorf("byte by byte: got %v, want %v", err, test.want)
			}
		})
	}
}

func eachByte(c *guardedConn, sent string) error {
	for i := range len(sent) {
		if err := c.check([]byte(sent[i : i+1])); err != nil {
			return err
		}
	}
	return nil
}

// However the network cuts what is sent, the guard finds the same, and never
// keeps more than a line.
func FuzzGuard(f *testing.F) {
	f.Add("PING\r\nMSG a 1 5\r\nhello\r\n+OK\r\n")
	f.Add("HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
	f.Add("MSG a 1 16777217\r\n")
	f.Add("MSG a 1 1\r\nxx\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		var whole, bytewise guardedConn
		a, b := whole.check([]byte(sent)), eachByte(&bytewise, sent)
		if (a == nil) != (b == nil) {
			t.Errorf("at once: %v; byte by byte: %v", a, b)
		}
		if len(whole.line) > maxLine || whole.skip > maxMessage+2 {
			t.Errorf("keeps %d bytes of a line, skips %d", len(whole.line), whole.skip)
		}
	})
}
