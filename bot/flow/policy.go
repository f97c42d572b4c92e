package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchback/bot/config"
)

// Policy is flow's part of the organisation document: who the people are, where messages go, and how long things may
// take. Everything has a default but the name, the zone and the people.
type Policy struct {
	Name             string            `yaml:"name" jsonschema_description:"What the company is called in messages."`
	Zone             string            `yaml:"zone" jsonschema_description:"IANA time zone of the customer-service platform, such as America/Los_Angeles."`
	Opening          Opening           `yaml:"opening" jsonschema_description:"When your team works, per weekday: 08:00-18:00 or closed. Outside, only owners are asked."`
	People           []Someone         `yaml:"people" jsonschema_description:"Who works here, by their accounts."`
	Responders       []string          `yaml:"responders" jsonschema_description:"Names from people who may confirm, restore, extend and take over. Two at least."`
	Groups           []string          `yaml:"-"` // names of chat platforms' groups whose members are responders too
	FourEyes         bool              `yaml:"four_eyes" jsonschema_description:"A change needs a second person (default false); a restore never does. After 5 minutes without one its owner may go on alone, with a reason."`
	Approvers        []string          `yaml:"approvers" jsonschema_description:"Names from people who may be that second person. Left out: the responders."`
	Backup           string            `yaml:"backup" jsonschema_description:"Who is named when the owner does not answer."`
	Channels         []Route           `yaml:"channels" jsonschema_description:"Where outages are posted; the first that fits a channel is its home."`
	Inside           Route             `yaml:"inside" jsonschema_description:"Where the work goes when a routed channel is shared with another organisation."`
	Drills           Route             `yaml:"drills" jsonschema_description:"A channel for drills. Left out: only who starts one sees it."`
	Surfaces         []string          `yaml:"-"` // the chat platforms that are set up; none: the one that an outage begins on
	VoiceInbox       VoiceInbox        `yaml:"voice_inbox" jsonschema_description:"Who answers the default Voice inbox: told when voicemails begin to arrive there, and at the end."`
	Deadline         config.Duration   `yaml:"deadline" jsonschema_description:"How long after a change the owner is asked to restore it (default 4h)."`
	Ladder           []Rung            `yaml:"ladder" jsonschema_description:"Who is reminded when, relative to the deadline."`
	Escalate         bool              `yaml:"-"` // a pager is set up: reminders from the third rung on go there too
	RestoreByItself  string            `yaml:"restore_by_itself" jsonschema:"enum=never,enum=at_deadline" jsonschema_description:"never (default): at the deadline somebody is asked. at_deadline: what the bot set, and nobody changed since, is put back."`
	PageAtNight      bool              `yaml:"page_at_night" jsonschema_description:"Mention the whole group outside opening hours too (default false)."`
	Ways             []WayToUs         `yaml:"ways" jsonschema_description:"How customers can reach you. Texts name only those that work."`
	WaitingFor       map[string]string `yaml:"waiting_for" jsonschema_description:"Contact of those we may wait for: gladly, it, carrier, network."`
	ChatMessage      string            `yaml:"chat_message" jsonschema_description:"What visitors read while chat is closed; {ways} becomes the ways that work."`
	SupportFormURL   string            `yaml:"support_form_url" jsonschema_description:"The platform's form for people who cannot log in."`
	StatusPageEmail  []string          `yaml:"status_page_email" jsonschema_description:"Names from people who get the platform's status page by e-mail. Two at least: only e-mail comes with every update."`
	ReadyTo          string            `yaml:"ready_to" jsonschema_description:"Who is reminded once a month of what is not ready for an outage. Left out: the backup."`
	StatusPageURL    string            `yaml:"status_page_url" jsonschema_description:"Where people read the platform's status page."`
	NotYet           config.Duration   `yaml:"not_yet" jsonschema_description:"After how long 'Not yet' asks again (default 15m)."`
	AskThreadAfter   config.Duration   `yaml:"ask_thread_after" jsonschema_description:"After how long without an answer a question goes to the thread (default 10m)."`
	Practice         bool              `yaml:"-"` // the company is one to practise on
	EndUnconfirmedAt config.Duration   `yaml:"end_unconfirmed_after" jsonschema_description:"After how long without any answer a wait is ended as not confirmed (default 24h)."`

	zone *time.Location // of Zone; nil until WithDefaults
}

