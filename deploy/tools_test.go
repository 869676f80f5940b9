package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// getTool says how to get a tool that is no package of the system.
var getTool = map[string]string{"helm": "\nget it: go install helm.sh/helm/v3/cmd/helm@v3.22.0", "caddy": "\nget it: go install github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9"}

// lookTool returns where a program is. Where it is not installed, the test is skipped.
func lookTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed%s", name, getTool[name])
	}
	return path
}

// tool runs a program on our files. Where it is not installed, the test is skipped.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(lookTool(t, name), args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestPrometheus(t *testing.T) {
	tool(t, "promtool", "check", "config", "prometheus/prometheus.yaml")
	tool(t, "promtool", "check", "rules", "prometheus/alerts.yaml")
	tool(t, "promtool", "test", "rules", "prometheus/alerts_test.yaml", "prometheus/alerts_days_test.yaml")
}

// TestDashboardQueries has the dashboard's queries parsed, as rules.
func TestDashboardQueries(t *testing.T) {
	rules := "groups:\n  - name: panels\n    rules:\n"
	for i, expr := range panelQueries(t) {
		expr = strings.ReplaceAll(expr, "$__rate_interval", "1m")
		quoted, err := json.Marshal(expr)
		if err != nil {
			t.Fatal(err)
		}
		rules += fmt.Sprintf("      - {record: \"panel:%d\", expr: %s}\n", i, quoted)
	}
	name := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(name, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "promtool", "check", "rules", name)
}

func panelQueries(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/sheetbridge.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	var list []string
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d is there twice or too wide", p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	if len(list) < 30 {
		t.Fatalf("got %d queries, want more", len(list))
	}
	return list
}

// TestHelm renders the chart in each of the ways it is for.
func TestHelm(t *testing.T) {
	const chart, kube = "helm/sheetbridge", "--kube-version=1.31.0"
	required := []string{"--set", "image.repository=registry.a.example/sheetbridge,admin.tlsSecret=admin-tls"}
	external := []string{"--set", "nats.url=tls://n:4222,nats.caConfigMap=ca,publicUrl=https://b.a.example,ingress.enabled=true,ingress.host=b.a.example,secret.oauth=o,tracing.endpoint=http://o:4318"}
	ways := map[string]struct {
		set  []string
		want []string // in what is rendered
	}{
		"embedded":               {nil, []string{"kind: StatefulSet", "kind: NetworkPolicy", "kind: PodDisruptionBudget", "readOnlyRootFilesystem: true", "SHEETBRIDGE_MASTER_KEY_FILE", "SHEETBRIDGE_ADMIN_HOSTS", "scheme: HTTPS"}},
		"embedded, partners":     {[]string{"--set", "nats.listen=true,nats.tlsSecret=t,nats.publicUrl=tls://x:4222"}, []string{"SHEETBRIDGE_NATS_TLS_CERT", "type: LoadBalancer"}},
		"external":               {external, []string{"kind: Deployment", "key: master-key", "path: /callbacks/", "SHEETBRIDGE_NATS_CA"}},
		"external, below a path": {append(slices.Clone(external), "--set", "publicUrl=https://b.a.example:8443/bridge/"), []string{"path: /bridge/callbacks/,", "path: /bridge/oauth/callback,"}},
		"external, watched": {append([]string{"--set", "metrics.serviceMonitor=true,metrics.rules=true,metrics.dashboard=true,networkPolicy.adminFrom[0].namespaceSelector.matchLabels.name=monitoring"}, external...),
			[]string{"kind: ServiceMonitor", "kind: PrometheusRule", "SheetbridgeDown", "grafana_dashboard"}},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			set := append(slices.Clone(required), way.set...)
			tool(t, "helm", append([]string{"lint", "--strict", chart, kube}, set...)...)
			out := tool(t, "helm", append([]string{"template", "sheetbridge", chart, kube}, set...)...)
			for _, want := range way.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not rendered", want)
				}
			}
		})
	}
}

