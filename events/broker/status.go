package broker

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// statusConn publishes messages that say a status in the first line of their header,
// as the server's own do: NATS/1.0 404 Message Not Found. nats.go has no call for
// that, and writes a header field which only its own users take for a status: others
// would take "there is no such message" for a message. It connects with the first
// one, and again after it lost the connection.
type statusConn struct {
	dial func() (net.Conn, error) // within the process
	user processUser
	name string

	mu     sync.Mutex
	conn   net.Conn // nil: none
	closed bool
}

const (
	headerStart = "NATS/1.0"
	// statusWait bounds connecting, and the wait for the server to take a message.
	statusWait = 5 * time.Second
)

// The fields that nats.go makes of a status.
const (
	statusField      = "Status"
	descriptionField = "Description"
)

// newStatusConn is for the gate of a partner: it may publish to who is answered, and
// read nothing.
func (b *Broker) newStatusConn(name, storage string, signer nkeys.KeyPair) (*statusConn, error) {
	var p jwt.Permissions
	p.Pub.Allow.Add(inboxes+">", leafInboxes+">")
	p.Sub.Deny.Add(">")
	user, err := newProcessUser(name, storage, signer, p)
	if err != nil {
		return nil, err
	}
	return &statusConn{dial: b.srv.InProcessConn, user: user, name: name}, nil
}

// publish publishes a message without a body: its status, and what else its header
// has. Status and Description of the header are as nats.go reads them.
func (s *statusConn) publish(subject string, header nats.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	text := statusHeader(header)
	line := fmt.Appendf(nil, "HPUB %s %d %d\r\n%s\r\n", subject, len(text), len(text), text)
	open := s.conn != nil
	for {
		if s.conn == nil {
			if err := s.connect(); err != nil {
				return fmt.Errorf("connect to publish a status: %w", err)
			}
		}
		err := s.write(line)
		if err == nil || !open { // one that was open may have been lost before
			return err
		}
		open = false
	}
}

func (s *statusConn) write(line []byte) error {
	err := s.conn.SetWriteDeadline(time.Now().Add(statusWait))
	if err == nil {
		_, err = s.conn.Write(line)
	}
	if err != nil {
		s.conn.Close()
		s.conn = nil
		return fmt.Errorf("publish a status: %w", err)
	}
	return nil
}

// statusHeader writes a header as the server does.
func statusHeader(header nats.Header) []byte {
	var b bytes.Buffer
	b.WriteString(strings.TrimRight(headerStart+" "+header.Get(statusField)+" "+header.Get(descriptionField), " ") + "\r\n")
	for field, values := range header {
		if field == statusField || field == descriptionField {
			continue
		}
		for _, value := range values {
			b.WriteString(field + ": " + value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// connect opens the connection.
func (s *statusConn) connect() error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if err = errors.Join(conn.SetDeadline(time.Now().Add(statusWait)), s.greet(conn, in), conn.SetDeadline(time.Time{})); err != nil {
		conn.Close()
		return err
	}
	s.conn = conn
	go s.serve(conn, in)
	return nil
}

// greet signs in.
func (s *statusConn) greet(conn net.Conn, in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read the server's greeting: %w", err)
	}
	var info struct {
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		return fmt.Errorf("read the server's greeting: %w", err)
	}
	signature, err := s.user.sign([]byte(info.Nonce))
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	who, err := json.Marshal(map[string]any{
		"jwt": s.user.jwt, "sig": base64.RawURLEncoding.EncodeToString(signature), "name": s.name,
		"lang": nats.LangString, "version": nats.Version, "protocol": 1, "headers": true, "verbose": false, "pedantic": false,
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s\r\nPING\r\n", who); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	for {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			return fmt.Errorf("sign in: %w", err)
		case strings.HasPrefix(line, "PONG"):
			return nil
		case strings.HasPrefix(line, "-ERR"):
			return fmt.Errorf("sign in: the server says %s", strings.TrimSpace(line))
		}
	}
}

// serve answers the server's pings until the connection is lost.
func (s *statusConn) serve(conn net.Conn, in *bufio.Reader) {
	for {
		line, err := in.ReadString('\n')
		if err == nil && strings.HasPrefix(line, "PING") {
			if err = conn.SetWriteDeadline(time.Now().Add(statusWait)); err == nil {
				_, err = conn.Write([]byte("PONG\r\n"))
			}
		}
		if err != nil {
			break
		}
	}
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == conn {
		s.conn = nil
	}
}

func (s *statusConn) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}
