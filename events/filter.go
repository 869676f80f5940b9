package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Bounds of a filter. Costs are CEL's own units, some ten to a hundred
// nanoseconds each: a row may take some milliseconds, never more.
const (
	maxFilterLength   = 4096 // code points
	maxFilterNodes    = 1000 // after macros are expanded
	maxFilterDepth    = 50
	maxFilterLoops    = 2 // one in the other
	maxFilterRegexp   = 1000
	maxFilterCost     = 100_000    // of one row
	maxFilterEstimate = 20_000_000 // of the worst row there can be; real ones are far below
)

// The most that a cell holds, to estimate costs by.
const (
	maxCellText = 4000 // characters
	maxCellList = 50   // contacts, options or predecessors
)

// cellsVariable is the name under which a filter finds columns by title.
const cellsVariable = "cells"

// partnerVariable is the name under which a filter finds the partner's attributes,
// unless a field has that name.
const partnerVariable = "partner"

// filter is a compiled `where`. It is safe for concurrent use.
type filter struct {
	program    cel.Program
	fields     []string // the fields that it names
	titles     []string // the columns that it names in cells["Title"]
	attributes []string // the attributes that it names as partner.name
	only       string   // the field that is all of it; empty: it is more than that
}

// filterError says what is wrong with a `where`, in words for its author.
type filterError struct{ text string }

func (e *filterError) Error() string { return e.text }

// compileFilter compiles a `where` over the fields. Its error is a *filterError
// unless CEL itself cannot be set up.
func compileFilter(where string, fields []Field) (*filter, error) {
	env, err := filterEnv(fields)
	if err != nil {
		return nil, fmt.Errorf("setting up CEL for a filter: %w", err)
	}
	parsed, issues := env.Parse(where)
	if issues.Err() != nil {
		return nil, issueError(issues)
	}
	names, err := filterNames(parsed, fields)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, issueError(issues)
	}
	if t := checked.OutputType(); !t.IsExactType(types.BoolType) && !t.IsExactType(types.DynType) {
		return nil, &filterError{fmt.Sprintf("it gives a value of type %s, not true or false", t)}
	}
	estimate, err := env.EstimateCost(checked, sizes{fields})
	if err != nil {
		return nil, &filterError{err.Error()}
	}
	if estimate.Min > maxFilterCost || estimate.Max > maxFilterEstimate {
		return nil, &filterError{"it costs too much to evaluate on a large row; use fewer loops, lists and replacements"}
	}
	program, err := env.Program(checked, cel.CostLimit(maxFilterCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &filterError{err.Error()}
	}
	return &filter{program, names.fields, names.titles, names.attributes, onlyField(checked)}, nil
}

// onlyField is the name of the field that a filter consists of, empty if it is
// more than the name of a field.
func onlyField(checked *cel.Ast) string {
	if root := checked.NativeRep().Expr(); root.Kind() == ast.IdentKind {
		return root.AsIdent()
	}
	return ""
}

func filterEnv(fields []Field) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxFilterLength),
		cel.ParserRecursionLimit(maxFilterDepth),
		cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(maxFilterNodes),
		cel.RegexProgramSizeLimit(maxFilterRegexp),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxFilterLoops),
		),
		ext.Strings(),
		cel.Variable(cellsVariable, cel.MapType(cel.StringType, cel.DynType)),
	}
	for _, f := range fields {
		options = append(options, cel.Variable(f.Name, cel.DynType))
	}
	if !hasPartnerField(fields) {
		options = append(options, cel.Variable(partnerVariable, cel.MapType(cel.StringType, cel.StringType)))
	}
	return cel.NewEnv(options...)
}

// issueError is the first thing that CEL finds wrong.
func issueError(issues *cel.Issues) error {
	first := issues.Errors()[0]
	message, _, _ := strings.Cut(first.Message, " expecting ") // a list of all that could stand there, in the grammar's names
	message = strings.NewReplacer("mismatched input '<EOF>'", "something is missing at the end", "mismatched input", "unexpected").Replace(message)
	return at(first.Location.Line(), first.Location.Column(), message)
}

// at is an error at a place; lines count from 1 and columns from 0.
func at(line, column int, text string) error {
	if line < 1 {
		return &filterError{text} // too long, for one: no place in particular
	}
	return &filterError{fmt.Sprintf("line %d, column %d: %s", line, column+1, text)}
}

// shows tells whether the filter can be evaluated and is true.
func (f *filter) shows(field, cell func(name string) json.RawMessage, attributes map[string]string) bool {
	shown, err := f.evaluate(field, cell, attributes)
	return err == nil && shown
}

// evaluate evaluates the filter on the values of fields and of cells by title,
// each as canonical JSON, and on the partner's attributes. Its error is a
// *FilterError: of what cannot be evaluated, and of what is neither true nor false.
func (f *filter) evaluate(field, cell func(name string) json.RawMessage, attributes map[string]string) (bool, error) {
	vars := make(map[string]any, len(f.fields)+2)
	if len(f.attributes) > 0 { // no field has the name then
		vars[partnerVariable] = attributes
	}
	for _, name := range f.fields {
		vars[name] = celValue(field(name))
	}
	cells := make(map[string]any, len(f.titles))
	for _, title := range f.titles {
		cells[title] = celValue(cell(title))
	}
	vars[cellsVariable] = cells
	v, _, err := f.program.Eval(vars)
	if err != nil {
		return false, &FilterError{err.Error()}
	}
	shown, ok := v.Value().(bool)
	if !ok {
		return false, &FilterError{fmt.Sprintf("it gives a value of type %s, not true or false", v.Type().TypeName())}
	}
	return shown, nil
}

// FilterError says why a filter cannot be evaluated on a row. Its text may hold
// values of the row: it is for those who may see the whole sheet.
type FilterError struct{ text string }

func (e *FilterError) Error() string { return e.text }

// celValue is a JSON value as a filter sees it: numbers are ints where they are
// whole and fit in 64 bits, else doubles.
func celValue(raw json.RawMessage) any {
	if n, end := wholeNumber(raw, 0); end == len(raw) {
		return n
	}
	if text, end := plainText(raw, 0); end == len(raw) {
		return string(text)
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		// A number beyond doubles is as far away as can be; all else is JSON.
		n, _ := strconv.ParseFloat(string(raw), 64)
		return n
	}
	return v
}

// sizes tells CEL how large values get.
type sizes struct{ fields []Field }

// EstimateSize bounds a field, a cell, and what is in them.
func (s sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	path := n.Path()
	if len(path) == 0 || len(path) > 5 {
		return nil // beyond what any value has; CEL asks for dyn without end
	}
	if len(path) == 1 {
		i := slices.IndexFunc(s.fields, func(f Field) bool { return f.Name == path[0] })
		if i >= 0 && isList(s.fields[i].Type) || path[0] == cellsVariable {
			return &cost.SizeEstimate{Max: maxCellList}
		}
	}
	return &cost.SizeEstimate{Max: maxCellText}
}

// EstimateCallCost leaves functions to CEL's own model.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

func isList(t smartsheet.ColumnType) bool {
	return t == smartsheet.MultiContactList || t == smartsheet.MultiPicklist || t == smartsheet.Predecessor
}
