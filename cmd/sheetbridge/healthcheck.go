package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
)

// healthTime bounds a health check.
const healthTime = 4 * time.Second

func healthcheckCommand() *cobra.Command {
	path := "/readyz"
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running serve whether it is ready; for containers without a shell",
		Long: "Ask the serve that runs with the same environment, at " + prefix + "_ADMIN_LISTEN, whether it is ready,\n" +
			"print its answer and exit with 0 if it is.",
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s struct {
				AdminListen  string `split_words:"true" default:"127.0.0.1:8081"`
				AdminHosts   string `split_words:"true"`
				AdminTLSCert string `envconfig:"ADMIN_TLS_CERT"`
			}
			if err := envconfig.Process(prefix, &s); err != nil {
				return &cli.UsageError{Err: err}
			}
			return health{s.AdminListen, s.AdminHosts, s.AdminTLSCert}.check(cmd.Context(), cmd.OutOrStdout(), path)
		},
	}
	cmd.Flags().StringVar(&path, "path", path, "`path` to ask: /readyz, or /healthz for the process alone")
	return cmd
}

// health is where a serve is asked how it is: settings as they are written.
type health struct {
	listen, hosts, cert string
}

func (h health) check(ctx context.Context, out io.Writer, path string) error {
	host, port, err := net.SplitHostPort(h.listen)
	if err != nil {
		return cli.Usagef("%s_ADMIN_LISTEN: %q is not an address", prefix, h.listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens everywhere, here too
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true} // no proxy on the way
	if h.cert != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = trustOnly(h.cert); err != nil {
			return cli.Usagef("%s_ADMIN_TLS_CERT: %w", prefix, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	req.Host = h.name()
	answer, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("asking %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, answer.Status, strings.TrimSpace(string(text)))
	}
	_, err = out.Write(text)
	return err
}

// name is a name under which serve answers, empty for the address that is asked.
func (h health) name() string {
	for name := range strings.SplitSeq(h.hosts, ",") {
		if name = strings.TrimSpace(name); name != "" && !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

// trustOnly trusts a server with the certificate in the file, by whatever name it
// was asked.
func trustOnly(path string) (*tls.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, block.Bytes) {
				return errors.New("the certificate is not the one in " + path)
			}
			return nil
		},
	}, nil
}
