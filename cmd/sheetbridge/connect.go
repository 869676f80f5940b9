package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// clientSettings are those of the commands that call a running service.
type clientSettings struct {
	AdminURL        string `split_words:"true" default:"http://127.0.0.1:8081"`
	AdminToken      string `split_words:"true"`
	AdminTokenFile  string `split_words:"true"`
	AdminCA         string `envconfig:"ADMIN_CA"`
	AdminClientCert string `split_words:"true"`
	AdminClientKey  string `split_words:"true"`
}

// clientNames are the names of those.
var clientNames = []string{"ADMIN_URL", "ADMIN_TOKEN", "ADMIN_TOKEN_FILE", "ADMIN_CA", "ADMIN_CLIENT_CERT", "ADMIN_CLIENT_KEY"}

// connect returns a client of the admin API that the environment names.
func connect() (*cli.Client, error) {
	var s clientSettings
	if err := envconfig.Process(prefix, &s); err != nil {
		return nil, err
	}
	u, err := url.Parse(s.AdminURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%s_ADMIN_URL: want http://host:port or https://host:port", prefix)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%s_ADMIN_URL: beyond this machine the token would cross the network unencrypted: want https", prefix)
	}
	token, err := firstToken(s.AdminToken, s.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	secure, err := s.secure()
	if err != nil {
		return nil, err
	}
	return cli.NewClient(s.AdminURL, token, secure), nil
}

// secure says whom the commands trust over TLS, and which certificate they show.
func (s *clientSettings) secure() (*tls.Config, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.AdminCA != "" {
		var err error
		if secure, err = loadTrust(s.AdminCA); err != nil {
			return nil, fmt.Errorf("%s_ADMIN_CA: %w", prefix, err)
		}
	}
	if s.AdminClientCert != "" || s.AdminClientKey != "" {
		own, err := tls.LoadX509KeyPair(s.AdminClientCert, s.AdminClientKey)
		if err != nil {
			return nil, fmt.Errorf("reading %[1]s_ADMIN_CLIENT_CERT and %[1]s_ADMIN_CLIENT_KEY: %[2]w", prefix, err)
		}
		secure.Certificates = []tls.Certificate{own}
	}
	return secure, nil
}

// firstToken is the first token of a list, or of a file with one, that is given
// itself and not as its hash. Serve takes several, each with or without a name.
func firstToken(list, file string) (seal.Secret, error) {
	if list == "" && file != "" {
		text, err := seal.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%s_ADMIN_TOKEN_FILE: %w", prefix, err)
		}
		list = string(text)
	}
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		last := strings.LastIndexByte(entry, ':')
		before, token := strings.TrimSuffix(entry[:last+1], ":"), entry[last+1:]
		if token != "" && before != "sha256" && !strings.HasSuffix(before, ":sha256") {
			return seal.Secret(token), nil
		}
	}
	return "", errors.New(prefix + "_ADMIN_TOKEN is required: one of the tokens that serve was given, itself and not its hash")
}

// checkConfig checks the settings of a serve in this environment.
func checkConfig() []admin.Check {
	const area = "config"
	set := 0
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		name, ours := strings.CutPrefix(name, prefix+"_")
		if ours && !slices.Contains(clientNames, name) {
			set++
		}
	}
	if set == 0 {
		return []admin.Check{{Area: area, Name: "environment", Level: "ok", Detail: "not checked: the settings of serve are not in this environment"}}
	}
	cfg, err := loadConfig()
	if err != nil {
		var list []admin.Check
		for line := range strings.Lines(err.Error()) {
			name, what, found := strings.Cut(strings.TrimSpace(line), ": ")
			if !found {
				name, what = "environment", strings.TrimSpace(line)
			}
			list = append(list, admin.Check{Area: area, Name: name, Level: "wrong", Detail: what, Todo: "correct it: serve does not start with this setting"})
		}
		return list
	}
	list := []admin.Check{{Area: area, Name: "environment", Level: "ok", Detail: fmt.Sprintf("%d settings, all valid", set)}}
	if cfg.Unknown != nil {
		list = append(list, admin.Check{Area: area, Name: "environment", Level: "warning", Detail: cfg.Unknown.Error(), Todo: "correct its name, or remove it"})
	}
	return list
}
