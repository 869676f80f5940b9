package events

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Server is a way for a partner to reach its stream.
type Server struct {
	Name  string // in the document: nats, websocket
	URL   string // nats://, tls://, ws:// or wss://host:port
	Title string
}

// doc is a JSON object of the document.
type doc = map[string]any

// AsyncAPI is the contract with a partner as an AsyncAPI 3.0 document: where its
// stream is, the subjects of each of its shares, and the messages on them with
// their JSON Schemas. It tells what the partner may see and nothing besides.
// Equal shares have equal documents, byte for byte.
func AsyncAPI(partner string, servers []Server, shares []Share) (json.RawMessage, error) {
	d := &contract{partner: partner, servers: doc{}, channels: doc{}, operations: doc{}, messages: doc{}, schemas: doc{}, titles: map[string]bool{}}
	for _, s := range servers {
		if err := d.addServer(s); err != nil {
			return nil, fmt.Errorf("describing what partner %s gets: %w", partner, err)
		}
	}
	shares = slices.Clone(shares)
	slices.SortFunc(shares, func(a, b Share) int { return strings.Compare(a.Sheet, b.Sheet) })
	for i := range shares {
		d.addShare(&shares[i])
	}
	text, err := json.MarshalIndent(d.document(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describing what partner %s gets: %w", partner, err)
	}
	return append(text, '\n'), nil
}

// contract is a document in the making.
type contract struct {
	partner                                          string
	servers, channels, operations, messages, schemas doc
	titles                                           map[string]bool
}

// define puts a schema among the named ones, with a title that generators of code
// make the name of a type of, and returns a reference to it.
func (d *contract) define(name string, schema doc) doc {
	schema["title"] = d.title(name)
	d.schemas[name] = schema
	return ref("components", "schemas", name)
}

// title returns the title for a name, one that nothing else of the document has.
func (d *contract) title(name string) string {
	title := schemaTitle(name)
	for n := 2; d.titles[title]; n++ {
		title = schemaTitle(name) + strconv.Itoa(n)
	}
	d.titles[title] = true
	return title
}

// schemaTitle is the title of a schema by its name: OrdersRowCreated of
// orders.row.created.
func schemaTitle(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(c rune) bool { return c == '.' || c == '-' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if title := b.String(); title[0] < '0' || title[0] > '9' {
		return title
	}
	return "Sheet" + b.String() // no name of a type begins with a digit
}

func (d *contract) document() doc {
	return doc{
		"asyncapi": "3.0.0",
		"info": doc{
			"title":   "Smartsheet events for " + d.partner,
			"version": "1.0.0",
			"description": "Sheets that are shared with " + d.partner + ", as events on NATS. They stand in the JetStream stream " + StreamName +
				" of an account of its own, subjects smartsheet." + d.partner + ".>. One subject is one object, and its last message is the object's state: " +
				"a consumer that begins with the last message of each subject gets the sheets as they are and goes on live; one that begins with all gets the history that is kept. " +
				"Events on one subject come in order, each `before` the `after` of the one before it. Use the event's `id` to recognise what was delivered twice.",
		},
		"defaultContentType": ContentType,
		"servers":            d.servers,
		"channels":           d.channels,
		"operations":         d.operations,
		"components": doc{
			"messages": d.messages,
			"schemas":  d.schemas,
			"securitySchemes": doc{"credentials": doc{
				"type":        "asymmetricEncryption",
				"description": "A NATS credentials file: a user's JWT, and the NKEY seed that signs the server's nonce. It may read the stream " + StreamName + " and subscribe to the subjects; where a share takes writes it may publish them under its own name; nothing else.",
			}},
		},
	}
}

func (d *contract) addServer(s Server) error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("server %s has no URL", s.Name)
	}
	protocol := u.Scheme
	if protocol == "tls" {
		protocol = "nats" // which begins in the clear and goes on in TLS
	}
	d.servers[s.Name] = doc{
		"host": u.Host, "protocol": protocol, "title": s.Title, "description": "Connect to " + s.URL + ".",
		"security": []any{ref("components", "securitySchemes", "credentials")},
	}
	return nil
}

