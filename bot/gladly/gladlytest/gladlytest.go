// Package gladlytest is a Gladly for tests, in memory: the screens on which an administrator sets things, what callers
// and visitors meet then, and the part of the API that the bot asks.
//
// It keeps Gladly's rules as far as they are published: an IVR can be selected only once it is published, one Save keeps
// the hours and the message of a Glad App, hours are per weekday in the organisation's zone and are judged by the
// visitor's own clock, a Data Dip gives up after two seconds, the API allows ten requests a second. What is not
// published is said where it is assumed. The Queue IVR is there, as on the real screen; whoever changes it gets an
// error.
package gladlytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"switchback/bot/change"
)

var (
	// ErrNoLogin means that nobody can log in.
	ErrNoLogin = errors.New("gladly: you cannot log in at the moment")
	// ErrNotAdministrator means that the person may not open the settings.
	ErrNotAdministrator = errors.New("gladly: only administrators see this page")
	// ErrQueueIVR means that somebody changed what must never be changed. Nothing was saved.
	ErrQueueIVR = errors.New("the Queue IVR was touched")
	// ErrNotThere means that the page does not offer it.
	ErrNotThere = errors.New("gladly: not there")
)

// Setup is an organisation in peace time.
type Setup struct {
	Zone           *time.Location // the organisation's
	Administrators []string
	IVRs           []IVR
	Numbers        []Number
	Apps           []App
}

// IVR is one of Settings > IVR.
type IVR struct {
	Name      string
	Published bool
	Note      string // left when it was published
	Says      string
	Voicemail bool // it takes messages, and leads to nobody
	Dip       *Dip // nodes that only Gladly Support adds; nil: none
}

// Number is a line of Settings > Voice.
type Number struct {
	Number     string
	Name       string
	InitialIVR string // the name of one; empty: blank
	QueueIVR   string
}

// App is the Configure page of a Glad App.
type App struct {
	ID          string
	Name        string
	Hours       map[change.Weekday]Day
	Unavailable string // the Chat Unavailable message: plain text or HTML, kept byte for byte
	Throttle    int    // percent of chats that are let in, by Control incoming chats; 100 unless set
	HideClosed  bool   // search and quick actions are off: while chat is closed the icon is gone, and the message with it
}

// Day is a weekday's line of Glad App Hours. The times stay while Closed is ticked: an assumption.
type Day struct {
	Closed   bool
	From, To string // "08:00", "20:00"
}

// Gladly is an organisation's Gladly. It is safe for concurrent use.
type Gladly struct {
	zone   *time.Location
	admins []string

	mu         sync.Mutex
	down       bool // nobody can log in
	ivrs       []IVR
	numbers    []Number
	apps       []App
	voicemails []Voicemail
	api        api
}

// Voicemail is a message in the default Voice inbox.
type Voicemail struct{ Number, IVR string }

// New returns the organisation's Gladly. A Setup that contradicts itself panics: it is the test's mistake.
func New(s Setup) *Gladly {
	g := &Gladly{zone: s.Zone, admins: s.Administrators, ivrs: slices.Clone(s.IVRs), numbers: slices.Clone(s.Numbers)}
	for _, n := range g.numbers {
		if err := g.selectable(n.InitialIVR); err != nil {
			panic(fmt.Sprintf("%s: %v", n.Number, err))
		}
	}
	for _, a := range s.Apps {
		if a.Throttle == 0 {
			a.Throttle = 100
		}
		g.apps = append(g.apps, a.clone())
	}
	return g
}

// NobodyCanLogIn switches it off for everybody, or on again. Calls and chats are refused meanwhile.
func (g *Gladly) NobodyCanLogIn(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

// Voicemails returns what lies in the default Voice inbox.
func (g *Gladly) Voicemails() []Voicemail {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.voicemails)
}

func (a App) clone() App {
	a.Hours = maps.Clone(a.Hours)
	return a
}

// ivr returns the published IVR of that name. Called with mu held.
func (g *Gladly) ivr(name string) (IVR, bool) {
	i := slices.IndexFunc(g.ivrs, func(v IVR) bool { return v.Name == name && v.Published })
	if i < 0 {
		return IVR{}, false
	}
	return g.ivrs[i], true
}

// selectable reports whether Initial IVR offers a name. Called with mu held.
func (g *Gladly) selectable(name string) error {
	if _, ok := g.ivr(name); name != "" && !ok {
		return fmt.Errorf("%w: no published IVR is called %q", ErrNotThere, name)
	}
	return nil
}

// Week is the same hours on every day.
func Week(from, to string) map[change.Weekday]Day {
	out := map[change.Weekday]Day{}
	for _, d := range change.Weekdays() {
		out[d] = Day{From: from, To: to}
	}
	return out
}
