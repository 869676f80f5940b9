package smartsheettest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

func TestColumns(t *testing.T) {
	w := newWorld(t)
	path := w.path + "/columns"
	w.api.refused("POST", path, `{"title":"X","type":"TEXT_NUMBER"}`, 400, 1012)
	w.api.refused("POST", path, `{"title":"task","type":"TEXT_NUMBER","index":0}`, 400, 1056)
	w.api.refused("POST", path, `{"title":"X","type":"PURPLE","index":0}`, 400, 1031)
	w.api.refused("POST", path, `{"title":"X","type":"DATETIME","index":0}`, 400, 1089)
	w.api.refused("POST", path, `{"title":"X","type":"DATE","options":["a"],"index":0}`, 400, 1060)
	w.api.refused("POST", path, `{"title":"`+strings.Repeat("x", 51)+`","type":"DATE","index":0}`, 400, 1041)
	w.api.refused("POST", path, `[{"title":"X","type":"DATE","index":0},{"title":"X","type":"DATE","index":0}]`, 400, 1056)
	w.api.refused("POST", path, `[{"title":"X","type":"DATE","index":0},{"title":"Y","type":"DATE","index":1}]`, 400, 1135)
	added := w.api.ok("POST", path, `[{"title":"X","type":"MULTI_PICKLIST","options":["a","b"],"index":1},{"title":"Y","type":"DATE","index":1}]`).body
	if at(t, added, "result", 0, "type") != "MULTI_PICKLIST" || fmt.Sprint(at(t, added, "result", 1, "index")) != "2" {
		t.Errorf("added: got %v", added)
	}
	x := fmt.Sprintf("%s/%v", path, at(t, added, "result", 0, "id"))
	w.api.ok("PUT", x, `{"title":"Renamed","index":0}`)
	if got := w.api.ok("GET", x, "").body; got["title"] != "Renamed" || fmt.Sprint(got["index"]) != "0" {
		t.Errorf("renamed: got %v", got)
	}
	w.api.refused("PUT", x, `{"title":"Task"}`, 400, 1056)
	w.api.refused("PUT", x, `{"options":["a"]}`, 400, 1090)
	w.api.refused("PUT", x, `{"id":5}`, 400, 1032)
	w.api.ok("DELETE", x, "")
	w.api.refused("GET", x, "", 404, 1006)
	w.api.refused("DELETE", fmt.Sprintf("%s/%d", path, w.col("Task")), "", 400, 1065)
	w.viewerAPI.refused("DELETE", fmt.Sprintf("%s/%d", path, w.col("Due")), "", 403, 1004)
}

func TestRetype(t *testing.T) {
	w := newWorld(t)
	by := w.srv.As(w.jane)
	one := w.sheet.Rows[0]
	for _, tt := range []struct {
		title, kind, want string
	}{
		{"Due", "TEXT_NUMBER", `{"value":"2026-11-23","objectValue":"2026-11-23","displayValue":"2026-11-23"}`},
		{"Due", "DATE", `{"value":"2026-11-23","objectValue":{"objectType":"DATE","value":"2026-11-23"}}`},
		{"Done", "TEXT_NUMBER", `{"value":"false","objectValue":"false","displayValue":"false"}`},
		{"Price", "CHECKBOX", `{"value":"3303","objectValue":"3303"}`},
		{"Owner", "MULTI_CONTACT_LIST", `{"displayValue":"Jane Doe","objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"jane@a.example","name":"Jane Doe"}]}}`},
	} {
		if err := by.RetypeColumn(w.sheet.ID, w.col(tt.title), tt.kind); err != nil {
			t.Fatalf("%s to %s: %v", tt.title, tt.kind, err)
		}
		got := w.cell(t, w.row(one, "level=2&include=objectValue"), tt.title)
		if diff := cmp.Diff(parsed(t, tt.want), got); diff != "" {
			t.Errorf("%s as %s (-want +got):\n%s", tt.title, tt.kind, diff)
		}
	}
}

