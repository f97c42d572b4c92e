package slacktest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Request is a request to the app, for what Slack would never send: badly signed, replayed, of another team. What is
// left out is as Slack does it.
type Request struct {
	Kind        string // for the record
	URL         string
	ContentType string // empty: a form
	Body        string
	Secret      string    // that signs it
	At          time.Time // the timestamp that it bears
	Signature   string    // in place of the right one; "none": no such header
	Header      http.Header
}

// Delivery is one request to the app and what came of it.
type Delivery struct {
	Kind    string // command, block_actions, view_submission, event app_mention, …
	User    string // who caused it
	URL     string // empty: over a WebSocket
	Header  http.Header
	Body    string
	At      time.Time
	Took    time.Duration
	Attempt int // of an event; 0 is the first
	Status  int // 0: no answer
	Type    string
	Answer  string
	Err     string // operation_timeout, dispatch_failed; empty: the app answered well
	NoRetry bool
}

// OK reports whether the app answered in time and well.
func (d Delivery) OK() bool { return d.Err == "" }

// What Slack tells a person whose app did not answer.
const (
	TimedOut = "operation_timeout"
	Failed   = "dispatch_failed"
)

// Deliveries returns what was sent to the app, in the order of the answers.
func (s *Slack) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery(nil), s.delivered...)
}

// Sign returns the signature of a body. https://docs.slack.dev/authentication/verifying-requests-from-slack
func Sign(secret string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "v0:%d:%s", at.Unix(), body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// Send sends a request to the app over HTTP.
func (s *Slack) Send(ctx context.Context, q Request) Delivery {
	d := s.post(ctx, q)
	s.record(d)
	return d
}

func (s *Slack) record(d Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered = append(s.delivered, d)
	s.touch()
}

func (s *Slack) post(ctx context.Context, q Request) (d Delivery) {
	at := q.At
	if at.IsZero() {
		at = s.now()
	}
	d = Delivery{Kind: q.Kind, URL: q.URL, Body: q.Body, At: at, Header: http.Header{}, Err: Failed}
	start := time.Now()
	defer func() { d.Took = time.Since(start) }()
	ctx, cancel := context.WithTimeout(ctx, s.config.AnswerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.URL, bytes.NewReader([]byte(q.Body)))
	if err != nil {
		return d
	}
	r.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	r.Header.Set("Content-Type", cmp.Or(q.ContentType, formType))
	r.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(at.Unix(), 10))
	if q.Signature != "none" {
		secret := cmp.Or(q.Secret, s.config.SigningSecret)
		r.Header.Set("X-Slack-Signature", cmp.Or(q.Signature, Sign(secret, at, q.Body)))
	}
	maps.Copy(r.Header, q.Header)
	d.Header = r.Header.Clone()
	resp, err := s.client.Do(r)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		var answer []byte
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
		d.Status, d.Answer, d.NoRetry = resp.StatusCode, string(answer), resp.Header.Get("X-Slack-No-Retry") == "1"
		d.Type, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		d.Err = TimedOut
	case err == nil && d.Status >= 200 && d.Status < 300:
		d.Err = ""
	}
	return d
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// The kinds of envelopes. https://docs.slack.dev/apis/events-api/using-socket-mode
const (
	slashCommands = "slash_commands"
	interactive   = "interactive"
	eventsAPI     = "events_api"
)

// packet is something for the app, whichever way it goes.
type packet struct {
	envelope string
	kind     string
	user     string
	body     map[string]any
	attempt  int
	reason   string // why it is sent again
}

// deliver sends a packet over HTTP or a WebSocket.
func (s *Slack) deliver(ctx context.Context, p packet) Delivery {
	s.mu.Lock()
	socket := s.socket
	s.mu.Unlock()
	var d Delivery
	if socket {
		d = s.envelop(ctx, p)
	} else {
		d = s.post(ctx, p.request(s.nextApp()))
	}
	d.User, d.Attempt = p.user, p.attempt
	s.record(d)
	return d
}

// request is a packet as a request over HTTP.
func (p packet) request(app App) Request {
	q := Request{Kind: p.kind}
	switch p.envelope {
	case slashCommands:
		form := url.Values{}
		for k, v := range p.body {
			form.Set(k, fmt.Sprint(v))
		}
		q.URL, q.Body = app.CommandURL, form.Encode()
	case interactive:
		q.URL, q.Body = app.InteractionURL, url.Values{"payload": {string(encode(p.body))}}.Encode()
	case eventsAPI:
		q.URL, q.Body, q.ContentType = app.EventURL, string(encode(p.body)), jsonType
		if p.attempt > 0 {
			q.Header = http.Header{"X-Slack-Retry-Num": {strconv.Itoa(p.attempt)}, "X-Slack-Retry-Reason": {p.reason}}
		}
	}
	return q
}

// Verify sends the handshake with which Slack checks an event URL, and reports whether the app passed it.
func (s *Slack) Verify(ctx context.Context) (Delivery, bool) {
	challenge := random()
	d := s.Send(ctx, Request{
		Kind: "url_verification", URL: s.App().EventURL, ContentType: jsonType,
		Body: string(encode(map[string]any{"type": "url_verification", "token": verification, "challenge": challenge})),
	})
	answer := d.Answer
	if d.Type == jsonType {
		a := args{}
		decode([]byte(d.Answer), &a)
		answer = a.str("challenge")
	}
	return d, d.OK() && answer == challenge
}

// verification is the old token that every request still bears. Nobody should look at it.
const verification = "xyzz0WbapA4vBCDEFasx0q6G"

// Tell sends an event to the app. If the app does not take it, it is sent again in the background. One that the app did
// not subscribe to is not sent, and the Delivery is empty.
func (s *Slack) Tell(ctx context.Context, user string, event map[string]any) Delivery {
	if !s.hears(event) {
		return Delivery{}
	}
	s.mu.Lock()
	event = clone(event)
	if event["event_ts"] == nil {
		event["event_ts"] = s.ts()
	}
	kind := fmt.Sprint(event["type"])
	shared := false
	if id, ok := event["channel"].(string); ok && s.channel(id) != nil {
		shared = s.channel(id).Shared
	}
	p := packet{envelope: eventsAPI, kind: "event " + kind, user: user, body: map[string]any{
		"token": verification, "team_id": s.config.TeamID, "api_app_id": AppID, "type": "event_callback", "event": event,
		"event_id": s.id("Ev"), "event_time": s.now().Unix(), "is_ext_shared_channel": shared, "event_context": random(),
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.config.TeamID, "user_id": BotUser, "is_bot": true, "is_enterprise_install": s.config.OrgWide,
		}},
	}}
	s.mu.Unlock()
	d := s.deliver(ctx, p)
	if !d.OK() && !d.NoRetry {
		s.running.Go(func() { s.tellAgain(p, d) })
	}
	return d
}

// tellAgain repeats an event until the app takes it or says that it will not.
func (s *Slack) tellAgain(p packet, d Delivery) {
	for i, wait := range s.config.EventRetries {
		select {
		case <-time.After(wait):
		case <-s.stopped.Done():
			return
		}
		p.attempt, p.reason = i+1, "http_error"
		switch {
		case d.Err == TimedOut:
			p.reason = "http_timeout"
		case d.Status == 0:
			p.reason = "connection_failed"
		}
		if d = s.deliver(s.stopped, p); d.OK() || d.NoRetry {
			return
		}
	}
}

func decode(b []byte, into *args) bool { return json.Unmarshal(b, into) == nil && *into != nil }
