package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"switchback/bot/change"
)

// voicemailOnly is the IVR that the playbook has people create.
const voicemailOnly = "Voicemail Only"

// The last words of the three kinds of keys, which change.Weekdays follow in the case of hours:
//
//	sim/voice/+16505550101/initial-ivr
//	sim/chat/web-shop/hours/monday
//	sim/chat/web-shop/unavailable-message
const (
	ivrKind     = "initial-ivr"
	hoursKind   = "hours"
	messageKind = "unavailable-message"
)

const platformName = "sim"

func ivrKey(n Number) change.Key {
	return change.Key(platformName + "/voice/" + n.Number + "/" + ivrKind)
}

func hoursKey(app string, d change.Weekday) change.Key {
	return change.Key(platformName + "/chat/" + app + "/" + hoursKind + "/" + string(d))
}

func messageKey(app string) change.Key {
	return change.Key(platformName + "/chat/" + app + "/" + messageKind)
}

// kindOf returns the kind of a key, and for hours the day.
func kindOf(k change.Key) (string, change.Weekday) {
	words := strings.Split(string(k), "/")
	if len(words) < 4 {
		return "", ""
	}
	if len(words) == 5 {
		return words[3], change.Weekday(words[4])
	}
	return words[3], ""
}

// value is what raw means under k, with its text for people.
func value(k change.Key, raw string) change.Value {
	text := raw
	if kind, _ := kindOf(k); kind == hoursKind {
		text = change.Hours(raw).Text()
	}
	if text == "" {
		text = "Blank"
	}
	return change.Value{Raw: []byte(raw), Text: text}
}

// setting is one thing that can be set, and what it is in peace time.
type setting struct {
	resource change.Resource
	usual    string
}

// settings lists them in the order in which people look at them.
func (o Organisation) settings() []setting {
	var out []setting
	for _, n := range o.Numbers {
		out = append(out, setting{change.Resource{
			Key: ivrKey(n), Action: change.PhonesToVoicemail, Target: n.Number, Label: n.label(), Name: "Initial IVR", Way: change.Auto,
		}, n.IVR})
	}
	for _, a := range o.Apps {
		of := func(k change.Key, name, usual string) {
			out = append(out, setting{change.Resource{
				Key: k, Action: change.CloseChat, Target: a.ID, Label: a.label(), Name: name, Way: change.Auto,
			}, usual})
		}
		for _, d := range change.Weekdays() {
			of(hoursKey(a.ID, d), d.Title(), string(a.hours(d)))
		}
		of(messageKey(a.ID), "message", a.Message)
	}
	return out
}

// ivrs are the published ones, sorted.
func (o Organisation) ivrs() []string {
	names := []string{"Main menu", "Repairs menu", "Snow day", voicemailOnly}
	for _, n := range o.Numbers {
		names = append(names, n.IVR, n.outageIVR())
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

const maxMessage = 2000 // characters

func checkMessage(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("the message is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(s); n > maxMessage {
		return fmt.Errorf("the message has %d characters, at most %d", n, maxMessage)
	}
	return nil
}
