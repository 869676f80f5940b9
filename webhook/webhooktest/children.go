package webhooktest

import (
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
)

// NewEvents are the types of events since acme was last looked at, in their order,
// with the text or name that each tells.
func (w *World) NewEvents() []string {
	w.T.Helper()
	var list []string
	all := w.Stream("acme")
	for _, m := range all {
		kind, _, ok := events.ParseSubject(m.Subject)
		if !ok || m.Sequence <= w.SeenTo["acme"] {
			continue
		}
		line := strings.TrimPrefix(m.Type, "sheetbridge.")
		for _, name := range map[events.Kind][]string{events.KindRow: {"no"}, events.KindAttachment: {"name"}, events.KindComment: {"text"}}[kind] {
			object := m.Data.After
			if object == nil {
				object = m.Data.Before
			}
			line += " " + strings.Trim(string(object.Get(name)), `"`)
		}
		list = append(list, strings.TrimSpace(line+" "+string(m.Data.Reason)))
	}
	w.SeenTo["acme"] = Last(all)
	w.Check("acme")
	return list
}

func (w *World) WantNewEvents(doing string, want ...string) {
	w.T.Helper()
	if diff := cmp.Diff(want, w.NewEvents()); diff != "" {
		w.T.Errorf("%s (-want +got):\n%s", doing, diff)
	}
}
