package incident

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchback/bot/config"
)

// Routing is this package's part of the organisation document: which status pages there are, and whom what they say
// concerns.
type Routing struct {
	Pages []Page `yaml:"pages" jsonschema_description:"The status pages that are read and posted."`
}

// Page is one status page.
type Page struct {
	ID          string          `yaml:"id" jsonschema:"required" jsonschema_description:"A short name that never changes: gladly. It stands in the address for notifications too: /hooks/statuspage/gladly/…"`
	Name        string          `yaml:"name" jsonschema_description:"Whose page it is, as cards say it: Gladly. Left out: the id."`
	URL         string          `yaml:"url" jsonschema:"required" jsonschema_description:"Where it is read: https://gladly.statuspage.io. Nothing is ever read from another host."`
	Link        string          `yaml:"link" jsonschema_description:"Where people read it. Left out: url."`
	Kind        string          `yaml:"kind" jsonschema:"enum=statuspage" jsonschema_description:"What it speaks. statuspage (default): the v2 read API of Atlassian Statuspage, which incident.io and others speak too."`
	PageID      string          `yaml:"page_id" jsonschema_description:"The page's own id. Left out: the one that the first read finds. Another one is not believed."`
	Components  []Part          `yaml:"components" jsonschema_description:"Which of the page's components carry which of your channels. The first line that fits counts."`
	Titles      []Title         `yaml:"titles" jsonschema_description:"For incidents that name no component: words of the title, and the channels that they hint at. Shown as a guess."`
	Severity    string          `yaml:"severity" jsonschema:"enum=none,enum=minor,enum=major,enum=critical" jsonschema_description:"The least impact that is posted. Left out: everything is."`
	Maintenance string          `yaml:"maintenance" jsonschema:"enum=quiet,enum=tell,enum=off" jsonschema_description:"Planned work. quiet (default): told shortly before it begins, where it touches one of your channels. tell: posted when it is announced. off: never."`
	Remind      config.Duration `yaml:"remind" jsonschema_description:"How long before planned work begins it is told (default 1h)."`
	Ignore      []string        `yaml:"ignore" jsonschema_description:"Regular expressions; an incident whose title fits one is left out."`
	Channel     Channel         `yaml:"channel" jsonschema_description:"Where incidents go that touch none of your channels for certain. Left out: the first of channels without for."`
	Also        []Also          `yaml:"also" jsonschema_description:"More channels for serious incidents."`
}

// Part maps components of the page to branches, the company's channels to its customers: by id, by name, or all of a
// group. Several parts may lead to one branch.
type Part struct {
	ID    string   `yaml:"id" jsonschema_description:"The component's id on the page."`
	Name  string   `yaml:"name" jsonschema_description:"Its name, in capitals or not: Voice."`
	Group string   `yaml:"group" jsonschema_description:"The name of its group: everything in it."`
	For   []string `yaml:"for" jsonschema_description:"voice, chat, sms, social, email, login. Left out: it does not concern you, and is not posted."`
}

// Title is words of a title that hint at channels.
type Title struct {
	Any []string `yaml:"any" jsonschema:"required" jsonschema_description:"Words, in capitals or not: [call, calls, ivr]."`
	For []string `yaml:"for" jsonschema:"required" jsonschema_description:"voice, chat, sms, social, email, login."`
}

// Channel is a channel on each chat platform.
type Channel struct {
	Slack    string `yaml:"slack" jsonschema_description:"The id of a Slack channel: C034EF5GH."`
	Teams    string `yaml:"teams" jsonschema_description:"The id of a channel of Teams: 19:0a1b2c3d4e5f@thread.tacv2."`
	Terminal string `yaml:"terminal" jsonschema_description:"A channel's name in bot chat."`
}

// On is the channel on one platform; "" is none.
func (c Channel) On(platform string) string {
	return map[string]string{"slack": c.Slack, "teams": c.Teams, "terminal": c.Terminal}[platform]
}

// Also is a channel for incidents of at least some severity.
type Also struct {
	Severity string  `yaml:"severity" jsonschema:"required,enum=minor,enum=major,enum=critical" jsonschema_description:"The least impact."`
	Channel  Channel `yaml:",inline"`
}

