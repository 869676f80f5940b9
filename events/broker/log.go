package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// What a client or another server does wrong is a line in the log, as often as
// it does it. So lines pass at linesPerSecond, up to linesBurst at once.
const (
	linesPerSecond = 5
	linesBurst     = 50
)

// limitedLog writes to a log no faster than that, and tells how many lines it
// left out.
type limitedLog struct {
	now func() time.Time

	mu      sync.Mutex
	tokens  float64
	at      time.Time // when tokens was right
	dropped int
}

func newLimitedLog() *limitedLog {
	return &limitedLog{now: time.Now, tokens: linesBurst, at: time.Now()}
}

func (l *limitedLog) line(write func(string, ...any), msg string, args ...any) {
	ok, dropped := l.take()
	if !ok {
		return
	}
	if dropped > 0 {
		write("nats: lines left out of the log", "lines", dropped)
	}
	write(msg, args...)
}

// take tells whether a line may be written now, and how many were not since
// the last one.
func (l *limitedLog) take() (ok bool, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.tokens = min(linesBurst, l.tokens+max(0, now.Sub(l.at).Seconds())*linesPerSecond)
	l.at = now
	if l.tokens < 1 {
		l.dropped++
		return false, 0
	}
	l.tokens--
	dropped, l.dropped = l.dropped, 0
	return true, dropped
}

// serverLog gives the server's log to slog: what it notices in passing as
// debug, the rest at its level. It keeps the first fatal line, which the server
// writes instead of returning an error.
type serverLog struct {
	log     *slog.Logger
	limited *limitedLog

	mu    sync.Mutex
	fatal error
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, limited: newLimitedLog()}
}

// Noticef writes what the server tells of itself.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats server", "line", fmt.Sprintf(format, v...))
}

// Warnf writes what goes wrong, mostly with a client.
func (l *serverLog) Warnf(format string, v ...any) {
	l.limited.line(l.log.Warn, "nats server", "line", fmt.Sprintf(format, v...))
}

// Errorf writes what goes wrong. What somebody else's connection does, such as to
// publish where it must not, wakes nobody: it is a warning.
func (l *serverLog) Errorf(format string, v ...any) {
	write := l.log.Error
	if ofConnection(format) {
		write = l.log.Warn
	}
	l.limited.line(write, "nats server", "line", fmt.Sprintf(format, v...))
}

// ofConnection tells whether a line is about a connection: the server puts the
// address and number of a client, WebSocket or leaf node before it.
func ofConnection(format string) bool {
	for _, kind := range []string{" - cid:", " - wid:", " - lid:", " - lid_ws:"} {
		if strings.Contains(format, kind) {
			return true
		}
	}
	return false
}

// Fatalf keeps the line as the reason why the server did not start; the one
// who starts it returns it.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

// Debugf writes nothing.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef writes nothing: traces show what messages hold.
func (l *serverLog) Tracef(string, ...any) {}

// failed returns the first fatal line, or nil.
func (l *serverLog) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
