package handlers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers"
)

func TestPager(t *testing.T) {
	status, got := http.StatusOK, ""
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("hush"))
		mac.Write([]byte(r.Header.Get("X-Switchback-Timestamp") + "." + string(body)))
		if want := "v1=" + hex.EncodeToString(mac.Sum(nil)); r.Header.Get("X-Switchback-Signature") != want {
			t.Errorf("signature %q, want %q", r.Header.Get("X-Switchback-Signature"), want)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the key was sent")
		}
		got = string(body)
		if status == http.StatusFound {
			w.Header().Set("Location", elsewhere.URL)
		}
		w.WriteHeader(status)
	}))
	defer srv.Close()
	p, err := handlers.NewPager(config.Secret(strings.Replace(srv.URL, "http://", "http://switchback:hush@", 1)))
	if err != nil {
		t.Fatal(err)
	}
	post := flow.Post{ID: "e/001", Card: card.Card{Title: "CHAT – CLOSED", Text: []string{"The time ran out."}}}
	if _, err := p.Send(t.Context(), post, handlers.Target{}); err != nil || got != `{"id":"e/001","title":"CHAT – CLOSED","text":["The time ran out."]}` {
		t.Errorf("Send = %v, sent %s", err, got)
	}
	status = http.StatusBadGateway
	if _, err := p.Send(t.Context(), post, handlers.Target{}); !errors.As(err, new(handlers.Later)) {
		t.Errorf("Send to a pager that is away = %v, want later", err)
	}
	status = http.StatusNotFound
	if _, err := p.Send(t.Context(), post, handlers.Target{}); !errors.Is(err, handlers.ErrGone) {
		t.Errorf("Send to no pager = %v, want gone", err)
	}
	status = http.StatusFound // a client would follow it with a question that holds no reminder
	if _, err := p.Send(t.Context(), post, handlers.Target{}); !errors.Is(err, handlers.ErrGone) {
		t.Errorf("Send to a pager that is elsewhere = %v, want gone", err)
	}
	srv.Close()
	if _, err := p.Send(t.Context(), post, handlers.Target{}); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("Send to a closed port = %v, want an error without the address", err)
	}
	for _, bad := range []config.Secret{"http://a:hush@example.com", "https://example.com/hook", "ftp://a:hush@127.0.0.1", "://hush"} {
		if _, err := handlers.NewPager(bad); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("NewPager = %v, want an error without the key", err)
		}
	}
}
