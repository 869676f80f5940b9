// Package registrar registers sheets: it creates webhooks at Smartsheet, keeps
// them enabled, removes them, and adds, changes and ends the shares of a sheet.
package registrar
