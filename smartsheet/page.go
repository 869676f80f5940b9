package smartsheet

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

const (
	listPageSize = 1000
	maxPages     = 1000 // of one list: a server that never ends must not hold us
)

var (
	errNoList      = errors.New("unreadable answer: no list in it")
	errListMoved   = errors.New("the list changed while it was read")
	errEndlessList = errors.New("the list does not end")
	errOther       = errors.New("unreadable answer: it is not about what was asked for")
)

// page is one page of a list. Of webhooks the totals are -1.
type page[T any] struct {
	PageSize   int  `json:"pageSize"`
	TotalPages int  `json:"totalPages"`
	TotalCount int  `json:"totalCount"`
	Data       *[]T `json:"data"`
}

// last reports whether page number n is the last one. Without totals it is
// the first one shorter than the page size, which Smartsheet may have lowered.
func (p page[T]) last(n int) bool {
	if p.TotalPages > 0 {
		return n >= p.TotalPages
	}
	size := listPageSize
	if p.PageSize > 0 {
		size = p.PageSize
	}
	return len(*p.Data) < size
}

// pages reads the list that r asks for, a request a page. An error ends it.
// A list with totals fails rather than skip what moved between its pages; of one
// without, such as the list of webhooks, nothing tells.
func pages[T any](ctx context.Context, c *Client, r request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var total int
		for n := 1; n <= maxPages; n++ {
			p, err := readPage[T](ctx, c, r, n)
			if n == 1 {
				total = p.TotalCount
			} else if err == nil && p.TotalCount != total {
				err = r.broken(ctx, errListMoved)
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, v := range *p.Data {
				if !yield(v, nil) {
					return
				}
			}
			if p.last(n) {
				return
			}
		}
		yield(none, r.broken(ctx, errEndlessList))
	}
}

func readPage[T any](ctx context.Context, c *Client, r request, n int) (page[T], error) {
	query := url.Values{}
	maps.Copy(query, r.query)
	query.Set("page", strconv.Itoa(n))
	query.Set("pageSize", strconv.Itoa(listPageSize))
	r.method, r.query = http.MethodGet, query
	var p page[T]
	if err := c.do(ctx, r, &p); err != nil {
		return p, err
	}
	if p.Data == nil {
		return p, r.broken(ctx, errNoList) // no list is not an empty one
	}
	return p, nil
}

// get reads one object. is tells whether the answer is about what was asked
// for: an empty object must not pass for an empty sheet.
func get[T any](ctx context.Context, c *Client, r request, is func(*T) bool) (*T, error) {
	r.method = http.MethodGet
	var v T
	if err := c.do(ctx, r, &v); err != nil {
		return nil, err
	}
	if !is(&v) {
		return nil, r.broken(ctx, errOther)
	}
	return &v, nil
}
