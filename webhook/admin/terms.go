package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Bounds of what a partner's terms may say.
const (
	minStorage, maxStorage       = 64 << 10, 1 << 44
	minPayload, maxPayload       = 1 << 10, 8 << 20
	minUnread, maxUnread         = 16 << 20, 1 << 34
	minTombstones, maxTombstones = time.Hour, 10 * 366 * 24 * time.Hour
)

// Terms are what holds for a partner besides its shares.
type Terms struct {
	Limits     *Limits `json:"limits,omitempty" doc:"Of its NATS account; absent where that is not ours"`
	History    int     `json:"history" doc:"How many messages of each subject its stream keeps" example:"32"`
	Tombstones string  `json:"tombstones" doc:"How long its stream keeps that an object was deleted" example:"720h0m0s"`

	Sources []string `json:"sources,omitempty" doc:"Networks from which its credentials work; absent: from everywhere" example:"[\"203.0.113.0/24\"]"`

	Attributes map[string]string `json:"attributes,omitempty" doc:"That the filters of its shares may name, as partner.region; absent: it has none" example:"{\"region\":\"EMEA\"}"`
}

// Limits bound what a partner can take.
type Limits struct {
	Storage     string `json:"storage" doc:"Of its stream on disk. Once it is full nothing more is published to this partner" example:"1GiB"`
	Consumers   int    `json:"consumers" doc:"Of its stream" example:"64"`
	Connections int    `json:"connections" doc:"Open at once" example:"16"`
	Payload     string `json:"payload" doc:"Largest request that it may send" example:"512KiB"`

	Subscriptions int    `json:"subscriptions" doc:"Of one connection" example:"256"`
	LeafNodes     int    `json:"leafNodes" doc:"Servers of its own that are connected at once" example:"4"`
	Waiting       int    `json:"waiting" doc:"Pulls that may wait at one consumer; one that asks for more is refused" example:"512"`
	AckPending    int    `json:"ackPending" doc:"Messages that one consumer may have delivered and not acknowledged; one that asks for more gets as many" example:"5000"`
	Requests      int    `json:"requests" doc:"To JetStream's API in a second, over all its connections. A connection that goes on beyond that is closed" example:"100"`
	Unread        string `json:"unread" doc:"Sent to its connections together and not yet read. Beyond that those that have read least are closed" example:"16MiB"`
}

// NewTerms change a partner's terms; what is left out stays as it is.
type NewTerms struct {
	Limits     *NewLimits `json:"limits,omitempty" doc:"Only where the account is ours"`
	History    *int       `json:"history,omitempty" minimum:"1" maximum:"1000" doc:"How many messages of each subject its stream keeps; 32 by default" example:"32"`
	Tombstones *string    `json:"tombstones,omitempty" doc:"How long its stream keeps that an object was deleted, from 1h to ten years; 720h by default" example:"720h"`

	Sources *[]string `json:"sources,omitempty" maxItems:"100" nullable:"false" doc:"Networks or addresses from which its credentials work, where the account is ours; an empty list: from everywhere. All connections are closed; those from elsewhere are refused when they connect again" example:"[\"203.0.113.0/24\"]"`

	Attributes *map[string]string `json:"attributes,omitempty" maxProperties:"50" nullable:"false" doc:"All of its attributes: texts of up to 200 characters, which the filters of its shares may name, as in region == partner.region. Shares whose filters name one that changes are compared again; one that a filter names cannot be removed. A name is a letter a-z, then a-z, 0-9 and _" example:"{\"region\":\"EMEA\"}"`
}

