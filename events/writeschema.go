package events

import (
	"fmt"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// setSchema returns the schema of a value that a field may be set to. It is stricter than that
// of a value that is read, since a typed column takes no free text.
func (d *contract) setSchema(f Field) doc {
	pattern := func(pattern, text string) doc {
		return doc{"type": []string{"string", "null"}, "pattern": pattern, "description": text}
	}
	switch f.Type {
	case smartsheet.Checkbox:
		return doc{"type": []string{"boolean", "null"}}
	case smartsheet.Date:
		return pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "A date such as 2026-11-30.")
	case smartsheet.AbstractDateTime:
		return pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$", "A time without zone such as 2026-11-30T10:00:00.")
	case smartsheet.ContactList:
		return orNull("contactToSet", d.contactToSet())
	case smartsheet.MultiContactList:
		return doc{"type": []string{"array", "null"}, "items": d.contactToSet(), "minItems": 1}
	case smartsheet.Picklist:
		return setText()
	case smartsheet.MultiPicklist:
		return doc{"type": []string{"array", "null"}, "items": doc{"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": true}
	case smartsheet.Duration:
		return pattern("^-?P", "ISO 8601, days as D: P4DT6H")
	}
	return d.shared("numberToSet", func() doc {
		return doc{"anyOf": []any{
			doc{"type": "number", "minimum": int64(-maxSafe), "maximum": int64(maxSafe)},
			doc{"type": "string", "minLength": 1, "maxLength": 4000}, doc{"type": "null"},
		}}
	})
}

// maxSafe is the largest whole number that every reader of JSON keeps as it is.
const maxSafe = 1 << 53

func setText() doc {
	return doc{"type": []string{"string", "null"}, "minLength": 1, "maxLength": 4000}
}

func (d *contract) contactToSet() doc {
	return d.shared("contactToSet", func() doc {
		return closed(object(doc{"email": doc{"type": "string", "minLength": 3}, "name": setText()}, "email"))
	})
}

// writeSchema returns the schema of a request to write through the share: one of the forms that
// its terms allow.
func (d *contract) writeSchema(s *Share) doc {
	var forms []any
	form := func(op Op, properties doc, required ...string) {
		properties["id"] = doc{"type": "string", "pattern": fmt.Sprintf("^[A-Za-z0-9_-]{1,%d}$", maxWriteID), "description": "The partner's own, for one request in 7 days. The same request again gets the same answer."}
		properties["op"] = doc{"type": "string", "const": string(op)}
		properties["until"] = described(momentSchema(), "Nothing is written after it. Default: 15 minutes; at most 24 hours.")
		properties["dryRun"] = doc{"type": "boolean", "description": "Only check."}
		forms = append(forms, d.define(s.Sheet+".write."+string(op), closed(object(properties, append([]string{"id", "op"}, required...)...))))
	}
	set := func(op Op, names []string, required ...string) doc {
		return d.define(s.Sheet+".set."+string(op), s.fieldsSchema(names, d.setSchema, required...))
	}
	expect := func() doc {
		return d.shared(s.Sheet+".expect", func() doc { return s.fieldsSchema(nil, d.fieldSchema) })
	}
	if len(s.Write.Update) > 0 {
		form(OpUpdate, doc{"row": idSchema(), "expect": expect(), "set": set(OpUpdate, s.Write.Update)}, "row", "expect", "set")
	}
	if c := s.Write.Create; c != nil {
		form(OpCreate, doc{"set": set(OpCreate, c.Columns, c.Key)}, "set")
	}
	if s.Write.Delete {
		form(OpDelete, doc{"row": idSchema(), "expect": expect()}, "row", "expect")
	}
	return doc{"oneOf": forms}
}

// fieldsSchema returns the schema of an object with at least one of the fields: the named ones,
// nil for all.
func (s *Share) fieldsSchema(names []string, schema func(Field) doc, required ...string) doc {
	if names == nil {
		for _, f := range s.Fields {
			names = append(names, f.Name)
		}
	}
	properties := doc{}
	for _, name := range names {
		if f, ok := s.field(name); ok {
			properties[name] = schema(f)
		}
	}
	o := closed(doc{"type": "object", "properties": properties, "minProperties": 1})
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// addWrites describes what the partner may send through the share, and what answers.
func (d *contract) addWrites(s *Share) {
	if s.Write == nil {
		return
	}
	request := s.Sheet + ".write.request"
	payload := d.define(request, d.writeSchema(s))
	d.messages[request] = doc{
		"name": "sheetbridge.write.request", "title": "write to " + s.Sheet, "contentType": "application/json",
		"summary": "A change that the partner asks for. It has one answer.",
		"payload": payload,
	}
	id := d.title(s.Sheet + ".writes")
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
		answers = append(answers, d.addMessage(s, typ, d.answerSchema(s, typ)))
	}
	d.addChannel(s, "answer", s.SubjectAnswer("{writeId}"), answers, doc{"writeId": doc{"description": "The id of the request."}})
}

// answerSchema returns the schema of the data of an answer to a write.
func (d *contract) answerSchema(s *Share, typ string) doc {
	properties := doc{
		"id":      textSchema(),
		"op":      d.shared("op", func() doc { return choice(OpUpdate, OpCreate, OpDelete) }),
		"row":     orNullID(),
		"version": doc{"type": "integer", "description": "Of the sheet afterwards."},
		"raced":   doc{"type": "boolean", "description": "The sheet moved by more than this write."},
		"dryRun":  doc{"type": "boolean", "description": "It was only checked."},
	}
	if typ == WriteDone {
		properties["result"] = d.shared("result", func() doc { return choice(ResultDone, ResultAlready) })
		return object(properties, "id", "op", "row", "result")
	}
	properties["result"] = doc{"type": "string", "const": string(ResultRefused)}
	properties["code"] = d.shared("code", func() doc { return choice(Codes()...) })
	properties["field"] = textSchema()
	properties["detail"] = doc{"type": "string", "description": "What is wrong and what to do, for people."}
	properties["current"] = ref("components", "schemas", s.Sheet+"."+string(KindRow))
	return object(properties, "id", "row", "result", "code", "detail")
}
