package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// errUnwell ends a diagnosis that found something wrong.
var errUnwell = errors.New("something is wrong: see above what to do")

func (p *program) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check everything, and say what to do about what is wrong", Args: NoArguments,
		Long: "Check the settings of this environment, if they are those of a serve, and then the running service: its clock, NATS,\n" +
			"whether it can be reached from outside, the queue, and every owner, partner, webhook and share. The exit code is 1 if\n" +
			"something is wrong. Nothing is changed; Smartsheet gets one or two requests for each owner.\n" + apiHelp,
	}
	return p.reads(cmd, []string{formatText, formatJSON}, func(c *call, _ []string) error {
		d := &admin.Diagnosis{OK: true, At: time.Now().UTC(), Items: p.CheckConfig()}
		var served admin.Diagnosis
		err := c.get("/v1/doctor", &served)
		var refused *APIError
		if errors.As(err, &refused) && refused.Code == http.StatusUnauthorized {
			return err
		}
		if err != nil {
			d.Items = append(d.Items, noService(err))
		} else {
			d.At, d.Items = served.At, append(d.Items, served.Items...)
		}
		for _, check := range d.Items {
			d.OK = d.OK && check.Level != "wrong"
		}
		if c.json() {
			err = c.print(d)
		} else {
			err = p.writeDiagnosis(c.out, c.width(), d)
		}
		if err == nil && !d.OK {
			err = errUnwell
		}
		return err
	})
}

// noService is the check of a service that does not answer.
func noService(err error) admin.Check {
	var away *unreachedError
	if errors.As(err, &away) {
		err = away.err
	}
	return admin.Check{
		Area: "bridge", Name: "admin API", Level: "wrong", Detail: err.Error(),
		Todo: "see that serve runs (if not, its log says why), and that " + Prefix + "_ADMIN_URL is the address of its " + Prefix + "_ADMIN_LISTEN",
	}
}

// writeDiagnosis writes a line for each check with what to do below it, and a
// summary.
func (p *program) writeDiagnosis(w io.Writer, width int, d *admin.Diagnosis) error {
	colours := terminal.Colours(w)
	count := map[string]int{}
	names := 0
	for _, c := range d.Items {
		count[c.Level]++
		names = max(names, len(c.Area)+1+len([]rune(terminal.Clean(c.Name, terminal.MaxName))))
	}
	names = min(names, 28)
	var b strings.Builder
	for _, c := range d.Items {
		mark := map[string]string{"ok": colours.Paint(terminal.Green, "ok     "), "warning": colours.Paint(terminal.Yellow, "warning")}[c.Level]
		if mark == "" {
			mark = colours.Paint(terminal.Red, "WRONG  ")
		}
		name := fmt.Sprintf("%-*s  ", names, c.Area+" "+terminal.Clean(c.Name, terminal.MaxName))
		b.WriteString(mark + "  " + strings.TrimPrefix(terminal.Paragraph("         "+name, terminal.Clean(c.Detail, 600), width), "         "))
		if c.Todo != "" {
			todo := p.inCommands(c.Todo)
			if next := p.nextStep(todo, c.Action); next != "" {
				todo += ": " + next
			}
			b.WriteString(terminal.Paragraph("         → ", terminal.Clean(todo, 600), width))
		}
	}
	warnings := "warnings"
	if count["warning"] == 1 {
		warnings = "warning"
	}
	fmt.Fprintf(&b, "%d checks: %d ok, %d %s, %d wrong\n", len(d.Items), count["ok"], count["warning"], warnings, count["wrong"])
	_, err := io.WriteString(w, b.String())
	return err
}
