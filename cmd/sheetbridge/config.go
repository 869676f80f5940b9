package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

// maxCallback is the most that CALLBACK_LIMIT may be.
const maxCallback = 1 << 30

// prefix of the environment variables.
const prefix = cli.Prefix

// settings are the environment as it was written. They are read as text, so
// that everything that is wrong with them can be said at once.
type settings struct {
	PublicURL             string `split_words:"true"`
	Listen                string `default:":8080"`
	CallbackLimit         string `split_words:"true" default:"16MiB"`
	AdminListen           string `split_words:"true" default:"127.0.0.1:8081"`
	AdminHosts            string `split_words:"true"`
	AdminToken            string `split_words:"true"`
	AdminTokenFile        string `split_words:"true"`
	AdminTLSCert          string `envconfig:"ADMIN_TLS_CERT"`
	AdminTLSKey           string `envconfig:"ADMIN_TLS_KEY"`
	AdminClientCA         string `envconfig:"ADMIN_CLIENT_CA"`
	AdminAllowPlaintext   string `split_words:"true" default:"false"`
	AdminURL              string `split_words:"true"` // this one and the next three are of the commands that ask a running service
	AdminCA               string `envconfig:"ADMIN_CA"`
	AdminClientCert       string `split_words:"true"`
	AdminClientKey        string `split_words:"true"`
	DataDir               string `split_words:"true" default:"./data"`
	MasterKey             string `split_words:"true"`
	MasterKeyFile         string `split_words:"true"`
	MasterKeyOld          string `split_words:"true"`
	MasterKeyOldFile      string `split_words:"true"`
	NATSURL               string `envconfig:"NATS_URL"`
	NATSCreds             string `envconfig:"NATS_CREDS"`
	NATSCA                string `envconfig:"NATS_CA"`
	NATSListen            string `envconfig:"NATS_LISTEN" default:"127.0.0.1:4222"`
	NATSTLSCert           string `envconfig:"NATS_TLS_CERT"`
	NATSTLSKey            string `envconfig:"NATS_TLS_KEY"`
	NATSClientCA          string `envconfig:"NATS_CLIENT_CA"`
	NATSWSListen          string `envconfig:"NATS_WS_LISTEN"`
	NATSLeafListen        string `envconfig:"NATS_LEAF_LISTEN"`
	NATSAllowPlaintext    string `envconfig:"NATS_ALLOW_PLAINTEXT" default:"false"`
	NATSPublicURL         string `envconfig:"NATS_PUBLIC_URL"`
	NATSReplicas          string `envconfig:"NATS_REPLICAS" default:"1"`
	OAuthClientID         string `envconfig:"OAUTH_CLIENT_ID"`
	OAuthClientSecret     string `envconfig:"OAUTH_CLIENT_SECRET"`
	OAuthClientSecretFile string `envconfig:"OAUTH_CLIENT_SECRET_FILE"`
	SmartsheetURL         string `split_words:"true"`
	ReconcileEvery        string `split_words:"true" default:"10m"`
	APIRate               string `envconfig:"API_RATE" default:"240"`
	ClassificationDeny    string `split_words:"true"`
	NotReadingAfter       string `split_words:"true" default:"24h"`
	NotifyURL             string `split_words:"true"`
	NotifySecret          string `split_words:"true"`
	NotifySecretFile      string `split_words:"true"`
	LogLevel              string `split_words:"true" default:"info"`
	LogFormat             string `split_words:"true"`
}

// config is the service's configuration, checked.
type config struct {
	PublicURL       string
	Listen          string
	Socket          net.Listener // if not nil, serve listens with it and not at Listen
	CallbackLimit   int64
	AdminListen     string
	Admin           adminConfig
	DataDir         string
	Temporary       bool // DataDir is removed afterwards: nothing in it is to be backed up
	Master          func() (seal.MasterKey, error)
	OldMaster       seal.MasterKey // zero, but while the master key is changed
	NATS            natsConfig
	OAuth           oauthConfig
	SmartsheetURL   string
	ReconcileEvery  time.Duration
	APIRate         int
	NotReadingAfter time.Duration // 0: partners may read nothing for ever
	Notify          notifyConfig
	Deny            smartsheet.Classifications // a sheet that bears one of these labels is not shared
	LogLevel        slog.Level
	LogFormat       string // text or json
	Unknown         error  // variables with our prefix that are no settings
}

// wrong collects what is wrong with the settings.
type wrong []error

func (w *wrong) add(name string, err error) {
	if err != nil {
		*w = append(*w, fmt.Errorf("%s_%s: %w", prefix, name, err))
	}
}

