package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// Reading is how far a partner has read.
type Reading struct {
	Partner     string    `json:"partner"`
	At          time.Time `json:"at" doc:"When its stream was asked. Where it does not answer now, what is remembered is shown"`
	Last        *Position `json:"last" doc:"Last message of the stream; null: it has none, or does not answer"`
	DeliveredTo *Position `json:"deliveredTo" doc:"How far any reader was given the stream; null: none was given anything, as far as is known"`

	SeenAt          *time.Time `json:"seenAt" doc:"When it last read, or waited for something to read; null: never, as far as is known"`
	UnreadSince     *time.Time `json:"unreadSince" doc:"Since when something that it was not given waits for it; null: nothing does, or it reads at this moment"`
	NotReading      bool       `json:"notReading" doc:"It has read nothing for longer than notReadingAfter, and there was something"`
	NotReadingAfter string     `json:"notReadingAfter" doc:"SHEETBRIDGE_NOT_READING_AFTER; 0s: nobody is told" example:"24h0m0s"`
	Items           []Reader   `json:"items" nullable:"false" doc:"Its readers, the latest first, those too that are gone since at most 90 days"`
}

// Position is a place in a partner's stream.
type Position struct {
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
}

// Schema is the schema of an object that may be null.
func (Position) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: false, Required: []string{"sequence", "time"},
		Properties: map[string]*huma.Schema{
			"sequence": {Type: huma.TypeInteger, Format: "int64", Description: "Of the partner's stream"},
			"time":     {Type: huma.TypeString, Format: "date-time"},
		},
	}
}

// Reader is a durable consumer, or all that one set of credentials reads without one.
type Reader struct {
	Credentials *string    `json:"credentials" doc:"Name of those that made the consumer, or read; null: not known, such as at another NATS" example:"erp"`
	Consumer    *string    `json:"consumer" doc:"Name of the durable consumer; null: all that these credentials read without one: with other consumers, direct gets and live subscriptions" example:"erp-orders"`
	DeliveredTo *Position  `json:"deliveredTo" doc:"Up to where it was given the stream, and when; null: nothing yet, or not by a consumer"`
	Unread      *uint64    `json:"unread" doc:"Messages that it has still to get; null: not known"`
	SeenAt      *time.Time `json:"seenAt" doc:"When it last read, or waited for something to read; null: never"`
	Present     bool       `json:"present" doc:"The durable consumer is there, or the credentials read at this moment"`
}

func (a *API) routeReading(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/partners/{name}/reading", id: "getReading", tag: "partners",
		summary:     "Show how far a partner has read",
		description: "For each durable consumer, and for each set of credentials that reads without one: up to which message it was given the stream, and when. It says what was delivered, and not what the partner did with it.",
		errors:      []int{http.StatusNotFound},
	}, a.getReading)
}

func (a *API) getReading(ctx context.Context, in *named) (*out[Reading], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	r := a.Doctor.Reading(ctx, p)
	shown := Reading{
		Partner: p.Name, At: r.At, Last: position(r.LastSequence, r.LastTime), DeliveredTo: position(r.Delivered, r.DeliveredAt),
		SeenAt: timeOrNull(r.SeenAt), UnreadSince: timeOrNull(r.UnreadSince), NotReading: r.NotReading,
		NotReadingAfter: a.Partners.NotReadingAfter.String(), Items: []Reader{},
	}
	for _, reader := range r.Readers {
		shown.Items = append(shown.Items, readerOf(reader))
	}
	return &out[Reading]{shown}, nil
}

func readerOf(r partner.Reader) Reader {
	return Reader{
		Credentials: textOrNull(r.Credentials), Consumer: textOrNull(r.Consumer), DeliveredTo: position(r.Delivered, r.DeliveredAt),
		Unread: r.Pending, SeenAt: timeOrNull(r.SeenAt), Present: r.Present,
	}
}

// position is a place in a stream, nil for none.
func position(sequence uint64, at time.Time) *Position {
	if sequence == 0 {
		return nil
	}
	return &Position{sequence, at}
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
