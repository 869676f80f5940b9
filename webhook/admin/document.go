package admin

import (
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

// OpenAPI is the document that GET /openapi.json answers, for what is made from it
// when the program is built.
func OpenAPI() ([]byte, error) {
	a := &API{Audit: &audit.Log{}}
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	api := humaecho.New(e, a.config())
	a.routeCalls(api)
	return document(api)
}

// routeConsole serves the page and what belongs to it, to everybody: who it is shows
// in the calls that the page makes.
func (a *API) routeConsole(e *echo.Echo) {
	if a.Console == nil {
		return
	}
	for _, path := range consolePaths() {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, echo.WrapHandler(a.Console))
	}
}

// consolePaths are those of the console's files.
func consolePaths() []string { return []string{"/", "/console.js", "/console.css", "/favicon.svg"} }
