package admin

import (
	"encoding/json"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// tags are the groups of calls in the OpenAPI document.
var tags = []*huma.Tag{
	{Name: "overview", Description: "Everything in one answer"},
	{Name: "owners", Description: "Smartsheet users in whose name sheets are read"},
	{Name: "partners", Description: "Companies that receive events, and their credentials"},
	{Name: "webhooks", Description: "Registered sheets and their webhooks at Smartsheet"},
	{Name: "shares", Description: "What each partner may see of a sheet"},
	{Name: "events", Description: "What is published, as it happens"},
	{Name: "dead", Description: "Hints that were given up"},
	{Name: "doctor", Description: "Checks of everything"},
	{Name: "audit", Description: "Who did what and when"},
	{Name: "keys", Description: "Keys that seal stored secrets"},
}

// document is the OpenAPI document of the calls that were registered. Descriptions of
// patterns, which OpenAPI does not have, are moved to where it has them; what the
// framework says of wrong values was made of them before.
func document(api huma.API) ([]byte, error) {
	for _, s := range api.OpenAPI().Components.Schemas.Map() {
		describePatterns(s)
	}
	return json.Marshal(api.OpenAPI())
}

func describePatterns(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.PatternDescription != "" {
		if s.Description != "" {
			s.Description += "; "
		}
		s.Description += s.PatternDescription
		s.PatternDescription = ""
	}
	describePatterns(s.Items)
	for _, below := range slices.Concat(s.OneOf, s.AnyOf, s.AllOf) {
		describePatterns(below)
	}
	for _, property := range s.Properties {
		describePatterns(property)
	}
}
