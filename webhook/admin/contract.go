package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func (a *API) routeContract(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/partners/{name}/contract", id: "getContract", tag: "partners",
		summary:     "Get what a partner gets, as AsyncAPI",
		description: "An AsyncAPI 3.0 document for the partner: its servers, the subjects of its shares, the messages and their JSON Schemas. There is no secret in it: it may be given to the partner.",
		errors:      []int{http.StatusNotFound},
	}, a.getContract)
}

func (a *API) getContract(_ context.Context, in *named) (*out[map[string]any], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	var shares []events.Share
	for _, s := range a.Registry.AllShares() {
		if reg := a.Registry.Registration(s.Registration); s.Partner == p.Name && !s.Ending && reg != nil && reg.Phase == registry.PhaseActive {
			shares = append(shares, s.Share)
		}
	}
	text, err := events.AsyncAPI(p.Name, a.servers(p), shares)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	return &out[map[string]any]{document}, nil
}

// servers are the ways to the partner's stream.
func (a *API) servers(p *registry.Partner) []events.Server {
	var list []events.Server
	urls := strings.Split(a.partnerOf(p).URL, ",")
	for i, url := range urls {
		name := "nats"
		if i > 0 {
			name = fmt.Sprintf("nats-%d", i+1) // several of one cluster
		}
		list = append(list, events.Server{Name: name, URL: strings.TrimSpace(url), Title: "NATS"})
	}
	if p.External == nil && a.Broker != nil && a.Broker.WebSocketURL() != "" {
		list = append(list, events.Server{Name: "websocket", URL: a.Broker.WebSocketURL(), Title: "NATS over WebSocket, for browsers"})
	}
	return list
}
