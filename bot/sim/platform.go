package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchback/bot/change"
)

// Platform changes the settings of a Company over HTTP. It is a change.Platform.
type Platform struct {
	org    Organisation
	base   string
	client *http.Client
}

const (
	callTimeout = 10 * time.Second // of one call, unless the client or the context has less
	maxAnswer   = 1 << 20          // bytes
)

// NewPlatform returns the platform behind the base URL. It needs the organisation for what is set in an outage; a nil
// client means the default one.
func NewPlatform(org Organisation, base string, client *http.Client) *Platform {
	if client == nil {
		client = http.DefaultClient
	}
	return &Platform{org: org, base: strings.TrimRight(base, "/"), client: client}
}

// Resources lists what can be set.
func (p *Platform) Resources(ctx context.Context) ([]change.Resource, error) {
	var all catalogue
	if err := p.call(ctx, http.MethodGet, "", nil, &all); err != nil {
		return nil, fmt.Errorf("list the settings: %w", err)
	}
	out := make([]change.Resource, 0, len(all.Settings))
	for _, s := range all.Settings {
		out = append(out, change.Resource{Key: s.Key, Action: s.Action, Target: s.Target, Label: s.Label, Name: s.Name, Way: change.Auto})
	}
	return out, nil
}

// Read returns the present value.
func (p *Platform) Read(ctx context.Context, k change.Key) (change.Value, error) {
	var now reading
	if err := p.call(ctx, http.MethodGet, k, nil, &now); err != nil {
		return change.Value{}, fmt.Errorf("read: %w", err)
	}
	return value(k, now.Value), nil
}

// Write sets k to want. The company cannot compare, so was is not used.
func (p *Platform) Write(ctx context.Context, k change.Key, want, _ change.Value) error {
	if !utf8.Valid(want.Raw) { // JSON would change it silently
		return fmt.Errorf("write: %w: the value is not valid UTF-8", change.ErrRefused)
	}
	raw := string(want.Raw)
	if err := p.call(ctx, http.MethodPut, k, writing{&raw}, &reading{}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// call makes one call; an empty key is the catalogue. Its errors hold no URL.
func (p *Platform) call(ctx context.Context, method string, k change.Key, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	at := p.base + "/v1/settings"
	if k != "" {
		at += "/" + (&url.URL{Path: string(k)}).EscapedPath()
	}
	var send io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, send)
	if err != nil {
		return withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	// An answer that broke off is no answer.
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	switch {
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return fmt.Errorf("%w: %s", change.ErrRefused, words(resp, data))
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the platform answered %d: %s", resp.StatusCode, words(resp, data))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the platform's answer: %w", err)
	}
	return nil
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// words are what the platform said about an error.
func words(resp *http.Response, data []byte) string {
	var t trouble
	if json.Unmarshal(data, &t) != nil || t.Error == "" {
		return http.StatusText(resp.StatusCode)
	}
	return t.Error
}

// Guide tells a person how to set k to want on Gladly's screens.
func (p *Platform) Guide(k change.Key, want change.Value) change.Guide {
	for _, s := range p.org.settings() {
		if s.resource.Key != k {
			continue
		}
		return guide(s.resource, want)
	}
	return change.Guide{}
}

func guide(r change.Resource, want change.Value) change.Guide {
	kind, day := kindOf(r.Key)
	configure := "Settings > Glad App > " + r.Label + " > Configure > "
	switch kind {
	case ivrKind:
		return change.Guide{
			Path:     fmt.Sprintf("Settings > Voice > %s > edit > Initial IVR: select %q > Save. Do not touch the Queue IVR.", r.Label, want.Text),
			Question: fmt.Sprintf("What does Initial IVR show for %s now?", r.Label),
		}
	case hoursKind:
		do := "tick Closed"
		if change.Hours(want.Raw) != change.Closed {
			do = "untick Closed, " + want.Text
		}
		return change.Guide{
			Path:     fmt.Sprintf("%sGlad App Hours > %s: %s > Save", configure, day.Title(), do),
			Question: fmt.Sprintf("What do the Glad App Hours of %s show for %s now?", r.Label, day.Title()),
		}
	default:
		return change.Guide{
			Path:     configure + "Chat Unavailable: replace the message > Save",
			Question: "What does the message say now? Copy it here before you change it.",
		}
	}
}

const defaultMessage = "Chat is not available at the moment. Please try again later."

// Plan says which steps a request takes. Chat is closed on today's weekday first, then visitors are told, then every
// further weekday is closed that begins before Until; days are those of Request.Zone. Resources of other platforms
// are left to them.
func (p *Platform) Plan(r change.Request) ([]change.Step, error) {
	ours, err := r.TargetsOf(platformName)
	if err != nil {
		return nil, err
	}
	var out []change.Step
	for _, target := range ours {
		steps, err := p.planOne(r, target)
		if err != nil {
			return nil, fmt.Errorf("plan %s: %w", r.Action, err)
		}
		out = append(out, steps...)
	}
	return out, nil
}

func (p *Platform) planOne(r change.Request, target string) ([]change.Step, error) {
	if r.Action == change.PhonesToVoicemail {
		ivr := r.Inputs["ivr"]
		if ivr == "" {
			ivr = p.number(target).outageIVR()
		}
		s, err := step(r.Resources, ivrKey(Number{Number: target}), ivr)
		return []change.Step{s}, err
	}
	message := r.Inputs["message"]
	if message == "" {
		message = p.app(target).Outage
	}
	if message == "" {
		message = defaultMessage
	}
	var out []change.Step
	for i, date := range change.Dates(r.From, r.Until, r.Zone) {
		s, err := step(r.Resources, hoursKey(target, change.WeekdayOf(date)), string(change.Closed))
		if err != nil {
			return nil, err
		}
		s.Name, s.Day = date.Format("Mon 2 Jan"), date.Format(time.DateOnly)
		out = append(out, s)
		if i > 0 {
			continue
		}
		s, err = step(r.Resources, messageKey(target), message)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func step(catalogue []change.Resource, k change.Key, want string) (change.Step, error) {
	i := slices.IndexFunc(catalogue, func(r change.Resource) bool { return r.Key == k })
	if i < 0 {
		return change.Step{}, fmt.Errorf("the company has no setting %s", k)
	}
	r := catalogue[i]
	return change.Step{
		Key: k, Action: r.Action, Target: r.Target, Label: r.Label, Name: r.Name, Way: r.Way, Want: value(k, want), State: change.Planned,
	}, nil
}

func (p *Platform) number(number string) Number {
	i := slices.IndexFunc(p.org.Numbers, func(n Number) bool { return n.Number == number })
	if i < 0 {
		return Number{Number: number}
	}
	return p.org.Numbers[i]
}

func (p *Platform) app(id string) App {
	i := slices.IndexFunc(p.org.Apps, func(a App) bool { return a.ID == id })
	if i < 0 {
		return App{ID: id}
	}
	return p.org.Apps[i]
}
