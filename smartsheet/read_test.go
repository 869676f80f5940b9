package smartsheet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each call, the request it makes, and whose answer it takes.
func TestReads(t *testing.T) {
	const cells = "include=objectValue,columnType,writerInfo&level=2"
	const paged = "page=1&pageSize=1000"
	tests := map[string]struct {
		call    func(context.Context, *Client) (any, error)
		want    string
		fixture string
	}{
		"me": {call: func(ctx context.Context, c *Client) (any, error) { return c.Me(ctx) }, want: "/2.0/users/me", fixture: "getCurrentUser"},
		"sheet": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.Sheet(ctx, 295123319904012164, SheetQuery{})
		}, want: "/2.0/sheets/295123319904012164?" + cells + "&" + paged, fixture: "getSheet"},
		"version":         {call: func(ctx context.Context, c *Client) (any, error) { return c.SheetVersion(ctx, 7) }, want: "/2.0/sheets/7/version", fixture: "getSheetVersion"},
		"row":             {call: func(ctx context.Context, c *Client) (any, error) { return c.Row(ctx, 7, 2361756178769796) }, want: "/2.0/sheets/7/rows/2361756178769796?" + cells, fixture: "getRow"},
		"columns":         {call: func(ctx context.Context, c *Client) (any, error) { return c.Columns(ctx, 7) }, want: "/2.0/sheets/7/columns?level=2&" + paged, fixture: "listColumns"},
		"sheets":          {call: func(ctx context.Context, c *Client) (any, error) { return all(c.Sheets(ctx)) }, want: "/2.0/sheets?include=sheetVersion&" + paged, fixture: "listSheets"},
		"attachment":      {call: func(ctx context.Context, c *Client) (any, error) { return c.Attachment(ctx, 7, 245847117064068) }, want: "/2.0/sheets/7/attachments/245847117064068", fixture: "getAttachment"},
		"attachments":     {call: func(ctx context.Context, c *Client) (any, error) { return all(c.Attachments(ctx, 7)) }, want: "/2.0/sheets/7/attachments?" + paged, fixture: "listAssociatedAttachments"},
		"row attachments": {call: func(ctx context.Context, c *Client) (any, error) { return all(c.RowAttachments(ctx, 7, 8)) }, want: "/2.0/sheets/7/rows/8/attachments?" + paged, fixture: "listAssociatedAttachments"},
		"comment":         {call: func(ctx context.Context, c *Client) (any, error) { return c.Comment(ctx, 7, 3831661625403268) }, want: "/2.0/sheets/7/comments/3831661625403268", fixture: "getComment"},
		"discussion":      {call: func(ctx context.Context, c *Client) (any, error) { return c.Discussion(ctx, 7, 7802571894089604) }, want: "/2.0/sheets/7/discussions/7802571894089604?include=comments", fixture: "getDiscussion"},
		"discussions":     {call: func(ctx context.Context, c *Client) (any, error) { return all(c.Discussions(ctx, 7)) }, want: "/2.0/sheets/7/discussions?include=comments&" + paged, fixture: "getAllDiscussions"},
		"row discussions": {call: func(ctx context.Context, c *Client) (any, error) { return all(c.RowDiscussions(ctx, 7, 8)) }, want: "/2.0/sheets/7/rows/8/discussions?include=comments&" + paged, fixture: "getRowDiscussions"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := string(fixture(t, "java-sdk/"+tt.fixture+".json"))
			var got string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r.Method + " " + r.URL.RequestURI()
				answer(200, body)(w, r)
			})
			if _, err := tt.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got != "GET "+tt.want {
				t.Errorf("got %s, want GET %s", got, tt.want)
			}
			for _, other := range []string{`{}`, `{"id":5}`, `{"data":null}`} {
				if _, err := tt.call(t.Context(), serve(t, answer(200, other))); err == nil && !(tt.fixture == "getCurrentUser" && strings.Contains(other, "5")) {
					t.Errorf("answer %s: got no error", other)
				}
			}
		})
	}
}

// all collects a list up to its error.
func all[T any](list func(func(T, error) bool)) ([]T, error) {
	var items []T
	for v, err := range list {
		if err != nil {
			return items, err
		}
		items = append(items, v)
	}
	return items, nil
}

