package smartsheettest

import (
	"fmt"
	"strings"
	"testing"
)

func TestWebhookLife(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	made := w.api.ok("POST", "/webhooks", w.hookBody(r.url, "")).body
	hook := at(t, made, "result").(map[string]any)
	if hook["enabled"] != false || hook["status"] != "NEW_NOT_VERIFIED" || len(hook["sharedSecret"].(string)) != 26 || hook["disabledDetails"] == nil {
		t.Errorf("created: got %v", hook)
	}
	path := fmt.Sprintf("/webhooks/%v", hook["id"])
	w.edit("before it is enabled")
	enabled := at(t, w.api.ok("PUT", path, `{"enabled":true}`).body, "result").(map[string]any)
	if enabled["status"] != "ENABLED" || enabled["disabledDetails"] != nil || r.challenges != 1 {
		t.Errorf("enabled: got %v after %d challenges", enabled, r.challenges)
	}
	if got := w.api.ok("PUT", path, `{"enabled":true}`).body; got["message"] != "UNCHANGED" || r.challenges != 1 {
		t.Errorf("enabled again: got %v", got)
	}
	if got := w.api.ok("PUT", path, `{"name":"Other","events":["row.*","comment.created"]}`).body; at(t, got, "result", "name") != "Other" || got["message"] != "SUCCESS" {
		t.Errorf("renamed: got %v", got)
	}
	if got := fmt.Sprint(w.api.ok("GET", path, "").body["events"]); got != "[row.* comment.created]" {
		t.Errorf("get: got events %s", got)
	}
	if got := fmt.Sprint(at(t, w.api.ok("GET", "/webhooks", "").body, "data", 0, "events")); got != "[*.*]" {
		t.Errorf("list: got events %s, want them hidden", got)
	}
	w.edit("while enabled")
	stats := w.api.ok("GET", path, "").body["stats"].(map[string]any)
	if fmt.Sprint(stats["lastCallbackAttemptRetryCount"]) != "0" || stats["lastSuccessfulCallback"] == nil {
		t.Errorf("stats: got %v", stats)
	}
	old := hook["sharedSecret"]
	for _, spelling := range []string{"/resetsharedsecret", "/resetSharedSecret"} {
		secret := at(t, w.api.ok("POST", path+spelling, "").body, "result", "sharedSecret")
		if secret == old {
			t.Errorf("%s: got the old secret", spelling)
		}
		old = secret
		w.edit("signed anew " + spelling)
		if all := r.all(); !signed(all[len(all)-1], secret.(string)) {
			t.Errorf("after %s: signature does not match", spelling)
		}
	}
	if got := w.api.ok("PUT", path, `{"enabled":false}`).body; at(t, got, "result", "status") != "DISABLED_BY_OWNER" {
		t.Errorf("disabled: got %v", got)
	}
	n := len(r.all())
	w.edit("lost")
	w.api.ok("PUT", path, `{"enabled":true}`)
	w.api.ok("DELETE", path, "")
	w.api.refused("GET", path, "", 404, 1006)
	w.edit("gone")
	if got := len(r.all()); got != n {
		t.Errorf("got %d callbacks, want %d: nothing while disabled or deleted, nothing later", got, n)
	}
}

