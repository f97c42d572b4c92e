package gladlytest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
)

// Dip are the nodes that ask somebody else on each call: a Data Dip and a Variable Match. Whatever goes wrong, the call
// goes on as if they were not there: the error branch leads to the usual menu, as Gladly Support is asked to set it up.
type Dip struct {
	URL            string // {{._companyNumber}} becomes the number that was called, as it is
	Body           string // the same; empty: a GET
	User, Password string // Basic authentication; empty: none
	Header         map[string]string
	Variable       string // of the answer, for the match
	Equals         string
	Then           string       // the IVR that a match leads to
	Client         *http.Client // nil: the default one
}

const (
	dipIn  = 2 * time.Second
	pageIn = time.Second
)

// Fixed is what callers hear while nobody can log in. Nobody can change it. The words are an assumption.
const Fixed = "We are experiencing technical difficulties. Please try again later."

// Heard is what a caller hears.
type Heard struct {
	Says      string // by the IVR, or by the answer's "message" where a dip led here
	IVR       string // empty: none
	Voicemail bool   // the caller leaves a message
	Agent     bool   // the caller waits for an agent
	Dip       error  // why the dip had no answer; nil: it had, or there is none
}

// Call is a call of a customer.
func (g *Gladly) Call(ctx context.Context, number string) (Heard, error) {
	g.mu.Lock()
	i := slices.IndexFunc(g.numbers, func(n Number) bool { return n.Number == number })
	if i < 0 {
		g.mu.Unlock()
		return Heard{}, fmt.Errorf("%w: the number %s", ErrNotThere, number)
	}
	if g.down {
		g.mu.Unlock()
		return Heard{Says: Fixed}, nil
	}
	menu, there := g.ivr(g.numbers[i].InitialIVR)
	g.mu.Unlock()
	if !there {
		return Heard{Agent: true}, nil
	}
	heard := Heard{IVR: menu.Name, Says: menu.Says}
	if menu.Dip != nil {
		answer, err := menu.Dip.ask(ctx, number)
		heard.Dip = err
		if err == nil && fmt.Sprint(answer[menu.Dip.Variable]) == menu.Dip.Equals {
			g.mu.Lock()
			menu, there = g.ivr(menu.Dip.Then)
			g.mu.Unlock()
			if !there {
				return heard, fmt.Errorf("%w: the match leads to no published IVR", ErrNotThere)
			}
			heard.IVR, heard.Says = menu.Name, menu.Says
			if words, ok := answer["message"].(string); ok && words != "" {
				heard.Says = words
			}
		}
	}
	if heard.Voicemail, heard.Agent = menu.Voicemail, !menu.Voicemail; menu.Voicemail {
		g.mu.Lock()
		g.voicemails = append(g.voicemails, Voicemail{number, menu.Name})
		g.mu.Unlock()
	}
	return heard, nil
}

// ask is the Data Dip.
func (d *Dip) ask(ctx context.Context, number string) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, dipIn)
	defer cancel()
	method, in := http.MethodGet, strings.NewReplacer("{{._companyNumber}}", number)
	if d.Body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, in.Replace(d.URL), strings.NewReader(in.Replace(d.Body)))
	if err != nil {
		return nil, err
	}
	for name, v := range d.Header {
		r.Header.Set(name, v)
	}
	if d.User != "" {
		r.SetBasicAuth(d.User, d.Password)
	}
	resp, err := client(d.Client).Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		return nil, fmt.Errorf("status %d, type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var out map[string]any
	return out, json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&out)
}

func client(c *http.Client) *http.Client {
	if c == nil {
		return http.DefaultClient
	}
	return c
}

// Seen is what a visitor sees.
type Seen struct {
	Chat    bool   // a chat can be started
	Icon    bool   // there is one
	Message string // instead of a chat
}

// Visit is a customer who opens a page with the Glad App. at is the time on the visitor's own clock, by which Gladly
// judges the hours; they are those of the organisation's zone.
func (g *Gladly) Visit(id string, at time.Time) (Seen, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, err := g.app(id)
	if err != nil {
		return Seen{}, err
	}
	a := g.apps[i]
	here := at.In(g.zone)
	switch {
	case g.down, a.Throttle == 0:
		return Seen{Icon: true, Message: a.Unavailable}, nil
	case a.Hours[change.WeekdayOf(here)].hours().OpenAt(here):
		return Seen{Icon: true, Chat: true}, nil
	case a.HideClosed:
		return Seen{}, nil
	}
	return Seen{Icon: true, Message: a.Unavailable}, nil
}

// Page is a page of the company that asks the bot before it starts Gladly, as the bot's script does.
type Page struct {
	App    string
	Flag   string // the address it asks
	Origin string // of the page
	Client *http.Client
}

// VisitPage is a customer who opens such a page: what the bot says counts first, if it says it within a second and to
// this origin.
func (g *Gladly) VisitPage(ctx context.Context, p Page, at time.Time) (Seen, error) {
	if message, closed := p.ask(ctx); closed {
		return Seen{Message: message}, nil
	}
	return g.Visit(p.App, at)
}

func (p Page) ask(ctx context.Context) (message string, closed bool) {
	ctx, cancel := context.WithTimeout(ctx, pageIn)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Flag, nil)
	if err != nil {
		return "", false
	}
	r.Header.Set("Origin", p.Origin)
	resp, err := client(p.Client).Do(r)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	if allowed := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != http.StatusOK || allowed != "*" && allowed != p.Origin {
		return "", false
	}
	var answer struct {
		Open    *bool
		Message string
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer)
	return answer.Message, err == nil && answer.Open != nil && !*answer.Open
}
