package events

import (
	"strconv"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// quickSeen reads an event in the form in which we write events, without
// reflection; ok is false for any other, which [ParseSeen] reads with
// encoding/json. What it returns has parts of the message's bytes.
func quickSeen(message []byte) (s Seen, ok bool) {
	names := [...]string{"type", "data"}
	end := members(message, 0, names[:], func(name, at int) int {
		if name == 0 {
			text, end := plainText(message, at)
			s.Type = typeNamed(text)
			return end
		}
		return s.readData(message, at)
	})
	if end != len(message) {
		return Seen{}, false
	}
	if raw := s.After.Get("rowId"); raw != nil && s.Row == nil {
		id, end := plainText(raw, 0)
		if end != len(raw) {
			return Seen{}, false
		}
		s.RowID = string(id)
	}
	return s, true
}

// readData reads the data of an event, and returns where it ends.
func (s *Seen) readData(b []byte, at int) int {
	names := [...]string{"sheet", "row", "after"}
	return members(b, at, names[:], func(name, at int) (end int) {
		switch name {
		case 0:
			version := [...]string{"version"}
			return members(b, at, version[:], func(_, at int) (end int) {
				s.Version, end = wholeNumber(b, at)
				return end
			})
		case 1:
			if isNull(b, at) {
				return at + 4
			}
			s.Row, end = rowRef(b, at)
		default:
			s.After, end = quickObject(b, at)
		}
		return end
	})
}

// rowRef reads the reference of a row, and returns where it ends.
func rowRef(b []byte, at int) (ref *RowRef, end int) {
	ref = &RowRef{}
	names := [...]string{"id", "number", "parentId", "modifiedAt"}
	end = members(b, at, names[:], func(name, at int) (end int) {
		switch name {
		case 0:
			var text []byte
			if text, end = plainText(b, at); end < 0 {
				return -1
			}
			n, all := wholeNumber(text, 0)
			if ref.ID = n; all != len(text) {
				return -1
			}
		case 1:
			var n int64
			n, end = wholeNumber(b, at)
			ref.Number = int(n)
		case 2:
			if isNull(b, at) {
				return at + 4
			}
			var text []byte
			text, end = plainText(b, at)
			parent := string(text)
			ref.ParentID = &parent
		default:
			if isNull(b, at) {
				return at + 4
			}
			ref.ModifiedAt = &smartsheet.Time{}
			if end = canonicalEnd(b, at); end < 0 || ref.ModifiedAt.UnmarshalJSON(b[at:end]) != nil {
				return -1
			}
		}
		return end
	})
	return ref, end
}

// wholeNumber reads a number of 64 bits without fraction or exponent, and
// returns where it ends.
func wholeNumber(b []byte, at int) (n int64, end int) {
	if at >= len(b) || b[at] != '-' && (b[at] < '0' || b[at] > '9') {
		return 0, -1
	}
	end = canonicalNumberEnd(b, at)
	if end < 0 {
		return 0, -1
	}
	n, err := strconv.ParseInt(string(b[at:end]), 10, 64)
	if err != nil {
		return 0, -1
	}
	return n, end
}

// quickObject reads an object whose values are canonical, or null, and returns
// where it ends, -1 for any other. Its values are parts of b.
func quickObject(b []byte, at int) (o Object, end int) {
	if isNull(b, at) {
		return nil, at + 4
	}
	if at >= len(b) || b[at] != '{' {
		return nil, -1
	}
	o = make(Object, 0, 12)
	if at+1 < len(b) && b[at+1] == '}' {
		return o, at + 2
	}
	for {
		name, value := memberName(b, at+1)
		if value < 0 {
			return nil, -1
		}
		end = canonicalEnd(b, value)
		if end < 0 || end >= len(b) || b[end] != ',' && b[end] != '}' {
			return nil, -1
		}
		o = append(o, Value{Name: string(name), JSON: b[value:end:end]})
		if b[end] == '}' {
			return o, end + 1
		}
		at = end
	}
}

// typeNamed is the type of event of the name, without a copy of it if it is known.
func typeNamed(name []byte) string {
	for _, t := range [...]string{
		RowUpdated, RowCreated, RowDeleted, AttachmentCreated, AttachmentDeleted,
		CommentCreated, CommentUpdated, CommentDeleted, SchemaChanged, StatusChanged,
	} {
		if string(name) == t {
			return t
		}
	}
	return string(name)
}