func TestSheets(t *testing.T) {
	w := newWorld(t)
	w.api.refused("POST", "/sheets", `{"name":"New","columns":[]}`, 400, 1054)
	w.api.refused("POST", "/sheets", `{"name":"New","columns":[{"title":"A","type":"DATE","primary":true}]}`, 400, 1057)
	w.api.refused("POST", "/sheets", `{"name":"New","columns":[{"title":"A","type":"DURATION"}]}`, 400, 1057)
	made := w.api.ok("POST", "/sheets", `{"name":"New","columns":[{"title":"A","primary":true,"type":"TEXT_NUMBER"}]}`).body
	path := fmt.Sprintf("/sheets/%v", at(t, made, "result", "id"))
	w.api.ok("PUT", path, `{"name":"Newer"}`)
	if got := w.api.ok("GET", path, "").body["name"]; got != "Newer" {
		t.Errorf("got name %v, want Newer", got)
	}
	w.api.ok("DELETE", path, "")
	w.api.refused("GET", path, "", 404, 1006)
	free := api{t: t, url: w.api.url, token: w.srv.AddToken(w.srv.AddUser(User{Email: "free@a.example", Free: true}))}
	free.refused("POST", "/sheets", `{"name":"New","columns":[{"title":"A","type":"TEXT_NUMBER"}]}`, 403, 1140)
}

func TestAttachments(t *testing.T) {
	w := newWorld(t)
	row := fmt.Sprintf("%s/rows/%d", w.path, w.sheet.Rows[0])
	link := `{"attachmentType":"LINK","name":"Engine","description":"d","url":"https://x.example/a"}`
	w.api.refused("POST", row+"/attachments", `{"attachmentType":"FILE","name":"x"}`, 400, 1051)
	w.api.refused("POST", row+"/attachments", `{"attachmentType":"PAPER","name":"x","url":"u"}`, 400, 1031)
	w.api.refused("POST", w.path+"/rows/5/attachments", link, 404, 1006)
	onRow := w.api.ok("POST", row+"/attachments", link).body
	w.api.ok("POST", w.path+"/attachments", link)
	d := w.api.ok("POST", row+"/discussions", `{"comment":{"text":"see"}}`).body
	comment := at(t, d, "result", "comments", 0, "id")
	w.api.ok("POST", fmt.Sprintf("%s/comments/%v/attachments", w.path, comment), link)
	if got := at(t, onRow, "result", "parentType"); got != "ROW" || fmt.Sprint(at(t, onRow, "result", "parentId")) != fmt.Sprint(w.sheet.Rows[0]) {
		t.Errorf("on the row: got %v", onRow)
	}
	for path, want := range map[string]int{w.path + "/attachments": 3, row + "/attachments": 2, w.path + fmt.Sprintf("/discussions/%v/attachments", at(t, d, "result", "id")): 1} {
		list := w.api.ok("GET", path, "").body
		if fmt.Sprint(list["totalCount"]) != fmt.Sprint(want) || at(t, list, "data", 0, "url") != nil {
			t.Errorf("%s: got %v, want %d without url", path, list, want)
		}
	}
	one := fmt.Sprintf("%s/attachments/%v", w.path, at(t, onRow, "result", "id"))
	if got := w.api.ok("GET", one, "").body["url"]; got != "https://x.example/a" {
		t.Errorf("got url %v", got)
	}
	w.viewerAPI.refused("DELETE", one, "", 403, 1004)
	w.api.ok("DELETE", one, "")
	w.api.refused("GET", one, "", 404, 1006)
	w.api.ok("DELETE", fmt.Sprintf("%s/rows?ids=%d", w.path, w.sheet.Rows[0]), "")
	if got := w.api.ok("GET", w.path+"/attachments", "").body["totalCount"]; fmt.Sprint(got) != "1" {
		t.Errorf("after the row went: got %v attachments, want the sheet's one", got)
	}
}

