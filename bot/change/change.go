// Package change makes changes to settings that can be undone.
//
// A Record holds what one outage changes, step by step, each with the value that was there before. The functions of
// this package that decide are pure; the Engine carries out what they say over a Platform, and writes every state into
// a Journal before it acts on it.
package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Key names a resource: one thing that can be set, such as gladly/chat/web-shop/hours/monday. Its first word is the
// platform. Keys are stable: they are what locks and records hold on to.
type Key string

// Platform returns the first word of the key, which chooses the Platform.
func (k Key) Platform() string {
	name, _, _ := strings.Cut(string(k), "/")
	return name
}

// DrillPrefix begins the names of platforms on which people practise at the real screens.
const DrillPrefix = "drill-"

// Real returns the key of the setting that people look at in a drill. It reports false for any other key.
func (k Key) Real() (Key, bool) {
	name, ok := strings.CutPrefix(string(k), DrillPrefix)
	return Key(name), ok
}

// Value is what a resource is set to. Two values are the same when their Raw bytes are; people see Text.
type Value struct {
	Raw  []byte `json:"raw"`
	Text string `json:"text"`
}

// Equal reports whether v and o are the same to the platform.
func (v Value) Equal(o Value) bool { return bytes.Equal(v.Raw, o.Raw) }

// Way is how a step is done.
type Way string

// The ways.
const (
	Auto   Way = "auto"   // the bot calls an API
	Flag   Way = "flag"   // the bot sets a flag of ours, for which an IVR or a web page asks
	Guided Way = "guided" // a person is told what to click
)

// Resource is one thing that can be set.
type Resource struct {
	Key    Key    `json:"key"`
	Action string `json:"action"` // the playbook's action that concerns it
	Target string `json:"target"` // what people choose: the id of a Glad App, a phone number
	Label  string `json:"label"`  // the target's name: "Web shop"
	Name   string `json:"name"`   // what of it: "Wednesday", "message", "Initial IVR"
	Way    Way    `json:"way"`
	Known  *Value `json:"known,omitzero"` // the value of peace time, as far as the organisation wrote it down; nil: not known
	// AsOf is when Known was looked up; zero: nobody said.
	AsOf time.Time `json:"as_of,omitzero"`
	// Instead is set on what a person may do for a target that has another way: it is planned only where somebody asks
	// for it, by Request.ByHand.
	Instead bool `json:"instead,omitzero"`
}

// Request is what somebody wants done, as far as it is known before any value is read.
type Request struct {
	Action    string
	Targets   []string          // of Resource.Target; empty means all
	ByHand    []string          // targets that have another way, and are to be done by a person all the same
	Inputs    map[string]string // texts, by input id ("message", "ivr")
	From      time.Time
	Until     time.Time      // the deadline
	Zone      *time.Location // the organisation's
	Resources []Resource     // the catalogue
}

// TargetsOf checks a request, and returns the targets that it means on one platform, in the order of the catalogue.
// Those of other platforms are left to them; one that no platform has is an error.
func (r Request) TargetsOf(platform string) ([]string, error) {
	if !slices.Contains(Actions(), r.Action) {
		return nil, fmt.Errorf("plan: unknown action %q", r.Action)
	}
	if r.Zone == nil {
		return nil, fmt.Errorf("plan %s: no time zone", r.Action)
	}
	if r.Until.Before(r.From) {
		return nil, fmt.Errorf("plan %s: it would end before it begins", r.Action)
	}
	all := map[string]bool{} // what any platform can do it to
	var ours []string
	for _, s := range r.Resources {
		if s.Action != r.Action {
			continue
		}
		all[s.Target] = true
		chosen := (len(r.Targets) == 0 || slices.Contains(r.Targets, s.Target)) && (!s.Instead || slices.Contains(r.ByHand, s.Target))
		if s.Key.Platform() == platform && chosen && !slices.Contains(ours, s.Target) {
			ours = append(ours, s.Target)
		}
	}
	for _, t := range r.Targets {
		if !all[t] {
			return nil, fmt.Errorf("plan %s: no such target %q", r.Action, t)
		}
	}
	return ours, nil
}

// Platform is where settings live.
type Platform interface {
	// Resources lists what can be set.
	Resources(ctx context.Context) ([]Resource, error)
	// Plan says which steps a request takes, in the order in which they should be done. It is pure.
	Plan(Request) ([]Step, error)
	// Read returns the present value. A read that fails is not a guess.
	Read(ctx context.Context, k Key) (Value, error)
	// Write sets k to want; was is the value that the caller saw, for platforms that can compare. An error that is
	// ErrRefused means that nothing was written; after any other the outcome is unknown.
	Write(ctx context.Context, k Key, want, was Value) error
	// Guide tells a person how to set k to want.
	Guide(k Key, want Value) Guide
}

// Guide is what a person needs for a guided step.
type Guide struct {
	Screen   string   // steps of one screen share a card: "Settings > Voice"
	Path     string   // the way to the setting, from the platform's menu
	Question string   // asks for the value that is there before
	Click    string   // what to do there: `select "Voicemail Only" under Initial IVR`
	Warning  string   // what not to touch; may be empty
	Check    string   // what to look at as a customer afterwards; may be empty
	Choices  []Value  // values that people may pick as the one before; may be empty
	Words    []string // texts to copy, such as the message to put in; may be empty
}

// ErrRefused means that the platform answered, and wrote nothing.
var ErrRefused = errors.New("refused by the platform")

// Baseline is the value that a resource had before its step touched it, and on whose word.
type Baseline struct {
	Value Value     `json:"value"`
	By    string    `json:"by"` // ByAPI, or the id of a named person
	At    time.Time `json:"at"`
}

