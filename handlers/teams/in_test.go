package teams_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/teams"
	"switchback/handlers/teams/teamstest"
	"switchback/store"
)

// desk is a flow that writes down what came in, and answers as it is told.
type desk struct {
	mu     sync.Mutex
	events []flow.Event
	reply  func(e flow.Event) (flow.Reply, bool) // false: not in time
	away   bool
}

func (d *desk) Accept(_ context.Context, e flow.Event) (<-chan flow.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return nil, errors.New("the store is away")
	}
	out := make(chan flow.Reply, 1)
	for _, before := range d.events {
		if before.ID == e.ID {
			close(out)
			return out, nil
		}
	}
	d.events = append(d.events, e)
	if d.reply == nil {
		out <- flow.Reply{}
	} else if r, ok := d.reply(e); ok {
		out <- r
	}
	return out, nil
}

func (d *desk) Offline(context.Context, flow.Event) card.Card {
	return card.Card{Title: "Chat: close it by hand", Text: []string{"Settings > Glad App"}}
}

func (d *desk) got() []flow.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]flow.Event(nil), d.events...)
}

// tenant is a Teams, and a bot that serves it over real HTTP.
type tenant struct {
	*teamstest.Teams
	t     testing.TB
	desk  *desk
	teams *teams.Teams
	kept  store.Learnt
	now   func() time.Time
	logs  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	by time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

const (
	support = "19:support@thread.tacv2"
	general = "19:general@thread.tacv2"
)

// newTenant has ana and sam of the own organisation, gus who is a guest, and a team with two channels.
func newTenant(tb testing.TB, c teamstest.Config) *tenant {
	tb.Helper()
	ms := teamstest.New(c)
	if err := ms.Listen(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(ms.Close)
	ana := ms.AddUser(teamstest.User{Name: "ana", Zone: "America/New_York"})
	sam := ms.AddUser(teamstest.User{Name: "sam", Zone: "Europe/Berlin"})
	ms.AddUser(teamstest.User{Name: "gus", Guest: true, Tenant: "0the40e0-0000-4000-8000-000000000001"})
	members := []string{ana.ID, sam.ID}
	ms.AddGroup(teamstest.Group{ID: general, Name: "general", Kind: teamstest.Channel, Team: general, Members: members, Bot: true})
	ms.AddGroup(teamstest.Group{ID: support, Name: "support", Kind: teamstest.Channel, Team: general, Members: members, Bot: true})
	f, err := store.OpenVolatile(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	now := c.Now
	if now == nil {
		now = time.Now
	}
	n := &tenant{Teams: ms, t: tb, desk: &desk{}, kept: store.Learnt{Store: f, Platform: teams.Platform}, now: now, logs: &lockedBuffer{}}
	n.teams, err = teams.New(teams.Config{
		App: ms.Config().App, Password: config.Secret(ms.Config().Password), Tenant: ms.Config().Tenant, OpenID: ms.OpenIDURL(), Token: ms.TokenURL(),
		Hosts: []string{ms.Host()}, Store: n.kept, Flow: n.desk, Log: zerolog.New(n.logs), Now: now,
		Mention: func(name string) string {
			u, _ := ms.User(name)
			return u.Object
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	web := httptest.NewServer(n.teams)
	tb.Cleanup(func() {
		web.Close()
		n.teams.Wait()
	})
	ms.Connect(web.URL + "/api/messages")
	return n
}

// says has somebody write something that is let in.
func (n *tenant) says(user, group, text string) {
	n.t.Helper()
	d, err := n.Say(n.t.Context(), user, group, "", text)
	if err != nil || d.Type != "" && !d.OK() {
		n.t.Fatalf("%s says %q: %d, %v", user, text, d.Status, err)
	}
}

// hello is a message that is let in.
func (n *tenant) hello(set func(a map[string]any)) map[string]any {
	return n.Activity("message", "ana", "", func(a map[string]any) {
		a["text"] = "outage chat late"
		if set != nil {
			set(a)
		}
	})
}

func other(v string) func(map[string]any) map[string]any {
	return func(o map[string]any) map[string]any { return map[string]any{"id": v} }
}

// Each row differs from what is let in by one thing.
func TestTokens(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	now := time.Now()
	claim := func(name string, v any) teamstest.Token { return teamstest.Token{Claims: map[string]any{name: v}} }
	signed := func(alg string, sign func(key *rsa.PrivateKey, s string) []byte) teamstest.Token {
		return teamstest.Token{Header: map[string]any{"alg": alg}, Sign: sign}
	}
	app := n.Config().App
	for _, tt := range []struct {
		name  string
		token teamstest.Token
		with  func(a map[string]any)
		want  int
	}{
		{"all right", teamstest.Token{}, nil, 200},
		{"not yet, for 2 minutes", claim("nbf", now.Add(2*time.Minute).Unix()), nil, 200},
		{"ended 2 minutes ago", claim("exp", now.Add(-2*time.Minute).Unix()), nil, 200},
		{"an array with only us", claim("aud", []string{app}), nil, 200},
		{"not yet, for 10 minutes", claim("nbf", now.Add(10*time.Minute).Unix()), nil, 401},
		{"ended 10 minutes ago", claim("exp", now.Add(-10*time.Minute).Unix()), nil, 401},
		{"never ends", claim("exp", nil), nil, 401},
		{"for nobody", claim("aud", nil), nil, 401},
		{"for another", claim("aud", "b07b07b0-0000-4000-8000-0000000000ff"), nil, 401},
		{"for others too", claim("aud", []string{app, "x"}), nil, 401},
		{"an audience of another form", claim("aud", 17), nil, 401},
		{"one of a bot's own tokens", claim("aud", "https://api.botframework.com"), nil, 401},
		{"from a tenant", claim("iss", "https://sts.windows.net/"+n.Config().Tenant+"/"), nil, 401},
		{"from nobody", claim("iss", nil), nil, 401},
		{"an issuer of another form", claim("iss", map[string]any{"x": 1}), nil, 401},
		{"from no service", claim("serviceurl", nil), nil, 401},
		{"a service of another form", claim("serviceurl", []int{1}), nil, 401},
		{"none", signed("none", func(*rsa.PrivateKey, string) []byte { return nil }), nil, 401},
		{"HS256 with the public key", signed("HS256", func(key *rsa.PrivateKey, s string) []byte {
			public, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
			mac := hmac.New(sha256.New, public)
			mac.Write([]byte(s))
			return mac.Sum(nil)
		}), nil, 401},
		{"PS256", signed("PS256", func(key *rsa.PrivateKey, s string) []byte {
			sum := sha256.Sum256([]byte(s))
			out, _ := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
			return out
		}), nil, 401},
		{"RS512", signed("RS512", func(key *rsa.PrivateKey, s string) []byte {
			sum := sha512.Sum512([]byte(s))
			out, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA512, sum[:])
			return out
		}), nil, 401},
		{"an unknown key", teamstest.Token{Header: map[string]any{"kid": "nobody"}}, nil, 401},
		{"no key named", teamstest.Token{Header: map[string]any{"kid": 7}}, nil, 401},
		{"another's signature", signed("RS256", func(_ *rsa.PrivateKey, s string) []byte {
			key, _ := rsa.GenerateKey(rand.Reader, 2048)
			sum := sha256.Sum256([]byte(s))
			out, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			return out
		}), nil, 401},
		{"thousands of dots", teamstest.Token{Raw: strings.Repeat(".", 5000)}, nil, 401},
		{"a very long token", teamstest.Token{Raw: strings.Repeat("a", 20_000) + ".b.c"}, nil, 401},

		{"from another service", teamstest.Token{}, func(a map[string]any) { a["serviceUrl"] = n.URL() + "/apac/" }, 403},
		{"from a service that is not on the list", claim("serviceurl", "https://evil.example/emea/"), func(a map[string]any) { a["serviceUrl"] = "https://evil.example/emea/" }, 403},
		{"from another channel", teamstest.Token{}, func(a map[string]any) { a["channelId"] = "directline" }, 403},
		{"from no channel", teamstest.Token{}, func(a map[string]any) { delete(a, "channelId") }, 403},
		{"from another tenant", teamstest.Token{}, func(a map[string]any) { a["channelData"] = map[string]any{"tenant": other("x")(nil)} }, 403},
		{"in a conversation of another tenant", teamstest.Token{}, func(a map[string]any) { a["conversation"].(map[string]any)["tenantId"] = "x" }, 403},
		{"from no tenant", teamstest.Token{}, func(a map[string]any) {
			delete(a, "channelData")
			delete(a["conversation"].(map[string]any), "tenantId")
		}, 403},
		{"for another bot", teamstest.Token{}, func(a map[string]any) { a["recipient"] = map[string]any{"id": "28:other"} }, 403},
		{"for nobody's bot", teamstest.Token{}, func(a map[string]any) { delete(a, "recipient") }, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(n.desk.got())
			d := n.Send(t.Context(), n.hello(tt.with), tt.token)
			if d.Status != tt.want || d.Raw != "" {
				t.Errorf("answered %d %q, want %d and nothing else", d.Status, d.Raw, tt.want)
			}
			if got := len(n.desk.got()) - before; got != map[bool]int{true: 1}[tt.want == 200] {
				t.Errorf("%d events came in", got)
			}
		})
	}
	if openID, keys := n.Count("openid"), n.Count("keys"); openID != 1 || keys != 1 {
		t.Errorf("the metadata was fetched %d times and the keys %d times, want once", openID, keys)
	}
	if strings.Contains(n.logs.String(), "eyJ") {
		t.Errorf("a token is in the log:\n%s", n.logs)
	}
	keys, err := n.kept.AllLearnt(t.Context(), "")
	if diff := cmp.Diff([]string{"conversation/" + n.Chat("ana").ID, "person/" + n.object("ana")}, keys); diff != "" || err != nil {
		t.Errorf("kept (-want +got):\n%s%v", diff, err)
	}
}

func (n *tenant) object(name string) string {
	u, _ := n.User(name)
	return u.Object
}

// What is wrong with a request before anybody looks at what it says.
func TestRequests(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	good, err := json.Marshal(n.hello(nil))
	if err != nil {
		t.Fatal(err)
	}
	bearer := "Bearer " + n.Sign(teamstest.Token{})
	large := bytes.Repeat([]byte(" "), 256<<10)
	for _, tt := range []struct {
		name, header string
		body         []byte
		want         int
	}{
		{"no header", "", good, 401},
		{"no scheme", strings.TrimPrefix(bearer, "Bearer "), good, 401},
		{"another scheme", "Basic " + strings.TrimPrefix(bearer, "Bearer "), good, 401},
		{"too large, and nobody's", "Bearer a.b.c", append(large, good...), 401},
		{"too large", bearer, append(large, good...), 413},
		{"no JSON", bearer, []byte("{"), 400},
		{"an array", bearer, []byte("[]"), 400},
		{"null", bearer, []byte("null"), 400},
		{"nothing in it", bearer, []byte("{}"), 403},
		{"good", bearer, good, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := n.SendBody(t.Context(), tt.body, tt.header); d.Status != tt.want || d.Raw != "" {
				t.Errorf("answered %d %q, want %d and nothing else", d.Status, d.Raw, tt.want)
			}
		})
	}
	if got := len(n.desk.got()); got != 1 {
		t.Errorf("%d events came in, want the good one", got)
	}
}

// The issuer's keys are followed, and its absence is borne.
func TestKeys(t *testing.T) {
	c := &clock{}
	n := newTenant(t, teamstest.Config{Now: c.now})
	n.Rotate("emulator")
	var first sync.WaitGroup
	for range 32 {
		first.Go(func() {
			if d := n.Send(t.Context(), n.hello(nil), teamstest.Token{Key: 1}); d.Status != 200 {
				t.Errorf("answered %d", d.Status)
			}
		})
	}
	first.Wait()
	want := func(what string, token teamstest.Token, status, fetches int) {
		t.Helper()
		if d := n.Send(t.Context(), n.hello(nil), token); d.Status != status || n.Count("keys") != fetches {
			t.Errorf("%s: answered %d after %d fetches, want %d after %d", what, d.Status, n.Count("keys"), status, fetches)
		}
	}
	want("32 at once fetch once", teamstest.Token{Key: 1}, 200, 1)
	want("a key that is not endorsed for Teams", teamstest.Token{}, 403, 1)
	n.Rotate("msteams")
	want("a new key, within a minute", teamstest.Token{}, 401, 1)
	c.move(61 * time.Second)
	want("a new key", teamstest.Token{}, 200, 2)
	n.RotateBits(1024, "msteams")
	c.move(61 * time.Second)
	want("a weak key", teamstest.Token{}, 401, 3)
	n.IssuerAway(true)
	c.move(25 * time.Hour)
	want("the issuer is away for a day", teamstest.Token{Key: 1}, 200, 3)
	c.move(50 * time.Hour)
	want("the issuer is away for three days", teamstest.Token{Key: 1}, 503, 3)
	n.IssuerAway(false)
	n.Withdraw(1)
	c.move(61 * time.Second)
	want("it is back", teamstest.Token{Key: 1}, 200, 4)
	want("a withdrawn key", teamstest.Token{Key: 3}, 401, 4)
}

// What people do becomes events.
func TestEvents(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	chat := n.Chat("ana").ID
	by := flow.Person{Account: "teams:" + n.object("ana"), Member: true}
	root := func() string {
		all := n.Messages("support", "")
		return all[len(all)-1].Root
	}
	act := flow.Action{Walk: "w1", Verb: "go", State: "3"}.Encode()
	for _, tt := range []struct {
		name string
		do   func() teamstest.Delivery
		want func() *flow.Event // nil: none
	}{
		{"said to it alone", func() teamstest.Delivery { d, _ := n.Say(t.Context(), "ana", "", "", "chat late"); return d }, func() *flow.Event {
			return &flow.Event{Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Command{Words: []string{"chat", "late"}}}
		}},
		{"mentioned in a channel", func() teamstest.Delivery {
			d, _ := n.Say(t.Context(), "ana", "support", "", "@Switchback outage chat  late")
			return d
		}, func() *flow.Event {
			return &flow.Event{Place: flow.Place{Platform: "teams", Channel: support, In: support + ";messageid=" + root() + "|" + root()}, What: flow.Command{Words: []string{"chat", "late"}}}
		}},
		{"spoken of", func() teamstest.Delivery {
			d, _ := n.Say(t.Context(), "ana", "support", "", "who is Switchback?")
			return d
		}, nil},
		{"installed", func() teamstest.Delivery {
			return n.Send(t.Context(), n.Activity("installationUpdate", "ana", "", func(a map[string]any) { a["action"] = "add" }), teamstest.Token{})
		}, func() *flow.Event {
			return &flow.Event{Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Command{Words: []string{"help"}}}
		}},
		{"upgraded", func() teamstest.Delivery {
			return n.Send(t.Context(), n.Activity("installationUpdate", "ana", "", func(a map[string]any) { a["action"] = "add-upgrade" }), teamstest.Token{})
		}, nil},
		{"a reaction", func() teamstest.Delivery {
			return n.Send(t.Context(), n.Activity("messageReaction", "ana", "", nil), teamstest.Token{})
		}, nil},
		{"somebody was added", func() teamstest.Delivery {
			return n.Send(t.Context(), n.Activity("conversationUpdate", "ana", "support", func(a map[string]any) { a["membersAdded"] = []any{map[string]any{"id": "29:x"}} }), teamstest.Token{})
		}, nil},
		{"an invoke that is none of ours", func() teamstest.Delivery {
			return n.Send(t.Context(), n.Activity("invoke", "ana", "", func(a map[string]any) { a["name"] = "composeExtension/query" }), teamstest.Token{})
		}, nil},
		{"a string as its value", func() teamstest.Delivery {
			return n.Send(t.Context(), n.hello(func(a map[string]any) { a["value"], a["text"] = "x", "status" }), teamstest.Token{})
		}, func() *flow.Event {
			return &flow.Event{Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Command{Words: []string{"status"}}}
		}},
		{"pressed in an old client", func() teamstest.Delivery {
			return n.Send(t.Context(), n.hello(func(a map[string]any) {
				delete(a, "text")
				a["value"] = map[string]any{"switchback": map[string]any{"a": act, "m": "x"}}
			}), teamstest.Token{})
		}, func() *flow.Event {
			return &flow.Event{Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Press{Action: flow.Action{Walk: "w1", Verb: "go", State: "3"}}}
		}},
		{"of another organisation", func() teamstest.Delivery {
			return n.Send(t.Context(), n.hello(func(a map[string]any) { a["from"].(map[string]any)["tenantId"] = "another" }), teamstest.Token{})
		}, func() *flow.Event {
			return &flow.Event{By: flow.Person{Account: by.Account}, Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Command{Words: []string{"chat", "late"}}}
		}},
		{"without an object in Entra", func() teamstest.Delivery {
			return n.Send(t.Context(), n.hello(func(a map[string]any) { a["from"] = map[string]any{"id": "29:bot"} }), teamstest.Token{})
		}, func() *flow.Event {
			return &flow.Event{By: flow.Person{Account: "teams:29:bot"}, Place: flow.Place{Platform: "teams", Channel: chat}, What: flow.Command{Words: []string{"chat", "late"}}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(n.desk.got())
			if d := tt.do(); d.Type != "" && (d.Status != 200 || d.Raw != "") {
				t.Errorf("answered %d %q", d.Status, d.Raw)
			}
			got := n.desk.got()[before:]
			var want []flow.Event
			if tt.want != nil {
				want = []flow.Event{*tt.want()}
				if want[0].By == (flow.Person{}) {
					want[0].By = by
				}
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(flow.Event{}, "ID", "At"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	a := n.hello(nil)
	before := len(n.desk.got())
	for range 3 {
		if d := n.Send(t.Context(), a, teamstest.Token{}); d.Status != 200 {
			t.Errorf("answered %d", d.Status)
		}
	}
	if got := len(n.desk.got()) - before; got != 1 {
		t.Errorf("one activity that came three times is %d events", got)
	}
}

// pressed is a card of ours in somebody's chat, sent by Send.
func (n *tenant) show(p flow.Post) teamstest.Message {
	n.t.Helper()
	if _, err := n.teams.Send(n.t.Context(), p, target("")); err != nil {
		n.t.Fatal(err)
	}
	all := n.Visible("ana")
	return all[len(all)-1]
}

func post(person string, title string, buttons ...card.Button) flow.Post {
	return flow.Post{ID: "p1", Message: "walk:w1/0", Place: flow.Place{Platform: "teams", Person: "teams:" + person}, Card: card.Card{Title: title, Buttons: buttons}}
}

var (
	goes  = card.Button{Label: "Close it", Action: flow.Action{Walk: "w1", Verb: "go", State: "3"}.Encode()}
	opens = card.Button{Label: "Change…", Opens: true, Action: flow.Action{Walk: "w1", Verb: "change", State: "3"}.Encode()}
)

// What somebody who presses sees at once.
func TestAnswersToPresses(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "", "hi")
	me := n.object("ana")
	m := n.show(post(me, "Close it?", goes, opens))
	press := func(label string) teamstest.Message {
		t.Helper()
		d, err := n.Press(t.Context(), "ana", m, label)
		if err != nil || !d.OK() || d.Took > 5*time.Second {
			t.Fatalf("pressed: %d after %v, %v", d.Status, d.Took, err)
		}
		all := n.Visible("ana")
		return all[len(all)-1]
	}
	n.desk.reply = func(flow.Event) (flow.Reply, bool) {
		return flow.Reply{Shown: []flow.Post{post(me, "Closed by @ana")}}, true
	}
	if got := teamstest.TextOf(press("Close it").Card, "UTC"); got != "Closed by @ana" {
		t.Errorf("after a press the card says %q", got)
	}
	n.Reload("ana")

	// What is about to change again is no answer, but what comes after it.
	n.desk.reply = func(flow.Event) (flow.Reply, bool) {
		go func() {
			_, _ = n.teams.Send(context.WithoutCancel(t.Context()), post(me, "Web shop is closed"), target(refOf(n, m)))
		}()
		return flow.Reply{Shown: []flow.Post{{Message: "walk:w1/0", Place: post(me, "").Place, Card: card.Card{Tone: card.Working, Title: "Reading …"}}}}, true
	}
	if got := teamstest.TextOf(press("Close it").Card, "UTC"); got != "Web shop is closed" {
		t.Errorf("after a press that takes a moment the card says %q", got)
	}
	m = n.show(post(me, "Close it?", goes, opens))

	last := func() map[string]any {
		all := n.Deliveries()
		return all[len(all)-1].Answer
	}
	n.desk.reply = func(flow.Event) (flow.Reply, bool) { return flow.Reply{}, false }
	press("Close it")
	if got := fmt.Sprint(last()["type"], last()["value"]); !strings.Contains(got, "activity.message") || !strings.Contains(got, "I am on it") {
		t.Errorf("what takes longer is answered with %q", got)
	}
	n.desk.reply = func(e flow.Event) (flow.Reply, bool) {
		return flow.Reply{Shown: []flow.Post{{Message: "note:x", Place: flow.Place{Platform: "teams", Channel: "c", Person: e.By.Account}, Card: card.Card{Title: "You are *no* responder"}}}}, true
	}
	press("Close it")
	if got := fmt.Sprint(last()["value"]); got != "You are ∗no∗ responder." {
		t.Errorf("a refusal is answered with %q", got)
	}

	form := card.Card{Title: "Which message?", Form: &card.Form{Submit: "Save", Action: flow.Action{Walk: "w1", Verb: "change-send"}.Encode(), Inputs: []card.Input{
		{ID: "message", Kind: card.Long, Label: "Message", Value: "a\r\nb"}, {ID: "at", Kind: card.Text, Label: "When", Optional: true},
	}}}
	n.desk.reply = func(e flow.Event) (flow.Reply, bool) {
		if p := e.What.(flow.Press); p.Fields["at"] == "25:00" {
			wrong := form
			in := append([]card.Input(nil), form.Form.Inputs...)
			in[0].Value, in[1].Value, in[1].Error = p.Fields["message"], p.Fields["at"], "no such time"
			wrong.Form = &card.Form{Submit: "Save", Action: form.Form.Action, Inputs: in}
			return flow.Reply{Form: &wrong}, true
		} else if p.Fields != nil {
			return flow.Reply{}, true
		}
		return flow.Reply{Form: &form}, true
	}
	press("Change…")
	if err := n.Fill("ana", "When", "25:00"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Submit(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	d, ok := n.Dialog("ana")
	if got := teamstest.TextOf(d.Card, "UTC"); !ok || !strings.Contains(got, "When: 25:00\n⚠ no such time") {
		t.Errorf("what was wrong does not stand beside its field:\n%s", got)
	}
	if err := n.Fill("ana", "When", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Submit(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.Dialog("ana"); ok {
		t.Error("a form that was taken is still open")
	}
	all := n.desk.got()
	if got := all[len(all)-1].What.(flow.Press).Fields; got["message"] != "a\r\nb" {
		t.Errorf("sent %q, want it byte for byte", got)
	}

	// Data that is none of ours, from an old card or by hand.
	m.Card = map[string]any{"actions": []any{map[string]any{"type": "Action.Execute", "title": "x", "verb": "press", "data": map[string]any{"switchback": map[string]any{"a": "nonsense"}}}}}
	if _, err := n.Press(t.Context(), "ana", m, "x"); err != nil || fmt.Sprint(last()["statusCode"]) != "400" {
		t.Errorf("answered %v, %v", last(), err)
	}
}

// With the store away the person is told at once what to do by hand.
func TestStoreAway(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "", "hi")
	m := n.show(post(n.object("ana"), "Close it?", goes, opens))
	n.desk.away = true
	n.says("ana", "", "chat late")
	n.teams.Wait()
	all := n.Visible("ana")
	if got := teamstest.TextOf(all[len(all)-1].Card, "UTC"); !strings.Contains(got, "close it by hand") {
		t.Errorf("told %q", got)
	}
	d, _ := n.Press(t.Context(), "ana", m, "Close it")
	if !strings.Contains(d.Raw, "I cannot remember for you right now") {
		t.Errorf("a press is answered with %q", d.Raw)
	}
	d, _ = n.Press(t.Context(), "ana", m, "Change…")
	if !strings.Contains(d.Raw, "by hand") {
		t.Errorf("a press for a form is answered with %q", d.Raw)
	}
}
