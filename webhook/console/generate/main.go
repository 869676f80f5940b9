// Command generate makes what the console's package embeds: the bundle of the page
// in dist, and the types of the admin API in ui/api.ts. It needs no network and no
// Node: the bundler is a Go package, and Preact is in ui/vendor.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sheetbridge/sheetbridge/webhook/console/generate/bundle"
)

func main() {
	dir := flag.String("dir", ".", "the `directory` of the package console")
	flag.Parse()
	files, err := bundle.Make(*dir)
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(*dir, name), text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
