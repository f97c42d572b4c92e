// Package gladly tells people how to change the settings of Gladly that an outage needs: the Initial IVR of each
// phone number, and the hours and the Chat Unavailable message of each Glad App.
//
// None of them has a public API, so every step is a person's: Platform knows what can be set, what it is in peace time
// as far as somebody wrote it down, and what to click. It can neither read nor write. The Queue IVR is not a setting
// here at all, so nothing can ask for it. Targets whose way is flag belong to another platform.
package gladly

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/config"
)

// Organisation is what a company has in Gladly: this package's part of the organisation document.
type Organisation struct {
	Numbers []Number `yaml:"numbers" jsonschema_description:"Your phone numbers, with the Initial IVR of peace time and the one for an outage."`
	Apps    []App    `yaml:"apps" jsonschema_description:"Your Glad Apps, with their hours and the message that visitors read while they are closed."`
	AsOf    string   `yaml:"values_as_of" jsonschema_description:"The day on which somebody last compared ivr, hours and message with Gladly's screens: 2026-11-23."`
	Menus   Menus    `yaml:"menus" jsonschema_description:"What Gladly's screens are called, if the names have changed."`
}

// Number is a phone number that customers call.
type Number struct {
	Number    string     `yaml:"number" jsonschema:"required" jsonschema_description:"The number with plus sign and country code: +16505550101."`
	Name      string     `yaml:"name" jsonschema_description:"What it is for: Orders."`
	IVR       *string    `yaml:"ivr" jsonschema_description:"Its Initial IVR in peace time, as Settings > Voice shows it; an empty text if it is blank there. Left out: not known, somebody is asked in the outage."`
	Voicemail string     `yaml:"voicemail" jsonschema_description:"The IVR to select in an outage. Left out: Voicemail Only."`
	Way       change.Way `yaml:"way" jsonschema:"enum=guided,enum=flag" jsonschema_description:"guided (default): a person clicks in Gladly. flag: its IVR asks the bot."`
}

// App is a Glad App: the chat window of a web site.
type App struct {
	ID      string                          `yaml:"id" jsonschema:"required" jsonschema_description:"A short name that never changes: web-shop."`
	Name    string                          `yaml:"name" jsonschema_description:"Its name on Settings > Glad App: Web shop."`
	Site    string                          `yaml:"site" jsonschema_description:"Where customers meet it: shop.example.com."`
	Hours   map[change.Weekday]change.Hours `yaml:"hours" jsonschema_description:"By weekday: 08:00-20:00 or closed. A day left out is not known; somebody is asked in the outage."`
	Message *string                         `yaml:"message" jsonschema_description:"Its Chat Unavailable message in peace time; an empty text if there is none. Left out: not known."`
	Outage  string                          `yaml:"outage" jsonschema_description:"What visitors read in an outage. Left out: a general text."`
	Way     change.Way                      `yaml:"way" jsonschema:"enum=guided,enum=flag" jsonschema_description:"guided (default): a person clicks in Gladly. flag: its web page asks the bot."`
	Origins []string                        `yaml:"origins" jsonschema_description:"Where its pages are, for way flag: https://shop.example.com. An asterisk: any page and program may ask, and every asker is counted. Left out: https:// and the site."`
}

// Menus are the names that people look for on Gladly's screens. They move now and then, so they are data.
type Menus struct {
	AsOf      string `yaml:"as_of" jsonschema_description:"The day on which somebody looked these names up: 2026-11-23."`
	Voice     string `yaml:"voice" jsonschema_description:"The screen of all numbers. Left out: Settings > Voice."`
	GladApp   string `yaml:"glad_app" jsonschema_description:"The screen of all Glad Apps. Left out: Settings > Glad App."`
	Configure string `yaml:"configure" jsonschema_description:"What leads to one Glad App's page. Left out: Configure."`
	Hours     string `yaml:"hours" jsonschema_description:"The section of that page with the weekdays. Left out: Glad App Hours."`
	Message   string `yaml:"message" jsonschema_description:"The section of that page with the message. Left out: Chat Unavailable."`
}

// voicemailOnly is the IVR that the playbook has people create.
const voicemailOnly = "Voicemail Only"

// blank is how people see a setting that has no value.
const blank = "Blank"

// Check reports what is wrong with the organisation, each problem at its place in the document; at is the path of the
// keys that Organisation declares.
func (o Organisation) Check(d *config.Document, at string) config.Problems {
	var out config.Problems
	add := func(path, format string, args ...any) { out = append(out, d.Problem(at+"."+path, format, args...)) }
	for i, n := range o.Numbers {
		n.check(o.Numbers[:i], func(key, format string, args ...any) {
			add(fmt.Sprintf("numbers.%d.%s", i, key), format, args...)
		})
	}
	for i, a := range o.Apps {
		a.check(o.Apps[:i], func(key, format string, args ...any) {
			add(fmt.Sprintf("apps.%d.%s", i, key), format, args...)
		})
		if site := "https://" + a.Site; a.Way == change.Flag && originForm.MatchString(site) && !slices.Contains(a.PageOrigins(), site) && !slices.Contains(a.Origins, "*") {
			w := d.Problem(fmt.Sprintf("%s.apps.%d.origins", at, i), "%s, its site, is not among them: visitors there are let into chat in an outage", site)
			w.Warning = true
			out = append(out, w)
		}
	}
	if o.AsOf != "" {
		if _, err := time.Parse(time.DateOnly, o.AsOf); err != nil {
			add("values_as_of", "want a date such as 2026-11-23, got %q", o.AsOf)
		}
	}
	switch m := o.Menus; {
	case m.AsOf != "":
		if _, err := time.Parse(time.DateOnly, m.AsOf); err != nil {
			add("menus.as_of", "want a date such as 2026-11-23, got %q", m.AsOf)
		}
	case m != Menus{}:
		add("menus", "say with as_of on which day these names were looked up")
	}
	return out
}

