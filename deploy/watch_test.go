package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// watcher is Prometheus with our rules, looking at the bridges.
type watcher struct{ url string }

// newWatch starts Prometheus, nil where it is not installed.
func newWatch(t *testing.T, p *topology) *watcher {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Log("prometheus is not installed, its queries are not tried")
		return nil
	}
	var targets []string
	for _, b := range p.bridges {
		targets = append(targets, strings.TrimSuffix(strings.TrimPrefix(b.ready, "http://"), "/readyz"))
	}
	config := strings.NewReplacer("bridge-1:8081, bridge-2:8081", strings.Join(targets, ", "), "15s", "2s").Replace(read(t, "prometheus/prometheus.yaml"))
	write(t, filepath.Join(p.dir, "prometheus.yaml"), config)
	write(t, filepath.Join(p.dir, "alerts.yaml"), read(t, "prometheus/alerts.yaml"))
	address := freeAddress(t)
	c := &child{t: t, name: "prometheus", path: path, ready: "http://" + address + "/-/ready", args: []string{
		"--config.file=" + filepath.Join(p.dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(p.dir, "prometheus"), "--web.listen-address=" + address,
	}}
	c.start()
	c.waitReady()
	return &watcher{"http://" + address}
}

// answer is how many series a query has.
func (w *watcher) answer(query string) (int, error) {
	answer, err := http.Get(w.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var got struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		return 0, err
	}
	if got.Status != "success" {
		return 0, errors.New(got.Error)
	}
	return len(got.Data.Result), nil
}

// queries waits until all that the dashboard asks has an answer. In a cluster
// there is no disk of ours, and what did not happen has no series.
func (w *watcher) queries(t *testing.T) {
	t.Helper()
	if w == nil {
		return
	}
	may := []string{"data_free_bytes", "reconcile_findings", "webhook_last_callback", "account_limit", "writes_total"}
	panels := panelQueries(t)
	eventstest.AwaitNil(t, patience, "every query has an answer", func() error {
		var silent []string
		for _, q := range panels {
			n, err := w.answer(strings.ReplaceAll(q, "$__rate_interval", "1m"))
			if err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
			if n == 0 && !slices.ContainsFunc(may, func(m string) bool { return strings.Contains(q, m) }) {
				silent = append(silent, q)
			}
		}
		if len(silent) > 0 {
			return fmt.Errorf("no answer to %q", silent)
		}
		return nil
	})
	firing, err := w.answer(`ALERTS{alertstate="firing",severity="critical"}`)
	t.Logf("%d queries have answers; %d critical alerts fire (%v)", len(panels), firing, err)
}

// freeAddress returns an address of this machine at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	return socket.Addr().String()
}
