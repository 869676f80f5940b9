package admin

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// File is partners and shares as people keep them in a repository. Its parts are those
// of the requests that make them, so that the API and the file have the same rules.
type File struct {
	Partners []FilePartner `json:"partners,omitempty" nullable:"false" maxItems:"1000" doc:"Companies that receive events. What is left out of one stays as it is"`
	Sheets   []FileSheet   `json:"sheets,omitempty" nullable:"false" maxItems:"10000" doc:"Sheets of which something is shared"`
}

// FilePartner is a partner in a file.
type FilePartner struct {
	Name string    `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" example:"acme"`
	NATS *FileNATS `json:"nats,omitempty" doc:"Where the partner's account is at another NATS"`
	NewTerms
}

// FileNATS is an account at another NATS, in a file. The secret is in a file of its
// own, which only a new partner needs.
type FileNATS struct {
	URL             string `json:"url" minLength:"1" maxLength:"2048" doc:"nats://host:port or tls://host:port, several of one cluster separated by commas" example:"tls://nats.b.example:4222"`
	CredentialsFile string `json:"credentialsFile,omitempty" minLength:"1" doc:"A .creds file with which the bridge publishes there, its path from this file's folder"`
}

// FileSheet is a sheet in a file, with what is shared of it.
type FileSheet struct {
	Owner   string `json:"owner" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" doc:"In whose name the sheet is read. The owner's token is never in a file: sheetbridge owners add" example:"ops"`
	SheetID string `json:"sheetId,omitempty" pattern:"^[0-9]{1,19}$" patternDescription:"a sheet's id: digits, in quotes" doc:"Its id at Smartsheet: digits, in quotes" example:"4509506114742148"`

	FolderID    string `json:"folderId,omitempty" pattern:"^[0-9]{1,19}$" patternDescription:"a folder's id: digits, in quotes" doc:"In place of sheetId: all sheets in this folder, and in the folders in it, whose titles are like titles, but those that the file names by their sheetId" example:"7118142361995140"`
	WorkspaceID string `json:"workspaceId,omitempty" pattern:"^[0-9]{1,19}$" patternDescription:"a workspace's id: digits, in quotes" doc:"As folderId, for a workspace" example:"1266231520028548"`
	Titles      string `json:"titles,omitempty" minLength:"1" maxLength:"200" doc:"With folderId or workspaceId: which sheets are meant, by their titles; * is any text and ? one character" example:"Orders *"`

	Shares []FileShare `json:"shares" minItems:"1" maxItems:"500" nullable:"false" doc:"Who may see what of it, or of each of them"`
}

// FileShare is a share in a file. What is left out is not shared.
type FileShare struct {
	Partner string `json:"partner" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" doc:"Who may see it" example:"acme"`
	Sheet   string `json:"sheet,omitempty" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" doc:"The partner's name for the sheet; of the sheets of a folder or workspace it is left out, and made from their titles" example:"orders"`
	ShareChange
}

// FileMistake is what is wrong at one place of a file.
type FileMistake struct {
	At     string // such as sheets[0].owner
	Detail string
}

const fileRefs = "#/$defs/"

// fileRegistry has the schemas of a file's parts.
func fileRegistry() (huma.Registry, *huma.Schema) {
	known := huma.NewMapRegistry(fileRefs, huma.DefaultSchemaNamer)
	return known, known.Schema(reflect.TypeFor[File](), true, "File")
}

// FileSchema is the JSON Schema of a File, for editors.
func FileSchema() ([]byte, error) {
	known, root := fileRegistry()
	one := func(fields ...string) *huma.Schema { return &huma.Schema{Required: fields} }
	known.Map()["FileSheet"].OneOf = []*huma.Schema{one("sheetId"), one("folderId", "titles"), one("workspaceId", "titles")}
	schemas := map[string]any{}
	for name, s := range maps.All(known.Map()) {
		schemas[name] = s
	}
	return json.Marshal(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Sheetbridge partners and shares",
		"$ref":    root.Ref,
		"$defs":   schemas,
	})
}

// CheckFile checks a value as JSON has it against the schema of a File, and returns
// all that is wrong.
func CheckFile(value any) []FileMistake {
	known, root := fileRegistry()
	var result huma.ValidateResult
	huma.Validate(known, root, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &result)
	var list []FileMistake
	for _, err := range result.Errors {
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			list = append(list, FileMistake{detail.Location, detail.Message})
		}
	}
	return list
}

// DefaultTerms are those of a partner of whom nothing else was said.
func DefaultTerms() Terms { return termsOf(&registry.Partner{Account: &registry.Account{}}) }
