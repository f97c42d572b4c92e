// Package sim is a company to practise on: phone numbers and chat windows, the settings behind them, what customers
// meet there, and the faults that a platform has on a bad day.
//
// Company is the vendor's side, settings behind an HTTP API. Platform is the bot's side: it knows the Company only
// through that API. Local joins the two inside a test, without a network; Serve listens on loopback. The Queue IVR is
// not a setting here at all, so nothing can touch it.
package sim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"switchback/bot/change"
	"switchback/bot/config"
)

// Organisation is what a company has: this package's part of the organisation document.
type Organisation struct {
	Numbers []Number `yaml:"numbers" jsonschema_description:"Your phone numbers, with the Initial IVR of peace time and the one for an outage."`
	Apps    []App    `yaml:"apps" jsonschema_description:"Your Glad Apps, with their hours and the message that visitors read while they are closed."`
}

// Number is a phone number that customers call.
type Number struct {
	Number    string `yaml:"number" jsonschema:"required" jsonschema_description:"The number with plus sign and country code: +16505550101."`
	Name      string `yaml:"name" jsonschema_description:"What it is for: Orders."`
	IVR       string `yaml:"ivr" jsonschema_description:"Its Initial IVR in peace time. Left out: blank."`
	Voicemail string `yaml:"voicemail" jsonschema_description:"The IVR to select in an outage. Left out: Voicemail Only."`
}

// App is a Glad App: the chat window of a web site.
type App struct {
	ID      string                          `yaml:"id" jsonschema:"required" jsonschema_description:"A short name that never changes: web-shop."`
	Name    string                          `yaml:"name" jsonschema_description:"Its name on Settings > Glad App: Web shop."`
	Site    string                          `yaml:"site" jsonschema_description:"Where customers meet it: shop.example.com."`
	Hours   map[change.Weekday]change.Hours `yaml:"hours" jsonschema_description:"By weekday: 08:00-20:00 or closed. A day left out is open 08:00-20:00."`
	Message string                          `yaml:"message" jsonschema_description:"What visitors read in peace time while chat is closed."`
	Outage  string                          `yaml:"outage" jsonschema_description:"What they read in an outage. Left out: a general text."`
}

const usualHours change.Hours = "08:00-20:00"

// Practice is the company that the bot brings along.
func Practice() Organisation {
	return Organisation{
		Numbers: []Number{
			{Number: "+16505550101", Name: "Orders", IVR: "Main menu"},
			{Number: "+16505550102", Name: "Returns", IVR: "Main menu"},
			{Number: "+16505550103", Name: "Repairs", IVR: "Repairs menu"},
			{Number: "+16505550104", Name: "Press", IVR: "Main menu"},
		},
		Apps: []App{
			{ID: "web-shop", Name: "Web shop", Site: "shop.example.com", Message: "Hello! We chat from 8 to 8. Leave us a note & we write back."},
			{
				ID: "help-centre", Name: "Help centre", Site: "help.example.com", Hours: map[change.Weekday]change.Hours{"sunday": change.Closed},
				Message: "We're closed right now. See <b>help.example.com/faq</b> meanwhile.",
			},
		},
	}
}

// Check reports what is wrong with the organisation, each problem at its place in the document; at is the path of the
// keys that Organisation declares.
func (o Organisation) Check(d *config.Document, at string) config.Problems {
	var out config.Problems
	for _, p := range o.problems() {
		out = append(out, d.Problem(at+"."+p.path, "%s", p.text))
	}
	return out
}

type problem struct{ path, text string }

var (
	numberForm = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)
	appForm    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+){0,9}$`)
)

// problems checks what becomes part of a key, or is set in an outage.
func (o Organisation) problems() []problem {
	var out []problem
	add := func(path, format string, args ...any) { out = append(out, problem{path, fmt.Sprintf(format, args...)}) }
	for i, n := range o.Numbers {
		path := fmt.Sprintf("numbers.%d.number", i)
		if !numberForm.MatchString(n.Number) {
			add(path, "want a number such as +16505550101, got %q", n.Number)
		}
		if slices.ContainsFunc(o.Numbers[:i], func(b Number) bool { return b.Number == n.Number }) {
			add(path, "%s stands here twice", n.Number)
		}
		if n.IVR == n.outageIVR() {
			add(fmt.Sprintf("numbers.%d.ivr", i), "%q is the IVR for an outage; write the one of peace time", n.IVR)
		}
	}
	for i, a := range o.Apps {
		path := fmt.Sprintf("apps.%d.id", i)
		if !appForm.MatchString(a.ID) {
			add(path, "want lower-case letters, digits and single dashes such as web-shop, got %q", a.ID)
		}
		if slices.ContainsFunc(o.Apps[:i], func(b App) bool { return b.ID == a.ID }) {
			add(path, "%s stands here twice", a.ID)
		}
		for key, text := range map[string]string{"message": a.Message, "outage": a.Outage} {
			if err := checkMessage(text); err != nil {
				add(fmt.Sprintf("apps.%d.%s", i, key), "%v", err)
			}
		}
	}
	return out
}

func (o Organisation) err() error {
	var all []error
	for _, p := range o.problems() {
		all = append(all, fmt.Errorf("%s: %s", p.path, p.text))
	}
	return errors.Join(all...)
}

func (n Number) label() string { return strings.TrimSpace(spaced(n.Number) + " " + n.Name) }

func (n Number) outageIVR() string {
	if n.Voicemail == "" {
		return voicemailOnly
	}
	return n.Voicemail
}

func (a App) label() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

func (a App) hours(d change.Weekday) change.Hours {
	if h, ok := a.Hours[d]; ok {
		return h
	}
	return usualHours
}

// spaced writes a North American number in its usual groups, and any other as it is.
func spaced(number string) string {
	if len(number) != len("+16505550101") || !strings.HasPrefix(number, "+1") {
		return number
	}
	return number[:2] + " " + number[2:5] + " " + number[5:8] + " " + number[8:]
}
