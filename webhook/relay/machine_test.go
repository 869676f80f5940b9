package relay_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// machine does to a world whatever may happen to it, in any order.
type machine struct {
	*webhooktest.World
	rt    *rapid.T
	ids   []int64 // rows that are there
	files []int64
	talks []int64
	n     int
}

func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, withChildren(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Margin")})
	w.StartRelay()
	w.SettleAll()
	eventstest.Property(t, 2, func(rt *rapid.T) {
		m := &machine{World: w, rt: rt}
		m.look()
		rt.Repeat(map[string]func(*rapid.T){
			"edit":          m.editRow,
			"add rows":      m.addRows,
			"move a row":    m.moveRow,
			"delete a row":  m.deleteRow,
			"attach":        m.attach,
			"detach":        m.detach,
			"discuss":       m.discuss,
			"hush":          m.hush,
			"change shares": m.changeShare,
			"resend":        m.resend,
			"end the relay": m.bounce,
			"lose callbacks": func(rt *rapid.T) {
				fault := rapid.SampledFrom([]smartsheettest.CallbackFault{
					smartsheettest.Deliver, smartsheettest.Deliver, smartsheettest.Drop, smartsheettest.Duplicate, smartsheettest.Hold, smartsheettest.LoseAnswer,
				}).Draw(rt, "fault")
				m.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return fault })
			},
			"wait":      func(*rapid.T) { m.SettleAll() },
			"reconcile": func(*rapid.T) { m.hint(false) },
		})
		m.Sim.SetCallbackFault(nil)
		m.Sim.ReleaseHeld()
		m.hint(false)
		m.SettleAll()
		m.Check("acme", "bolt")
		m.WantNoWords("acme", "canary", "bolt")
		m.WantNoWords("bolt", "acme")
		if t.Failed() {
			rt.Fatal("the oracle says no")
		}
	})
}

func (m *machine) hint(full bool) {
	webhooktest.Must(m.T, m.Inbox.Put(m.T.Context(), &inbox.Hint{Registration: m.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: full}))
}

// look finds out what is there.
func (m *machine) look() {
	snap, _ := m.Sim.Snapshot(m.Sheet.ID)
	m.ids, m.files, m.talks = nil, nil, nil
	for _, r := range snap.Rows {
		m.ids = append(m.ids, r.ID)
	}
	for _, a := range snap.Attachments {
		m.files = append(m.files, a.ID)
	}
	for _, c := range snap.Comments {
		m.talks = append(m.talks, c.DiscussionID)
	}
}

// pick is one of the ids, or the action is skipped.
func (m *machine) pick(rt *rapid.T, ids []int64) int64 {
	if len(ids) == 0 {
		rt.Skip("none there")
	}
	return ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "which")]
}

// did takes a refusal of Smartsheet for nothing done, and looks again.
func (m *machine) did(err error) {
	var refused *smartsheettest.Error
	if err != nil && !errors.As(err, &refused) {
		m.T.Fatal(err)
	}
	m.look()
}

func (m *machine) cells(rt *rapid.T) webhooktest.Cells {
	m.n++
	c := webhooktest.Cells{"No": fmt.Sprint("M-", m.n), "Margin": fmt.Sprint("canary-", m.n)}
	if rapid.Bool().Draw(rt, "status") {
		c["Status"] = rapid.SampledFrom([]string{"Open", "Done", "Draft"}).Draw(rt, "value")
	}
	if rapid.Bool().Draw(rt, "qty") {
		c["Qty"] = rapid.SampledFrom([]any{1, 2, "many", nil}).Draw(rt, "value")
	}
	if rapid.Bool().Draw(rt, "the name stays") {
		delete(c, "No")
	}
	return c
}

func (m *machine) editRow(rt *rapid.T) {
	m.did(m.Sim.As(m.Jane).UpdateRows(m.Sheet.ID, smartsheettest.Row{ID: m.pick(rt, m.ids), Cells: m.cells(rt)}))
}

func (m *machine) addRows(rt *rapid.T) {
	if len(m.ids) > 12 {
		rt.Skip("rows enough")
	}
	_, err := m.Sim.As(m.Jane).AddRows(m.Sheet.ID, smartsheettest.Row{Cells: m.cells(rt)}, smartsheettest.Row{Cells: m.cells(rt)})
	m.did(err)
}

func (m *machine) moveRow(rt *rapid.T) {
	m.did(m.Sim.As(m.Jane).UpdateRows(m.Sheet.ID, smartsheettest.Row{ID: m.pick(rt, m.ids), ParentID: m.pick(rt, m.ids)}))
}

func (m *machine) deleteRow(rt *rapid.T) {
	m.did(m.Sim.As(m.Jane).DeleteRows(m.Sheet.ID, m.pick(rt, m.ids)))
}

func (m *machine) attach(rt *rapid.T) {
	_, err := m.Sim.As(m.Jane).AttachLink(m.Sheet.ID, m.pick(rt, m.ids), "file", "https://canary.example/")
	m.did(err)
}

func (m *machine) detach(rt *rapid.T) {
	m.did(m.Sim.As(m.Jane).DeleteAttachment(m.Sheet.ID, m.pick(rt, m.files)))
}

func (m *machine) discuss(rt *rapid.T) {
	_, _, err := m.Sim.As(m.Jane).Discuss(m.Sheet.ID, m.pick(rt, m.ids), "hello")
	m.did(err)
}

func (m *machine) hush(rt *rapid.T) {
	m.did(m.Sim.As(m.Jane).DeleteDiscussion(m.Sheet.ID, m.pick(rt, m.talks)))
}

// changeShare gives acme's share any other definition.
func (m *machine) changeShare(rt *rapid.T) {
	webhooktest.Must(m.T, m.Registrar.PutShare(m.T.Context(), m.Reg.ID, "acme", "orders", m.definition(rt), true))
}

// definition is any definition of acme's share.
func (m *machine) definition(rt *rapid.T) events.Request {
	r := events.Request{Columns: webhooktest.Columns("No"), Kinds: []string{"row"}}
	for _, title := range []string{"Status", "Qty"} {
		if rapid.Bool().Draw(rt, title) {
			mask := rapid.SampledFrom([]string{"", "", "hash", "redact"}).Draw(rt, "mask")
			r.Columns = append(r.Columns, events.RequestColumn{Title: title, Mask: mask})
		}
	}
	for _, kind := range []string{"attachment", "comment"} {
		if rapid.Bool().Draw(rt, kind) {
			r.Kinds = append(r.Kinds, kind)
		}
	}
	r.Where = rapid.SampledFrom([]string{"", "no != 'M-1'", "cells['Status'] == 'Open'", "cells['Qty'] == 2"}).Draw(rt, "where")
	return r
}

func (m *machine) resend(*rapid.T) {
	webhooktest.Must(m.T, m.Registrar.Resend(m.T.Context(), m.Reg.ID, "acme", "orders"))
}

// bounce stops the relay in the middle of whatever it does and starts it again.
func (m *machine) bounce(*rapid.T) {
	m.StopRelay()
	m.StartRelay()
}
