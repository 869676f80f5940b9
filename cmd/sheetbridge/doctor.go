package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// errUnwell ends an examination that found something wrong.
var errUnwell = errors.New("something is wrong: see above what to do")

func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong, and say what to do", Args: listArgs,
		Long: "Look at the configuration of this environment, if it has that of a serve, and then ask the running service for its clock,\n" +
			"NATS, whether it is reached from outside, the queue, and every owner, partner, webhook and share. Exit with 1 if\n" +
			"something is wrong. Nothing is changed; Smartsheet is asked once or twice for each owner.\n" + askingHelp,
	}
	return asks(cmd, func(q *asking, _ []string) error {
		d := &admin.Diagnosis{OK: true, At: time.Now().UTC(), Items: examineConfig()}
		served, err := get[admin.Diagnosis](q.cmd.Context(), q.client, "/v1/doctor")
		var refused *apiError
		if errors.As(err, &refused) && refused.code == http.StatusUnauthorized {
			return err
		}
		if err != nil {
			d.Items = append(d.Items, unreached(err))
		} else {
			d.At, d.Items = served.At, append(d.Items, served.Items...)
		}
		for _, c := range d.Items {
			d.OK = d.OK && c.Level != "wrong"
		}
		if err := q.showDiagnosis(d); err != nil {
			return err
		}
		if !d.OK {
			return errUnwell
		}
		return nil
	})
}

// unreached is a service that does not answer.
func unreached(err error) admin.Check {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return admin.Check{
		Area: "bridge", Name: "admin API", Level: "wrong", Detail: err.Error(),
		Todo: "see that serve runs (its log says why if not), and that " + prefix + "_ADMIN_URL leads to its " + prefix + "_ADMIN_LISTEN",
	}
}

// examineConfig looks at the settings of a serve in this environment.
func examineConfig() []admin.Check {
	const area = "config"
	serving := 0
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, prefix+"_") && name != prefix+"_ADMIN_URL" && name != prefix+"_ADMIN_TOKEN" && name != prefix+"_ADMIN_TOKEN_FILE" {
			serving++
		}
	}
	if serving == 0 {
		return []admin.Check{{Area: area, Name: "environment", Level: "ok", Detail: "not looked at: that of serve is not set here"}}
	}
	cfg, err := loadConfig()
	if err != nil {
		var list []admin.Check
		for line := range strings.Lines(err.Error()) {
			name, what, found := strings.Cut(strings.TrimSpace(line), ": ")
			if !found {
				name, what = "environment", strings.TrimSpace(line)
			}
			list = append(list, admin.Check{Area: area, Name: name, Level: "wrong", Detail: what, Todo: "set it right: serve does not start so"})
		}
		return list
	}
	list := []admin.Check{{Area: area, Name: "environment", Level: "ok", Detail: fmt.Sprintf("%d settings, all as they may be", serving)}}
	if cfg.Unknown != nil {
		list = append(list, admin.Check{Area: area, Name: "environment", Level: "warning", Detail: cfg.Unknown.Error(), Todo: "correct its name, or remove it"})
	}
	return list
}

func (q *asking) showDiagnosis(d *admin.Diagnosis) error {
	out := q.cmd.OutOrStdout()
	if !q.json {
		return writeDiagnosis(out, colourOf(out), d)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return q.print(raw)
}

// writeDiagnosis writes a line for each check, what to do below it, and the sum.
func writeDiagnosis(w io.Writer, colour palette, d *admin.Diagnosis) error {
	count := map[string]int{}
	width := 0
	for _, c := range d.Items {
		count[c.Level]++
		width = max(width, len(c.Area)+1+len([]rune(clean(c.Name, maxName))))
	}
	var b strings.Builder
	for _, c := range d.Items {
		mark := map[string]string{"ok": colour.paint(green, "ok     "), "warning": colour.paint(yellow, "warning")}[c.Level]
		if mark == "" {
			mark = colour.paint(red, "WRONG  ")
		}
		what := c.Area + " " + clean(c.Name, maxName)
		fmt.Fprintf(&b, "%s  %s%s  %s\n", mark, what, strings.Repeat(" ", width-len([]rune(what))), clean(c.Detail, 600))
		if c.Todo != "" {
			fmt.Fprintf(&b, "         → %s\n", clean(inCommands(c.Todo), 600))
		}
	}
	warnings := "warnings"
	if count["warning"] == 1 {
		warnings = "warning"
	}
	fmt.Fprintf(&b, "%d looked at: %d ok, %d %s, %d wrong\n", len(d.Items), count["ok"], count["warning"], warnings, count["wrong"])
	_, err := io.WriteString(w, b.String())
	return err
}
