// Package flags keeps the bot's own switches, and answers the web pages and phone menus that ask for them.
//
// A flag changes nothing on anybody's platform: a page asks whether its chat is open, a phone menu (an IVR) asks where
// calls to a number go, and both do as they are told. So a flag acts within seconds, needs no login, and leaves nothing
// behind; but one for which nobody asks has no effect at all. Therefore the asking is counted, see Platform.Asked.
//
// Platform sets flags, in the way all settings are changed. Endpoints answer those who ask, from memory. Drills have
// flags of their own, NewDrill, which Endpoints never look at.
package flags

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchback/bot/change"
)

// The first words of keys: flag/chat/web-shop, drill/voice/+16505550101.
const (
	Name      = "flag"
	DrillName = "drill"
)

// Kind is what a flag switches.
type Kind string

// The kinds.
const (
	Chat  Kind = "chat"  // a Glad App on the company's own pages
	Voice Kind = "voice" // a phone number whose menu asks
)

// Target is something that has a flag.
type Target struct {
	Kind    Kind
	ID      string // part of the key: the id of a Glad App, or a number with plus sign and country code
	Label   string // its name for people
	Message string // for customers while it is closed, unless Config.Notice has a better one; may be empty
	// Origins are those of the pages that may ask whether a chat is open: https://shop.example.com. An asterisk means
	// pages of any origin. None: no page can read the answer, and chat stays open.
	Origins []string
}

// Store keeps flags and counts who asks for them.
type Store interface {
	// Get returns what a flag was last set to, empty if it never was.
	Get(ctx context.Context, k change.Key) (string, error)
	// All is Get for many. A flag that cannot be understood is left out; an error means that nothing is known.
	All(ctx context.Context, keys []change.Key) (map[change.Key]string, error)
	// Set changes a flag from was to want, which is durable when it returns. It returns change.ErrRefused, with nothing
	// written, if the flag is not at was.
	Set(ctx context.Context, k change.Key, want, was string) error
	// Note counts n who asked for a flag and were answered, the last of them at that time. It waits for nothing.
	Note(k change.Key, n int, at time.Time)
	// Asked returns when a flag was last asked for, how often in the last five minutes, and how often ever.
	Asked(ctx context.Context, k change.Key) (last time.Time, in5min, total int, err error)
}

// Platform is the flags as settings that can be changed. It is a change.Platform.
type Platform struct {
	name    string
	targets []Target
	store   Store
}

// New returns the flags that pages and menus ask for. Targets of one kind have different ids.
func New(targets []Target, s Store) *Platform { return &Platform{Name, targets, s} }

// NewDrill returns the flags of drills: the same targets under other keys, for which nobody can ask.
func NewDrill(targets []Target, s Store) *Platform { return &Platform{DrillName, targets, s} }

func (p *Platform) key(t Target) change.Key {
	return change.Key(p.name + "/" + string(t.Kind) + "/" + t.ID)
}

func (p *Platform) target(k change.Key) (Target, bool) {
	i := slices.IndexFunc(p.targets, func(t Target) bool { return p.key(t) == k })
	if i < 0 {
		return Target{}, false
	}
	return p.targets[i], true
}

// Resources lists the flags.
func (p *Platform) Resources(context.Context) ([]change.Resource, error) {
	out := make([]change.Resource, 0, len(p.targets))
	for _, t := range p.targets {
		out = append(out, change.Resource{
			Key: p.key(t), Action: t.Kind.action(), Target: t.ID, Label: t.Label, Name: t.Kind.name(), Way: change.Flag,
		})
	}
	return out, nil
}

// Plan says which flags a request sets. They have no weekday, so that midnight does not matter. Resources of other
// platforms are left to them.
func (p *Platform) Plan(r change.Request) ([]change.Step, error) {
	if !slices.Contains(change.Actions(), r.Action) {
		return nil, fmt.Errorf("plan: unknown action %q", r.Action)
	}
	if r.Until.Before(r.From) {
		return nil, fmt.Errorf("plan %s: it would end before it begins", r.Action)
	}
	for _, target := range r.Targets {
		if !slices.ContainsFunc(r.Resources, func(c change.Resource) bool { return c.Action == r.Action && c.Target == target }) {
			return nil, fmt.Errorf("plan %s: no such target %q", r.Action, target)
		}
	}
	var out []change.Step
	for _, c := range r.Resources {
		t, ours := p.target(c.Key)
		if !ours || c.Action != r.Action || slices.Contains(r.ByHand, c.Target) || len(r.Targets) > 0 && !slices.Contains(r.Targets, c.Target) {
			continue
		}
		out = append(out, change.Step{
			Key: c.Key, Action: c.Action, Target: c.Target, Label: c.Label, Name: c.Name, Way: c.Way, Want: t.Kind.outage(),
			State: change.Planned,
		})
	}
	return out, nil
}

