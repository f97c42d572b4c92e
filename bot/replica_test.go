package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/terminal"
	"switchback/store"
)

// asReplica makes the test binary run as one of several bots that share a Redis, a company, and a chat platform. It holds
// a replica as JSON. Lines of the input are events, or "ping", answered when what was being done is done.
const asReplica = "SWITCHBACK_TEST_AS_REPLICA"

// replica is what such a process needs to know.
type replica struct {
	Redis    string
	Prefix   string // of its keys: many towns may share a Redis
	Company  string // URL of the practice company
	Zone     string // its time zone
	Screen   string // URL of the chat platform
	Lease    time.Duration
	NeverOld bool // planted: the clock of the lease is not looked at
	Takes    bool // it says when an event is taken in
	TooSoon  bool // planted: it says so before
}

// shortLease is a store that extends leases by less than it is told, so that whoever has one takes it for younger than it
// is.
type shortLease struct {
	store.Store
	life time.Duration
}

func (s shortLease) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if c.Lease != nil && c.Lease.Extend > 0 {
		l := *c.Lease
		l.Extend, c.Lease = s.life, &l
	}
	return s.Store.Commit(ctx, c)
}

func runReplica(ctx context.Context, in io.Reader, out io.Writer) error {
	var r replica
	if err := json.Unmarshal([]byte(os.Getenv(asReplica)), &r); err != nil {
		return err
	}
	opened, err := store.OpenRedis(ctx, store.RedisConfig{URL: config.Secret(r.Redis), Prefix: r.Prefix})
	if err != nil {
		return err
	}
	var st store.Store = opened
	lease := r.Lease
	if r.NeverOld {
		st, lease = shortLease{st, r.Lease}, time.Hour
	}
	org, err := loadOrganisation("")
	if err != nil {
		return err
	}
	org.Zone = r.Zone
	t, playbook, err := loadPlaybook("")
	if err != nil {
		return err
	}
	kept := store.Flow{Store: st}
	service := flow.New(flow.Config{
		Store: kept, Policy: org.Policy, Playbook: playbook, Tree: t, Lease: lease,
		Platforms: change.Platforms{"sim": sim.NewPlatform(org.practice(), r.Company, &http.Client{Timeout: time.Minute})},
	})
	worker := &handlers.Worker{
		Timers: kept, Service: service, Lease: r.Lease,
		Outbox: handlers.NewOutbox(kept, map[string]handlers.Sender{terminal.Platform: remoteScreen(r.Screen)}),
	}
	if err := service.Recover(ctx); err != nil {
		return err
	}
	events, pings, ended := make(chan flow.Event), make(chan bool), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if lines.Text() == "ping" {
				pings <- true
				continue
			}
			var e flow.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				ended <- err
				return
			}
			events <- e
		}
		ended <- lines.Err()
	}()
	var mu sync.Mutex
	say := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, line)
	}
	go func() {
		for e := range events {
			go func() {
				if r.TooSoon {
					say("taken " + e.ID)
				}
				done, err := service.Accept(ctx, e)
				if err != nil {
					say(fmt.Sprint("refused ", e.ID, " ", err))
					return
				}
				if r.Takes {
					say("taken " + e.ID)
				}
				<-done
				say("decided " + e.ID)
			}()
		}
	}()
	say("ready")
	for {
		n, err := worker.Step(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		select {
		case err := <-ended:
			service.Wait()
			return err
		case <-pings:
			say("pong")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// remoteScreen is the chat platform's address, to which a replica sends.
type remoteScreen string

type sending struct {
	Post flow.Post
	Ref  string
}

func (s remoteScreen) Send(ctx context.Context, p flow.Post, to handlers.Target) (string, error) {
	data, err := json.Marshal(sending{p, to.Ref})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(s), bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	ref, err := io.ReadAll(resp.Body)
	return string(ref), err
}

// town is the world that replicas share. It outlives them.
type town struct {
	t       *testing.T
	redis   string
	prefix  string
	zone    string
	kept    store.Flow
	company *sim.Company
	http    *httptest.Server
	lease   time.Duration

	mu    sync.Mutex
	cards map[string]card.Card // by place and message, as shown last
	calls int                  // of the platform, since they were counted
	at    int                  // the call before whose answer …
	stop  func()               // … this happens
	nth   int                  // events
	away  bool                 // the platform answers nobody
}

// begin starts a replica.
func (w *town) begin(neverOld bool) *process {
	w.t.Helper()
	return w.beginAs(replica{NeverOld: neverOld})
}

func (w *town) beginAs(r replica) *process {
	w.t.Helper()
	r.Redis, r.Prefix, r.Company, r.Zone, r.Screen, r.Lease = w.redis, w.prefix, w.http.URL, w.zone, w.http.URL+"/screen", w.lease
	data, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asReplica+"="+string(data))
	p := begin(w.t, cmd)
	p.until("ready")
	return p
}

// morning is a time zone in which it is between eight and nine now: no midnight comes while chat is closed, which would
// make more weekdays part of the change.
func morning() string {
	east := (8-time.Now().UTC().Hour()+36)%24 - 12
	return fmt.Sprintf("Etc/GMT%+d", -east) // the names have it the other way round
}

func newTown(t *testing.T, redis string) *town {
	t.Helper()
	org, err := loadOrganisation("")
	if err != nil {
		t.Fatal(err)
	}
	org.Zone = morning()
	w := &town{t: t, zone: org.Zone, redis: redis, prefix: strings.ToLower(rand.Text()[:12]), lease: time.Second, cards: map[string]card.Card{}}
	if w.company, err = sim.NewCompany(org.practice(), org.Location(), ""); err != nil {
		t.Fatal(err)
	}
	st, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: config.Secret(redis), Prefix: w.prefix})
	if err != nil {
		t.Fatal(err)
	}
	w.kept = store.Flow{Store: st}
	mux := http.NewServeMux()
	mux.HandleFunc("/screen", w.screen)
	mux.HandleFunc("/", w.platform)
	w.http = httptest.NewServer(mux)
	t.Cleanup(func() { w.http.Close(); _ = st.Close() })
	return w
}

