package main

import (
	"net/http"
	"net/url"
	"strings"
)

// underPath answers as well below the path of PUBLIC_URL, for a proxy that
// hands on the whole path and not what follows it.
func underPath(publicURL string, h http.Handler) http.Handler {
	u, err := url.Parse(publicURL)
	if err != nil {
		return h
	}
	path := strings.TrimSuffix(u.Path, "/")
	if path == "" {
		return h
	}
	below := http.StripPrefix(path, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path+"/") {
			below.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
