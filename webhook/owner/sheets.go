package owner

import (
	"context"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Container is a folder or a workspace at Smartsheet.
type Container struct {
	ID        int64
	Workspace bool // else a folder
}

// Sheets lists the sheets that an owner can read, a request for each 1,000 of them; in a
// container, if one is given, those in it and in its folders, a request for each folder.
// It is a conflict where the owner's access does not work.
func (w *Owners) Sheets(ctx context.Context, o *registry.Owner, in *Container) ([]smartsheet.SheetInfo, error) {
	const doing = "listing the sheets"
	client, err := w.client(o, budget.Callback)
	if err != nil {
		return nil, err
	}
	if in == nil {
		var sheets []smartsheet.SheetInfo
		for s, err := range client.Sheets(ctx) {
			if err != nil {
				return nil, problem.FromSmartsheet(doing, err)
			}
			sheets = append(sheets, s)
		}
		return sheets, nil
	}
	sheets, err := client.SheetsIn(ctx, in.Workspace, in.ID)
	switch smartsheet.Classify(err) {
	case smartsheet.OK:
		return sheets, nil
	case smartsheet.NotFound, smartsheet.Forbidden:
		p := problem.FromSmartsheet(doing, err)
		p.Fault = problem.Invalid
		p.Detail += ". Is it shared with the owner?"
		return nil, p
	}
	return nil, problem.FromSmartsheet(doing, err)
}

// client returns a client for an owner whose access works.
func (w *Owners) client(o *registry.Owner, class budget.Class) (*smartsheet.Client, error) {
	if o.State != registry.OwnerOK {
		return nil, AccessProblem(o, "")
	}
	return w.Access.Client(o, class)
}
