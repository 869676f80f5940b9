package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/feed"
)

const (
	// maxFollowers is how many requests may follow what is published at once.
	maxFollowers = 32
	// followerWrite is how long a follower may take to read what it is sent. One
	// that takes longer is cut.
	followerWrite = 10 * time.Second
	// followerAlive is how often a follower is sent a comment, so that both sides
	// notice a connection that is gone.
	followerAlive = 15 * time.Second
	// followerRoom is how many events may wait while a follower is sent those before
	// them, and followerBytes bounds what it is then sent at once.
	followerRoom  = 64
	followerBytes = 64 << 10
	// maxSince is how far back a follower may begin.
	maxSince = 24 * time.Hour
)

// Published is one event of the stream of what is published.
type Published struct {
	Partner  string          `json:"partner" example:"acme"`
	Sheet    string          `json:"sheet" doc:"The partner's name for the sheet" example:"orders"`
	Kind     string          `json:"kind" enum:"row,attachment,comment,write,schema,status"`
	Sequence string          `json:"sequence" doc:"In the partner's stream"`
	Cells    bool            `json:"cells" doc:"The event is as the partner gets it; false: without what is in cells, for a read-only token"`
	Event    json.RawMessage `json:"event" doc:"The CloudEvent"`
}

// Schema of the event is the schema of any object.
func (Published) eventSchema() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "The CloudEvent, as the partner gets it"}
}

type eventsRequest struct {
	Partner string    `query:"partner" maxLength:"32" doc:"Only what this partner gets"`
	Sheet   string    `query:"sheet" maxLength:"32" doc:"Only sheets of this name"`
	Kind    []string  `query:"kind" enum:"row,attachment,comment,write,schema,status" maxItems:"6" doc:"Only these kinds; left out: all but status"`
	Since   time.Time `query:"since" doc:"Begin with what was published at this time, at most a day ago; left out: now"`
	Limit   int       `query:"limit" minimum:"1" maximum:"10000" default:"10000" doc:"Of what was published before now, at most so many messages of each partner, the last ones"`
	Cursor  string    `header:"Last-Event-ID" doc:"Go on behind the event with this id"`
}

func (a *API) routeEvents(api huma.API) {
	op := operation{
		method: http.MethodGet, path: "/v1/events", id: "followEvents", tag: "events",
		summary: "Follow what is published",
		description: "Server-sent events, until either side ends it. `published` has one event as a partner gets it; `missed` says about how many of a partner's were left out, " +
			"since the follower begins further back than its limit; `unreadable` says that a partner's stream cannot be read now. Each has an id: sent as Last-Event-ID, the stream goes on behind it. " +
			"After that an event may come twice; its CloudEvent has the same id then. A read-only token gets no cells. Who does not read for 10 seconds is cut off.",
		errors: []int{http.StatusServiceUnavailable},
	}
	schemas := api.OpenAPI().Components.Schemas
	schema := schemas.Schema(reflect.TypeFor[Published](), true, "Published")
	schemas.Map()["Published"].Properties["event"] = Published{}.eventSchema()
	op.answers = map[int]*huma.Response{http.StatusOK: {
		Description: "A stream of events; the data of `published` is JSON",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}, Extensions: map[string]any{"x-data": schema}}},
	}}
	register(api, op, a.followEvents)
}

func (a *API) followEvents(ctx context.Context, in *eventsRequest) (*huma.StreamResponse, error) {
	cursor, err := in.begin()
	if err != nil {
		return nil, err
	}
	select {
	case a.followers <- struct{}{}:
	default:
		return nil, httpProblem(http.StatusServiceUnavailable, "%d requests follow what is published already: end one of them, and try again", maxFollowers)
	}
	cells := !recordOf(ctx).readOnly
	if cells {
		if err := a.auditPreview(ctx, "GET /v1/events", in.Partner+"/"+in.Sheet, nil); err != nil {
			<-a.followers
			return nil, err
		}
	}
	filter := feed.Filter{Partner: in.Partner, Sheet: in.Sheet, Kinds: in.Kind, Limit: in.Limit}
	if len(filter.Kinds) == 0 {
		filter.Kinds = []string{"row", "attachment", "comment", "write", "schema"}
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer func() { <-a.followers }()
		a.stream(c, filter, cursor, cells)
	}}, nil
}