// Someone is one person and their accounts. Two accounts of one entry are one person.
type Someone struct {
	Name        string `yaml:"name" jsonschema_description:"How the person is named on cards, without @."`
	Slack       string `yaml:"slack" jsonschema_description:"Slack member id, such as U012AB3CD."`
	Teams       string `yaml:"teams" jsonschema_description:"Teams (Entra) object id."`
	Email       string `yaml:"email" jsonschema_description:"Counts where the chat platform proves it, as Slack does. Teams proves none: there a person is known by teams alone."`
	Terminal    string `yaml:"terminal" jsonschema_description:"Name in bot chat."`
	Zone        string `yaml:"zone" jsonschema_description:"The person's own time zone, if it is another one."`
	GladlyAdmin bool   `yaml:"gladly_admin" jsonschema_description:"May click in Gladly's settings."`
}

// Route is a channel for outages of some customer channels.
type Route struct {
	For      []string `yaml:"for" jsonschema_description:"voice, chat, sms, social, email, login; empty means all."`
	Slack    string   `yaml:"slack" jsonschema_description:"The id of a Slack channel: C034EF5GH."`
	Teams    string   `yaml:"teams" jsonschema_description:"The id of a channel of Teams: 19:0a1b2c3d4e5f@thread.tacv2."`
	Terminal string   `yaml:"terminal" jsonschema_description:"A channel's name in bot chat."`
}

// WayToUs is one way in which customers reach the company.
type WayToUs struct {
	Channel string `yaml:"channel" jsonschema_description:"voice, chat, sms, social, email or form."`
	Text    string `yaml:"text" jsonschema_description:"As customers read it: write to help@example.com."`
}

// Rung is one step of the ladder of reminders.
type Rung struct {
	Before config.Duration `yaml:"before" jsonschema_description:"Before the deadline; without before and after: at the deadline."`
	After  config.Duration `yaml:"after" jsonschema_description:"After the deadline."`
	To     []string        `yaml:"to" jsonschema_description:"owner, thread, channel, group."`
	Every  config.Duration `yaml:"every" jsonschema_description:"Repeats the last rung."`
}

// at is the moment of the rung relative to the deadline.
func (r Rung) at() time.Duration { return time.Duration(r.After - r.Before) }

// Opening is when the team works, by weekday in lower case.
type Opening map[string]Span

// Span is the open part of a day, in minutes after midnight. The zero value is closed.
type Span struct{ From, To int }