// Holder is the person who took a guided step.
type Holder struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// Check is somebody's look at a setting as a customer.
type Check struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Back bool      `json:"back,omitzero"` // after it was put back
	Said string    `json:"said"`          // yes, no, unchecked
}

// Word is what a named person said that a setting is in peace time: what they put back, or corrected.
type Word struct {
	Value  Value     `json:"value"`
	By     string    `json:"by"` // as people saw them then
	At     time.Time `json:"at"`
	Listed *Value    `json:"listed,omitzero"` // what the organisation document said at that time; nil: nothing
}

// Newer reports whether the word counts, given what the document says now: a document that was edited since is newer.
func (w Word) Newer(listed *Value) bool {
	if w.Listed == nil || listed == nil {
		return w.Listed == listed
	}
	return w.Listed.Equal(*listed)
}

// Outdoes reports whether the word counts over another one, as the clock is now: the newest does, and none of the future.
func (w Word) Outdoes(other Word, now time.Time) bool {
	return w.At.After(other.At) && !w.At.After(now)
}

// Taught is what a guided step says of peace time, given what it was before: a value that a person put back, or one that
// they corrected. It reports false where it says nothing new.
func Taught(was, s Step) (Word, bool) {
	if s.Way != Guided || s.Before == nil {
		return Word{}, false
	}
	w := Word{Value: s.Before.Value, By: s.Before.By, At: s.Before.At, Listed: s.Known}
	if s.Source != nil {
		w.Listed = s.Source.Listed
	}
	switch {
	case s.State == Restored && was.State != Restored:
		if s.Set != nil { // somebody put it back
			w.By, w.At = s.By, s.At
		}
		return w, true
	case len(s.Noted) > len(was.Noted):
		return w, true
	}
	return Word{}, false
}

// LeftBehind is a resource that was left with an outage's value: no later outage may take that for the value before.
type LeftBehind struct {
	Value  Value     `json:"value"`
	Before *Baseline `json:"before,omitzero"` // what was there before that outage; nil: not known
}

// ByAPI is the witness of a value that the bot read itself.
const ByAPI = "api"

// State is how far a step has come.
type State string

// The states of a step, in their order, and the four aside.
const (
	Planned       State = "planned"
	Recorded      State = "recorded"       // its baseline is in the store
	Intent        State = "intent"         // about to be set: after a crash the outcome is unknown
	IsSet         State = "set"            // read back
	RestoreIntent State = "restore-intent" // about to be put back
	Restored      State = "restored"

	Failed   State = "failed"   // did not work; Reason says why
	Conflict State = "conflict" // somebody else's value was found: Now; a person decides
	Unknown  State = "unknown"  // a person was asked and has not answered
	Adopted  State = "adopted"  // had the outage value before us; nothing was set
	Left     State = "left"     // as it is, by name, with a reason
)

// Step is a resource and what it should become.
type Step struct {
	Key    Key        `json:"key"`
	Action string     `json:"action"`
	Target string     `json:"target"`
	Label  string     `json:"label"` // the target's name
	Name   string     `json:"name"`
	Way    Way        `json:"way"`
	Day    string     `json:"day,omitzero"`    // the date it is for ("2026-11-25"), where settings are kept per weekday
	Known  *Value     `json:"known,omitzero"`  // the value of peace time, offered where nobody can read it; nil: not known
	Source *Word      `json:"source,omitzero"` // whose word Known is; nil: the organisation document's
	Want   Value      `json:"want"`
	State  State      `json:"state"`
	Before *Baseline  `json:"before,omitzero"` // nil until recorded, and for adopted steps
	Noted  []Baseline `json:"noted,omitzero"`  // what a person had noted before it was corrected, oldest first
	Doubt  bool       `json:"doubt,omitzero"`  // Guided: Before is not the known value, and nobody said yet which should come back
	Holder *Holder    `json:"holder,omitzero"` // Guided: who is at it; nil: nobody
	Shown  bool       `json:"shown,omitzero"`  // Guided: somebody was shown the clicks, and may have clicked
	Checks []Check    `json:"checks,omitzero"` // what people met as customers, oldest first
	Set    *Value     `json:"set,omitzero"`    // read back after the write
	Ours   *Value     `json:"ours,omitzero"`   // what an earlier outage left there; nil: nothing
	Now    *Value     `json:"now,omitzero"`    // Conflict: what was found instead
	Allow  *Value     `json:"allow,omitzero"`  // a value found in the way that a person said may be overwritten
	Back   bool       `json:"back,omitzero"`   // on its way back: a restore was asked for
	Spared bool       `json:"spared,omitzero"` // Restored: put back before anything was done to it, so nobody looked at its end
	Tries  int        `json:"tries,omitzero"`  // attempts in this direction without a clear answer
	Reason string     `json:"reason,omitzero"` // Failed, Left
	By     string     `json:"by,omitzero"`     // who answered last, if a person did
	At     time.Time  `json:"at,omitzero"`     // when State was reached
}

// Record is what one outage changes. A later confirmed plan adds steps to it.
type Record struct {
	Schema int    `json:"schema"`
	Outage string `json:"outage"`
	Steps  []Step `json:"steps"`
}

// The actions that a playbook may name. What each means on a platform is that platform's Plan.
const (
	CloseChat         = "close-chat"
	PhonesToVoicemail = "phones-to-voicemail"
)

// Actions lists them.
func Actions() []string { return []string{CloseChat, PhonesToVoicemail} }