// NewLimits change a partner's limits; what is left out stays as it is.
type NewLimits struct {
	Storage     *string `json:"storage,omitempty" doc:"Of its stream on disk, from 64KiB to 16TiB; 1GiB by default" example:"1GiB"`
	Consumers   *int    `json:"consumers,omitempty" minimum:"1" maximum:"10000" doc:"Of its stream; 64 by default" example:"64"`
	Connections *int    `json:"connections,omitempty" minimum:"1" maximum:"10000" doc:"Open at once; 16 by default" example:"16"`
	Payload     *string `json:"payload,omitempty" doc:"Largest request that it may send, from 1KiB to 8MiB; 512KiB by default" example:"512KiB"`

	Subscriptions *int    `json:"subscriptions,omitempty" minimum:"1" maximum:"100000" doc:"Of one connection; 256 by default" example:"256"`
	LeafNodes     *int    `json:"leafNodes,omitempty" minimum:"1" maximum:"1000" doc:"Servers of its own that are connected at once; 4 by default" example:"4"`
	Waiting       *int    `json:"waiting,omitempty" minimum:"1" maximum:"100000" doc:"Pulls that may wait at one consumer; 512 by default" example:"512"`
	AckPending    *int    `json:"ackPending,omitempty" minimum:"1" maximum:"1000000" doc:"Messages that one consumer may have delivered and not acknowledged; 5000 by default" example:"5000"`
	Requests      *int    `json:"requests,omitempty" minimum:"10" maximum:"10000" doc:"To JetStream's API in a second; 100 by default" example:"100"`
	Unread        *string `json:"unread,omitempty" doc:"Sent to its connections together and not yet read, from 16MiB to 16GiB; 16MiB by default" example:"16MiB"`
}

type changeTermsRequest struct {
	Name   string `path:"name" doc:"The partner's name"`
	DryRun bool   `query:"dryRun" doc:"Show what the partner would be, and change nothing"`
	Body   NewTerms
}

func (a *API) routeTerms(api huma.API) {
	register(api, operation{
		method: http.MethodPatch, path: pathPartners + "/{name}", id: "changePartner", tag: "partners", body: smallBody,
		summary: "Change a partner's limits, history, tombstones, sources or attributes", description: "They hold at once. What is left out stays as it is. Less history than before removes what is too much.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway},
	}, a.changeTerms)
}

func termsOf(p *registry.Partner) Terms {
	t := Terms{History: p.History, Tombstones: p.TombstonesKept().String(), Sources: p.Sources, Attributes: p.Attributes}
	if t.History == 0 {
		t.History = stream.History
	}
	if p.Account != nil {
		l := p.Limits.Effective()
		t.Limits = &Limits{
			Storage: limits.FormatSize(l.Storage), Consumers: l.Consumers, Connections: l.Connections, Payload: limits.FormatSize(l.Payload),
			Subscriptions: l.Subscriptions, LeafNodes: l.LeafNodes, Waiting: l.Waiting, AckPending: l.AckPending,
			Requests: l.Requests, Unread: limits.FormatSize(l.Unread),
		}
	}
	return t
}

// apply changes terms as the request says.
func (n *NewTerms) apply(t *registry.Terms) error {
	if n.History != nil {
		t.History = *n.History
	}
	if n.Tombstones != nil {
		d, err := time.ParseDuration(*n.Tombstones)
		if err != nil || d < minTombstones || d > maxTombstones {
			return invalid("tombstones", "want a duration from 1h to 87840h, such as 720h")
		}
		t.Tombstones = d
	}
	if n.Sources != nil {
		sources, err := parseSources(*n.Sources)
		if err != nil {
			return err
		}
		t.Sources = sources
	}
	if n.Attributes != nil {
		if err := checkAttributes(*n.Attributes); err != nil {
			return err
		}
		t.Attributes = *n.Attributes
	}
	if n.Limits == nil {
		return nil
	}
	return n.Limits.apply(&t.Limits)
}

// maxAttribute is how many characters the value of an attribute may have.
const maxAttribute = 200

