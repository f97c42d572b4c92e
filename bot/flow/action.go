package flow

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Action is what a button means. It travels through a chat platform as one opaque string and comes back with the
// press; it grants nothing: every press is checked again against the state and the person's role.
type Action struct {
	Walk   string `json:"walk,omitzero"`   // of a walk's button …
	Outage string `json:"outage,omitzero"` // … or of an outage's
	Verb   string `json:"verb"`
	Key    string `json:"key,omitzero"`   // the step that it speaks of
	State  string `json:"state,omitzero"` // what the button was drawn for: a walk's turn, a step's state, a question's number
	Arg    string `json:"arg,omitzero"`
	// Incident is set on buttons of an incident, and then neither Walk nor Outage: its page and its id, "gladly/x1".
	Incident string `json:"incident,omitzero"`
}

// begin is the verb of a button that does what typed words do: those of its Arg. It belongs to no walk and no outage.
const begin = "begin"

// Begin is the action of a button that does what /outage and these words do.
func Begin(words ...string) string {
	return Action{Verb: begin, Arg: strings.Join(words, " ")}.Encode()
}

// valid reports whether a speaks to one document, or is one of the few that speak to none.
func (a Action) valid() bool {
	of := 0
	for _, doc := range []string{a.Walk, a.Outage, a.Incident} {
		if doc != "" {
			of++
		}
	}
	switch a.Verb {
	case begin, readyVerb:
		return of == 0
	case reopen:
		return of <= 1
	}
	return a.Verb != "" && of == 1
}

// ErrAction means that a string is not an encoded action.
var ErrAction = errors.New("not an action of this bot")

// Encode returns a as one line of printable ASCII.
func (a Action) Encode() string {
	parts := []string{a.Walk, a.Outage, a.Verb, a.Key, a.State, a.Arg}
	for i, p := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(p))
	}
	if a.Incident != "" { // the others keep the form that they always had: buttons live long
		return "2." + strings.Join(append(parts, base64.RawURLEncoding.EncodeToString([]byte(a.Incident))), ".")
	}
	return "1." + strings.Join(parts, ".")
}

// DecodeAction reads what Encode wrote. It returns ErrAction for anything else.
func DecodeAction(s string) (Action, error) {
	parts := strings.Split(s, ".")
	if (len(parts) != 7 || parts[0] != "1") && (len(parts) != 8 || parts[0] != "2") {
		return Action{}, fmt.Errorf("%w: %.40q", ErrAction, s)
	}
	for i, p := range parts[1:] {
		raw, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return Action{}, fmt.Errorf("%w: %.40q", ErrAction, s)
		}
		parts[i+1] = string(raw)
	}
	a := Action{Walk: parts[1], Outage: parts[2], Verb: parts[3], Key: parts[4], State: parts[5], Arg: parts[6]}
	if len(parts) == 8 {
		a.Incident = parts[7]
	}
	// One action has one form: the decoder alone would take line breaks and stray bits.
	if !a.valid() || a.Encode() != s {
		return Action{}, fmt.Errorf("%w: %.40q", ErrAction, s)
	}
	return a, nil
}