// Read returns what a flag says. One that was never set says what it does in peace time.
func (p *Platform) Read(ctx context.Context, k change.Key) (change.Value, error) {
	t, ok := p.target(k)
	if !ok {
		return change.Value{}, fmt.Errorf("read %s: there is no such flag", k)
	}
	raw, err := p.store.Get(ctx, k)
	if err != nil {
		return change.Value{}, fmt.Errorf("read %s: %w", k, err)
	}
	v, ok := t.Kind.value(raw)
	if !ok {
		return change.Value{}, fmt.Errorf("read %s: it is at %q, which means nothing here", k, raw)
	}
	return v, nil
}

// Write sets a flag from was to want, and refuses if it is at anything else than was.
func (p *Platform) Write(ctx context.Context, k change.Key, want, was change.Value) error {
	t, ok := p.target(k)
	if !ok {
		return fmt.Errorf("write %s: %w: there is no such flag", k, change.ErrRefused)
	}
	to, ok := t.Kind.value(string(want.Raw))
	if !ok || len(want.Raw) == 0 {
		return fmt.Errorf("write %s: %w: it cannot be %q", k, change.ErrRefused, want.Raw)
	}
	raw, err := p.store.Get(ctx, k)
	if err != nil {
		return fmt.Errorf("write %s: %w", k, err)
	}
	if now, ok := t.Kind.value(raw); !ok || !now.Equal(was) {
		return fmt.Errorf("write %s: %w: it is at %q, not at %q", k, change.ErrRefused, raw, was.Raw)
	}
	// Compared again where it is written, with what stands there: a flag never set is not yet "open" there.
	if err := p.store.Set(ctx, k, string(to.Raw), raw); err != nil {
		return fmt.Errorf("write %s: %w", k, err)
	}
	return nil
}

// Guide says what to look at as a customer; there is nothing to click.
func (p *Platform) Guide(k change.Key, want change.Value) change.Guide {
	t, ok := p.target(k)
	if !ok {
		return change.Guide{}
	}
	if t.Kind == Voice {
		return change.Guide{Screen: "Phone", Check: fmt.Sprintf("Call %s as a customer: do you come to the %s?", t.Label, want.Text)}
	}
	return change.Guide{Screen: "Web pages", Check: fmt.Sprintf("Open a page with the chat of %s as a customer: is it %s?", t.Label, want.Text)}
}

// Asked returns when a flag was last asked for and answered (zero: never), how often in the last five minutes, and how
// often ever. The counts of other replicas are up to ten seconds old.
func (p *Platform) Asked(ctx context.Context, k change.Key) (last time.Time, in5min, total int, err error) {
	if p.name == DrillName { // nobody can: a page is imagined that asks all the time
		return time.Now().Add(time.Millisecond), 1, 1, nil
	}
	if last, in5min, total, err = p.store.Asked(ctx, k); err != nil {
		err = fmt.Errorf("who asked for %s: %w", k, err)
	}
	return last, in5min, total, err
}

func (k Kind) action() string {
	if k == Voice {
		return change.PhonesToVoicemail
	}
	return change.CloseChat
}

func (k Kind) name() string {
	if k == Voice {
		return "calls"
	}
	return "chat"
}

// peace is the value of a flag that was never set.
func (k Kind) peace() change.Value {
	if k == Voice {
		return change.Value{Raw: []byte("normal"), Text: "usual menu"}
	}
	return change.Value{Raw: []byte("open"), Text: "open"}
}

func (k Kind) outage() change.Value {
	if k == Voice {
		return change.Value{Raw: []byte("voicemail"), Text: "voicemail"}
	}
	return change.Value{Raw: []byte("closed"), Text: "closed"}
}

// value is what the bytes in the store mean; it is false for bytes that this program would not have written.
func (k Kind) value(raw string) (change.Value, bool) {
	for _, v := range []change.Value{k.peace(), k.outage()} {
		if raw == string(v.Raw) {
			return v, true
		}
	}
	return k.peace(), raw == ""
}