func TestFiles(t *testing.T) {
	var clock atomic.Int64
	w := newWorld(t, func(s *Server) {
		s.Clock = func() time.Time { return time.Unix(1_800_000_000+clock.Load(), 0) }
	})
	resp, err := w.api.raw("POST", w.api.url+w.path+"/attachments", strings.NewReader("hello"), http.Header{
		"Content-Type": {"text/plain"}, "Content-Disposition": {`attachment; filename="a.txt"`},
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != 200 {
		t.Fatalf("upload: got %d, want 200", resp.StatusCode)
	}
	item := at(t, w.api.ok("GET", w.path+"/attachments", "").body, "data", 0).(map[string]any)
	if item["attachmentType"] != "FILE" || item["mimeType"] != "text/plain" || fmt.Sprint(item["sizeInKb"]) != "1" || item["name"] != "a.txt" {
		t.Errorf("got %v", item)
	}
	one := w.api.ok("GET", fmt.Sprintf("%s/attachments/%v", w.path, item["id"]), "").body
	if fmt.Sprint(one["urlExpiresInMillis"]) != "120000" {
		t.Errorf("got %v, want a URL for 120000 ms", one)
	}
	got, err := plainClient.Get(fmt.Sprint(one["url"]))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if text, err := io.ReadAll(got.Body); err != nil || string(text) != "hello" {
		t.Errorf("got %q, %v, want hello", text, err)
	}
	clock.Store(121)
	late, err := plainClient.Get(fmt.Sprint(one["url"]))
	if err != nil {
		t.Fatal(err)
	}
	if late.Body.Close(); late.StatusCode != http.StatusForbidden {
		t.Errorf("after two minutes: got %d, want 403", late.StatusCode)
	}
}

func TestDiscussions(t *testing.T) {
	w := newWorld(t)
	row := fmt.Sprintf("%s/rows/%d", w.path, w.sheet.Rows[0])
	made := w.api.ok("POST", row+"/discussions", `{"comment":{"text":"first"}}`).body
	w.api.refused("POST", row+"/discussions", `{"title":"x"}`, 400, 1012)
	w.api.ok("POST", w.path+"/discussions", `{"title":"Sheet","comment":{"text":"all"}}`)
	id := at(t, made, "result", "id")
	path := fmt.Sprintf("%s/discussions/%v", w.path, id)
	second := at(t, w.api.ok("POST", path+"/comments", `{"text":"second"}`).body, "result", "id")
	first := at(t, made, "result", "comments", 0, "id")
	got := w.api.ok("GET", path, "").body
	if got["parentType"] != "ROW" || fmt.Sprint(got["parentId"]) != fmt.Sprint(w.sheet.Rows[0]) || got["title"] != "first" || fmt.Sprint(got["commentCount"]) != "2" {
		t.Errorf("discussion: got %v", got)
	}
	if len(at(t, w.api.ok("GET", row+"/discussions?include=comments", "").body, "data", 0, "comments").([]any)) != 2 {
		t.Error("row's discussions: want two comments with include=comments")
	}
	bare := w.api.ok("GET", w.path+"/discussions", "").body
	if fmt.Sprint(bare["totalCount"]) != "2" || at(t, bare, "data", 0, "comments") != nil {
		t.Errorf("without include: got %v", bare)
	}
	comment := fmt.Sprintf("%s/comments/%v", w.path, second)
	w.api.ok("PUT", comment, `{"text":"edited"}`)
	if got := w.api.ok("GET", comment, "").body; got["text"] != "edited" || fmt.Sprint(got["discussionId"]) != fmt.Sprint(id) {
		t.Errorf("comment: got %v", got)
	}
	if err := w.srv.As(w.jane).Share(w.sheet.ID, w.alien, AccessCommenter); err != nil {
		t.Fatal(err)
	}
	alien := api{t: t, url: w.api.url, token: w.srv.AddToken(w.alien)}
	alien.refused("PUT", comment, `{"text":"mine"}`, 403, 1081)
	alien.refused("DELETE", comment, "", 403, 1081)
	w.api.ok("DELETE", comment, "")
	w.api.refused("GET", comment, "", 404, 1006)
	w.api.ok("DELETE", fmt.Sprintf("%s/comments/%v", w.path, first), "")
	w.api.refused("GET", path, "", 404, 1006)
}

func TestSnapshotAgreesWithTheAPI(t *testing.T) {
	w := newWorld(t)
	by := w.srv.As(w.jane)
	d, comment, err := by.Discuss(w.sheet.ID, w.sheet.Rows[0], "hello")
	if err != nil {
		t.Fatal(err)
	}
	attached, err := by.AttachLinkToComment(w.sheet.ID, comment, "n", "https://x.example")
	if err != nil {
		t.Fatal(err)
	}
	snap, ok := w.srv.Snapshot(w.sheet.ID)
	if !ok || fmt.Sprint(snap.Version) != w.version(t) || len(snap.Columns) != 14 || len(snap.Rows) != 3 {
		t.Fatalf("got %+v", snap)
	}
	cells := snap.Rows[0].Cells
	want := map[string]any{
		"Due": Date("2026-11-23"), "Done": false, "Owner": Contact{"jane@a.example", "Jane Doe"}, "Tags": []string{"A", "B"},
		"Duration": Duration{Days: 4, Hours: 6, Minutes: 30}, "Start": AbstractDateTime("2026-11-23T08:00:00"),
	}
	for title, value := range want {
		if diff := cmp.Diff(value, cells[w.col(title)]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
	if _, there := snap.Rows[1].Cells[w.col("Tags")]; there {
		t.Error("got an empty cell in the snapshot, want none")
	}
	if snap.Comments[0].ID != comment || snap.Comments[0].DiscussionID != d || snap.Comments[0].RowID != w.sheet.Rows[0] {
		t.Errorf("comments: got %+v", snap.Comments)
	}
	if snap.Attachments[0].ID != attached || snap.Attachments[0].RowID != w.sheet.Rows[0] {
		t.Errorf("attachments: got %+v", snap.Attachments)
	}
	if _, ok := w.srv.Snapshot(5); ok {
		t.Error("got a snapshot of no sheet")
	}
}

// TestUploadAsAForm uploads as the SDK for Python does.
func TestUploadAsAForm(t *testing.T) {
	w := newWorld(t)
	upload := func(size int, field func(*multipart.Writer) (io.Writer, error)) (*http.Response, error) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := field(form)
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			return nil, err
		}
		if err := form.Close(); err != nil {
			return nil, err
		}
		return w.api.raw("POST", w.api.url+w.path+"/attachments", &body, http.Header{"Content-Type": {form.FormDataContentType()}})
	}
	file := func(form *multipart.Writer) (io.Writer, error) {
		return form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="plan.pdf"`}, "Content-Type": {"application/pdf"}})
	}
	noFile := func(form *multipart.Writer) (io.Writer, error) { return form.CreateFormField("file") }
	type form struct {
		size, status int
		field        func(*multipart.Writer) (io.Writer, error)
	}
	forms, files := map[string]form{"small": {2000, 200, file}, "no file": {5, 400, noFile}}, 1
	if eventstest.Long() { // TestLargestFile has the bound without a request
		forms["as large as may be"], forms["too large"] = form{30 << 20, 200, file}, form{30<<20 + 1, 400, file}
		files = 2
	}
	for name, tt := range forms {
		resp, err := upload(tt.size, tt.field)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, resp.StatusCode, tt.status)
		}
	}
	list := at(t, w.api.ok("GET", w.path+"/attachments", "").body, "data").([]any)
	if len(list) != files {
		t.Fatalf("got %d attachments, want %d", len(list), files)
	}
	for _, item := range list {
		a := item.(map[string]any)
		if a["attachmentType"] != "FILE" || a["mimeType"] != "application/pdf" || a["name"] != "plan.pdf" {
			t.Errorf("got %v, want plan.pdf", a)
		}
	}
}

func TestLargestFile(t *testing.T) {
	content := make([]byte, 30<<20+1)
	for size, code := range map[int]int{30 << 20: 0, 30<<20 + 1: 1074} {
		got := 0
		if err := new(attachment).file("plan.pdf", "application/pdf", content[:size]); err != nil {
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			got = refused.Code
		}
		if got != code {
			t.Errorf("a file of %d bytes: got error %d, want %d", size, got, code)
		}
	}
}

func TestColumnTitles(t *testing.T) {
	w := newWorld(t)
	column := func(title string) string { return fmt.Sprintf(`[{"title":%q,"type":"TEXT_NUMBER","index":0}]`, title) }
	w.api.refused("POST", w.path+"/columns", `[]`, 400, 1012)
	w.api.refused("POST", w.path+"/columns", column(strings.Repeat("ü", 51)), 400, 1041)
	w.api.ok("POST", w.path+"/columns", column(strings.Repeat("ü", 50)))
}

func TestTokenIsDeletedByItsBearerAlone(t *testing.T) {
	w := newWorld(t)
	var refused *Error
	if err := w.srv.As(w.jane).Do("DELETE", "token", nil, nil); !errors.As(err, &refused) || refused.Code != 1001 {
		t.Errorf("got %v, want 1001: there is no token", err)
	}
}
