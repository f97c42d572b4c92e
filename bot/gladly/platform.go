package gladly

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"switchback/bot/change"
)

// ErrNotReadable means that only a person can see the value.
var ErrNotReadable = errors.New("only a person can see it in Gladly")

// Platform is Gladly's settings, as the organisation document knows them. It is a change.Platform.
type Platform struct{ org Organisation }

// NewPlatform returns the platform of an organisation without problems.
func NewPlatform(org Organisation) *Platform {
	org.Menus = org.Menus.named()
	return &Platform{org: org}
}

// Resources lists what can be set, in the order in which people look at it. It never fails.
func (p *Platform) Resources(context.Context) ([]change.Resource, error) {
	var out []change.Resource
	for _, s := range p.settings() {
		out = append(out, s.Resource)
	}
	return out, nil
}

// Read returns ErrNotReadable.
func (p *Platform) Read(_ context.Context, k change.Key) (change.Value, error) {
	return change.Value{}, fmt.Errorf("read %s: %w", k, ErrNotReadable)
}

// Write returns change.ErrRefused.
func (p *Platform) Write(_ context.Context, k change.Key, _, _ change.Value) error {
	return fmt.Errorf("write %s: %w: only a person can set it in Gladly", k, change.ErrRefused)
}

// The keys are these; the days are change.Weekdays:
//
//	gladly/voice/+16505550101/initial-ivr
//	gladly/chat/web-shop/hours/monday
//	gladly/chat/web-shop/unavailable-message
const platformName = "gladly"

func ivrKey(number string) change.Key {
	return change.Key(platformName + "/voice/" + number + "/initial-ivr")
}

func hoursKey(app string, d change.Weekday) change.Key {
	return change.Key(platformName + "/chat/" + app + "/hours/" + string(d))
}

func messageKey(app string) change.Key {
	return change.Key(platformName + "/chat/" + app + "/unavailable-message")
}

// setting is a resource, and what it is in the document.
type setting struct {
	change.Resource
	number Number         // of an Initial IVR
	app    App            // of the others
	day    change.Weekday // of hours
}

// settings are those of all targets. What a person can do for a target that asks the bot is there instead of that.
func (p *Platform) settings() []setting {
	var out []setting
	asOf, err := time.Parse(time.DateOnly, p.org.AsOf) // empty: nobody said
	if err == nil {
		asOf = asOf.Add(12 * time.Hour) // that day, wherever people are
	}
	add := func(s setting) {
		if s.Known != nil {
			s.AsOf = asOf
		}
		out = append(out, s)
	}
	for _, n := range p.org.Numbers {
		add(setting{number: n, Resource: change.Resource{
			Key: ivrKey(n.Number), Action: change.PhonesToVoicemail, Target: n.Number, Label: n.Label(), Name: "Initial IVR",
			Way: change.Guided, Known: known(n.IVR), Instead: n.Way == change.Flag,
		}})
	}
	for _, a := range p.org.Apps {
		of := change.Resource{Action: change.CloseChat, Target: a.ID, Label: a.Label(), Way: change.Guided, Instead: a.Way == change.Flag}
		for _, d := range change.Weekdays() {
			of.Key, of.Name, of.Known = hoursKey(a.ID, d), d.Title(), nil
			if h, ok := a.Hours[d]; ok {
				of.Known = new(h.Value())
			}
			add(setting{Resource: of, app: a, day: d})
		}
		of.Key, of.Name, of.Known = messageKey(a.ID), "message", known(a.Message)
		add(setting{Resource: of, app: a})
	}
	return out
}

// written is the value of a setting that holds what somebody wrote: a message, or the name of an IVR.
func written(s string) change.Value { return change.Value{Raw: []byte(s), Text: cmp.Or(s, blank)} }

func known(s *string) *change.Value {
	if s == nil {
		return nil
	}
	return new(written(*s))
}

// Plan says which steps a request takes. A Glad App is closed on every weekday from today's to the last that begins
// before Until, days being those of Request.Zone, and its visitors are told: in the order of its page. A day that is
// known to be closed anyway is left alone, so that it stays closed. Resources of other platforms are left to them.
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
		s, err := step(r.Resources, ivrKey(target), written(cmp.Or(r.Inputs["ivr"], p.number(target).outageIVR())))
		return []change.Step{s}, err
	}
	var out []change.Step
	for _, date := range change.Dates(r.From, r.Until, r.Zone) {
		s, err := step(r.Resources, hoursKey(target, change.WeekdayOf(date)), change.Closed.Value())
		if err != nil {
			return nil, err
		}
		if s.Known != nil && s.Known.Equal(s.Want) {
			continue
		}
		s.Name, s.Day = date.Format("Mon 2 Jan"), date.Format(time.DateOnly)
		out = append(out, s)
	}
	s, err := step(r.Resources, messageKey(target), written(cmp.Or(r.Inputs["message"], p.app(target).outageMessage())))
	if err != nil {
		return nil, err
	}
	return append(out, s), nil
}

func step(catalogue []change.Resource, k change.Key, want change.Value) (change.Step, error) {
	i := slices.IndexFunc(catalogue, func(r change.Resource) bool { return r.Key == k })
	if i < 0 {
		return change.Step{}, fmt.Errorf("the organisation has no setting %s", k)
	}
	r := catalogue[i]
	return change.Step{
		Key: k, Action: r.Action, Target: r.Target, Label: r.Label, Name: r.Name, Way: r.Way, Known: r.Known, Want: want,
		State: change.Planned,
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