const (
	quiet     = "quiet"
	tellAll   = "tell"
	off       = "off"
	statusV2  = "statuspage"
	remindFor = time.Hour
)

// WithDefaults returns p with everything filled in that was left out.
func (p Page) WithDefaults() Page {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	p.URL = strings.TrimRight(p.URL, "/")
	set(&p.Name, p.ID)
	set(&p.Link, p.URL)
	set(&p.Kind, statusV2)
	set(&p.Severity, "none")
	set(&p.Maintenance, quiet)
	if p.Remind == 0 {
		p.Remind = config.Duration(remindFor)
	}
	return p
}

// Find returns the page of an id, with its defaults.
func (r Routing) Find(id string) (Page, bool) {
	for _, p := range r.Pages {
		if p.ID == id {
			return p.WithDefaults(), true
		}
	}
	return Page{}, false
}

var pageID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+){0,9}$`)

// Check reports what is wrong with the routing, each problem at its place in the document; branches are the company's
// channels, which a part may be for.
func (r Routing) Check(d *config.Document, at string, branches []string) config.Problems {
	var out config.Problems
	for i, p := range r.Pages {
		add := func(path, format string, args ...any) {
			out = append(out, d.Problem(fmt.Sprintf("%s.pages.%d.%s", at, i, path), format, args...))
		}
		p.check(r.Pages[:i], branches, add)
	}
	return out
}

func (p Page) check(others []Page, branches []string, add func(path, format string, args ...any)) {
	if !pageID.MatchString(p.ID) || len(p.ID) > 32 {
		add("id", "want lower-case letters, digits and single dashes such as gladly, got %q", p.ID)
	}
	if slices.ContainsFunc(others, func(o Page) bool { return o.ID == p.ID }) {
		add("id", "%s stands here twice", p.ID)
	}
	web := func(path, address string, plain bool) {
		u, err := url.Parse(address)
		var local netip.Addr
		if err == nil {
			local, _ = netip.ParseAddr(u.Hostname())
		}
		switch {
		case err != nil || u.Hostname() == "" || u.User != nil:
			add(path, "want an address such as https://gladly.statuspage.io, got %q", address)
		case u.Scheme != "https" && (u.Scheme != "http" || !local.IsLoopback()):
			add(path, "the address must begin with https://")
		case plain && (u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "/api")):
			add(path, "want the page's address alone, without what comes after it")
		}
	}
	web("url", p.URL, true)
	if p.Link != "" {
		web("link", p.Link, false)
	}
	one := func(path, got string, known ...string) {
		if got != "" && !slices.Contains(known, got) {
			add(path, "%q is not one of %s%s", got, strings.Join(known, ", "), meant(got, known))
		}
	}
	one("kind", p.Kind, statusV2)
	one("severity", p.Severity, "none", "minor", "major", "critical")
	one("maintenance", p.Maintenance, quiet, tellAll, off)
	branch := func(path string, list []string) {
		for k, b := range list {
			one(fmt.Sprintf("%s.for.%d", path, k), b, branches...)
		}
	}
	for k, c := range p.Components {
		path := fmt.Sprintf("components.%d", k)
		if c.ID == "" && c.Name == "" && c.Group == "" {
			add(path, "names no component: give its id, its name or its group")
		}
		branch(path, c.For)
	}
	for k, t := range p.Titles {
		path := fmt.Sprintf("titles.%d", k)
		if len(t.Any) == 0 || len(t.For) == 0 {
			add(path, "want words (any) and what they hint at (for)")
		}
		branch(path, t.For)
	}
	for k, a := range p.Also {
		if a.Severity == "" {
			add(fmt.Sprintf("also.%d", k), "say from which severity on")
		}
		one(fmt.Sprintf("also.%d.severity", k), a.Severity, "minor", "major", "critical")
	}
	for k, x := range p.Ignore {
		if _, err := regexp.Compile(x); err != nil || x == "" {
			add(fmt.Sprintf("ignore.%d", k), "%q is not a regular expression", x)
		}
	}
}

func meant(got string, known []string) string {
	if s := config.Suggest(got, known); s != "" {
		return fmt.Sprintf("; did you mean %q?", s)
	}
	return ""
}

// Match is whom an incident concerns.
type Match struct {
	Branches []string // in the order of the document
	Guess    bool     // they come from words of the title alone
	Unmapped []string // affected components that the document does not know, by name
	Ours     bool     // false: all that it affects does not concern the company
}

// Match tells whom an incident concerns. all are the components of the page, which know their groups.
func (p Page) Match(s Snapshot, all []Component) Match {
	var m Match
	affected := s.Affected()
	for _, c := range affected {
		part, ok := p.part(c, all)
		if !ok {
			m.Unmapped = append(m.Unmapped, cmp.Or(c.Name, c.ID))
			m.Ours = true
			continue
		}
		for _, b := range part.For {
			m.Ours = true
			if !slices.Contains(m.Branches, b) {
				m.Branches = append(m.Branches, b)
			}
		}
	}
	if len(affected) > 0 {
		return m
	}
	m.Ours = true
	title := words(s.Name)
	for _, t := range p.Titles {
		if !slices.ContainsFunc(t.Any, func(w string) bool { return strings.Contains(title, words(w)) }) {
			continue
		}
		for _, b := range t.For {
			if m.Guess = true; !slices.Contains(m.Branches, b) {
				m.Branches = append(m.Branches, b)
			}
		}
	}
	return m
}

// BranchesOf are the branches that a component carries; known is false where the document does not name it.
func (p Page) BranchesOf(c Component, all []Component) (branches []string, known bool) {
	part, ok := p.part(c, all)
	return part.For, ok
}

// part is the first line of the map that fits a component. An update may write "Group - Name" for the name.
func (p Page) part(c Component, all []Component) (Part, bool) {
	i := slices.IndexFunc(all, func(have Component) bool { return c.ID != "" && have.ID == c.ID })
	if i >= 0 {
		c.Name, c.Group = cmp.Or(all[i].Name, c.Name), cmp.Or(all[i].Group, c.Group)
	}
	group, name, both := strings.Cut(c.Name, " - ")
	for _, part := range p.Components {
		switch {
		case part.ID != "":
			if part.ID == c.ID {
				return part, true
			}
		case part.Name != "" && part.Group != "":
			if strings.EqualFold(part.Group, c.Group) && strings.EqualFold(part.Name, c.Name) ||
				both && strings.EqualFold(part.Group, group) && strings.EqualFold(part.Name, name) {
				return part, true
			}
		case part.Name != "":
			if strings.EqualFold(part.Name, c.Name) || both && strings.EqualFold(part.Name, name) {
				return part, true
			}
		case strings.EqualFold(part.Group, c.Group) || both && strings.EqualFold(part.Group, group):
			return part, true
		}
	}
	return Part{}, false
}

// Left reports whether an incident is left out by its title.
func (p Page) Left(s Snapshot) bool {
	return slices.ContainsFunc(p.Ignore, func(x string) bool {
		r, err := regexp.Compile(x) // Check has seen them
		return err == nil && r.MatchString(s.Name)
	})
}

// Posts reports whether an incident is posted at this moment: by its severity, and for planned work by how near it is.
// An unknown impact is posted.
func (p Page) Posts(s Snapshot, m Match, now time.Time) bool {
	if !m.Ours || s.Backfilled || p.Left(s) {
		return false
	}
	if s.Maintenance() {
		switch p.Maintenance {
		case off:
			return false
		case tellAll:
			return true
		}
		return len(m.Branches) > 0 && !m.Guess && (s.Phase() == Ongoing || s.Phase() == Planned && !now.Before(p.RemindAt(s)))
	}
	return atLeast(s.Impact, p.Severity)
}

// RemindAt is when planned work is told.
func (p Page) RemindAt(s Snapshot) time.Time { return s.From.Add(-time.Duration(p.Remind)) }

// Channels are the further channels of an incident on one chat platform, by its severity.
func (p Page) Channels(s Snapshot, platform string) []string {
	var out []string
	for _, a := range p.Also {
		if n, known := severity(s.Impact); known && n > 0 && atLeast(s.Impact, a.Severity) && a.Channel.On(platform) != "" {
			out = append(out, a.Channel.On(platform))
		}
	}
	return out
}

func atLeast(impact, least string) bool {
	return worse(severity, least, impact) >= 0
}

// words brings a text into a form in which whole words can be looked for.
func words(s string) string {
	return " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r != '-' && (r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80)
	}), " ") + " "
}
