package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
)

// desk is a flow that takes events in and does with them what a test says.
type desk struct {
	mu     sync.Mutex
	events []flow.Event
	away   bool
	panics bool
	during func()
	form   func(flow.Event) *card.Card
	wait   time.Duration
}

func (d *desk) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.during != nil {
		d.during()
	}
	if d.panics {
		d.panics = false
		panic("a bug")
	}
	if d.away {
		return nil, errors.New("the store is away")
	}
	d.events = append(d.events, e)
	done := make(chan flow.Reply, 1)
	var r flow.Reply
	if d.form != nil {
		r.Form = d.form(e)
	}
	time.AfterFunc(d.wait, func() { done <- r })
	return done, nil
}

func (d *desk) Offline(context.Context, flow.Event) card.Card {
	return card.Card{Tone: card.Trouble, Title: "I cannot remember for you right now", Text: []string{"By hand: Settings > Glad App"}}
}

func (d *desk) Overview(context.Context, flow.Person) []card.Card {
	return []card.Card{{Title: "Nothing is open"}}
}

// set changes what it does, from now on.
func (d *desk) set(change func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *desk) got() []flow.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]flow.Event(nil), d.events...)
}

// world is a workspace, and the adapter before it.
type world struct {
	*slacktest.Slack
	t       *testing.T
	adapter *slack.Slack
	desk    *desk
	log     bytes.Buffer
}

const (
	ana     = "U0ANA"
	support = "C0SUPPORT"
)

func begin(t *testing.T, edit func(*slack.Config), workspace ...slacktest.Config) *world {
	t.Helper()
	w := &world{t: t, Slack: slacktest.New(append(workspace, slacktest.Config{})[0]), desk: &desk{}}
	if err := w.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.AddUser(slacktest.User{ID: ana, Name: "ana"})
	w.AddUser(slacktest.User{ID: "U0KIM", Name: "kim"})
	w.AddChannel(slacktest.Channel{ID: support, Name: "support", Members: []string{ana, "U0KIM", slacktest.BotUser}})
	c := slack.Config{
		SigningSecrets: []config.Secret{config.Secret(w.Config().SigningSecret)}, Token: config.Secret(w.Config().BotToken), API: w.APIURL(),
		ResponseHosts: []string{strings.TrimPrefix(w.URL(), "http://")}, Flow: w.desk, Log: zerolog.New(&w.log),
	}
	if edit != nil {
		edit(&c)
	}
	var err error
	if w.adapter, err = slack.New(c); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handlers.Routes{Slack: w.adapter}.Handler())
	t.Cleanup(web.Close)
	w.Connect(slacktest.At(web.URL))
	t.Cleanup(w.adapter.Wait)
	return w
}

// What Slack would never send is refused with a clear status and a line in the log, and starts nothing.
func TestRefused(t *testing.T) {
	command := url.Values{
		"command": {"/outage"}, "text": {"chat late"}, "user_id": {ana}, "team_id": {"T0TEAM"}, "channel_id": {support}, "trigger_id": {"1.2.secret-trigger"},
		"response_url": {"https://hooks.slack.com/commands/T/1/secret-url"},
	}
	w := begin(t, nil)
	command.Set("team_id", w.Config().TeamID)
	other := url.Values{}
	maps.Copy(other, command)
	other.Set("team_id", "T0OTHER")
	press := func(fields map[string]any) string {
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"payload": {string(data)}}.Encode()
	}
	for name, tt := range map[string]struct {
		q      slacktest.Request
		status int
	}{
		"unsigned":              {slacktest.Request{Signature: "none", Body: command.Encode()}, 401},
		"badly signed":          {slacktest.Request{Secret: "another", Body: command.Encode()}, 401},
		"no signature at all":   {slacktest.Request{Signature: "v0=", Body: command.Encode()}, 401},
		"six minutes old":       {slacktest.Request{At: time.Now().Add(-6 * time.Minute), Body: command.Encode()}, 401},
		"six minutes early":     {slacktest.Request{At: time.Now().Add(6 * time.Minute), Body: command.Encode()}, 401},
		"oversized":             {slacktest.Request{Body: strings.Repeat("x", 1<<20+1)}, 413},
		"wrong content type":    {slacktest.Request{ContentType: "text/plain", Body: command.Encode()}, 415},
		"payload in the query":  {slacktest.Request{URL: "?payload=%7B%7D", Body: command.Encode()}, 400},
		"another workspace":     {slacktest.Request{Body: other.Encode()}, 403},
		"nobody typed it":       {slacktest.Request{Body: "command=%2Foutage&team_id=T0TEAM"}, 400},
		"no JSON":               {slacktest.Request{Body: "payload=%7B"}, 400},
		"unknown kind":          {slacktest.Request{Body: press(map[string]any{"type": "dialog_submission", "user": map[string]any{"id": ana}, "team": map[string]any{"id": w.Config().TeamID}})}, 400},
		"form of somebody else": {slacktest.Request{Body: press(map[string]any{"type": "view_submission", "user": map[string]any{"id": ana}, "team": map[string]any{"id": w.Config().TeamID}, "view": map[string]any{"callback_id": "theirs"}})}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.log.Len()
			q := tt.q
			q.URL = w.App().CommandURL + q.URL
			d := w.Send(t.Context(), q)
			if d.Status != tt.status {
				t.Errorf("status %d, want %d", d.Status, tt.status)
			}
			if line := w.log.String()[before:]; !strings.Contains(line, `"message":"refused"`) {
				t.Errorf("the log says %q, want a line about it", line)
			}
		})
	}
	if got := w.desk.got(); len(got) > 0 {
		t.Errorf("taken in: %+v", got)
	}
	if strings.Contains(w.log.String(), "secret") {
		t.Errorf("a capability is in the log:\n%s", w.log.String())
	}
	if d := w.Send(t.Context(), slacktest.Request{URL: w.App().CommandURL, Body: command.Encode()}); d.Status != http.StatusOK || len(w.desk.got()) != 1 {
		t.Errorf("the same, well signed: status %d, %d taken in; want 200 and 1", d.Status, len(w.desk.got()))
	}
}