// begin is the cursor to begin with.
func (in *eventsRequest) begin() (string, error) {
	if in.Cursor != "" {
		if err := feed.CheckCursor(in.Cursor); err != nil {
			return "", fieldProblem(http.StatusUnprocessableEntity, "Last-Event-ID", err.Error())
		}
		return in.Cursor, nil
	}
	if in.Since.IsZero() {
		return "", nil
	}
	if time.Since(in.Since) > maxSince {
		return "", fieldProblem(http.StatusUnprocessableEntity, "since", "is more than a day ago: the partners' streams have what was before")
	}
	return strconv.FormatInt(in.Since.UnixMilli(), 10), nil
}

// stream sends what is published until either side ends it.
func (a *API) stream(c huma.Context, filter feed.Filter, cursor string, cells bool) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	stop := context.AfterFunc(a.closing, cancel)
	defer stop()
	c.SetHeader("Content-Type", "text/event-stream")
	c.SetHeader("Cache-Control", "no-store")
	c.SetHeader("X-Accel-Buffering", "no") // of nginx, which would hold events back
	to := &eventWriter{to: c.BodyWriter(), record: recordOf(c.Context())}
	if to.write([]byte(": follow\n\n")) != nil {
		return
	}
	sending := make(chan feed.Item, followerRoom)
	go func() {
		defer close(sending)
		err := a.feed().Follow(ctx, filter, cursor, func(item feed.Item) error {
			select {
			case sending <- item:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if errors.Is(err, feed.ErrSlow) {
			a.refused("slow")
		}
	}()
	to.sendAll(sending, cells)
	cancel()
	for range sending { // until the follower has ended
	}
}

func (a *API) feed() *feed.Feed { return &feed.Feed{Registry: a.Registry, Streams: a.Partners} }

// eventWriter writes server-sent events, each within a time.
type eventWriter struct {
	to     io.Writer
	record *record
}

func (w *eventWriter) write(text []byte) error {
	w.record.extend(followerWrite)
	if _, err := w.to.Write(text); err != nil {
		return err
	}
	return w.record.flush()
}

// sendAll writes items until there are no more or the reader takes no more. Those
// that wait are written together: a burst costs a few writes, not one an event.
func (w *eventWriter) sendAll(items <-chan feed.Item, cells bool) {
	alive := time.NewTicker(followerAlive)
	defer alive.Stop()
	var text []byte
	for {
		select {
		case item, more := <-items:
			if !more {
				return
			}
			text = append(text, eventText(item, cells)...)
		case <-alive.C:
			text = append(text, ": alive\n\n"...)
		}
		if len(items) > 0 && len(text) < followerBytes {
			continue
		}
		if w.write(text) != nil {
			return
		}
		text = text[:0]
	}
}

// eventText is an item as it is sent.
func eventText(item feed.Item, cells bool) string {
	name, data := "published", any(nil)
	switch {
	case item.Unreadable != nil:
		name, data = "unreadable", map[string]string{"partner": item.Partner, "detail": item.Unreadable.Error()}
	case item.Missed > 0:
		name, data = "missed", map[string]any{"partner": item.Partner, "missed": item.Missed}
	default:
		event := item.Event
		if !cells {
			event = withoutCells(event)
		}
		data = Published{item.Partner, item.Sheet, item.Kind, strconv.FormatUint(item.Sequence, 10), cells, event}
	}
	text, err := json.Marshal(data) // on one line
	if err != nil {
		name, text = "unreadable", fmt.Appendf(nil, `{"partner":%q,"detail":"an event of its stream is no JSON"}`, item.Partner)
	}
	return "id: " + item.Cursor + "\nevent: " + name + "\ndata: " + string(text) + "\n\n"
}

// withoutCells is an event with only those members of its data that tell nothing of
// what is in cells.
func withoutCells(event json.RawMessage) json.RawMessage {
	var whole, data map[string]json.RawMessage
	if json.Unmarshal(event, &whole) != nil || json.Unmarshal(whole["data"], &data) != nil {
		return json.RawMessage("{}")
	}
	kept := map[string]json.RawMessage{}
	for _, name := range []string{
		"sheet", "row", "attachment", "comment", "changed", "origin", "reason", "truncated",
		"revision", "reset", "schema", "state", "since", "mode", "completeTo", "nextBefore", "epoch",
		"id", "op", "result", "code", "field", "version", "raced", "write",
	} {
		if value, ok := data[name]; ok {
			kept[name] = value
		}
	}
	var err error
	if whole["data"], err = json.Marshal(kept); err != nil {
		return json.RawMessage("{}")
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
