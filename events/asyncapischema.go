package events

import (
	"encoding/json"
	"fmt"
	"strings"
)

// plainSchema is a schema of ours as a part of a document that says itself what
// dialect it is written in. Ours uses only what both have.
func plainSchema(schema json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.Replace(string(schema), `"$schema":"`+jsonSchemaDialect+`",`, "", 1))
}

func raw(schema string) json.RawMessage { return json.RawMessage(schema) }

// nullable is a schema that allows null besides.
func nullable(schema any) doc { return doc{"anyOf": []any{schema, doc{"type": "null"}}} }

func object(properties doc, required ...string) doc {
	return doc{"type": "object", "properties": properties, "required": required}
}

// eventSchema returns the schema of a whole event of the type in the share. More members
// may be added to events one day: consumers leave alone what they do not know.
func (s *Share) eventSchema(typ string, data doc) doc {
	return object(doc{
		"specversion":     doc{"const": "1.0"},
		"id":              doc{"type": "string", "format": "uuid", "description": "New for every event."},
		"source":          doc{"const": fmt.Sprintf("/smartsheet/%s/sheets/%d", s.Region, s.SheetID)},
		"type":            doc{"const": typ},
		"subject":         doc{"type": "string", "description": "The share's name of the sheet, the kind and the id."},
		"time":            doc{"type": "string", "format": "date-time", "description": "When the sheet was read."},
		"datacontenttype": doc{"const": "application/json"},
		"traceparent":     doc{"type": "string"},
		"data":            data,
	}, "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data")
}

// objectSchema returns the schema of the data of a row's, attachment's or comment's event.
func (s *Share) objectSchema(kind Kind, typ string, state doc) doc {
	null := doc{"type": "null"}
	before, after := any(nullable(state)), any(state) // before is unknown after a share change
	required := []string{"sheet", "after", "changed", "origin", string(kind)}
	properties := doc{
		"sheet": object(doc{
			"id":      doc{"const": fmt.Sprint(s.SheetID)},
			"name":    doc{"const": s.Sheet},
			"version": doc{"type": "integer", "description": "Never falls on one subject."},
		}, "id", "name", "version"),
		"row": object(doc{
			"id": raw(schemaID), "number": doc{"type": "integer", "description": "Where it stood when it was read."},
			"parentId": nullable(raw(schemaID)), "modifiedAt": nullable(doc{"type": "string", "format": "date-time"}),
		}, "id", "number", "parentId", "modifiedAt"),
		"changed":     doc{"type": "array", "items": doc{"type": "string"}, "description": "Names of the fields that differ."},
		"origin":      doc{"enum": []Origin{OriginSnapshot, OriginCallback, OriginReconcile, OriginShare, OriginWrite}},
		"write":       doc{"type": "string", "description": "With origin write: the id of the partner's own write that made the change."},
		"changeAgent": doc{"type": "array", "items": doc{"type": "string"}, "description": "Who made the change, as it told Smartsheet."},
		"truncated":   doc{"type": "boolean", "description": "The event was too large: before is left out."},
	}
	if kind != KindRow {
		properties[string(kind)] = object(doc{"id": raw(schemaID)}, "id")
	}
	switch {
	case strings.HasSuffix(typ, ".created"):
		before = null
	case strings.HasSuffix(typ, ".deleted"):
		after = null
		properties["reason"] = doc{"enum": []Reason{ReasonDeleted, ReasonLeftView, ReasonShare}}
		required = append(required, "reason")
	}
	properties["before"], properties["after"] = before, after
	data := object(properties, required...)
	data["anyOf"] = []doc{{"required": []string{"before"}}, {"required": []string{"truncated"}}}
	return data
}

// schemaDataSchema returns the schema of the data of a schema event.
func schemaDataSchema() doc {
	return object(doc{
		"revision": doc{"type": "integer"},
		"reset":    doc{"type": "boolean", "description": "The share shows less: what was published before is removed from the stream."},
		"schema":   doc{"type": "object", "description": "JSON Schema 2020-12 of a row's after."},
	}, "revision", "schema")
}

// statusDataSchema returns the schema of the data of a status event.
func statusDataSchema() doc {
	when := doc{"type": "string", "format": "date-time"}
	return object(doc{
		"state":  doc{"enum": []State{StateLoading, StateLive, StateStale, StateSuspended, StateEnded}},
		"reason": doc{"type": "string"},
		"since":  when,
		"mode":   doc{"enum": []string{"webhook", "polling"}},
		"completeTo": nullable(object(doc{
			"version": doc{"type": "integer", "description": "The stream shows every state that the sheet had at this version."},
			"time":    when,
		}, "version", "time")),
		"nextBefore": nullable(when),
		"epoch":      doc{"type": "string", "description": "A new one: the stream was made again or restored, start over."},
		"revision":   doc{"type": "integer"},
		"readAt":     nullable(when),
	}, "state", "reason", "since", "mode", "completeTo", "nextBefore", "epoch")
}
