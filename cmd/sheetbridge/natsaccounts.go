package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// natsAccounts makes what a NATS cluster of one's own needs to know of us.
type natsAccounts struct {
	dir     string
	key     string // file of the key that seals the operator
	storage int64  // GiB of one partner's account
	hosts   []string
	writes  bool // the partners that are named may write
}

func natsAccountsCommand() *cobra.Command {
	var n natsAccounts
	cmd := &cobra.Command{
		Use:   "nats-accounts [PARTNER]…",
		Short: "Make the accounts of a NATS cluster of your own, for the bridge and each partner",
		Long: "Make the operator and the accounts of a NATS cluster of your own: one for the bridge, one for each partner named.\n" +
			"What is there stays as it is; a partner named later is added, and one named again with --writes may write from then on,\n" +
			"with the credentials that it has. The directory then has\n\n" +
			"  accounts.conf                     for every server to include; no secret\n" +
			"  bridge.creds                      the bridge's NATS_CREDS\n" +
			"  system.creds                      for the servers' administrators\n" +
			"  partners/NAME/bridge.creds        nats.credentials of POST /v1/partners\n" +
			"  partners/NAME/NAME.creds          for the partner: reads its stream and, with --writes, writes through its shares\n" +
			"  operator.sealed, operator.key     the keys of all of it, and the key that seals them: keep the two apart\n" +
			"  tls/                              with --tls: an authority and a certificate for the servers",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, partners []string) error {
			return n.run(cmd.OutOrStdout(), partners)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&n.dir, "dir", "nats-accounts", "`directory` to write to")
	flags.StringVar(&n.key, "key-file", "", "`file` with the key that seals the operator, made if it is not there (default operator.key in the directory)")
	flags.Int64Var(&n.storage, "storage", 3, "`GiB` that one partner's account may store, all replicas counted")
	flags.BoolVar(&n.writes, "writes", false, "let the partners named publish writes too, as shares that take writes need it")
	flags.StringSliceVar(&n.hosts, "tls", nil, "`hosts` and addresses of the servers: make a certificate for them")
	return cmd
}

func (n natsAccounts) run(out io.Writer, partners []string) error {
	if n.storage <= 0 {
		return cli.Usagef("--storage: want at least 1")
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("making the directory: %w", err)
	}
	if n.key == "" {
		n.key = filepath.Join(n.dir, "operator.key")
	}
	master, _, err := seal.LoadOrCreate(n.key)
	if err != nil {
		return fmt.Errorf("reading the key that seals the operator: %w", err)
	}
	sealed := filepath.Join(n.dir, "operator.sealed")
	operator, err := broker.LoadOperator(sealed, master)
	if err != nil {
		return err
	}
	for _, name := range partners {
		if err := operator.AddPartner(name, broker.Limits{Storage: n.storage << 30}); err != nil {
			return &cli.UsageError{Err: err}
		}
		if n.writes {
			if err := operator.AllowWrites(name); err != nil {
				return err
			}
		}
	}
	if err := operator.Save(sealed, master); err != nil {
		return err
	}
	if err := n.write(operator); err != nil {
		return fmt.Errorf("writing to %s: %w", n.dir, err)
	}
	_, err = fmt.Fprintf(out, "%s: accounts of the bridge and %d partners\n", n.dir, len(operator.Partners))
	return err
}

// write writes what is not there yet, and the servers' configuration again.
func (n natsAccounts) write(o *broker.Operator) error {
	conf, err := o.ServerConfig()
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(n.dir, "accounts.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	errs := []error{n.once("bridge.creds", o.BridgeCredentials), n.once("system.creds", o.SystemCredentials)}
	for name := range o.Partners {
		dir := filepath.Join("partners", name)
		errs = append(errs,
			n.once(filepath.Join(dir, "bridge.creds"), func() (string, error) { return o.WriterCredentials(name) }),
			n.once(filepath.Join(dir, name+".creds"), func() (string, error) { return o.ReaderCredentials(name, "default") }))
	}
	if len(n.hosts) > 0 {
		errs = append(errs, makeTLS(filepath.Join(n.dir, "tls"), n.hosts))
	}
	return errors.Join(errs...)
}

// once writes a file unless it is there.
func (n natsAccounts) once(name string, content func() (string, error)) error {
	path := filepath.Join(n.dir, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text, err := content()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeWhole(path, []byte(text), 0o600)
}

// writeWhole writes a file whole or not at all: a server may include it at any
// moment, and what is half there would be taken for the whole at the next run.
func writeWhole(path string, content []byte, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // it is gone where all went well
	_, err = file.Write(content)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
