package events

import (
	"encoding/json"
	"fmt"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Schemas of values that may be set. They are stricter than those of values that
// are read, since a typed column takes no free text.
const (
	setText     = `{"type":["string","null"],"minLength":1,"maxLength":4000}`
	setNumber   = `{"type":["string","number","null"],"minLength":1,"maxLength":4000,"minimum":-9007199254740992,"maximum":9007199254740992}`
	setCheckbox = `{"type":["boolean","null"]}`
	setDate     = `{"type":["string","null"],"pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}`
	setTime     = `{"type":["string","null"],"pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"}`
	setDuration = `{"type":["string","null"],"pattern":"^-?P","description":"ISO 8601, days as D: P4DT6H"}`
	setPerson   = `{"type":"object","properties":{"email":{"type":"string","minLength":3},"name":` + setText + `},"required":["email"],"additionalProperties":false}`
	setContact  = `{"anyOf":[` + setPerson + `,{"type":"null"}]}`
	setContacts = `{"anyOf":[{"type":"array","items":` + setPerson + `,"minItems":1},{"type":"null"}]}`
	setOptions  = `{"anyOf":[{"type":"array","items":{"type":"string","minLength":1},"minItems":1,"uniqueItems":true},{"type":"null"}]}`
)

func (f Field) setSchema() string {
	switch f.Type {
	case smartsheet.Checkbox:
		return setCheckbox
	case smartsheet.Date:
		return setDate
	case smartsheet.AbstractDateTime:
		return setTime
	case smartsheet.ContactList:
		return setContact
	case smartsheet.MultiContactList:
		return setContacts
	case smartsheet.Picklist:
		return setText
	case smartsheet.MultiPicklist:
		return setOptions
	case smartsheet.Duration:
		return setDuration
	}
	return setNumber
}

// WriteSchema is the JSON Schema (2020-12) of a request to write through the share,
// nil where the partner only reads.
func (s *Share) WriteSchema() json.RawMessage {
	if s.Write == nil {
		return nil
	}
	id := fmt.Sprintf(`{"type":"string","pattern":"^[A-Za-z0-9_-]{1,%d}$","description":"The partner's own, for one request in 7 days. The same request again gets the same answer."}`, maxWriteID)
	common := []property{
		{"until", `{"type":"string","format":"date-time","description":"Nothing is written after it. Default: 15 minutes; at most 24 hours."}`},
		{"dryRun", `{"type":"boolean","description":"Only check."}`},
	}
	expect := property{"expect", s.fieldsSchema(nil, Field.schema)}
	row := property{"row", schemaID}
	var forms []json.RawMessage
	form := func(op Op, required int, properties ...property) {
		all := append([]property{{"id", id}, {"op", fmt.Sprintf(`{"const":%q}`, op)}}, properties...)
		forms = append(forms, partialSchema(append(all, common...), required+2))
	}
	if len(s.Write.Update) > 0 {
		form(OpUpdate, 3, row, expect, property{"set", s.fieldsSchema(s.Write.Update, Field.setSchema)})
	}
	if c := s.Write.Create; c != nil {
		form(OpCreate, 1, property{"set", s.fieldsSchema(c.Columns, Field.setSchema, c.Key)})
	}
	if s.Write.Delete {
		form(OpDelete, 2, row, expect)
	}
	text, _ := json.Marshal(doc{"$schema": jsonSchemaDialect, "type": "object", "oneOf": forms}) // of our own values: it cannot fail
	return text
}

// fieldsSchema returns the schema of an object with at least one of the fields: the named ones,
// nil for all.
func (s *Share) fieldsSchema(names []string, schema func(Field) string, required ...string) string {
	if names == nil {
		for _, f := range s.Fields {
			names = append(names, f.Name)
		}
	}
	properties := doc{}
	for _, name := range names {
		if f, ok := s.field(name); ok {
			properties[name] = raw(schema(f))
		}
	}
	o := doc{"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	text, _ := json.Marshal(o) // of our own values: it cannot fail
	return string(text)
}

// partialSchema returns the schema of an object of which the first properties are required.
func partialSchema(properties []property, required int) json.RawMessage {
	members, names := doc{}, []string{}
	for i, p := range properties {
		members[p.name] = raw(p.schema)
		if i < required {
			names = append(names, p.name)
		}
	}
	text, _ := json.Marshal(doc{"type": "object", "properties": members, "required": names, "additionalProperties": false}) // of our own values: it cannot fail
	return text
}

// addWrites describes what the partner may send through the share, and what answers.
func (d *contract) addWrites(s *Share) {
	if s.Write == nil {
		return
	}
	request := s.Sheet + ".write.request"
	d.schemas[request] = plainSchema(s.WriteSchema())
	d.messages[request] = doc{
		"name": "sheetbridge.write.request", "title": "write to " + s.Sheet, "contentType": "application/json",
		"summary": "A change that the partner asks for. It has one answer.",
		"payload": ref("components", "schemas", request),
	}
	id := s.Sheet + ".write"
	d.channels[id] = doc{
		"address": WriteSubject(s.Partner, s.Sheet, "{credential}"), "title": "writes to " + s.Sheet,
		"description": "A credential publishes under its own name alone. The acknowledgement of the stream " + WriteStreamName + " says that the request is stored, no more.",
		"messages":    doc{request: ref("components", "messages", request)},
		"parameters":  doc{"credential": doc{"description": "Name of the credential that publishes."}},
	}
	d.operations["send."+id] = doc{
		"action": "send", "channel": ref("channels", id), "messages": []any{ref("channels", id, "messages", request)},
		"summary": "Ask for a change of " + s.Sheet + ".",
	}
	var answers []string
	for _, typ := range []string{WriteDone, WriteRefused} {
		answers = append(answers, d.addMessage(s, typ, s.answerSchema(typ)))
	}
	d.addChannel(s, "answer", s.SubjectAnswer("{writeId}"), answers, doc{"writeId": doc{"description": "The id of the request."}})
}

// answerSchema returns the schema of the data of an answer to a write.
func (s *Share) answerSchema(typ string) doc {
	properties := doc{
		"id":      doc{"type": "string"},
		"op":      doc{"enum": []Op{OpUpdate, OpCreate, OpDelete}},
		"row":     nullable(raw(schemaID)),
		"version": doc{"type": "integer", "description": "Of the sheet afterwards."},
		"raced":   doc{"type": "boolean", "description": "The sheet moved by more than this write."},
		"dryRun":  doc{"type": "boolean", "description": "It was only checked."},
	}
	if typ == WriteDone {
		properties["result"] = doc{"enum": []Result{ResultDone, ResultAlready}}
		return object(properties, "id", "op", "row", "result")
	}
	properties["result"] = doc{"const": ResultRefused}
	properties["code"] = doc{"enum": Codes()}
	properties["field"] = doc{"type": "string"}
	properties["detail"] = doc{"type": "string", "description": "What is wrong and what to do, for people."}
	properties["current"] = ref("components", "schemas", s.Sheet+"."+string(KindRow))
	return object(properties, "id", "row", "result", "code", "detail")
}
