package events

import (
	"strings"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// The schemas of the document say what those of the stream say, in a form of which
// stock generators of code make types that people would write: each object is a
// schema of its own with a title, and what is null or text besides has one type or
// a title, never a bare choice. A format stands only where free text cannot.

func textSchema() doc    { return doc{"type": "string"} }
func orNullText() doc    { return doc{"type": []string{"string", "null"}} }
func integerSchema() doc { return doc{"type": "integer"} }
func momentSchema() doc  { return doc{"type": "string", "format": "date-time"} }
func orNullMoment() doc  { return doc{"type": []string{"string", "null"}, "format": "date-time"} }
func idSchema() doc      { return doc{"type": "string", "pattern": "^-?[0-9]+$"} }
func orNullID() doc      { return doc{"type": []string{"string", "null"}, "pattern": "^-?[0-9]+$"} }

// described adds what is said of a schema for people.
func described(schema doc, text string) doc {
	schema["description"] = text
	return schema
}

func object(properties doc, required ...string) doc {
	return doc{"type": "object", "properties": properties, "required": required}
}

// closed is a schema of an object that has no other members, and will have none.
func closed(object doc) doc {
	object["additionalProperties"] = false
	return object
}

// choice is a schema of one of a few texts.
func choice[T ~string](values ...T) doc { return doc{"type": "string", "enum": values} }

// shared returns a reference to a schema that is the same in all shares, which is
// in the document if something refers to it.
func (d *contract) shared(name string, schema func() doc) doc {
	if _, ok := d.schemas[name]; ok {
		return ref("components", "schemas", name)
	}
	return d.define(name, schema())
}

// orText is a value of a typed column, free text that stands there instead, or null.
func (d *contract) orText(name string, value func() doc) doc {
	return d.shared(name+"OrText", func() doc {
		return doc{"anyOf": []any{value(), textSchema(), doc{"type": "null"}}, "description": "The value, the free text that somebody typed instead, or null for an empty cell."}
	})
}

// orNull is what a named schema describes, or null. It has a title of its own, and no
// name: quicktype makes Go that does not compile of a named one.
func orNull(name string, schema doc) doc {
	return doc{"title": schemaTitle(name) + "OrNull", "anyOf": []any{schema, doc{"type": "null"}}}
}

func (d *contract) contact() doc {
	return d.shared("contact", func() doc {
		return closed(object(doc{"email": orNullText(), "name": orNullText()}, "email", "name"))
	})
}

func (d *contract) predecessor() doc {
	return d.shared("predecessor", func() doc {
		return closed(object(doc{
			"rowId": idSchema(), "type": d.shared("predecessorType", func() doc { return choice("FF", "FS", "SF", "SS") }),
			"lag": described(orNullText(), "ISO 8601 duration."),
		}, "rowId", "type", "lag"))
	})
}

func listOf(items doc) doc { return doc{"type": "array", "items": items} }

// rowSchema returns the schema of a row's state in the share.
func (d *contract) rowSchema(s *Share) doc {
	properties, required := doc{}, make([]string, len(s.Fields))
	for i, f := range s.Fields {
		schema := d.fieldSchema(f)
		if s.isGone(f.ColumnID) {
			if _, isRef := schema["$ref"]; isRef {
				schema = doc{"allOf": []any{schema}} // nothing stands beside a reference
			}
			schema["deprecated"] = true
		}
		properties[f.Name], required[i] = schema, f.Name
	}
	return closed(object(properties, required...))
}

func (d *contract) fieldSchema(f Field) doc {
	switch f.Mask {
	case MaskNone:
	case MaskHash:
		return described(orNullText(), "A keyed hash of the value: 32 hex digits.")
	default:
		return described(orNullText(), `"redacted", or null where the cell is empty.`)
	}
	switch f.Type {
	case smartsheet.Checkbox:
		return d.orText("flag", func() doc { return doc{"type": "boolean"} })
	case smartsheet.Date:
		return described(orNullText(), "A date such as 2026-11-30, or free text.")
	case smartsheet.DateTime, smartsheet.AbstractDateTime:
		return described(orNullText(), "RFC 3339, without zone where the sheet has none; or free text.")
	case smartsheet.ContactList:
		return d.orText("contact", d.contact)
	case smartsheet.MultiContactList:
		return d.orText("contacts", func() doc { return listOf(d.contact()) })
	case smartsheet.Picklist:
		return orNullText()
	case smartsheet.MultiPicklist:
		return d.orText("options", func() doc { return listOf(textSchema()) })
	case smartsheet.Duration:
		return described(orNullText(), "ISO 8601 duration, days as D: P4DT6H; or free text.")
	case smartsheet.Predecessor:
		return d.orText("predecessors", func() doc { return listOf(d.predecessor()) })
	}
	return d.orText("number", func() doc { return doc{"type": "number"} })
}

func (d *contract) attachmentSchema() doc {
	return closed(object(doc{
		"name": orNullText(), "mimeType": orNullText(), "sizeInKb": doc{"type": []string{"integer", "null"}},
		"attachmentType": orNullText(), "createdAt": orNullText(), "rowId": idSchema(),
	}, "name", "mimeType", "sizeInKb", "attachmentType", "createdAt", "rowId"))
}

func (d *contract) commentSchema() doc {
	return closed(object(doc{
		"text": orNullText(), "createdAt": orNullText(), "createdBy": orNull("contact", d.contact()), "rowId": idSchema(),
	}, "text", "createdAt", "createdBy", "rowId"))
}

// eventSchema returns the schema of a whole event of the type. More members may be added to
// events one day: consumers leave alone what they do not know.
func eventSchema(typ string, data doc) doc {
	return object(doc{
		"specversion":     described(textSchema(), "1.0"),
		"id":              doc{"type": "string", "format": "uuid", "description": "New for every event."},
		"source":          described(textSchema(), "The sheet at Smartsheet: /smartsheet/<region>/sheets/<id>."),
		"type":            doc{"type": "string", "const": typ},
		"subject":         described(textSchema(), "The share's name of the sheet, the kind and the id."),
		"time":            described(momentSchema(), "When the sheet was read."),
		"datacontenttype": described(textSchema(), "application/json"),
		"traceparent":     textSchema(),
		"data":            data,
	}, "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data")
}

// objectSchema returns the schema of the data of a row's, attachment's or comment's event.
func (d *contract) objectSchema(s *Share, kind Kind, typ string, state doc) doc {
	null := doc{"type": "null"}
	before, after := orNull(s.Sheet+"."+string(kind), state), state // before is unknown after a share change
	required := []string{"sheet", "after", "changed", "origin", string(kind)}
	properties := doc{
		"sheet":       d.shared("sheet", sheetSchema),
		"row":         d.shared("rowPlace", rowPlaceSchema),
		"changed":     described(listOf(textSchema()), "Names of the fields that differ."),
		"origin":      d.shared("origin", func() doc { return choice(OriginSnapshot, OriginCallback, OriginReconcile, OriginShare, OriginWrite) }),
		"write":       described(textSchema(), "With origin write: the id of the partner's own write that made the change."),
		"changeAgent": described(listOf(textSchema()), "Who made the change, as it told Smartsheet."),
		"truncated":   doc{"type": "boolean", "description": "The event was too large: before is left out."},
	}
	if kind != KindRow {
		properties[string(kind)] = d.shared("objectId", func() doc { return object(doc{"id": idSchema()}, "id") })
	}
	switch {
	case strings.HasSuffix(typ, ".created"):
		before = null
	case strings.HasSuffix(typ, ".deleted"):
		after = null
		properties["reason"] = d.shared("reason", func() doc { return choice(ReasonDeleted, ReasonLeftView, ReasonShare) })
		required = append(required, "reason")
	}
	properties["before"], properties["after"] = before, after
	return object(properties, required...)
}

func sheetSchema() doc {
	return object(doc{
		"id":      idSchema(),
		"name":    described(textSchema(), "The share's name of the sheet."),
		"version": described(integerSchema(), "Never falls on one subject."),
	}, "id", "name", "version")
}

func rowPlaceSchema() doc {
	return object(doc{
		"id": idSchema(), "number": described(integerSchema(), "Where it stood when it was read."),
		"parentId": orNullID(), "modifiedAt": orNullMoment(),
	}, "id", "number", "parentId", "modifiedAt")
}

// schemaDataSchema returns the schema of the data of a schema event.
func schemaDataSchema() doc {
	return object(doc{
		"revision": integerSchema(),
		"reset":    doc{"type": "boolean", "description": "The share shows less: what was published before is removed from the stream."},
		"schema":   doc{"type": "object", "description": "JSON Schema 2020-12 of a row's after."},
	}, "revision", "schema")
}

// statusDataSchema returns the schema of the data of a status event.
func (d *contract) statusDataSchema() doc {
	completeTo := d.shared("completeTo", func() doc {
		return object(doc{
			"version": described(integerSchema(), "The stream shows every state that the sheet had at this version."),
			"time":    momentSchema(),
		}, "version", "time")
	})
	return object(doc{
		"state":      d.shared("state", func() doc { return choice(StateLoading, StateLive, StateStale, StateSuspended, StateEnded) }),
		"reason":     textSchema(),
		"since":      momentSchema(),
		"mode":       d.shared("mode", func() doc { return choice("webhook", "polling") }),
		"completeTo": orNull("completeTo", completeTo),
		"nextBefore": orNullMoment(),
		"epoch":      described(textSchema(), "A new one: the stream was made again or restored, start over."),
		"revision":   integerSchema(),
		"readAt":     orNullMoment(),
	}, "state", "reason", "since", "mode", "completeTo", "nextBefore", "epoch")
}
