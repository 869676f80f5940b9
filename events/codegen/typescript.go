package codegen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TypeScript returns a module with the types of a contract: one for the events of
// each sheet, told apart by their type.
func TypeScript(contract []byte) ([]byte, error) {
	m, err := read(contract)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "// %s. Made by sheetbridge contract --lang ts: make it again when the contract changes.\n", oneLine(m.about))
	for _, sheet := range m.sheets() {
		var titles []string
		for _, msg := range m.messages {
			if msg.sheet == sheet {
				titles = append(titles, msg.title)
			}
		}
		fmt.Fprintf(&b, "\n/** What comes of %s. A type that is not here is of a newer version: skip it. */\nexport type %s =\n  | %s;\n",
			sheet, m.name(sheet, "Message"), strings.Join(titles, "\n  | "))
	}
	for _, d := range m.declared {
		b.WriteString("\n")
		writeComment(&b, "", d.comment)
		switch {
		case d.isObject:
			fmt.Fprintf(&b, "export interface %s {\n", d.title)
			for _, f := range d.members {
				writeComment(&b, "  ", f.comment)
				optional := "?"
				if f.required {
					optional = ""
				}
				fmt.Fprintf(&b, "  %s%s: %s;\n", f.name, optional, f.typ.typeScript())
			}
			b.WriteString("}\n")
		case d.union != nil:
			fmt.Fprintf(&b, "export type %s = %s;\n", d.title, strings.Join(d.union, " | "))
		default:
			fmt.Fprintf(&b, "export type %s = %s;\n", d.title, d.typ.typeScript())
		}
	}
	return []byte(b.String()), nil
}

// sheets are those of which there are messages.
func (m *model) sheets() []string {
	var sheets []string
	for _, msg := range m.messages {
		if !slices.Contains(sheets, msg.sheet) {
			sheets = append(sheets, msg.sheet)
		}
	}
	return sheets
}

// name is a name for something of a sheet that no schema has.
func (m *model) name(sheet, what string) string {
	name := exported(sheet) + what
	for slices.ContainsFunc(m.declared, func(d declared) bool { return d.title == name }) {
		name += "_"
	}
	return name
}

func writeComment(b *strings.Builder, indent, comment string) {
	if comment != "" {
		fmt.Fprintf(b, "%s/** %s */\n", indent, strings.ReplaceAll(oneLine(comment), "*/", "*\u200b/"))
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (t typ) typeScript() string {
	text := map[kind]string{kindNull: "null", kindText: "string", kindMoment: "string", kindNumber: "number", kindInteger: "number",
		kindFlag: "boolean", kindAny: "Record<string, unknown>", kindNamed: t.title}[t.kind]
	if t.kind == kindList {
		text = t.of.typeScript() + "[]"
		if t.of.orText || t.of.orNull || len(t.of.literals) > 1 {
			text = "(" + t.of.typeScript() + ")[]"
		}
	}
	if t.literals != nil {
		quoted := make([]string, len(t.literals))
		for i, l := range t.literals {
			quoted[i] = strconv.Quote(l)
		}
		text = strings.Join(quoted, " | ")
	}
	if t.orText {
		text += " | string"
	}
	if t.orNull && t.kind != kindNull {
		text += " | null"
	}
	return text
}