func TestWebhookRefusals(t *testing.T) {
	w := newWorld(t)
	strict := newWorld(t, func(s *Server) { s.AllowLoopbackHTTP = false })
	for url, ok := range map[string]bool{
		"https://x.example/cb": true, "https://x.example:8443/cb": true, "https://x.example:8000/": true, "https://x.example:9000/cb": false,
		"http://x.example/cb": false, "http://127.0.0.1:80/": false, "https://127.0.0.1/": false, "https://10.0.0.1/": false, "https://localhost:8443/": false, "nonsense": false, "": false,
	} {
		out := strict.api.do("POST", "/webhooks", strict.hookBody(url, ""))
		if (out.status == 200) != ok {
			t.Errorf("%q: got %d %s, want ok %v", url, out.status, out.text, ok)
		}
	}
	strict.api.refused("POST", "/webhooks", strict.hookBody("http://x.example/cb", ""), 400, 1152)
	r := newReceiver(t)
	body := w.hookBody(r.url, "")
	for name, tt := range map[string]struct {
		body         string
		status, code int
	}{
		"no such sheet":    {strings.Replace(body, fmt.Sprint(w.sheet.ID), "5", 1), 404, 1151},
		"no name":          {strings.Replace(body, `"name":"Hook",`, "", 1), 400, 1012},
		"version 2":        {strings.Replace(body, `"version":1`, `"version":2`, 1), 400, 1031},
		"odd events":       {strings.Replace(body, `"*.*"`, `"moon.*"`, 1), 400, 1031},
		"odd scope":        {strings.Replace(body, `"sheet"`, `"folder"`, 1), 400, 1031},
		"plan scope":       {strings.Replace(body, `"sheet"`, `"plan"`, 1), 403, 1004},
		"enabled at once":  {w.hookBody(r.url, `,"enabled":true`), 400, 1032},
		"unknown column":   {w.hookBody(r.url, `,"subscope":{"columnIds":[5]}`), 404, 1293},
		"unknown property": {w.hookBody(r.url, `,"colour":1`), 400, 1008},
	} {
		t.Run(name, func(t *testing.T) { w.api.refused("POST", "/webhooks", tt.body, tt.status, tt.code) })
	}
	alien := api{t: t, url: w.api.url, token: w.srv.AddToken(w.alien)}
	alien.refused("POST", "/webhooks", body, 404, 1151)
	path := w.newHook(r.url, "")
	alien.refused("GET", path, "", 404, 1006)
	w.adminAPI.refused("DELETE", path, "", 404, 1006)
	w.api.refused("PUT", path, `{"scopeObjectId":5}`, 400, 1032)
	w.api.refused("PUT", path, `{"subscope":{"columnIds":[]}}`, 400, 1032)
	w.viewerAPI.ok("POST", "/webhooks", body)
}

func TestListWebhooks(t *testing.T) {
	w := newWorld(t)
	r := newReceiver(t)
	var paths []string
	for i := range 5 {
		paths = append(paths, w.newHook(fmt.Sprintf("%s%d", r.url, i), ""))
	}
	for query, want := range map[string][]int{"": {4, 3, 2, 1, 0}, "?page=2&pageSize=2": {2, 1}, "?page=3&pageSize=2": {0}, "?page=4&pageSize=2": {}, "?includeAll=true&pageSize=2": {4, 3}} {
		list := w.api.ok("GET", "/webhooks"+query, "").body
		data := list["data"].([]any)
		if fmt.Sprintf("%v %v", list["totalPages"], list["totalCount"]) != "-1 -1" || len(data) != len(want) {
			t.Errorf("%q: got %d of %v, want %d of -1", query, len(data), list["totalCount"], len(want))
			continue
		}
		for i, n := range want {
			if got := fmt.Sprintf("/webhooks/%v", at(t, data[i], "id")); got != paths[n] {
				t.Errorf("%q item %d: got %s, want %s", query, i, got, paths[n])
			}
		}
	}
}

func TestVerification(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	path := w.newHook(r.url, "")
	r.set(func(r *receiver) { r.mute = true })
	got := at(t, w.api.ok("PUT", path, `{"enabled":true}`).body, "result").(map[string]any)
	if got["status"] != "DISABLED_VERIFICATION_FAILED" || got["enabled"] != false {
		t.Errorf("wrong answer: got %v", got)
	}
	r.set(func(r *receiver) { r.mute, r.challengeStatus = false, 202 })
	w.api.ok("PUT", path, `{"enabled":true}`)
	if got := w.hookStatus(path); got != "DISABLED_VERIFICATION_FAILED" {
		t.Errorf("answered with 202: got %s", got)
	}
	r.set(func(r *receiver) { r.challengeStatus, r.byBody = 200, true })
	w.api.ok("PUT", path, `{"enabled":true}`)
	if got := w.hookStatus(path); got != "ENABLED" {
		t.Errorf("answered in the body: got %s", got)
	}
	other := newReceiver(t)
	w.api.ok("PUT", path, fmt.Sprintf(`{"callbackUrl":%q}`, other.url))
	if other.challenges != 1 || w.hookStatus(path) != "ENABLED" {
		t.Errorf("new URL: got %d challenges, %s, want 1 and ENABLED", other.challenges, w.hookStatus(path))
	}
	w.edit("to the new one")
	if len(other.all()) != 1 || len(r.all()) != 0 {
		t.Errorf("got %d and %d callbacks, want 1 and 0", len(other.all()), len(r.all()))
	}
}