// checkAttributes checks what a partner's filters may name.
func checkAttributes(attributes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		switch {
		case !events.ValidFieldName(name):
			return invalid("attributes", "%q is no attribute's name: use a letter a-z, then a-z, 0-9 and _, 64 at most in all", clip(name))
		case value == "" || utf8.RuneCountInString(value) > maxAttribute || strings.ContainsFunc(value, unicode.IsControl):
			return invalid("attributes."+name, "want a text of 1 to %d characters on one line", maxAttribute)
		}
	}
	return nil
}

// PlannedAttributes are attributes that partners do not have yet.
type PlannedAttributes struct {
	Partners string `query:"attributes" maxLength:"65536" doc:"With dryRun: the attributes that partners would have, as a JSON object by partner, such as {\"acme\":{\"region\":\"EMEA\"}}; of a partner that is not in it, those that it has"`
}

// attributes are the attributes by partner; one with none at all has an empty map.
func (p PlannedAttributes) attributes() (map[string]map[string]string, error) {
	if p.Partners == "" {
		return nil, nil
	}
	var planned map[string]map[string]string
	if err := json.Unmarshal([]byte(p.Partners), &planned); err != nil {
		return nil, httpProblem(http.StatusUnprocessableEntity, `attributes: want a JSON object by partner, such as {"acme":{"region":"EMEA"}}: %v`, err)
	}
	for _, attributes := range planned {
		if err := checkAttributes(attributes); err != nil {
			return nil, err
		}
	}
	return planned, nil
}

// parseSources reads networks and addresses, and returns them as networks, each
// once.
func parseSources(texts []string) ([]string, error) {
	var sources []string
	for i, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return nil, invalid(fmt.Sprintf("sources[%d]", i), "%q is no network: want one such as 203.0.113.0/24 or 2001:db8::/32, or an address", clip(text))
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		if text = network.Masked().String(); !slices.Contains(sources, text) {
			sources = append(sources, text)
		}
	}
	return sources, nil
}

func (n *NewLimits) apply(l *broker.Limits) (err error) {
	for _, f := range []struct {
		to   *int
		from *int
	}{
		{&l.Consumers, n.Consumers}, {&l.Connections, n.Connections}, {&l.Subscriptions, n.Subscriptions}, {&l.LeafNodes, n.LeafNodes},
		{&l.Waiting, n.Waiting}, {&l.AckPending, n.AckPending}, {&l.Requests, n.Requests},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	for _, f := range []struct {
		name        string
		to          *int64
		from        *string
		least, most int64
	}{
		{"storage", &l.Storage, n.Storage, minStorage, maxStorage},
		{"payload", &l.Payload, n.Payload, minPayload, maxPayload},
		{"unread", &l.Unread, n.Unread, minUnread, maxUnread},
	} {
		if f.from == nil {
			continue
		}
		if *f.to, err = limits.ParseSize(*f.from, f.least, f.most); err != nil {
			return invalid("limits."+f.name, "%v", err)
		}
	}
	return nil
}

// onlyElsewhere refuses terms that say what only the NATS where the account is can.
func (n *NewTerms) onlyElsewhere() error {
	switch {
	case n.Limits != nil:
		return invalid("limits", "the account is at another NATS: limit it there")
	case n.Sources != nil:
		return invalid("sources", "the account is at another NATS: say there from where it is used")
	}
	return nil
}

func (a *API) changeTerms(ctx context.Context, in *changeTermsRequest) (*out[Partner], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	if p.External != nil {
		if err := in.Body.onlyElsewhere(); err != nil {
			return nil, err
		}
	}
	if in.Body.Attributes != nil {
		if err := a.Registrar.CheckAttributes(p.Name, *in.Body.Attributes); err != nil {
			return nil, err
		}
	}
	if in.DryRun {
		would := *p
		if err := in.Body.apply(&would.Terms); err != nil {
			return nil, err
		}
		return &out[Partner]{a.partnerOf(&would)}, nil
	}
	if p, err = a.Registrar.ChangeTerms(ctx, in.Name, in.Body.apply); err != nil {
		return nil, err
	}
	return &out[Partner]{a.partnerOf(p)}, nil
}
