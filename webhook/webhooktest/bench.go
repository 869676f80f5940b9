package webhooktest

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

func Send(b *testing.B, url, body, signature string) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
	Must(b, err)
	req.Header.Set(smartsheet.HeaderSignature, signature)
	resp, err := http.DefaultClient.Do(req)
	Must(b, err)
	_, err = io.Copy(io.Discard, resp.Body)
	Must(b, err)
	Must(b, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("got %s", resp.Status)
	}
}

// CPUTime is the processor time that the process has used.
func CPUTime(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	Must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
