package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bundle is one message of the queue.
type bundle struct {
	Hints []*Hint `json:"hints"`
}

var errNoHint = errors.New("there is no hint in it")

// ParseBundle returns the hints of a message in the queue.
func ParseBundle(data []byte) ([]*Hint, error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("reading a bundle of hints: %w", err)
	}
	hints := slices.DeleteFunc(b.Hints, func(h *Hint) bool { return h == nil || h.Registration == "" })
	if len(hints) == 0 {
		return nil, fmt.Errorf("reading a bundle of hints: %w", errNoHint)
	}
	for _, h := range hints {
		h.normalize()
	}
	return hints, nil
}

// key is what a hint is about. Hints of one key are merged, and one worker at a
// time has them.
type key struct {
	registration string
	share        string // "partner/sheet"; empty: all of the registration's
	whole        bool   // the whole sheet, beside which rows that are named are read
	webhook      bool   // its webhook, not its sheet
}

// task is a hint for one key.
type task struct {
	key  key
	hint *Hint
}

// tasks divides a hint by what it is about.
func (h *Hint) tasks() []task {
	var list []task
	if h.Webhook {
		webhook := h.coarse()
		webhook.Whole, webhook.Full, webhook.Shares = false, false, nil
		list = append(list, task{key{registration: h.Registration, webhook: true}, webhook})
	}
	switch {
	case h.empty() && h.Webhook:
	case len(h.Shares) == 0:
		all := h.clone()
		all.Webhook = false
		list = append(list, task{key{registration: h.Registration, whole: h.Whole}, all})
	default:
		for _, s := range h.Shares {
			one := h.clone()
			one.Shares, one.Webhook = []string{s}, false
			list = append(list, task{key{registration: h.Registration, share: s}, one})
		}
	}
	return list
}

// partnerOf returns the partner of a share "partner/sheet".
func partnerOf(share string) string {
	partner, _, _ := strings.Cut(share, "/")
	return partner
}
