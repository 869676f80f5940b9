package deploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// service is what is checked of a compose service.
type service struct {
	Image     string         `yaml:"image"`
	Build     any            `yaml:"build"`
	Volumes   []string       `yaml:"volumes"`
	Networks  []string       `yaml:"networks"`
	DependsOn map[string]any `yaml:"depends_on"`
	ReadOnly  bool           `yaml:"read_only"`
	CapDrop   []string       `yaml:"cap_drop"`
	Ports     []string       `yaml:"ports"`
	Restart   string         `yaml:"restart"`
}

// TestCompose checks that what the services of the compose file name is there.
func TestCompose(t *testing.T) {
	text := read(t, "compose.yaml")
	var file struct {
		Services map[string]service `yaml:"services"`
		Volumes  map[string]any     `yaml:"volumes"`
		Networks map[string]any     `yaml:"networks"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bridge-1", "bridge-2", "nats-1", "nats-2", "nats-3", "prometheus", "grafana", "proxy"} {
		if _, ok := file.Services[name]; !ok {
			t.Errorf("there is no service %s", name)
		}
	}
	for name, s := range file.Services {
		if s.Image == "" || !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s has no image or is not hardened: %+v", name, s)
		}
		for other := range s.DependsOn {
			if _, ok := file.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, other)
			}
		}
		for _, network := range s.Networks {
			if _, ok := file.Networks[network]; !ok {
				t.Errorf("%s is in network %s, which is none", name, network)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			_, named := file.Volumes[source]
			if _, err := os.Stat(filepath.FromSlash(source)); !named && err != nil {
				t.Errorf("%s mounts %s, which is neither a volume nor a file", name, source)
			}
		}
		if strings.HasPrefix(name, "bridge") && slices.ContainsFunc(s.Ports, func(p string) bool { return !strings.HasPrefix(p, "127.0.0.1:") }) {
			t.Errorf("%s is open to the network: %q", name, s.Ports)
		}
	}
	for name, s := range file.Services {
		if slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.HasPrefix(v, "operator:") }) != (name == "accounts") {
			t.Errorf("%s mounts %q: the key that seals the operator is for accounts alone", name, s.Volumes)
		}
	}
	for name, s := range file.Services {
		if slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.HasPrefix(v, "accounts:") }) != (name == "accounts" || name == "files") {
			t.Errorf("%s mounts %q: the folder of everybody's credentials is for those who make and hand out its files", name, s.Volumes)
		}
	}
	if !strings.Contains(text, "--key-file /operator/") {
		t.Error("the key that seals the operator lies beside it")
	}
	example := read(t, "compose.env.example")
	for _, variable := range matches(`\$\{([A-Z_]+):?\?`, text) {
		if !strings.Contains(example, "\n"+variable+"=") {
			t.Errorf("%s is required and not in compose.env.example", variable)
		}
	}
}

// TestYAML reads every YAML file that is not a template.
func TestYAML(t *testing.T) {
	list := files(t, func(p string) bool { return strings.HasSuffix(p, ".yaml") && !strings.Contains(p, "templates") })
	if len(list) < 7 {
		t.Errorf("got %q, want more", list)
	}
	for _, name := range list {
		var into any
		if err := yaml.Unmarshal([]byte(read(t, name)), &into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