var (
	numberForm = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)
	appForm    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+){0,9}$`)
)

func (n Number) check(others []Number, add func(key, format string, args ...any)) {
	if !numberForm.MatchString(n.Number) {
		add("number", "want a number such as +16505550101, got %q", n.Number)
	}
	if slices.ContainsFunc(others, func(b Number) bool { return b.Number == n.Number }) {
		add("number", "%s stands here twice", n.Number)
	}
	switch {
	case n.IVR == nil:
	case *n.IVR == n.outageIVR():
		add("ivr", "%q is the IVR for an outage; write the one of peace time", *n.IVR)
	case strings.EqualFold(*n.IVR, blank):
		add("ivr", `where Gladly shows no Initial IVR, write ""`)
	}
	checkWay(n.Way, add)
}

func (a App) check(others []App, add func(key, format string, args ...any)) {
	if !appForm.MatchString(a.ID) {
		add("id", "want lower-case letters, digits and single dashes such as web-shop, got %q", a.ID)
	}
	if slices.ContainsFunc(others, func(b App) bool { return b.ID == a.ID }) {
		add("id", "%s stands here twice", a.ID)
	} else if slices.ContainsFunc(others, func(b App) bool { return b.Label() == a.Label() }) {
		add("name", "two Glad Apps are called %q; nobody could tell their pages apart", a.Label())
	}
	if a.Message != nil && *a.Message == a.outageMessage() {
		add("message", "this is the message for an outage; write the one of peace time")
	}
	checkWay(a.Way, add)
	a.checkOrigins(add)
}

// An origin as browsers send it: no path, and encryption but on the developer's own machine.
var originForm = regexp.MustCompile(`^(https://[a-z0-9.-]+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?$`)

func (a App) checkOrigins(add func(key, format string, args ...any)) {
	for i, o := range a.Origins {
		key := fmt.Sprintf("origins.%d", i)
		switch {
		case o == "*" || originForm.MatchString(o):
		case originForm.MatchString(strings.ToLower(strings.TrimRight(o, "/"))):
			add(key, "want it as browsers send it: %s, got %q", strings.ToLower(strings.TrimRight(o, "/")), o)
		case strings.Contains(o, "*"):
			add(key, "want each host by itself, or * alone, got %q", o)
		default:
			add(key, "want an origin such as https://shop.example.com, got %q", o)
		}
	}
	if a.Way == change.Flag && len(a.PageOrigins()) == 0 {
		add("origins", "its page asks the bot; say where that is, such as https://shop.example.com")
	}
}

// PageOrigins are the origins of the pages that may ask whether chat is open.
func (a App) PageOrigins() []string {
	if site := "https://" + a.Site; len(a.Origins) == 0 && originForm.MatchString(site) {
		return []string{site}
	}
	return a.Origins
}

func checkWay(w change.Way, add func(key, format string, args ...any)) {
	known := []string{string(change.Guided), string(change.Flag)}
	if w == "" || slices.Contains(known, string(w)) {
		return
	}
	if meant := config.Suggest(string(w), known); meant != "" {
		add("way", "want guided or flag, got %q; did you mean %q?", w, meant)
		return
	}
	add("way", "want guided or flag, got %q", w)
}

// Label is the number and its name, as people read them.
func (n Number) Label() string { return strings.TrimSpace(spaced(n.Number) + " " + n.Name) }

func (n Number) outageIVR() string {
	if n.Voicemail == "" {
		return voicemailOnly
	}
	return n.Voicemail
}

// Label is the app's name, or its id where it has none.
func (a App) Label() string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

func (a App) outageMessage() string {
	if a.Outage == "" {
		return "Chat is not available at the moment. Please try again later."
	}
	return a.Outage
}

// site is where a customer looks.
func (a App) site() string {
	if a.Site == "" {
		return "the web site of " + a.Label()
	}
	return a.Site
}

// named returns the menus with the names of Gladly's action plan for those that the document leaves out.
func (m Menus) named() Menus {
	return Menus{
		AsOf:      cmp.Or(m.AsOf, "2026-11-23"),
		Voice:     cmp.Or(m.Voice, "Settings > Voice"),
		GladApp:   cmp.Or(m.GladApp, "Settings > Glad App"),
		Configure: cmp.Or(m.Configure, "Configure"),
		Hours:     cmp.Or(m.Hours, "Glad App Hours"),
		Message:   cmp.Or(m.Message, "Chat Unavailable"),
	}
}

// spaced writes a North American number in its usual groups, and any other as it is.
func spaced(number string) string {
	if len(number) != len("+16505550101") || !strings.HasPrefix(number, "+1") {
		return number
	}
	return number[:2] + " " + number[2:5] + " " + number[5:8] + " " + number[8:]
}
