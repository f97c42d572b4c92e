package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

const readyIn = 2 * time.Second

// Routes are what answers at the bot's public address. A nil handler is one that is not set up: its paths are not
// found.
type Routes struct {
	Measure func(from string, h http.Handler) http.Handler // nil: requests are not timed
	Slack   http.Handler                                   // slash commands, interactivity and events
	Teams   http.Handler                                   // activities of the Bot Framework
	Flags   http.Handler                                   // pages and phone menus that ask
	Pages   http.Handler                                   // notifications of status pages; no path of theirs is logged
	Page    http.Handler                                   // the page of what is open
	Ready   func(ctx context.Context) error                // nil while work can be taken in; the reason is for the log alone
}

// Handler is all of it.
func (r Routes) Handler() http.Handler {
	m := http.NewServeMux()
	if r.Measure == nil {
		r.Measure = func(_ string, h http.Handler) http.Handler { return h }
	}
	if r.Slack != nil {
		for _, path := range []string{"/slack/commands", "/slack/interactions", "/slack/events"} {
			m.Handle(path, r.Measure("slack", r.Slack))
		}
	}
	if r.Teams != nil {
		m.Handle("/api/messages", r.Measure("teams", r.Teams))
	}
	if r.Flags != nil {
		m.Handle("/flags/", r.Measure("flags", r.Flags))
	}
	if r.Pages != nil {
		m.Handle("/hooks/statuspage/", r.Measure("statuspage", r.Pages))
	}
	if r.Page != nil {
		m.Handle("/ops", r.Measure("page", r.Page))
		m.Handle("/ops/", r.Measure("page", r.Page))
	}
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), readyIn)
		defer cancel()
		if err := r.Ready(ctx); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("not ready")
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		}
	})
	return m
}
