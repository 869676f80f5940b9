package broker

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// maxMessage is the largest message taken from another NATS, headers
	// included: twice what we send.
	maxMessage = 2 * maxPayload
	// maxLine is the longest line of the protocol, INFO with a large cluster's
	// addresses being the longest there is.
	maxLine = 64 << 10
)

// guardedDialer connects to a server that is not ours. The client allocates as
// much as a message's header announces, so that one line from a hostile server
// would end this process; what it sends is therefore checked on the way. That
// must happen inside of TLS, so TLS is the dialer's.
type guardedDialer struct {
	tls *tls.Config
}

// SkipTLSHandshake tells the client to leave TLS to the dialer.
func (guardedDialer) SkipTLSHandshake() bool { return true }

// Dial connects, reads the server's INFO and, unless the server is loopback and
// does not want it, begins TLS.
func (d guardedDialer) Dial(network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: connectWait}).Dial(network, address)
	if err != nil {
		return nil, err
	}
	c, err := d.greet(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (d guardedDialer) greet(conn net.Conn, host string) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(connectWait)); err != nil {
		return nil, err
	}
	line, err := readLine(conn)
	if err != nil {
		return nil, fmt.Errorf("read INFO: %w", err)
	}
	var info struct {
		TLSRequired  bool `json:"tls_required"`
		TLSAvailable bool `json:"tls_available"`
	}
	text, ok := bytes.CutPrefix(line, []byte("INFO "))
	if !ok || json.Unmarshal(text, &info) != nil {
		return nil, errors.New("not a NATS server")
	}
	local := isLoopback(host)
	switch {
	case info.TLSRequired || info.TLSAvailable && !local:
		if conn, err = d.secure(conn, host); err != nil {
			return nil, err
		}
	case !local:
		return nil, errors.New("server offers no TLS: credentials and events are not sent in the clear beyond loopback")
	}
	return &guardedConn{Conn: conn, info: line}, conn.SetDeadline(time.Time{})
}

func (d guardedDialer) secure(conn net.Conn, host string) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.tls != nil {
		cfg = d.tls.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	c := tls.Client(conn, cfg)
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	return c, nil
}

// readLine reads to the end of the line and not a byte further: what follows
// belongs to TLS.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxLine; {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if line = append(line, b[0]); b[0] == '\n' {
			return line, nil
		}
	}
	return nil, errLine
}

var (
	errLine    = errors.New("server sent a line too long or broken")
	errMessage = fmt.Errorf("server sent a message larger than %d bytes", maxMessage)
)

// guardedConn ends the connection where the server's bytes are not the
// protocol as we know it, before the client sees them.
type guardedConn struct {
	net.Conn
	info []byte // still to be read by the client

	line []byte // of the protocol, so far
	skip int    // bytes of a message still to come, its line end included
}

// Read reads what the server sent.
func (c *guardedConn) Read(p []byte) (int, error) {
	if len(c.info) > 0 {
		n := copy(p, c.info)
		c.info = c.info[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if checked := c.check(p[:n]); checked != nil {
		return 0, checked
	}
	return n, err
}

func (c *guardedConn) check(b []byte) error {
	for len(b) > 0 {
		if n := min(len(b), max(0, c.skip-2)); n > 0 {
			c.skip -= n
			b = b[n:]
			continue
		}
		if c.skip > 0 { // the message is through, its line end is due
			if b[0] != "\n\r"[c.skip-1] {
				return errLine
			}
			c.skip--
			b = b[1:]
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			end = len(b) - 1
		}
		if len(c.line)+end+1 > maxLine {
			return errLine
		}
		c.line = append(c.line, b[:end+1]...)
		b = b[end+1:]
		if c.line[len(c.line)-1] == '\n' {
			if err := c.endLine(); err != nil {
				return err
			}
		}
	}
	return nil
}

// endLine looks at a whole line. Its last field is a message's size.
func (c *guardedConn) endLine() error {
	line := bytes.TrimSuffix(bytes.TrimSuffix(c.line, []byte("\n")), []byte("\r"))
	c.line = c.line[:0]
	if bytes.IndexByte(line, '\r') >= 0 {
		return errLine // the client would cut the line elsewhere
	}
	fields := bytes.Fields(line)
	if len(fields) == 0 || !bytes.EqualFold(fields[0], []byte("MSG")) && !bytes.EqualFold(fields[0], []byte("HMSG")) {
		return nil
	}
	size, err := strconv.ParseUint(string(fields[len(fields)-1]), 10, 31)
	if err != nil {
		return errLine
	}
	if size > maxMessage {
		return errMessage
	}
	c.skip = int(size) + len("\r\n")
	return nil
}
