package smartsheet

import (
	"context"
	"errors"
	"net/url"
)

// maxFolders bounds the folders that SheetsIn looks into.
const maxFolders = 1000

var errManyFolders = errors.New("there are more than 1000 folders in it")

// SheetsIn lists the sheets that the user sees in a workspace, or else in a folder, and
// in the folders within.
func (c *Client) SheetsIn(ctx context.Context, workspace bool, id int64) ([]SheetInfo, error) {
	var sheets []SheetInfo
	r := request{route: "/folders/{id}/children"}
	if workspace {
		r.route = "/workspaces/{id}/children"
	}
	folders := []int64{id}
	for n := 0; n < len(folders); n++ {
		if n == maxFolders {
			return nil, r.broken(ctx, errManyFolders)
		}
		r.ids = []int64{folders[n]}
		children, err := c.children(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, child := range children {
			switch child.ResourceType {
			case "sheet":
				sheets = append(sheets, child.SheetInfo)
			case "folder":
				folders = append(folders, child.ID)
			}
		}
		r.route = "/folders/{id}/children"
	}
	return sheets, nil
}

// child is what stands in a workspace or a folder.
type child struct {
	ResourceType string `json:"resourceType"`
	SheetInfo
}

// children reads what stands directly in the workspace or folder that r asks for. Its
// pages have keys in place of numbers.
func (c *Client) children(ctx context.Context, r request) ([]child, error) {
	type page struct {
		Data    *[]child `json:"data"`
		LastKey string   `json:"lastKey"`
	}
	var all []child
	r.query = url.Values{"childrenResourceTypes": {"sheets,folders"}, "maxItems": {"1000"}}
	for range maxPages {
		p, err := get(ctx, c, r, func(p *page) bool { return p.Data != nil })
		if err != nil {
			return nil, err
		}
		all = append(all, *p.Data...)
		if p.LastKey == "" {
			return all, nil
		}
		r.query.Set("lastKey", p.LastKey)
	}
	return nil, r.broken(ctx, errEndlessList)
}
