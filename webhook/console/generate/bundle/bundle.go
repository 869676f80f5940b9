// Package bundle makes the files of the console from their sources.
package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// Make returns the files that follow from the sources in the directory of the
// package console, by their names in it: the types, the script and the style.
func Make(dir string) (map[string][]byte, error) {
	document, err := admin.OpenAPI()
	if err != nil {
		return nil, fmt.Errorf("making the OpenAPI document: %w", err)
	}
	types, err := Types(document)
	if err != nil {
		return nil, err
	}
	// The sources import the types from where they are written to.
	if err := os.WriteFile(filepath.Join(dir, "ui", "api.ts"), types, 0o644); err != nil && !errors.Is(err, os.ErrPermission) {
		return nil, err
	}
	files := map[string][]byte{"ui/api.ts": types}
	script, style, err := bundle(dir)
	if err != nil {
		return nil, err
	}
	files["dist/console.js"], files["dist/console.css"] = script, style
	return files, nil
}

// bundle bundles what ui/main.tsx imports.
func bundle(dir string) (script, style []byte, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	vendor := filepath.Join(abs, "ui", "vendor", "preact")
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join(abs, "ui", "main.tsx")}, Bundle: true, Outfile: filepath.Join(abs, "dist", "console.js"),
		AbsWorkingDir: abs, Format: api.FormatESModule, Target: api.ES2022, Charset: api.CharsetUTF8,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true, LegalComments: api.LegalCommentsNone,
		JSX: api.JSXAutomatic, JSXImportSource: "preact", TsconfigRaw: "{}",
		Alias: map[string]string{
			"preact/jsx-runtime": filepath.Join(vendor, "jsxRuntime.mjs"),
			"preact/hooks":       filepath.Join(vendor, "hooks.mjs"),
			"preact":             filepath.Join(vendor, "preact.mjs"),
		},
	})
	var errs []error
	for _, m := range result.Errors {
		place := ""
		if m.Location != nil {
			place = fmt.Sprintf("%s:%d:%d: ", m.Location.File, m.Location.Line, m.Location.Column)
		}
		errs = append(errs, errors.New(place+m.Text))
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	for _, f := range result.OutputFiles {
		switch filepath.Ext(f.Path) {
		case ".js":
			script = f.Contents
		case ".css":
			style = f.Contents
		}
	}
	return script, style, nil
}