// A secret that is being replaced works beside the new one.
func TestSecretRotation(t *testing.T) {
	w := begin(t, func(c *slack.Config) { c.SigningSecrets = append([]config.Secret{"the-new-one"}, c.SigningSecrets...) })
	if d, err := w.Command(t.Context(), ana, support, "/outage"); err != nil || !d.OK() {
		t.Errorf("signed by the old secret: %+v, %v", d, err)
	}
	d := w.Send(t.Context(), slacktest.Request{URL: w.App().CommandURL, Secret: "the-new-one", Body: "ssl_check=1"})
	if d.Status != http.StatusOK {
		t.Errorf("signed by the new secret: status %d", d.Status)
	}
}

// While the store is away nothing is started; whoever typed or pressed is told at once, and a form stays open with
// what was typed into it.
func TestTheStoreIsAway(t *testing.T) {
	w := begin(t, nil)
	w.desk.set(func(d *desk) { d.away = true })
	d, err := w.Command(t.Context(), ana, support, "/outage chat late")
	if err != nil || !d.OK() || !strings.Contains(d.Answer, "I cannot remember for you right now") || !strings.Contains(d.Answer, "Settings > Glad App") && !strings.Contains(d.Answer, `Settings \u003e Glad App`) {
		t.Errorf("answer %q, %v; want the way by hand", d.Answer, err)
	}
}

// A form opens while its trigger lives, errors stand beside their fields, and what was typed comes back byte for byte.
func TestForms(t *testing.T) {
	w := begin(t, nil)
	const text = "Quotes \" & <b>tags</b>\nhttps://example.com/?a=1&b=2 <!channel> 😀  end "
	action := flow.Action{Outage: "chat-1", Verb: "note", State: "*"}.Encode()
	form := func(errs string) *card.Card {
		return &card.Card{Title: "A line", Form: &card.Form{Submit: "Add", Action: action, Inputs: []card.Input{{ID: "text", Kind: card.Long, Label: "What happened", Value: "before", Error: errs}}}}
	}
	w.desk.form = func(e flow.Event) *card.Card {
		p, ok := e.What.(flow.Press)
		switch {
		case !ok:
			return nil
		case p.Fields == nil:
			return form("")
		case p.Fields["text"] == "no":
			return form("say more")
		}
		return nil
	}
	post := flow.Post{ID: "1", Message: "home:chat-1", Place: flow.Place{Platform: "slack", Channel: support}, Card: card.Card{Title: "Chat", Buttons: []card.Button{{Label: "Add a line…", Opens: true, Action: action}}}}
	if _, err := w.adapter.Send(t.Context(), post, handlers.Target{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Press(t.Context(), ana, w.Messages(support)[0], "Add a line…"); err != nil {
		t.Fatal(err)
	}
	w.adapter.Wait()
	if err := w.Fill(ana, "What happened", "no"); err != nil {
		t.Fatal(err)
	}
	if d, err := w.Submit(t.Context(), ana); err != nil || !strings.Contains(d.Answer, "say more") {
		t.Errorf("answer %q, %v; want the error", d.Answer, err)
	}
	if err := w.Fill(ana, "What happened", text); err != nil {
		t.Fatal(err)
	}
	if d, err := w.Submit(t.Context(), ana); err != nil || !d.OK() {
		t.Errorf("answer %+v, %v", d, err)
	}
	events := w.desk.got()
	if got := events[len(events)-1].What.(flow.Press).Fields["text"]; got != text {
		t.Errorf("came back as %q, want %q", got, text)
	}
	if place := events[len(events)-1].Place; place.Channel != support {
		t.Errorf("the form was sent from %+v, want the channel in which it was opened", place)
	}

	w.desk.set(func(d *desk) { d.away = true })
	if _, err := w.Press(t.Context(), ana, w.Messages(support)[0], "Add a line…"); err != nil {
		t.Fatal(err)
	}
	w.adapter.Wait()
	told := false
	for _, m := range w.Visible(ana) {
		told = told || strings.Contains(strings.Join(w.Lines(m, ana), "\n"), "I cannot remember for you right now")
	}
	if !told {
		t.Error("a press while the store is away has no answer")
	}
}

// Words that name people come with their ids, whoever they are.
func TestPeopleAreNamedByTheirIDs(t *testing.T) {
	w := begin(t, nil)
	if _, err := w.Command(t.Context(), ana, support, "/outage handover @kim"); err != nil {
		t.Fatal(err)
	}
	got := w.desk.got()[0].What.(flow.Command).Words
	if len(got) != 2 || got[1] != "slack:U0KIM" {
		t.Errorf("words %q, want the id of @kim", got)
	}
}
