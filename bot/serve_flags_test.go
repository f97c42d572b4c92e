package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/flags"
	"switchback/store"
)

const shopFlag change.Key = "flag/chat/web-shop"

// closeShop sets the flag of the example's web shop, as a confirm does.
func closeShop(t *testing.T, org organisation, st store.Store) {
	t.Helper()
	p := flags.New(org.targets(), store.NewFlags(st))
	open, err := p.Read(t.Context(), shopFlag)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(t.Context(), shopFlag, change.Value{Raw: []byte("closed")}, open); err != nil {
		t.Fatal(err)
	}
}

// visitor opens a page of the example's web shop, which asks the bot at that address.
func visitor(t *testing.T, bot string) gladlytest.Seen {
	t.Helper()
	day := gladlytest.Day{From: "00:00", To: "24:00"}
	hours := map[change.Weekday]gladlytest.Day{}
	for _, d := range change.Weekdays() {
		hours[d] = day
	}
	g := gladlytest.New(gladlytest.Setup{Zone: time.UTC, Apps: []gladlytest.App{{ID: "web-shop", Hours: hours}}})
	seen, err := g.VisitPage(t.Context(), gladlytest.Page{
		App: "web-shop", Flag: bot + "/flags/chat/web-shop", Origin: "https://shop.example.com", Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// The bot is killed with -9 while chat is closed: visitors can chat until it is there again, and from its first answer
// on they cannot.
func TestFlagsWhenServeIsKilled(t *testing.T) {
	dir := t.TempDir()
	org, err := loadOrganisation("")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	closeShop(t, org, st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/organisation.yaml"
	if err := os.WriteFile(file, example, 0o600); err != nil {
		t.Fatal(err)
	}
	serve := func() (*process, string) {
		cmd := bot(t, "serve")
		cmd.Env = append(cmd.Env, "DATA_DIR="+dir, "CONFIG_FILE="+file, "LISTEN_ADDR=127.0.0.1:0")
		p := begin(t, cmd)
		return p, regexp.MustCompile(`http://[0-9.]+:[0-9]+`).FindString(p.until("http://"))
	}
	p, url := serve()
	if seen := visitor(t, url); seen.Chat || seen.Message == "" {
		t.Errorf("while chat is closed a visitor sees %+v", seen)
	}
	p.kill()
	if seen := visitor(t, url); !seen.Chat {
		t.Errorf("with the bot killed a visitor sees %+v, want a chat", seen)
	}
	p, url = serve()
	if seen := visitor(t, url); seen.Chat {
		t.Errorf("when the bot is back a visitor sees %+v", seen)
	}
	p.kill()
}

// Who asked until the very end is in the store when serve has ended.
func TestServeWritesWhoAsked(t *testing.T) {
	org, err := loadOrganisation("")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenVolatile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	closeShop(t, org, st)
	s, err := newServer(environment{DataDir: t.TempDir()}, org, st, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	tree, playbook, err := loadPlaybook("")
	if err != nil {
		t.Fatal(err)
	}
	s.start(flow.Config{Policy: org.Policy, Tree: tree, Playbook: playbook})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, listener) }()
	for range 3 {
		if seen := visitor(t, "http://"+listener.Addr().String()); seen.Chat || !strings.Contains(seen.Message, "Chat") {
			t.Errorf("a visitor sees %+v", seen)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if _, _, total, err := store.NewFlags(st).Asked(t.Context(), shopFlag); err != nil || total != 3 {
		t.Errorf("asked for %d times, %v, want 3", total, err)
	}
}

// At its start serve compares Gladly's time zone with the document's, and says what does not fit; it serves all the same.
func TestServeComparesTimeZones(t *testing.T) {
	org, err := loadOrganisation("")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	const email, token = "bot@acme.example", "t0ken-of-acme"
	for name, tt := range map[string]struct {
		zone  *time.Location
		token config.Secret
		says  string
	}{
		"the same zone":       {org.Location(), token, ""},
		"another zone":        {elsewhere, token, "chat would be closed on the wrong weekday"},
		"another credentials": {org.Location(), "0ther", "are not accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			g := gladlytest.New(gladlytest.Setup{Zone: tt.zone})
			api := httptest.NewServer(g.API(gladlytest.Credentials{Email: email, Token: token}))
			defer api.Close()
			var log bytes.Buffer
			s := &server{env: environment{ConfigFile: "organisation.yaml", GladlyURL: api.URL, GladlyEmail: email, GladlyToken: tt.token}, org: org, log: zerolog.New(&log)}
			s.compareZones(t.Context())
			if got := log.String(); (tt.says == "") != (got == "") || !strings.Contains(got, tt.says) || strings.Contains(got, string(tt.token)) {
				t.Errorf("it says %q, want %q, and no token", got, tt.says)
			}
		})
	}
}