// loadConfig reads the environment. Its error names every wrong setting.
func loadConfig() (*config, error) {
	var s settings
	if err := envconfig.Process(prefix, &s); err != nil {
		return nil, err
	}
	var w wrong
	c := &config{
		PublicURL: s.PublicURL, Listen: s.Listen, AdminListen: s.AdminListen, DataDir: s.DataDir,
		SmartsheetURL: strings.TrimSuffix(s.SmartsheetURL, "/"), LogFormat: s.LogFormat,
		Unknown: envconfig.CheckDisallowed(prefix, &s),
	}
	var err error
	w.add("PUBLIC_URL", checkPublicURL(s.PublicURL))
	w.add("LISTEN", checkAddress(s.Listen))
	c.Admin = s.admin(&w)
	c.CallbackLimit, err = limits.ParseSize(s.CallbackLimit, 1, maxCallback)
	w.add("CALLBACK_LIMIT", err)
	c.OAuth = s.oauth(&w)
	if s.SmartsheetURL != "" {
		w.add("SMARTSHEET_URL", smartsheet.CheckURL(s.SmartsheetURL))
	}
	c.ReconcileEvery, err = parseEvery(s.ReconcileEvery)
	w.add("RECONCILE_EVERY", err)
	c.APIRate, err = parseCount(s.APIRate, 4, 100_000)
	w.add("API_RATE", err)
	c.NotReadingAfter, err = parseNotReading(s.NotReadingAfter)
	w.add("NOT_READING_AFTER", err)
	for label := range strings.SplitSeq(s.ClassificationDeny, ",") {
		if label = strings.TrimSpace(label); label != "" {
			c.Deny = append(c.Deny, label)
		}
	}
	if c.LogLevel.UnmarshalText([]byte(s.LogLevel)) != nil {
		w.add("LOG_LEVEL", fmt.Errorf("%q is none of debug, info, warn and error", s.LogLevel))
	}
	if f := s.LogFormat; f != "" && f != "text" && f != "json" {
		w.add("LOG_FORMAT", fmt.Errorf("%q is neither text nor json", f))
	}
	c.Notify = s.notify(&w)
	c.NATS = s.nats(&w)
	c.Master, c.OldMaster = s.master(&w), s.oldMaster(&w)
	return c, errors.Join(w...)
}

// master says where the master key comes from. Without NATS_URL it is made at
// the first start.
func (s *settings) master(w *wrong) func() (seal.MasterKey, error) {
	switch {
	case s.MasterKey != "" && s.MasterKeyFile != "":
		w.add("MASTER_KEY", errors.New("is set beside MASTER_KEY_FILE: set one of them"))
	case s.MasterKey != "":
		key, err := seal.ParseMasterKey(s.MasterKey)
		w.add("MASTER_KEY", err)
		return func() (seal.MasterKey, error) { return key, nil }
	case s.MasterKeyFile != "":
		key, err := seal.LoadMasterKey(s.MasterKeyFile)
		w.add("MASTER_KEY_FILE", err)
		return func() (seal.MasterKey, error) { return key, nil }
	case s.NATSURL != "":
		w.add("MASTER_KEY", errors.New("is required with NATS_URL: base64 of 32 random bytes, the same for every replica (openssl rand -base64 32), or MASTER_KEY_FILE"))
	}
	return masterIn(s.DataDir)
}

// oldMaster is the key that the master key takes the place of, zero for none.
func (s *settings) oldMaster(w *wrong) seal.MasterKey {
	text, ok := s.secret(w, "MASTER_KEY_OLD", s.MasterKeyOld, s.MasterKeyOldFile)
	if !ok || text == "" {
		return seal.MasterKey{}
	}
	key, err := seal.ParseMasterKey(string(text))
	w.add("MASTER_KEY_OLD", err)
	return key
}

// oldMasters is the old master key, if there is one.
func (c *config) oldMasters() []seal.MasterKey {
	if c.OldMaster.IsZero() {
		return nil
	}
	return []seal.MasterKey{c.OldMaster}
}

// masterFile is where the master key lies in the data directory that was made there.
const masterFile = "master.key"

// masterIn is the master key that lies in the data directory, made when there
// is none.
func masterIn(dir string) func() (seal.MasterKey, error) {
	return func() (seal.MasterKey, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return seal.MasterKey{}, err
		}
		path := filepath.Join(dir, masterFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && broker.Made(natsDir(dir)) {
			return seal.MasterKey{}, fmt.Errorf("%s is missing beside what was sealed with it, and another key would open nothing: "+
				"restore it from the backup or set %s_MASTER_KEY; or, to start with nothing, take a new directory", path, prefix)
		}
		key, _, err := seal.LoadOrCreate(path)
		return key, err
	}
}

// checkDataDir tells why the data directory cannot be made. That is known only
// once it is; what was made to know it is removed again.
func checkDataDir(dir string) error {
	if dir == "" {
		return errors.New("is empty: name a directory, or leave it unset for ./data")
	}
	var missing []string // the deepest first
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		missing = append(missing, d)
	}
	err := os.MkdirAll(dir, 0o700)
	for _, d := range missing {
		_ = os.Remove(d) // unless another process uses it by now
	}
	return err
}

// natsDir is where the embedded NATS lives in the data directory.
func natsDir(dataDir string) string { return filepath.Join(dataDir, "nats") }

// checkPublicURL tells why Smartsheet could not call there. It says nothing of
// what else the text holds: that may be a password. A simulator on this machine
// calls any port.
func checkPublicURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return errors.New("is not a base URL: want https://host[:port][/path], without user, query and fragment")
	}
	switch {
	case loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return errors.New("plain http is for a simulator on this machine: Smartsheet calls https only")
	case !slices.Contains([]string{"443", "8000", "8008", "8080", "8443"}, cmp.Or(u.Port(), "443")):
		return fmt.Errorf("is not a port that Smartsheet calls (%s): want 443, 8000, 8008, 8080 or 8443", u.Port())
	}
	return nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not an address to listen at: want host:port or :port", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port between 0 and 65535", s)
	}
	return nil
}

func parseEvery(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is not a duration from 1s to 24h, such as 10m", s)
	}
	return d.Round(time.Second), nil
}

// parseNotReading reads how long a partner may read nothing; 0 is for ever.
func parseNotReading(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d != 0 && d < time.Second || d > 365*24*time.Hour {
		return 0, fmt.Errorf("%q is neither 0 nor a duration from 1s to 8760h, such as 24h", s)
	}
	return d, nil
}

func parseCount(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", s, least, most)
	}
	return n, nil
}
