package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

func contractCommand() *cobra.Command {
	var partner string
	cmd := &cobra.Command{
		Use:   "contract --partner NAME",
		Short: "Print what a partner gets, as an AsyncAPI 3 document",
		Long: "Print what a partner gets, as an AsyncAPI 3 document: its servers, the subjects of its shares, the messages and their JSON Schemas.\n" +
			"No secret is in it: it may be given to the partner. It is JSON whatever -o says.\n" + askingHelp,
		Example: "  sheetbridge contract --partner acme > acme.asyncapi.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !events.ValidName(partner) {
				return fmt.Errorf("--partner %q is no partner's name", partner)
			}
			return cobra.NoArgs(cmd, args)
		},
	}
	asks(cmd, func(q *asking, _ []string) error {
		document, err := get[json.RawMessage](q.cmd.Context(), q.client, "/v1/partners/"+partner+"/contract")
		if err != nil {
			return err
		}
		return q.print(document)
	})
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the partner")
	return cmd
}

// adminFromEnv is a client of the admin API that the environment names.
func adminFromEnv() (*adminClient, error) {
	var s struct {
		AdminURL       string `split_words:"true" default:"http://127.0.0.1:8081"`
		AdminToken     string `split_words:"true"`
		AdminTokenFile string `split_words:"true"`
	}
	if err := envconfig.Process(prefix, &s); err != nil {
		return nil, err
	}
	u, err := url.Parse(s.AdminURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%s_ADMIN_URL: want http://host:port or https://host:port", prefix)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%s_ADMIN_URL: beyond loopback the token would cross the network in the clear: want https", prefix)
	}
	token, err := tokenOf(s.AdminToken, s.AdminTokenFile)
	if err != nil {
		return nil, err
	}
	return &adminClient{url: strings.TrimSuffix(s.AdminURL, "/"), token: token, http: &http.Client{
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext},
		Timeout:   time.Minute,
	}}, nil
}

// tokenOf is the first token of a list, or of a file with one, that is given
// itself and not as its hash. Serve takes several, each with a name if you like.
func tokenOf(list, file string) (seal.Secret, error) {
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

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
