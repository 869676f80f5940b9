package broker

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// The server writes a line for much that a client does wrong, as often as it
// does it. So lines are let through at linesPerSecond, up to linesBurst at once.
const (
	linesPerSecond = 5
	linesBurst     = 50
)

// serverLog gives the server's log to slog: what it notices in passing as
// debug, the rest at its level. It keeps the first fatal line, which the server
// writes instead of returning an error.
type serverLog struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	fatal   error
	tokens  float64
	at      time.Time // when tokens was right
	dropped int
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, now: time.Now, tokens: linesBurst, at: time.Now()}
}

// Noticef writes what the server tells of itself.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats server", "line", fmt.Sprintf(format, v...))
}

// Warnf and Errorf write what goes wrong, mostly with a client.
func (l *serverLog) Warnf(format string, v ...any)  { l.line(l.log.Warn, format, v) }
func (l *serverLog) Errorf(format string, v ...any) { l.line(l.log.Error, format, v) }

// Fatalf keeps the line as the reason why the server did not start; the one
// who starts it returns it.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

// Debugf and Tracef write nothing: traces show what messages hold.
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

func (l *serverLog) started() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *serverLog) line(write func(string, ...any), format string, v []any) {
	ok, dropped := l.take()
	if !ok {
		return
	}
	if dropped > 0 {
		write("nats server wrote more than is kept", "lines", dropped)
	}
	write("nats server", "line", fmt.Sprintf(format, v...))
}

// take tells whether a line may be written now, and how many were not since
// the last one.
func (l *serverLog) take() (ok bool, dropped int) {
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
