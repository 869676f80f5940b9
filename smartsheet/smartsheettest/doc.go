// Package smartsheettest is a Smartsheet in memory behind real HTTP: users,
// tokens, sheets, rows, columns, attachments, discussions, shares and webhooks
// that call back, signed. It is written from the documentation of the service
// and from captured payloads, not from any client, and where those leave a
// choice it takes the stricter one, so that code which passes here works there.
//
// The zero [Server] is ready: mount it at / (the API lies below /2.0/), or call
// [Server.Start], or [New] in a test.
//
//	srv := smartsheettest.New(t)
//	jane := srv.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
//	token := srv.AddToken(jane)
//	orders, err := srv.AddSheet(smartsheettest.SheetSpec{
//		Name: "Orders", Owner: jane,
//		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Due", Type: "DATE"}},
//		Rows:    []smartsheettest.Row{{Cells: smartsheettest.Cells{"No": "SO-1", "Due": "2026-11-30"}}},
//	})
//	… a client at srv.URL() with token …
//	srv.As(jane).UpdateRows(orders.ID, smartsheettest.Row{ID: orders.Rows[0], Cells: smartsheettest.Cells{"Due": nil}})
//	srv.Wait(t.Context()) // every callback that was due has been answered
//	srv.Snapshot(orders.ID)
//
// # What differs from the service
//
// Times are scaled: an event waits [DefaultDebounce] instead of a minute and
// retries follow [DefaultRetryBackoff] instead of hours; set Debounce to
// [RealDebounce] and RetryBackoff to [RealRetryBackoff] for the real ones.
// Formulas are kept and never computed. What is not there answers 501 with
// errorCode 9501 and says so. The rate limit is the last one that
// was published, 300 requests in any 60 seconds for each token.
//
// # Faults
//
// [Server.SetFault] lets requests fail, [Server.SetCallbackFault] lets
// callbacks be lost, doubled or swapped; tokens can be revoked, sheets
// unshared, deleted and restored, webhooks put into any status, and a cell
// changed without a trace ([Server.SetCellSilently]). [RandomFaults] are faults of
// all kinds, answers lost after the effect among them; WriteTime makes writes
// collide. All of these may be used
// while the server runs; the exported fields of Server may not.
package smartsheettest
