package notice

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func decodeKey(key string) ([]byte, error) { return base64.StdEncoding.DecodeString(key) }

const day = 24 * time.Hour

// Days before the end at which somebody is told.
var (
	accessDays = []int{1, 7, 30} // of credentials and tokens
	shareDays  = []int{1, 14}
)

// Deadline is something that ends by itself, and soon.
type Deadline struct {
	Condition
	Partner string // whom it concerns; empty: nobody
	At      time.Time
	Ended   bool
	Action  *problem.Action // the call of Next
}

// Deadlines are what ends soon: credentials and tokens within 30 days, shares within
// 14. Credentials that others have taken the name of are not among them.
func Deadlines(r *registry.Registry, now time.Time) []Deadline {
	var list []Deadline
	for _, o := range r.Owners() {
		if o.ExpiresAt == nil || o.OAuth != nil {
			continue
		}
		list = appendDue(list, "owner", o.Name, *o.ExpiresAt, now, accessDays, Deadline{Action: problem.ReplaceToken.For(o.Name), Condition: Condition{
			Type: "owner.expiring", On: o.Name, Next: "make another token at Smartsheet and give it with PUT /v1/owners/" + o.Name + "/token, and say when that one runs out", Link: "/#/owners/" + o.Name,
			Detail: "the token of owner " + o.Name,
		}})
	}
	for _, p := range r.Partners() {
		for _, c := range p.Credentials {
			if c.ExpiresAt == nil || c.OverlapUntil != nil {
				continue
			}
			list = appendDue(list, "credentials", p.Name+"."+c.Name+"."+c.PublicKey, *c.ExpiresAt, now, accessDays, Deadline{Partner: p.Name, Action: problem.Invite.For(p.Name), Condition: Condition{
				Type: "credentials.expiring", On: p.Name + "/" + c.Name, Link: "/#/partners/" + p.Name,
				Detail: "credentials " + c.Name + " of partner " + p.Name,
				Next:   "invite the partner to new ones with POST /v1/partners/" + p.Name + "/invitations, or delete these if nobody uses them",
			}})
		}
	}
	for _, s := range r.AllShares() {
		if s.Until == nil || s.Ending {
			continue
		}
		list = appendDue(list, "share", s.Partner+"."+s.Sheet, *s.Until, now, shareDays, Deadline{Partner: s.Partner, Action: problem.ChangeShare.For(s.Registration, s.Partner, s.Sheet), Condition: Condition{
			Type: "share.ending", On: s.Key(), Link: "/#/partners/" + s.Partner, Detail: "share " + s.Key(),
			Next: "nothing, if it is to end; else move its end (until) with PUT /v1/webhooks/" + s.Registration + "/shares/" + s.Key(),
		}})
	}
	return list
}

// appendDue appends what ends within the most days, with how long it has left.
func appendDue(list []Deadline, kind, name string, at, now time.Time, days []int, d Deadline) []Deadline {
	left := at.Sub(now)
	ends, has := "ends", "has"
	if kind == "credentials" { // which are many
		ends, has = "end", "have"
	}
	for _, n := range days {
		if left > time.Duration(n)*day {
			continue
		}
		d.At, d.Ended = at, left <= 0
		d.Key = fmt.Sprintf("%s-ends.%s.%d", kind, name, n)
		switch {
		case d.Ended:
			d.Detail += " " + has + " run out at " + at.UTC().Format(time.RFC3339)
		default:
			d.Detail += fmt.Sprintf(" %s in %s, at %s", ends, leftText(left), at.UTC().Format(time.RFC3339))
		}
		return append(list, d)
	}
	return list
}

func leftText(left time.Duration) string {
	if left < 2*day {
		return fmt.Sprintf("%d hours", int(left.Hours()))
	}
	return fmt.Sprintf("%d days", int(left/day))
}

// PartnerKey is the key of a condition of which a partner is told.
func PartnerKey(partner, key string) string { return "to." + partner + "." + key }

// ToPartner is what the partner is told that a deadline concerns, false where none is.
func (d Deadline) ToPartner() (Condition, bool) {
	c := d.Condition
	c.Key, c.To, c.Link = PartnerKey(d.Partner, d.Key), d.Partner, ""
	switch d.Type {
	case "share.ending":
		c.Next = "nothing, if it is to end; else ask who shares it"
	case "credentials.expiring":
		c.Next = "ask for an invitation to new ones, and use them before these end"
	default:
		return c, false
	}
	return c, d.Partner != ""
}
