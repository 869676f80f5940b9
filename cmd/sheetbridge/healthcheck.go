package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address := os.Getenv(prefix + "_ADMIN_LISTEN")
			if address == "" {
				address = "127.0.0.1:8081"
			}
			return healthcheck(cmd.Context(), cmd.OutOrStdout(), address, path)
		},
	}
	cmd.Flags().StringVar(&path, "path", path, "`path` to ask: /readyz, or /healthz for the process alone")
	return cmd
}

func healthcheck(ctx context.Context, out io.Writer, address, path string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return &usageError{fmt.Errorf("%s_ADMIN_LISTEN: %q is no address", prefix, address)}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // it listens everywhere, here too
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy on the way
	answer, err := client.Do(req)
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
