package teamstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// Delivery is one activity sent to the bot, and what came of it.
type Delivery struct {
	Type     string
	Name     string // of an invoke
	Activity map[string]any
	Body     []byte
	Status   int // 0: no answer
	Answer   map[string]any
	Raw      string
	Took     time.Duration
	TimedOut bool
	Attempts int
}

// OK reports whether the bot answered in time and well.
func (d Delivery) OK() bool { return d.Status == http.StatusOK }

// Deliveries returns what was sent to the bot, in the order of the answers.
func (t *Teams) Deliveries() []Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.delivered)
}

// deliver sends an activity as Teams does.
func (t *Teams) deliver(ctx context.Context, a map[string]any) Delivery {
	return t.Send(ctx, a, Token{})
}

// Send sends an activity with a token; where the tenant repeats, once more if there was no answer in time.
func (t *Teams) Send(ctx context.Context, a map[string]any, q Token) Delivery {
	body, err := json.Marshal(a)
	if err != nil {
		panic(err) // what JSON has no form for
	}
	d := t.SendBody(ctx, body, "Bearer "+t.Sign(q))
	if t.config.Repeat && (d.TimedOut || d.Status >= 500) {
		d = t.SendBody(ctx, body, "Bearer "+t.Sign(q))
		d.Attempts = 2
	}
	d.Activity = a
	d.Type, _ = a["type"].(string)
	d.Name, _ = a["name"].(string)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delivered = append(t.delivered, d)
	t.touch()
	return d
}

// SendBody sends any bytes, with any Authorization header; "" is none.
func (t *Teams) SendBody(ctx context.Context, body []byte, authorization string) (d Delivery) {
	d = Delivery{Body: body, Attempts: 1}
	start := time.Now()
	defer func() { d.Took = time.Since(start) }()
	ctx, cancel := context.WithTimeout(ctx, t.config.AnswerWithin)
	defer cancel()
	t.mu.Lock()
	to := ""
	if len(t.bots) > 0 {
		to = t.bots[t.turn%len(t.bots)]
		t.turn++
	}
	t.mu.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return d
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := t.client.Do(r)
	if err != nil {
		d.TimedOut = errors.Is(err, context.DeadlineExceeded)
		return d
	}
	defer func() { _ = resp.Body.Close() }()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	d.Status, d.Raw = resp.StatusCode, string(raw)
	_ = json.Unmarshal(raw, &d.Answer)
	return d
}
