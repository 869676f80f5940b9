// Package codegen writes types in Go and TypeScript for what a contract says: the
// AsyncAPI document that events.AsyncAPI makes. It reads what those documents use
// of JSON Schema, and refuses what they do not.
package codegen