// ref points at a part of the document.
func ref(path ...string) doc { return doc{"$ref": "#/" + strings.Join(path, "/")} }

// addShare describes one share: a channel for each kind of subject it has.
func (d *contract) addShare(s *Share) {
	id := s.Sheet
	for _, k := range []struct {
		kind  Kind
		after func() doc
		types []string
	}{
		{KindRow, func() doc { return d.rowSchema(s) }, []string{RowCreated, RowUpdated, RowDeleted}},
		{KindAttachment, d.attachmentSchema, []string{AttachmentCreated, AttachmentDeleted}},
		{KindComment, d.commentSchema, []string{CommentCreated, CommentUpdated, CommentDeleted}},
	} {
		if !s.Has(k.kind) {
			continue
		}
		state := d.define(id+"."+string(k.kind), k.after())
		var names []string
		for _, t := range k.types {
			name := d.addMessage(s, t, d.objectSchema(s, k.kind, t, state))
			names = append(names, name)
		}
		parameter := string(k.kind) + "Id"
		d.addChannel(s, string(k.kind), s.subject(string(k.kind)+".{"+parameter+"}"), names, doc{
			parameter: doc{"description": "Id of the " + string(k.kind) + ", a decimal number."},
		})
	}
	d.addWrites(s)
	d.addChannel(s, "schema", s.SubjectSchema(), []string{d.addMessage(s, SchemaChanged, schemaDataSchema())}, nil)
	d.addChannel(s, "status", s.SubjectStatus(), []string{d.addMessage(s, StatusChanged, d.statusDataSchema())}, nil)
}

// addMessage describes the events of a type that a share has, and returns its
// name among the messages.
func (d *contract) addMessage(s *Share, typ string, data doc) string {
	short := strings.TrimPrefix(typ, "sheetbridge.")
	name := s.Sheet + "." + short
	payload := d.define(name, eventSchema(typ, d.define(name+".data", data)))
	d.messages[name] = doc{
		"name": typ, "title": short + " of " + s.Sheet, "summary": summaries()[typ], "contentType": ContentType,
		"payload": payload,
	}
	return name
}

func summaries() map[string]string {
	return map[string]string{
		RowCreated:        "A row that was not there before, or that came into view.",
		RowUpdated:        "A row whose fields changed, or that moved under another parent.",
		RowDeleted:        "A row that was deleted, left the view or is no longer shared.",
		AttachmentCreated: "An attachment of a row.",
		AttachmentDeleted: "An attachment that is gone, or whose row is.",
		CommentCreated:    "A comment on a row.",
		CommentUpdated:    "A comment whose text changed.",
		CommentDeleted:    "A comment that is gone, or whose row is.",
		WriteDone:         "The sheet has what a write asked for.",
		WriteRefused:      "A write that changed nothing, and why.",
		SchemaChanged:     "What rows look like from here on. The first message of a share. With `reset`, what was published before is removed from the stream.",
		StatusChanged:     "How far the stream is complete, and what is wrong if it is not. No newer one by `nextBefore`: take the stream as stale.",
	}
}

func (d *contract) addChannel(s *Share, kind, address string, messages []string, parameters doc) {
	id := d.title(s.Sheet + "." + kind + ".events") // generators name a type by it
	refs, channelRefs := doc{}, []any{}
	for _, m := range messages {
		refs[m] = ref("components", "messages", m)
		channelRefs = append(channelRefs, ref("channels", id, "messages", m))
	}
	channel := doc{"address": address, "title": kind + " of " + s.Sheet, "messages": refs}
	if parameters != nil {
		channel["parameters"] = parameters
	}
	d.channels[id] = channel
	d.operations["receive."+id] = doc{
		"action": "receive", "channel": ref("channels", id), "messages": channelRefs,
		"summary": "Receive " + kind + " events of " + s.Sheet + ".",
	}
}