func TestReverifiedEveryHundredCallbacks(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	path := w.hook(r, "")
	for i := range 101 {
		w.edit(fmt.Sprint(i))
	}
	if r.challenges != 2 || len(r.all()) != 101 {
		t.Errorf("got %d challenges and %d callbacks, want 2 and 101", r.challenges, len(r.all()))
	}
	r.set(func(r *receiver) { r.mute = true })
	for i := range 101 {
		w.edit(fmt.Sprint(i))
	}
	if got := w.hookStatus(path); got != "DISABLED_VERIFICATION_FAILED" || len(r.all()) != 200 {
		t.Errorf("got %s after %d callbacks, want DISABLED_VERIFICATION_FAILED after 200", got, len(r.all()))
	}
}

func TestStatusesThatOnlyOthersCanLift(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	path := w.hook(r, "")
	id := w.srv.Webhooks()[0].ID
	for status, code := range map[string]int{"DISABLED_APP_REVOKED": 1153, "DISABLED_ADMINISTRATIVE": 1154} {
		if !w.srv.SetWebhookStatus(id, status) || w.hookStatus(path) != status {
			t.Fatalf("got %s, want %s", w.hookStatus(path), status)
		}
		w.api.refused("PUT", path, `{"enabled":true}`, 403, code)
	}
	w.edit("unheard")
	if got := len(r.all()); got != 0 {
		t.Errorf("got %d callbacks, want none", got)
	}
	if w.srv.SetWebhookStatus(5, "ENABLED") {
		t.Error("got a webhook 5, want none")
	}
}

func TestGridLimits(t *testing.T) {
	for name, limits := range map[string]GridLimits{"rows": {Rows: 3}, "columns": {Columns: 14}, "cells": {Cells: 3 * 14}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, quick, func(s *Server) { s.Limits = limits })
			r := newReceiver(t)
			path := w.hook(r, "")
			w.edit("small enough")
			w.api.ok("POST", w.path+"/rows", "{}")
			if _, err := w.srv.As(w.jane).AddColumn(w.sheet.ID, Column{Title: "More"}); err != nil {
				t.Fatal(err)
			}
			if got := w.hookStatus(path); got != "DISABLED_EXCEEDED_GRID_LIMITS" {
				t.Errorf("got %s", got)
			}
			w.api.ok("PUT", path, `{"enabled":true}`)
			if got := w.hookStatus(path); got != "DISABLED_EXCEEDED_GRID_LIMITS" {
				t.Errorf("enabled while too large: got %s", got)
			}
		})
	}
}

func TestScopeLostAndRestored(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	body := w.hookBody(r.url, "")
	id := at(t, w.viewerAPI.ok("POST", "/webhooks", body).body, "result", "id")
	path := fmt.Sprintf("/webhooks/%v", id)
	w.viewerAPI.ok("PUT", path, `{"enabled":true}`)
	status := func() any { return w.viewerAPI.ok("GET", path, "").body["status"] }
	jane := w.srv.As(w.jane)
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return jane.Unshare(w.sheet.ID, w.viewer) }, "DISABLED_SCOPE_INACCESSIBLE"},
		{func() error { return jane.Share(w.sheet.ID, w.viewer, AccessViewer) }, "ENABLED"},
		{func() error { return jane.DeleteSheet(w.sheet.ID) }, "DISABLED_SCOPE_INACCESSIBLE"},
		{func() error { w.srv.RestoreSheet(w.sheet.ID); return nil }, "ENABLED"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		w.wait()
		all := r.all()
		last := all[len(all)-1]
		if status() != step.want || last.Status != step.want || last.Events != nil || !signed(last, w.srv.WebhookSecret(last.WebhookID)) {
			t.Errorf("got status %v and callback %s, want %s", status(), last.text, step.want)
		}
	}
	w.edit("heard again")
	if got := len(r.all()); got != 5 {
		t.Errorf("got %d callbacks, want 4 status changes and one of events", got)
	}
	if err := jane.Unshare(w.sheet.ID, w.viewer); err != nil {
		t.Fatal(err)
	}
	w.viewerAPI.refused("PUT", path, `{"enabled":true}`, 404, 1151)
	w.wait()
}
