package webhooktest

import (
	"github.com/sheetbridge/sheetbridge/events"
)

// Undrafted shows three columns of the orders that are no drafts.
func Undrafted() events.Request {
	return events.Request{Partner: "acme", Columns: Columns("No", "Status", "Qty"), Where: "status != 'Draft'"}
}

// Everything shows three columns of all orders.
func Everything() events.Request {
	return events.Request{Partner: "acme", Columns: Columns("No", "Status", "Qty")}
}