// TestHelmNamesWhoScrapes renders nothing that Prometheus could not reach.
func TestHelmNamesWhoScrapes(t *testing.T) {
	path := lookTool(t, "helm")
	out, err := exec.Command(path, "template", "sheetbridge", "helm/sheetbridge", "--kube-version=1.31.0", "--set", "image.repository=r,admin.tlsSecret=t,metrics.serviceMonitor=true").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "networkPolicy.adminFrom") {
		t.Errorf("got %v and %s, want a word on networkPolicy.adminFrom", err, out)
	}
}

// TestHelmAsksFor what nobody can know but the operator.
func TestHelmAsksFor(t *testing.T) {
	path := lookTool(t, "helm")
	for set, word := range map[string]string{"image.repository=r": "admin.tlsSecret", "admin.allowPlaintext=true": "image.repository"} {
		out, err := exec.Command(path, "template", "sheetbridge", "helm/sheetbridge", "--kube-version=1.31.0", "--set", set).CombinedOutput()
		if err == nil || !strings.Contains(string(out), word) {
			t.Errorf("with %s: got %v and %s, want it to ask for %s", set, err, out, word)
		}
	}
}

// TestNoImageIsPromised: nobody has published one.
func TestNoImageIsPromised(t *testing.T) {
	for _, name := range files(t, func(p string) bool { return !strings.HasSuffix(p, "_test.go") }) {
		if strings.Contains(read(t, name), "ghcr.io/") {
			t.Errorf("%s names an image that is not there", name)
		}
	}
}

// TestProxiesLimit finds the bounds that hold before the bridge sees a key.
func TestProxiesLimit(t *testing.T) {
	for name, words := range map[string][]string{
		"proxy/nginx.conf": {"client_max_body_size", "limit_conn_zone", "limit_conn ", "limit_req_zone", "limit_req ", "limit_req_status 429"},
		"proxy/Caddyfile":  {"max_size", "max_header_size", "limits.nft"},
		"proxy/limits.nft": {"ct count over", "limit rate over"},
	} {
		for _, word := range words {
			if !strings.Contains(read(t, name), word) {
				t.Errorf("%s lacks %q", name, word)
			}
		}
	}
	t.Run("nft", func(t *testing.T) { tool(t, "nft", "--check", "--file", "proxy/limits.nft") })
}

// TestReleaseScript reads the script as the shell does.
func TestReleaseScript(t *testing.T) { tool(t, "bash", "-n", "release.sh") }

// TestImageHasAllOfTheTree keeps the image's version clean: a file of the
// checkout that is left out of the build counts as a change.
func TestImageHasAllOfTheTree(t *testing.T) {
	out := tool(t, "git", "-C", "..", "ls-files", "--cached", "--ignored", "--exclude-from=deploy/Dockerfile.dockerignore")
	if out != "" {
		t.Errorf("these are left out of the image's build:\n%s", out)
	}
}

func TestProxies(t *testing.T) {
	t.Setenv("SITE", "bridge.a.example")
	t.Run("caddy", func(t *testing.T) {
		var config struct {
			Logging struct {
				Logs map[string]struct {
					Encoder struct{ Fields map[string]any }
				}
			}
		}
		out, err := exec.Command(lookTool(t, "caddy"), "adapt", "--config", "proxy/Caddyfile", "--adapter", "caddyfile").Output()
		if err != nil {
			t.Fatalf("caddy adapt: %v", err)
		}
		if err := json.Unmarshal(out, &config); err != nil {
			t.Fatal(err)
		}
		// A request that no bridge took is in the default log, not in the site's.
		logs := config.Logging.Logs
		if fields := logs["default"].Encoder.Fields; len(logs) != 1 || fields["request>uri"] == nil || fields["request>headers"] == nil {
			t.Errorf("the logs are %+v, want one, which hides the path and the headers", logs)
		}
	})
	for _, name := range []string{"proxy/Caddyfile", "proxy/nginx.conf"} {
		text := read(t, name)
		if size := matches(`(?m)(?:max_size|client_max_body_size) +(\d+)m`, strings.ToLower(text)); !slices.Equal(size, []string{"64"}) {
			t.Errorf("%s lets in bodies of up to %q MB, want 64: a bridge answers to what is above its own limit", name, size)
		}
		if !strings.Contains(text, "/callbacks/") || !strings.Contains(text, "/oauth/callback") || !strings.Contains(text, "404") {
			t.Errorf("%s does not let in callbacks and the redirect alone", name)
		}
	}
}
