package events

import (
	"bytes"
	"encoding/json"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// jsonSchemaDialect is what our schemas are written in.
const jsonSchemaDialect = "https://json-schema.org/draft/2020-12/schema"

// Schemas of values. A typed field allows text as well, for its column does;
// formats stand in a branch of their own, so that they only annotate, also for
// validators that insist on them.
const (
	schemaText     = `{"type":["string","null"]}`
	schemaNumber   = `{"type":["string","number","null"]}`
	schemaCheckbox = `{"type":["boolean","string","null"]}`
	schemaDate     = `{"anyOf":[{"type":"string","format":"date"},` + schemaText + `]}`
	schemaTime     = `{"anyOf":[{"type":"string","format":"date-time"},` + schemaText + `]}`
	schemaDuration = `{"anyOf":[{"type":"string","format":"duration"},` + schemaText + `]}`
	schemaPerson   = `{"type":"object","properties":{"email":` + schemaText + `,"name":` + schemaText + `},"required":["email","name"],"additionalProperties":false}`
	schemaContact  = `{"anyOf":[` + schemaPerson + `,` + schemaText + `]}`
	schemaContacts = `{"anyOf":[{"type":"array","items":` + schemaPerson + `,"minItems":1},` + schemaText + `]}`
	schemaOptions  = `{"anyOf":[{"type":"array","items":{"type":"string"},"minItems":1},` + schemaText + `]}`
	schemaLink     = `{"type":"object","properties":{"rowId":{"type":"string","pattern":"^-?[0-9]+$"},"type":{"enum":["FF","FS","SF","SS"]},"lag":` + schemaDuration + `},"required":["rowId","type","lag"],"additionalProperties":false}`
	schemaLinks    = `{"anyOf":[{"type":"array","items":` + schemaLink + `,"minItems":1},` + schemaText + `]}`
	schemaHash     = `{"type":["string","null"],"pattern":"^[0-9a-f]{32}$"}`
	schemaRedacted = `{"enum":["redacted",null]}`
	schemaID       = `{"type":"string","pattern":"^-?[0-9]+$"}`
	schemaSize     = `{"type":["integer","null"]}`
	schemaAuthor   = `{"anyOf":[` + schemaPerson + `,{"type":"null"}]}`
)

// property is one member of an object's schema.
type property struct {
	name   string
	schema string
}

// Schema is the JSON Schema (2020-12) of a row's `after` in this share: its
// fields in their order, all required, nothing besides. It names no titles, no
// types that a mask hides and no options of a picklist, which would tell of
// what is not shared. A field whose column was deleted is deprecated. Equal shares
// have equal schemas, byte for byte.
func (s *Share) Schema() json.RawMessage {
	properties := make([]property, len(s.Fields))
	for i, f := range s.Fields {
		properties[i] = property{f.Name, f.schema()}
		if s.isGone(f.ColumnID) {
			properties[i].schema = deprecated(properties[i].schema)
		}
	}
	return objectSchema(properties)
}

// deprecated marks a schema, which is an object.
func deprecated(schema string) string { return `{"deprecated":true,` + schema[1:] }

func (f Field) schema() string {
	switch f.Mask {
	case MaskNone:
	case MaskHash:
		return schemaHash
	default:
		return schemaRedacted
	}
	switch f.Type {
	case smartsheet.Checkbox:
		return schemaCheckbox
	case smartsheet.Date:
		return schemaDate
	case smartsheet.DateTime, smartsheet.AbstractDateTime:
		return schemaTime
	case smartsheet.ContactList:
		return schemaContact
	case smartsheet.MultiContactList:
		return schemaContacts
	case smartsheet.Picklist:
		return schemaText
	case smartsheet.MultiPicklist:
		return schemaOptions
	case smartsheet.Duration:
		return schemaDuration
	case smartsheet.Predecessor:
		return schemaLinks
	}
	return schemaNumber
}

// AttachmentSchema is the JSON Schema (2020-12) of an attachment's `after`, the
// same in every share.
func AttachmentSchema() json.RawMessage {
	return objectSchema([]property{
		{"name", schemaText}, {"mimeType", schemaText}, {"sizeInKb", schemaSize},
		{"attachmentType", schemaText}, {"createdAt", schemaTime}, {"rowId", schemaID},
	})
}

// CommentSchema is the JSON Schema (2020-12) of a comment's `after`, the same
// in every share.
func CommentSchema() json.RawMessage {
	return objectSchema([]property{
		{"text", schemaText}, {"createdAt", schemaTime}, {"createdBy", schemaAuthor}, {"rowId", schemaID},
	})
}

func objectSchema(properties []property) json.RawMessage {
	var members, required bytes.Buffer
	for i, p := range properties {
		if i > 0 {
			members.WriteByte(',')
			required.WriteByte(',')
		}
		name := jsonString(p.name)
		members.Write(name)
		members.WriteByte(':')
		members.WriteString(p.schema)
		required.Write(name)
	}
	return json.RawMessage(`{"$schema":"` + jsonSchemaDialect + `","type":"object","properties":{` + members.String() +
		`},"required":[` + required.String() + `],"additionalProperties":false}`)
}