func (w *town) screen(resp http.ResponseWriter, req *http.Request) {
	var s sending
	if err := json.NewDecoder(req.Body).Decode(&s); err != nil {
		http.Error(resp, err.Error(), http.StatusBadRequest)
		return
	}
	id := s.Post.Place.Lane() + " " + s.Post.Message
	w.mu.Lock()
	w.cards[id] = s.Post.Card
	w.mu.Unlock()
	_, _ = io.WriteString(resp, id)
}

// platform is the company, and what happens before the answer of one call.
func (w *town) platform(resp http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	w.calls++
	stop := w.stop
	if w.calls != w.at {
		stop = nil
	}
	away := w.away
	w.mu.Unlock()
	if away {
		http.Error(resp, "away", http.StatusServiceUnavailable)
		return
	}
	answer := httptest.NewRecorder()
	w.company.ServeHTTP(answer, req)
	if stop != nil {
		stop()
	}
	resp.WriteHeader(answer.Code)
	_, _ = resp.Write(answer.Body.Bytes())
}

// event is something that a person does.
func (w *town) event(who string, what flow.What) flow.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nth++
	return flow.Event{
		ID: fmt.Sprintf("event-%04d", w.nth), At: time.Now(), By: flow.Person{Account: terminal.Platform + ":" + who},
		Place: flow.Place{Platform: terminal.Platform, Channel: "#support"}, What: what,
	}
}

// says hands an event to a replica.
func (p *process) says(e flow.Event) {
	p.t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		p.t.Fatal(err)
	}
	p.types(string(data))
}

// does hands an event to a replica, and waits until it is decided.
func (p *process) does(e flow.Event) {
	p.t.Helper()
	p.says(e)
	if text := p.until(e.ID); strings.Contains(text, "refused") {
		p.t.Fatal(text)
	}
}

// button waits for a card, whose place and message contain a text, with a button.
func (w *town) button(where, label string) flow.Action {
	w.t.Helper()
	var a flow.Action
	w.eventually("a button "+label, func() bool {
		for id, c := range w.shown() {
			i := slices.IndexFunc(c.Buttons, func(b card.Button) bool { return strings.HasPrefix(b.Label, label) })
			if i >= 0 && strings.Contains(id, where) {
				a, _ = flow.DecodeAction(c.Buttons[i].Action)
				return true
			}
		}
		return false
	})
	return a
}

func (w *town) shown() map[string]card.Card {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.cards)
}

// eventually asks again and again, with a breath between, until done says yes.
func (w *town) eventually(what string, done func() bool) {
	w.t.Helper()
	end := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(end) {
			var titles []string
			for id, c := range w.shown() {
				titles = append(titles, id+": "+c.Title)
			}
			w.t.Fatalf("waited too long for %s; shown is %q", what, titles)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// writes are what the platform was told to set, in its order.
func (w *town) writes() []string {
	var out []string
	for _, e := range w.company.Log() {
		if e.What == sim.Write && e.Error == "" {
			out = append(out, fmt.Sprintf("%s = %s", e.Key, e.Value))
		}
	}
	return out
}

// open are the open outages, with their records.
func (w *town) open() ([]flow.Outage, []change.Record) {
	w.t.Helper()
	open, err := w.kept.Open(w.t.Context())
	var records []change.Record
	for _, o := range open {
		_, r, err2 := w.kept.Outage(w.t.Context(), o.ID)
		err = errors.Join(err, err2)
		records = append(records, r.Value)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return open, records
}