// UnmarshalText reads "08:00-18:00" or "closed".
func (s *Span) UnmarshalText(text []byte) error {
	if string(text) == "closed" {
		*s = Span{}
		return nil
	}
	var fh, fm, th, tm int
	if n, err := fmt.Sscanf(string(text), "%d:%d-%d:%d", &fh, &fm, &th, &tm); n != 4 || err != nil {
		return fmt.Errorf("%q is not like 08:00-18:00 or closed", text)
	}
	*s = Span{fh*60 + fm, th*60 + tm}
	if s.From < 0 || s.To > 24*60 || s.From >= s.To || fm > 59 || tm > 59 {
		return fmt.Errorf("%q does not end after it begins", text)
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Span) MarshalText() ([]byte, error) {
	if s == (Span{}) {
		return []byte("closed"), nil
	}
	return fmt.Appendf(nil, "%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60), nil
}

const atDeadline = "at_deadline"

// Channels are the customer channels that a playbook, a route, a way and a status page's component may name.
func Channels() []string { return []string{"voice", "chat", "sms", "social", "email", "login"} }

// WithDefaults returns p with everything filled in that was left out.
func (p Policy) WithDefaults() Policy {
	set := func(d *config.Duration, v time.Duration) {
		if *d == 0 {
			*d = config.Duration(v)
		}
	}
	p.zone = nil // perhaps of another Zone
	p.zone = p.Location()
	set(&p.Deadline, 4*time.Hour)
	set(&p.NotYet, 15*time.Minute)
	set(&p.AskThreadAfter, 10*time.Minute)
	set(&p.EndUnconfirmedAt, 24*time.Hour)
	if p.Ladder == nil {
		p.Ladder = []Rung{
			{Before: config.Duration(15 * time.Minute), To: []string{"owner"}},
			{To: []string{"owner", "thread"}},
			{After: config.Duration(15 * time.Minute), To: []string{"thread", "channel"}},
			{After: config.Duration(time.Hour), To: []string{"group"}, Every: config.Duration(time.Hour)},
		}
	}
	return p
}

// Check reports what is wrong with the policy, each at its path in the document.
func (p Policy) Check(d *config.Document, at string) config.Problems {
	var out config.Problems
	add := func(path, format string, args ...any) { out = append(out, d.Problem(at+"."+path, format, args...)) }
	if p.Name == "" {
		add("name", "the organisation needs a name")
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" {
		add("zone", "%q is not a time zone such as America/Los_Angeles", p.Zone)
	}
	known := map[string]bool{}
	accounts := map[string]string{}
	for i, s := range p.People {
		path := fmt.Sprintf("people.%d", i)
		if s.Name == "" {
			add(path, "a person needs a name")
		}
		if known[s.Name] {
			add(path+".name", "%q stands here twice", s.Name)
		}
		known[s.Name] = true
		if _, err := time.LoadLocation(s.Zone); err != nil {
			add(path+".zone", "%q is not a time zone such as Europe/Berlin", s.Zone)
		}
		for _, a := range s.accounts() {
			if other, ok := accounts[a]; ok {
				add(path, "%s belongs to %q already", a, other)
			}
			accounts[a] = s.Name
		}
	}
	name := func(path, n string) {
		if !known[n] {
			add(path, "%q is not in people%s", n, didYouMean(n, slices.Sorted(maps.Keys(known))))
		}
	}
	for i, n := range p.Responders {
		name(fmt.Sprintf("responders.%d", i), n)
	}
	for i, n := range p.Approvers {
		name(fmt.Sprintf("approvers.%d", i), n)
	}
	if len(p.Approvers) > 0 && !p.FourEyes {
		add("approvers", "nobody asks them: four_eyes is not true")
	}
	for i, n := range p.VoiceInbox.People {
		name(fmt.Sprintf("voice_inbox.people.%d", i), n)
	}
	for i, n := range p.StatusPageEmail {
		name(fmt.Sprintf("status_page_email.%d", i), n)
	}
	if p.Backup != "" {
		name("backup", p.Backup)
	}
	if p.ReadyTo != "" {
		name("ready_to", p.ReadyTo)
	}
	channel := func(path, c string, more ...string) {
		if all := append(Channels(), more...); !slices.Contains(all, c) {
			add(path, "%q is not one of %s%s", c, strings.Join(all, ", "), didYouMean(c, all))
		}
	}
	for i, r := range p.Channels {
		for k, c := range r.For {
			channel(fmt.Sprintf("channels.%d.for.%d", i, k), c)
		}
	}
	for i, w := range p.Ways {
		channel(fmt.Sprintf("ways.%d.channel", i), w.Channel, "form")
	}
	if p.Ladder != nil && (len(p.Ladder) == 0 || p.Ladder[len(p.Ladder)-1].at() < 0) {
		add("ladder", "the last rung must not lie before the deadline, or nobody would be reminded")
	}
	for i, r := range p.Ladder {
		if len(r.To) == 0 {
			add(fmt.Sprintf("ladder.%d", i), "names nobody (to:)")
		}
		if i > 0 && r.at() <= p.Ladder[i-1].at() {
			add(fmt.Sprintf("ladder.%d", i), "each rung comes after the one before it")
		}
		if r.Before != 0 && r.After != 0 {
			add(fmt.Sprintf("ladder.%d", i), "before and after the deadline at once")
		}
		for k, to := range r.To {
			all := []string{"owner", "thread", "channel", "group"}
			if !slices.Contains(all, to) {
				add(fmt.Sprintf("ladder.%d.to.%d", i, k), "%q is not one of %s%s", to, strings.Join(all, ", "), didYouMean(to, all))
			}
		}
		if r.Every != 0 && (r.Every < 0 || i != len(p.Ladder)-1) {
			add(fmt.Sprintf("ladder.%d.every", i), "only the last rung repeats")
		}
	}
	if r := p.RestoreByItself; r != "" && r != "never" && r != atDeadline {
		add("restore_by_itself", "%q is neither never nor at_deadline%s", r, didYouMean(r, []string{"never", atDeadline}))
	}
	for day := range p.Opening {
		if !slices.Contains(weekdays(), day) {
			add("opening."+day, "%q is not a weekday%s", day, didYouMean(day, weekdays()))
		}
	}
	for path, d := range map[string]config.Duration{
		"deadline": p.Deadline, "not_yet": p.NotYet, "ask_thread_after": p.AskThreadAfter, "end_unconfirmed_after": p.EndUnconfirmedAt,
	} {
		if d < 0 || d > config.Duration(7*24*time.Hour) {
			add(path, "must lie between 0 and 7 days")
		}
	}
	return out
}

// Warnings reports what is allowed, and will be missed on a bad night.
func (p Policy) Warnings(d *config.Document, at string) config.Problems {
	var out config.Problems
	warn := func(path, text string) {
		w := d.Problem(at+"."+path, "%s", text)
		w.Warning = true
		out = append(out, w)
	}
	switch len(p.Responders) {
	case 0:
		warn("responders", "nobody may confirm a change; name two people")
	case 1:
		warn("responders", "only one person may confirm and restore; name a second")
	}
	if p.FourEyes && slices.ContainsFunc(p.Responders, func(n string) bool {
		return !slices.ContainsFunc(p.approvers(), func(a string) bool { return !p.same(Person{ID: a}, Person{ID: n}) })
	}) {
		warn("four_eyes", "somebody who may confirm has no second person to ask; name one more")
	}
	admins := 0
	for _, s := range p.People {
		if s.GladlyAdmin {
			admins++
		}
	}
	if admins < 2 {
		warn("people", "fewer than two people have gladly_admin: true; one may be asleep")
	}
	if p.SupportFormURL == "" {
		warn("support_form_url", "missing; nobody who cannot log in will find Gladly's form")
	}
	if v := p.VoiceInbox; len(v.People) == 0 && v.Slack+v.Teams+v.Terminal == "" {
		warn("voice_inbox", "missing; nobody is told when voicemails begin to arrive in the default Voice inbox")
	}
	if len(p.StatusPageEmail) < 2 {
		warn("status_page_email", "names fewer than two people; only e-mail comes with every update of the status page")
	}
	if p.ReadyTo == "" && p.Backup == "" {
		warn("ready_to", "missing, and there is no backup; the first responder is reminded once a month of what is not ready")
	}
	if len(p.Ways) == 0 {
		warn("ways", "missing; texts cannot tell customers how else to reach you")
	}
	return out
}

func didYouMean(got string, known []string) string {
	if s := config.Suggest(got, known); s != "" {
		return fmt.Sprintf("; did you mean %q?", s)
	}
	return ""
}

func weekdays() []string {
	return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

func (s Someone) accounts() []string {
	var out []string
	for platform, id := range map[string]string{"slack": s.Slack, "teams": s.Teams, "terminal": s.Terminal} {
		if id != "" {
			out = append(out, platform+":"+id)
		}
	}
	slices.Sort(out)
	return out
}

// Who looks an account up. Somebody who is not among the people is no member until a chat platform's directory says
// so (member).
func (p Policy) Who(account string, member bool) Person {
	for _, s := range p.People {
		if slices.Contains(s.accounts(), account) {
			return p.as(s, account)
		}
	}
	_, id, _ := strings.Cut(account, ":")
	return Person{ID: account, Account: account, Name: "@" + id, Member: member}
}

// as is one of the people, acting by one of their accounts.
func (p Policy) as(s Someone, account string) Person {
	return Person{
		ID: s.Name, Account: account, Name: "@" + s.Name, Zone: s.Zone, Email: s.Email, Member: true, Admin: s.GladlyAdmin,
		Responder: slices.Contains(p.Responders, s.Name),
	}
}

// accounts are those of one of the people.
func (p Policy) accounts(name string) []string {
	i := slices.IndexFunc(p.People, func(s Someone) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return p.People[i].accounts()
}

// byEmail is the index of the person with this address, and -1 where there is none.
func (p Policy) byEmail(address string) int {
	return slices.IndexFunc(p.People, func(s Someone) bool { return address != "" && strings.EqualFold(s.Email, address) })
}

// responders are the names of those who may confirm: people, and groups.
func (p Policy) responders() []string { return slices.Concat(p.Responders, p.Groups) }

// Named finds a person by name or account, with or without @, as reached on one platform. The second result is false
// where the name is unknown.
func (p Policy) Named(name, platform string) (Person, bool) {
	name = strings.TrimPrefix(name, "@")
	for _, s := range p.People {
		if slices.Contains(s.accounts(), name) {
			return p.as(s, name), true
		}
		if !strings.EqualFold(s.Name, name) {
			continue
		}
		for _, a := range s.accounts() {
			if strings.HasPrefix(a, platform+":") {
				return p.as(s, a), true
			}
		}
		return Person{ID: s.Name, Name: "@" + s.Name, Zone: s.Zone, Member: true, Responder: slices.Contains(p.Responders, s.Name)}, true
	}
	return Person{}, false
}

// reached is Named on the first chat platform where the person has an account: this one, or another that is set up.
func (p Policy) reached(name, platform string) (Person, bool) {
	for _, on := range append([]string{platform}, p.Surfaces...) {
		if who, ok := p.Named(name, on); ok && who.Account != "" {
			return who, true
		}
	}
	return Person{}, false
}

// Location is the organisation's time zone. A policy with its defaults has it in memory: to read it for each decision
// would be to ask the disk.
func (p Policy) Location() *time.Location {
	if p.zone != nil {
		return p.zone
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Home is where outages of a customer channel live on one platform.
func (p Policy) Home(channel, platform string) Place {
	if all := p.routed(channel, platform); len(all) > 0 {
		return all[0]
	}
	return Place{Platform: platform}
}

// routed are the channels of one platform for outages of a customer channel: the first that fits, and each one that
// names it.
func (p Policy) routed(channel, platform string) []Place {
	var out []Place
	for _, r := range p.Channels {
		named := slices.Contains(r.For, channel)
		place := r.on(platform)
		if place.Channel != "" && (named || len(r.For) == 0 && len(out) == 0) && !slices.Contains(out, place) {
			out = append(out, place)
		}
	}
	return out
}

// on is the channel of a route on one platform; its Channel is empty where there is none.
func (r Route) on(platform string) Place {
	return Place{Platform: platform, Channel: map[string]string{"slack": r.Slack, "teams": r.Teams, "terminal": r.Terminal}[platform]}
}

// inside is the channel of the own organisation alone.
// command is a command of the program as people type it: without --live it means a company to practise on.
func (p Policy) command(name string, args ...string) string {
	words := []string{"bot", name}
	if !p.Practice {
		words = append(words, "--live")
	}
	return strings.Join(append(words, args...), " ")
}

func (p Policy) inside(platform string) Place { return p.Inside.on(platform) }

// IsOpen reports whether the team works at t. Without opening hours it always does.
func (p Policy) IsOpen(t time.Time) bool {
	if len(p.Opening) == 0 {
		return true
	}
	t = t.In(p.Location())
	span := p.Opening[strings.ToLower(t.Weekday().String())]
	minute := t.Hour()*60 + t.Minute()
	return span.From <= minute && minute < span.To
}

// NextOpen is the first moment at or after t at which the team works.
func (p Policy) NextOpen(t time.Time) time.Time {
	if p.IsOpen(t) {
		return t
	}
	return p.NextOpening(t)
}

// NextOpening is when the team next begins to work, after t. Without opening hours that is at eight the next morning.
func (p Policy) NextOpening(t time.Time) time.Time {
	local := t.In(p.Location())
	for day := range 8 {
		date := time.Date(local.Year(), local.Month(), local.Day()+day, 0, 0, 0, 0, p.Location())
		span := p.Opening[strings.ToLower(date.Weekday().String())]
		at := time.Date(date.Year(), date.Month(), date.Day(), span.From/60, span.From%60, 0, 0, p.Location())
		if span != (Span{}) && at.After(t) {
			return at
		}
	}
	return time.Date(local.Year(), local.Month(), local.Day()+1, 8, 0, 0, 0, p.Location())
}