func TestSheetQuery(t *testing.T) {
	ids := make([]int64, MaxRowIDs)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	const cells = "include=objectValue,columnType,writerInfo"
	tests := map[string]struct {
		query SheetQuery
		want  string
	}{
		"zero":        {SheetQuery{}, cells + "&level=2&page=1&pageSize=1000"},
		"page":        {SheetQuery{Page: 3, PageSize: 500}, cells + "&level=2&page=3&pageSize=500"},
		"rows":        {SheetQuery{RowIDs: ids[:2], ColumnIDs: ids[2:5]}, "columnIds=3,4,5&" + cells + "&level=2&page=1&pageSize=2&rowIds=1,2"},
		"rows, small": {SheetQuery{RowIDs: ids[:3], PageSize: 2}, cells + "&level=2&page=1&pageSize=3&rowIds=1,2,3"},
		"rows, large": {SheetQuery{RowIDs: ids[:1], PageSize: 9}, cells + "&level=2&page=1&pageSize=9&rowIds=1"},
		"most rows":   {SheetQuery{RowIDs: ids}, cells + "&level=2&page=1&pageSize=200&rowIds=" + joinIDs(ids)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r.URL.RawQuery
				answer(200, `{"id":7,"version":1}`)(w, r)
			})
			if _, err := c.Sheet(t.Context(), 7, tt.query); err != nil || got != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// As many rows as RowsPerQuery allows keep the URL below 8 KiB.
func TestRowsPerQuery(t *testing.T) {
	for columns, want := range map[int]int{0: 200, 10: 200, 200: 200, 201: 199, 390: 10, 400: 1, 5000: 1} {
		if got := RowsPerQuery(columns); got != want {
			t.Errorf("%d columns: got %d rows, want %d", columns, got, want)
		}
	}
	ids := make([]int64, 400)
	for i := range ids {
		ids[i] = 9007199254740991
	}
	for _, columns := range []int{0, 50, 200, 399} {
		query, err := SheetQuery{RowIDs: ids[:RowsPerQuery(columns)], ColumnIDs: ids[:columns]}.values()
		if err != nil || len(strings.ReplaceAll(query.Encode(), "%2C", ",")) > 8000 {
			t.Errorf("%d columns: got a query of %d bytes, %v, want at most 8000", columns, len(query.Encode()), err)
		}
	}
}

func TestSheetIsTheOneAskedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want *Sheet
	}{
		"it":            {`{"id":7,"version":10}`, &Sheet{ID: 7, Version: 10}},
		"no sheet":      {`{"version":9}`, nil},
		"nothing":       {`{}`, nil},
		"another sheet": {`{"id":8,"version":10}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, answer(200, tt.body)).Sheet(t.Context(), 7, SheetQuery{})
			if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != (tt.want == nil) {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

func TestCommentsNameTheirDiscussion(t *testing.T) {
	c := serve(t, answer(200, string(fixture(t, "java-sdk/getRowDiscussions.json"))))
	list, err := all(c.RowDiscussions(t.Context(), 7, 4508369022150532))
	if err != nil || len(list) != 1 || list[0].ParentID != 4508369022150532 || list[0].Comments[0].DiscussionID != 3138415114905476 {
		t.Errorf("got %+v, %v, want the row and the discussion named", list, err)
	}
	c = serve(t, answer(200, string(fixture(t, "java-sdk/getDiscussion.json"))))
	d, err := c.Discussion(t.Context(), 7, 7802571894089604)
	if err != nil || len(d.Comments) != 3 || d.Comments[2].DiscussionID != 7802571894089604 {
		t.Errorf("got %+v, %v, want three comments that name it", d, err)
	}
}

func TestPages(t *testing.T) {
	list := func(size, pages, count int, ids ...int) string {
		items := make([]string, len(ids))
		for i, id := range ids {
			items[i] = fmt.Sprintf(`{"id":%d}`, id)
		}
		return fmt.Sprintf(`{"pageSize":%d,"totalPages":%d,"totalCount":%d,"data":[%s]}`, size, pages, count, strings.Join(items, ","))
	}
	tests := map[string]struct {
		pages []string // the last one is repeated
		want  []int64
		sent  int
		is    error
		class Class
	}{
		"one":                      {pages: []string{list(1000, 1, 2, 1, 2)}, want: []int64{1, 2}, sent: 1},
		"none":                     {pages: []string{list(1000, 0, 0)}, sent: 1},
		"two":                      {pages: []string{list(2, 2, 3, 1, 2), list(2, 2, 3, 3)}, want: []int64{1, 2, 3}, sent: 2},
		"totals unknown":           {pages: []string{list(1000, -1, -1, 1, 2)}, want: []int64{1, 2}, sent: 1},
		"size lowered":             {pages: []string{list(2, -1, -1, 1, 2), list(2, -1, -1, 3)}, want: []int64{1, 2, 3}, sent: 2},
		"full last page":           {pages: []string{list(2, -1, -1, 1, 2), list(2, -1, -1)}, want: []int64{1, 2}, sent: 2},
		"short page, more to come": {pages: []string{list(2, 2, 3, 1), list(2, 2, 3, 2, 3)}, want: []int64{1, 2, 3}, sent: 2},
		"moved":                    {pages: []string{list(2, 2, 4, 1, 2), list(2, 2, 3, 4)}, want: []int64{1, 2}, sent: 2, is: errListMoved, class: Retry},
		"no list":                  {pages: []string{`{"totalPages":1}`}, sent: 1, is: errNoList, class: Retry},
		"endless":                  {pages: []string{list(1, -1, -1, 1)}, sent: maxPages, is: errEndlessList, class: Retry},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var sent int
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sent++
				if got := r.URL.Query().Get("page"); got != strconv.Itoa(sent) {
					t.Errorf("got page %s, want %d", got, sent)
				}
				answer(200, tt.pages[min(sent, len(tt.pages))-1])(w, r)
			})
			var ids []int64
			hooks, err := all(c.Webhooks(t.Context()))
			for _, w := range hooks {
				ids = append(ids, w.ID)
			}
			if len(ids) > 10 {
				ids = nil
			}
			if diff := cmp.Diff(tt.want, ids); diff != "" || sent != tt.sent {
				t.Errorf("%d requests, want %d; ids -want +got:\n%s", sent, tt.sent, diff)
			}
			if !errors.Is(err, tt.is) || Classify(err) != tt.class {
				t.Errorf("got %v of class %v, want %v of class %v", err, Classify(err), tt.is, tt.class)
			}
		})
	}
}

func TestPagesStopWithTheLoop(t *testing.T) {
	var sent int
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent++
		answer(200, `{"pageSize":2,"totalPages":9,"totalCount":18,"data":[{"id":1},{"id":2}]}`)(w, r)
	})
	for range c.Discussions(t.Context(), 7) {
		break
	}
	if sent != 1 {
		t.Errorf("got %d requests, want 1", sent)
	}
}
