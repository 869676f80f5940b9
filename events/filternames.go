package events

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// names collects what a filter names: fields, columns by title, and attributes of
// the partner.
type names struct {
	known      []Field
	source     *ast.SourceInfo
	fields     []string
	titles     []string
	attributes []string
}

// filterNames finds the names in a parsed filter, each once, in the order of
// their first use. A name that is nothing we know, and a column that is named
// by anything but a constant title, are errors.
func filterNames(parsed *cel.Ast, known []Field) (*names, error) {
	tree := parsed.NativeRep()
	n := &names{known: known, source: tree.SourceInfo()}
	return n, n.visit(tree.Expr(), nil)
}

// visit walks an expression; local are the variables of the loops around it.
func (n *names) visit(e ast.Expr, local []string) error {
	if title, ok, err := n.title(e); ok || err != nil {
		if ok && !slices.Contains(n.titles, title) {
			n.titles = append(n.titles, title)
		}
		return err
	}
	if name, ok, err := n.attribute(e, local); ok || err != nil {
		if ok && !slices.Contains(n.attributes, name) {
			n.attributes = append(n.attributes, name)
		}
		return err
	}
	switch e.Kind() {
	case ast.IdentKind:
		return n.ident(e, local)
	case ast.SelectKind:
		return n.visit(e.AsSelect().Operand(), local)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			if err := n.visit(call.Target(), local); err != nil {
				return err
			}
		}
		return n.visitAll(call.Args(), local)
	case ast.ListKind:
		return n.visitAll(e.AsList().Elements(), local)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			if err := n.visitAll([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()}, local); err != nil {
				return err
			}
		}
	case ast.StructKind:
		return n.errorAt(e, "messages cannot be made here")
	case ast.ComprehensionKind:
		return n.loop(e, local)
	}
	return nil
}

func (n *names) visitAll(list []ast.Expr, local []string) error {
	for _, e := range list {
		if err := n.visit(e, local); err != nil {
			return err
		}
	}
	return nil
}

// loop visits what a macro such as exists was expanded to.
func (n *names) loop(e ast.Expr, local []string) error {
	c := e.AsComprehension()
	if err := n.visitAll([]ast.Expr{c.IterRange(), c.AccuInit()}, local); err != nil {
		return err
	}
	inner := append(slices.Clone(local), c.IterVar(), c.AccuVar())
	if c.HasIterVar2() {
		inner = append(inner, c.IterVar2())
	}
	if slices.Contains(inner, cellsVariable) {
		return n.errorAt(e, `"cells" cannot be the variable of a loop`)
	}
	return n.visitAll([]ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()}, inner)
}

// title is the column that cells["Title"], or cells.Title, names.
func (n *names) title(e ast.Expr) (string, bool, error) {
	switch e.Kind() {
	case ast.SelectKind:
		if isCells(e.AsSelect().Operand()) {
			return e.AsSelect().FieldName(), true, nil
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || !isCells(call.Args()[0]) {
			return "", false, nil
		}
		index := call.Args()[1]
		if index.Kind() == ast.LiteralKind {
			if s, ok := index.AsLiteral().(types.String); ok {
				return string(s), true, nil
			}
		}
		return "", false, n.errorAt(e, `cells needs a column's title as a constant: cells["Title"]`)
	}
	return "", false, nil
}

func isCells(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == cellsVariable
}

// attribute is the partner's attribute that partner.name names.
func (n *names) attribute(e ast.Expr, local []string) (string, bool, error) {
	if e.Kind() != ast.SelectKind {
		return "", false, nil
	}
	of := e.AsSelect().Operand()
	if of.Kind() != ast.IdentKind || of.AsIdent() != partnerVariable || slices.Contains(local, partnerVariable) || hasPartnerField(n.known) {
		return "", false, nil
	}
	name := e.AsSelect().FieldName()
	if !ValidFieldName(name) {
		return "", false, n.errorAt(e, fmt.Sprintf("%q is no attribute's name: a letter a-z, then a-z, 0-9 and _", clip(name, maxFieldName)))
	}
	return name, true, nil
}

// hasPartnerField tells whether one of the fields has the name under which a filter
// finds the partner's attributes: there it is the field that is meant.
func hasPartnerField(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == partnerVariable })
}

func (n *names) ident(e ast.Expr, local []string) error {
	name := e.AsIdent()
	switch {
	case slices.Contains(local, name):
	case name == cellsVariable:
		return n.errorAt(e, `cells can only be used with a column's title: cells["Title"]`)
	case slices.ContainsFunc(n.known, func(f Field) bool { return f.Name == name }):
		if !slices.Contains(n.fields, name) {
			n.fields = append(n.fields, name)
		}
	case name == partnerVariable:
		return n.errorAt(e, "partner can only be used with an attribute's name: partner.region")
	case !typeName(name):
		return n.errorAt(e, fmt.Sprintf(`%q is no field of this share; for a column that is not shared write cells["Title"]`, name))
	}
	return nil
}

// typeName tells whether CEL knows the word as the name of a type, as in
// type(qty) == int.
func typeName(name string) bool {
	switch name {
	case "bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint":
		return true
	}
	return false
}

func (n *names) errorAt(e ast.Expr, text string) error {
	place := n.source.GetStartLocation(e.ID())
	return at(place.Line(), place.Column(), text)
}
