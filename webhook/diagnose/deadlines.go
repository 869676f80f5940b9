package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/notice"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// examineDeadlines says what ends soon: tokens, credentials and shares.
func (d *Doctor) examineDeadlines(f *findings) {
	for _, end := range notice.Deadlines(d.Registry, time.Now()) {
		area := map[string]string{"owner.expiring": "owner", "share.ending": "share"}[end.Type]
		if area == "" {
			area = "partner"
		}
		level := checkWarning
		if end.Ended && area != "share" {
			level = checkWrong
		}
		f.enter(Check{Area: area, Name: end.On, Level: level, Detail: end.Detail, Todo: end.Next, Action: end.Action})
	}
}

// examineUnknown says which webhooks at Smartsheet call us and are not known here: the
// store is another one than it was.
func (d *Doctor) examineUnknown(f *findings, known map[string]*ownerWebhooks) {
	base := strings.TrimSuffix(d.Registrar.PublicURL, "/") + registry.CallbackPath
	if d.Registrar.PublicURL == "" {
		return
	}
	ours := map[int64]bool{}
	for _, reg := range d.Registry.Registrations() {
		ours[reg.WebhookID] = true
	}
	unknown := 0
	for _, s := range known {
		for _, w := range s.webhooks {
			if strings.HasPrefix(w.CallbackURL, base) && !ours[w.ID] {
				unknown++
			}
		}
	}
	if unknown == 0 {
		return
	}
	found := fmt.Sprintf("%d webhooks at Smartsheet call this address and are not known here", unknown)
	if len(d.Registry.Registrations()) == 0 {
		f.wrong("bridge", "store", "stop the service, restore DATA_DIR from the backup and start it again; or, to start with nothing, delete these webhooks at Smartsheet", "the store is empty, and %s", found)
		return
	}
	f.warn("bridge", "store", "if the store was restored from an older copy, register their sheets again; else delete them at Smartsheet", "%s", found)
}
