package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/tree"
)

// This file is for peace time: what an outage will need, and who last said that it is there.

const (
	staleAfter  = 90 * 24 * time.Hour // for what people said, and for drills
	silentAfter = 24 * time.Hour      // of opening hours: a page or a phone menu that has not asked since does not reach anybody
	readyWithin = 5 * time.Second     // for all that is looked up
	longAgo     = 60 * 24 * time.Hour // longer than any 24 hours of opening take

	readyName  = "all"     // of the one document and its timers
	monthTimer = "monthly" // looked at by itself
	remindLost = time.Hour // a look that is so late does not come any more
)

// Upkeep is what is remembered of peace time beside what people said: the monthly look at whether all is ready, and the
// end of the log of their words.
type Upkeep struct {
	Schema int       `json:"schema"`
	Next   time.Time `json:"next"`          // when it is looked at again
	Told   time.Time `json:"told,omitzero"` // when somebody was last reminded
	Head   string    `json:"head,omitzero"` // of the audit chain of what people said of peace time
}

const upkeepSchema = 1

// status is how one need is met.
type status string

const (
	isReady status = "ok"
	isOld   status = "OLD" // it was, and nobody has looked for long
	isRed   status = "RED"
)

// need is one line of the list.
type need struct {
	status status
	what   string
	says   string // how it is, who said so and when
	next   string // what to do; empty where nothing is
	about  string // what its button is for: a screen, or one of the words below
	since  time.Time
}

// What needs are about that have a button of their own.
const (
	aboutMenus = "menus"
	aboutPage  = "page"
	aboutDrill = "drill"
)

// peace is all that can be known while all is well.
type peace struct {
	items   []item
	flags   []flagged
	byBot   []change.Resource // read by the bot itself
	menus   []string          // phone menus that an outage needs
	said    map[change.Key]change.Word
	drilled *Outage // the last drill; nil: none yet
}

// item is a setting that only a person can look at.
type item struct {
	change.Resource
	listed *change.Value // what the organisation document says; Known is that, or what somebody said since
	word   *change.Word  // whose word Known is; nil: the document's
	want   *change.Value // what an outage sets it to; nil: it may be that in peace time too
	guide  change.Guide
}

// flagged is a setting that works only where its page or phone menu asks.
type flagged struct {
	change.Resource
	asked Asked
}

// peaceNow finds out what is known in peace time. What cannot be found out is an error: nothing is called ready on a guess.
func (s *Service) peaceNow(ctx context.Context, at time.Time) (peace, error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	var out peace
	for _, name := range slices.Sorted(maps.Keys(s.platforms)) {
		p := s.platforms[name]
		all, err := p.Resources(ctx)
		if err != nil {
			return out, fmt.Errorf("list the settings: %w", err)
		}
		for _, r := range all {
			switch r.Way {
			case change.Guided:
				out.items = append(out.items, item{Resource: r, listed: r.Known, guide: p.Guide(r.Key, change.Value{})})
			case change.Flag:
				out.flags = append(out.flags, flagged{r, askedOf(ctx, p, r.Key)})
			case change.Auto:
				out.byBot = append(out.byBot, r)
			}
		}
	}
	plan := s.list(ctx, List{Actions: change.Actions(), From: at, Until: at.Add(time.Hour)})
	if plan.Error != "" {
		return out, errors.New(plan.Error)
	}
	out.menus = menusOf(plan.Plan)
	return out, s.said(ctx, &out, plan.Plan)
}

// said adds what people said, and what an outage would set.
func (s *Service) said(ctx context.Context, p *peace, plan []change.Step) error {
	var keys []change.Key
	for _, it := range p.items {
		keys = append(keys, it.Key)
	}
	for _, m := range p.menus {
		keys = append(keys, ivrKey(m))
	}
	var err error
	if p.said, err = s.store.Words(ctx, keys); err != nil {
		return fmt.Errorf("load what people said: %w", err)
	}
	for i, it := range p.items {
		if w, ok := p.said[it.Key]; ok && w.Newer(it.listed) {
			p.items[i].word, p.items[i].Known = &w, &w.Value
		}
		for _, st := range plan {
			if st.Key == it.Key && st.Day == "" {
				p.items[i].want = &st.Want
			}
		}
	}
	return nil
}

// at is when somebody last said what the setting is; zero: nobody knows.
func (it item) at() time.Time {
	if it.word != nil {
		return it.word.At
	}
	return it.AsOf
}

func (it item) by() string {
	if it.word != nil {
		return it.word.By
	}
	return "the organisation document"
}

func (it item) name() string { return it.Label + ", " + it.Name }

// screens lists the platform's screens that people have to look at, in the order of the settings.
func (p peace) screens() []string {
	var out []string
	for _, it := range p.items {
		if !it.Instead && !slices.Contains(out, it.guide.Screen) {
			out = append(out, it.guide.Screen)
		}
	}
	return out
}

func (p peace) on(screen string) []item {
	return slices.DeleteFunc(slices.Clone(p.items), func(it item) bool { return it.Instead || it.guide.Screen != screen })
}

// OpenBetween is how long the team works between two moments.
func (p Policy) OpenBetween(from, to time.Time) time.Duration {
	if !from.Before(to) {
		return 0
	}
	if len(p.Opening) == 0 {
		return to.Sub(from)
	}
	var sum time.Duration
	zone := p.Location()
	first := from.In(zone)
	for day := 0; ; day++ {
		date := time.Date(first.Year(), first.Month(), first.Day()+day, 0, 0, 0, 0, zone)
		if day > 0 && !date.Before(to) {
			return sum
		}
		span := p.Opening[strings.ToLower(date.Weekday().String())]
		opens := time.Date(date.Year(), date.Month(), date.Day(), 0, span.From, 0, 0, zone)
		closes := time.Date(date.Year(), date.Month(), date.Day(), 0, span.To, 0, 0, zone)
		if opens.Before(from) {
			opens = from
		}
		if closes.After(to) {
			closes = to
		}
		sum += max(0, closes.Sub(opens))
	}
}

// silent reports whether a page or a phone menu has not asked for 24 hours of opening, and so would not notice a flag.
func (p Policy) silent(a Asked, now time.Time) bool {
	if a.Unknown {
		return false
	}
	return now.Sub(a.Last) > longAgo || p.OpenBetween(a.Last, now) >= silentAfter
}

// isScreen reports whether the need is about a screen of the platform.
func (n need) isScreen() bool {
	return !slices.Contains([]string{"", aboutMenus, aboutPage, aboutDrill}, n.about)
}

// needs is the list: what an outage needs, as it is at that time, the worst first.
func needs(p Policy, f peace, at time.Time) []need {
	var out []need
	for _, m := range f.menus {
		out = append(out, menuNeed(m, f.said, at))
	}
	out = append(out, complete(f))
	for _, screen := range f.screens() {
		if n, ok := p.valuesNeed(screen, f.on(screen), at); ok {
			out = append(out, n)
		}
	}
	out = append(out, p.peopleNeeds()...)
	for _, fl := range f.flags {
		out = append(out, p.flagNeed(fl, at))
	}
	out = append(out, p.mailNeed())
	drill := need{status: isReady, what: "Last drill", about: aboutDrill}
	switch d := f.drilled; {
	case d == nil:
		drill.status, drill.says, drill.next = isOld, "none yet", "start one: nothing is saved in it"
	case at.Sub(d.Began) > staleAfter:
		drill.status, drill.next = isOld, "start one: nothing is saved in it"
		fallthrough
	default:
		drill.says = d.Channel + ", by " + d.Owner.Name + " " + date(p, d.Began)
	}
	out = append(out, drill)
	worst := []status{isRed, isOld, isReady}
	slices.SortStableFunc(out, func(a, b need) int { return slices.Index(worst, a.status) - slices.Index(worst, b.status) })
	return out
}

// date is a day in the organisation's zone.
func date(p Policy, t time.Time) string { return t.In(p.Location()).Format("2 Jan 2006") }

func menuNeed(name string, said map[change.Key]change.Word, at time.Time) need {
	n := need{status: isReady, what: "The IVR “" + card.Shorten(plain(name), 60) + "”", about: aboutMenus}
	w, ok := said[ivrKey(name)]
	if !ok {
		n.status, n.says = isRed, "nobody has said yet that it exists and is published; it is asked first in an outage"
		n.next = "create and publish it, or say that it is there"
		return n
	}
	if !saidPublished(said, name) {
		n.status, n.says = isRed, "is not published, says "+w.By+" "+card.Day(w.At)+"; it is asked first in an outage"
		n.next = "create and publish it, or say that it is there"
		return n
	}
	n.says = "exists and is published, says " + w.By + " " + card.Day(w.At)
	if at.Sub(w.At) > staleAfter {
		n.status, n.next = isOld, "look whether it still is"
	}
	return n
}

// complete says whether all is known that an outage may need to put back.
func complete(f peace) need {
	n := need{status: isReady, what: "Numbers and apps"}
	all := f.byBot
	var unknown []string
	for _, it := range f.items {
		if it.Instead {
			continue
		}
		all = append(all, it.Resource)
		if it.Known == nil {
			unknown = append(unknown, it.name())
			n.about = cmp.Or(n.about, it.guide.Screen)
		}
	}
	for _, fl := range f.flags {
		all = append(all, fl.Resource)
	}
	var counts []string
	for _, action := range change.Actions() {
		var targets []string
		for _, r := range all {
			if r.Action == action && !slices.Contains(targets, r.Target) {
				targets = append(targets, r.Target)
			}
		}
		counts = append(counts, counted(targets, effectOf(action).many))
	}
	n.says = list(counts)
	switch {
	case len(all) == 0:
		n.status, n.says, n.next = isRed, "the organisation document names none", "add numbers: and apps: to it"
	case len(unknown) > 0:
		n.status, n.next = isRed, "note them while all is well"
		n.says += "; not known: " + card.Shorten(list(unknown), 300)
	}
	return n
}

// valuesNeed says how old the known values of one screen are. It reports false where none is known.
func (p Policy) valuesNeed(screen string, items []item, at time.Time) (need, bool) {
	n := need{status: isReady, what: "Values of " + screen, about: screen}
	known := slices.DeleteFunc(slices.Clone(items), func(it item) bool { return it.Known == nil })
	if len(known) == 0 {
		return n, false
	}
	oldest := slices.MinFunc(known, func(a, b item) int { return a.at().Compare(b.at()) })
	n.since = oldest.at()
	switch {
	case oldest.at().IsZero():
		n.status, n.says = isOld, fmt.Sprintf("%d from the organisation document, and nobody said when they were right", len(known))
	default:
		n.says = fmt.Sprintf("%d, noted %s by %s", len(known), date(p, oldest.at()), oldest.by())
		if at.Sub(oldest.at()) > staleAfter {
			n.status = isOld
		}
	}
	if n.status != isReady {
		n.next = "compare them with " + screen
	}
	return n, true
}

// peopleNeeds are those that the organisation document answers.
func (p Policy) peopleNeeds() []need {
	who := need{status: isReady, what: "Responders", says: list(at(p.responders()))}
	if len(p.responders()) < 2 && len(p.Groups) == 0 {
		who.status, who.says, who.next = isRed, fmt.Sprintf("%d of 2", len(p.responders())), "name one more in the document (responders:)"
	}
	var names []string
	for _, s := range p.People {
		if s.GladlyAdmin {
			names = append(names, "@"+s.Name)
		}
	}
	admins := need{status: isReady, what: "Gladly administrators", says: list(names)}
	if len(names) < 2 {
		admins.status, admins.says, admins.next = isRed, fmt.Sprintf("%d of 2", len(names)), "name one more in the document (gladly_admin: true)"
	}
	form := need{status: isReady, what: "Gladly Support's form", says: p.SupportFormURL}
	if p.SupportFormURL == "" {
		form.status, form.says, form.next = isRed, "not known", "put its link into the document (support_form_url:), for the day on which nobody can log in"
	}
	texts := need{status: isReady, what: "Texts for customers", says: counted(make([]string, len(p.Ways)), "ways") + " to reach you"}
	switch {
	case len(p.Ways) == 0:
		texts.status, texts.says, texts.next = isRed, "no ways to reach you", "list them in the document (ways:), each with its channel"
	case p.ChatMessage == "":
		texts.status, texts.next = isRed, "say in the document what visitors read while chat is closed (chat_message:)"
	}
	return []need{who, admins, form, texts}
}

func (p Policy) flagNeed(f flagged, at time.Time) need {
	n := need{status: isReady, what: f.Label + "'s page"}
	put := "put the two lines back into the page"
	if f.Action == change.PhonesToVoicemail {
		n.what, put = f.Label+"'s phone menu", "put the Data Dip back into its IVR"
	}
	switch a := f.asked; {
	case a.Unknown:
		n.status, n.says, n.next = isOld, "whether it asks the bot cannot be found out now", "look again in a minute"
	case a.Last.IsZero():
		n.status, n.says, n.next = isRed, "has never asked the bot", put
	case p.silent(a, at):
		n.status, n.says, n.next = isRed, "has not asked the bot for 24 open hours, last "+card.Day(a.Last), put
	default:
		n.says = "asked the bot last " + card.Day(a.Last)
	}
	return n
}

// mailNeed is who gets the platform's status page by e-mail: only e-mail comes with every update.
func (p Policy) mailNeed() need {
	n := need{status: isReady, what: "The status page by e-mail", says: list(at(p.StatusPageEmail)), about: aboutPage}
	switch len(p.StatusPageEmail) {
	case 0:
		n.status, n.says, n.next = isRed, "nobody, as far as the document says", "subscribe two people, and name them in the document (status_page_email:)"
	case 1:
		n.status, n.says, n.next = isOld, n.says+" only", "subscribe one more, and name them in the document (status_page_email:)"
	}
	return n
}

// readyCard shows the list, or of it only what is red or old.
func readyCard(p Policy, all []need, title string, e Event, only bool) card.Card {
	c := card.Card{Tone: card.Done, Title: title, Text: []string{cmp.Or(p.Name, "Your organisation") + ", " + e.At.In(p.Location()).Format("Mon 2 Jan 15:04")}}
	var open []string
	var screen *need // to be compared first
	count := map[status]int{}
	for _, n := range all {
		count[n.status]++
		if n.status != isReady {
			c.Tone = card.Warning
			open = append(open, n.about)
		}
		if n.isScreen() && (n.status != isReady || !only) && (screen == nil || screen.status == n.status && n.since.Before(screen.since)) {
			screen = &n
		}
		if only && n.status == isReady {
			continue
		}
		f := card.Fact{Name: string(n.status) + " – " + n.what, Note: n.says}
		if n.next != "" {
			f.Note += " → " + n.next
		}
		if len(c.Facts) == card.MaxFacts-1 {
			c.Notes = append(c.Notes, "There is more: it comes when some of this is done.")
			break
		}
		c.Facts = append(c.Facts, f)
	}
	switch {
	case len(open) == 0:
		c.Text[0] += ": yes, everything"
	default:
		c.Text[0] += fmt.Sprintf(": %d red, %d old, %d ok", count[isRed], count[isOld], count[isReady])
	}
	add := func(a Action, label string) {
		a.Verb = readyVerb
		c.Buttons = append(c.Buttons, card.Button{Label: card.Shorten(label, card.MaxLabel), Action: a.Encode()})
	}
	if !only {
		c.Notes = append(c.Notes, "On paper, for the day on which neither chat nor I can be reached: bot tree --text --with-lists prints the playbook with your numbers and apps to fill in.")
	}
	if screen != nil {
		add(Action{Arg: "compare", Key: screen.about}, "Compare with "+screen.about)
	}
	if slices.Contains(open, aboutMenus) {
		add(Action{Arg: aboutMenus}, "The IVR exists and is published…")
	}
	if slices.Contains(open, aboutPage) {
		add(Action{Arg: aboutPage}, "How to subscribe")
	}
	if slices.Contains(open, aboutDrill) {
		c.Buttons = append(c.Buttons, card.Button{Label: "Start a drill", Action: Begin("drill")})
	}
	add(Action{Arg: "again"}, "Look again")
	add(Action{Arg: "playbook"}, "What the playbook says")
	if !only && !slices.Contains(open, aboutMenus) && slices.ContainsFunc(all, func(n need) bool { return n.about == aboutMenus }) {
		add(Action{Arg: aboutMenus}, "The IVR is not published any more…")
	}
	return c
}

// readyMessage begins the name of the monthly reminder.
const readyMessage = "ready/"

// standing is who is told where no outage has an owner, each on the first chat platform where they are: as the document
// says, then who stands in for owners, then the responders.
func (s *Service) standing(ctx context.Context) []Place {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var out []Place
	for _, name := range append([]string{s.policy.ReadyTo, s.policy.Backup}, s.policy.Responders...) {
		for _, platform := range s.policy.Surfaces {
			who, ok := s.policy.Named(name, platform)
			if !ok || who.Account == "" || s.deactivated(ctx, who.Account) {
				continue
			}
			if p := (Place{Platform: platform, Person: who.Account}); !slices.Contains(out, p) {
				out = append(out, p)
			}
			break
		}
	}
	return out
}

// readyVerb is the verb of the buttons of the list. They belong to no walk and no outage; Arg says what they do.
const readyVerb = "ready"

// ready answers /outage ready, and the presses on its cards.
func (s *Service) ready(ctx context.Context, b *batch, a Action, fields map[string]string) {
	say := func(c card.Card) { b.post(Show{Message: "note:" + b.id(), Place: private(b.event), Card: c}) }
	switch a.Arg {
	case aboutPage:
		say(s.readyText("subscribe"))
		return
	case "playbook":
		say(s.wantsCard())
		return
	}
	f, err := s.peaceNow(ctx, b.event.At)
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("what is ready cannot be looked up")
		say(card.Card{
			Tone: card.Trouble, Title: "What is ready cannot be looked up now", Text: []string{"Nothing was noted. Please try again in a minute."},
			Buttons: []card.Button{{Label: "Look again", Action: Action{Verb: readyVerb, Arg: "again"}.Encode()}},
		})
		return
	}
	by := b.event.By
	if attests := []string{published, unpublished, "as-listed", "differ", "differ-send"}; slices.Contains(attests, a.Arg) && !by.Responder && !by.Admin {
		say(refuseCard(s.policy, by))
		return
	}
	switch a.Arg {
	case aboutMenus:
		say(s.menusCard(f))
		return
	case published, unpublished:
		for _, m := range f.menus {
			if a.Key != "" && a.Key != shortID("", m) {
				continue
			}
			w := change.Word{Value: change.Value{Raw: []byte(a.Arg), Text: a.Arg}, By: by.Name, At: b.event.At}
			b.learn(ivrKey(m), w)
			f.said[ivrKey(m)] = w
		}
	case "compare", "as-listed", "differ", "differ-send":
		if !s.compare(b, &f, a, fields, say) {
			return
		}
	}
	f.drilled = lastDrill(b.event.Desk.Past)
	say(readyCard(s.policy, needs(s.policy, f, b.event.At), "Ready for an outage?", b.event, false))
}

func lastDrill(past []Outage) *Outage {
	for _, o := range slices.Backward(past) {
		if o.Drill {
			return &o
		}
	}
	return nil
}

// compare takes one look at a screen of the platform for the known values of peace time. It reports whether something
// was noted, so that the list is shown again.
func (s *Service) compare(b *batch, f *peace, a Action, fields map[string]string, say func(card.Card)) bool {
	screen := a.Key
	if screen == "" && len(f.screens()) > 0 {
		screen = f.screens()[0]
	}
	items := f.on(screen)
	if len(items) == 0 {
		say(card.Card{Title: "There is nothing that a person has to look at", Text: []string{"The bot reads all values itself."}})
		return false
	}
	var refused []string
	note := func(it item, v change.Value) {
		if it.want != nil && v.Equal(*it.want) {
			refused = append(refused, it.name())
			return
		}
		w := change.Word{Value: v, By: b.event.By.Name, At: b.event.At, Listed: it.listed}
		b.learn(it.Key, w)
		for i := range f.items {
			if f.items[i].Key == it.Key {
				f.items[i].word, f.items[i].Known = &w, &w.Value
			}
		}
	}
	switch a.Arg {
	case "compare":
		say(compareCard(s.policy, screen, items, ""))
		return false
	case "differ":
		b.form(Form{differForm(screen, items)})
		return false
	case "as-listed":
		if a.State != listedState(items) {
			say(compareCard(s.policy, screen, items, "The list has changed since; nothing was noted by your press."))
			return false
		}
		for _, it := range items {
			note(it, *it.Known)
		}
	case "differ-send":
		for _, it := range items {
			if text := fields[string(it.Key)]; text != "" { // empty says nothing; Blank is a value
				note(it, valueOf(change.Guide{Choices: append(knownFirst(it), it.guide.Choices...)}, text))
			}
		}
	}
	if len(refused) > 0 {
		say(card.Card{Tone: card.Warning, Title: "That is what an outage sets", Text: []string{
			"It is never taken for the value of peace time: " + card.Shorten(list(refused), 500) + ". If it was left there by an outage, put it back in Gladly first, and look again.",
		}})
	}
	if rest := f.on(screen); len(rest) > card.MaxInputs && a.Arg == "differ-send" && slices.ContainsFunc(rest, func(it item) bool { return !it.at().Equal(b.event.At) }) {
		say(compareCard(s.policy, screen, rest, "Noted. These are all; the ones that your form had no room for are not said yet."))
		return false
	}
	return true
}

func knownFirst(it item) []change.Value {
	if it.Known == nil {
		return nil
	}
	return []change.Value{*it.Known}
}

// listedState names what a list showed: an answer counts for that alone. It is empty where something is not known.
func listedState(items []item) string {
	var b strings.Builder
	for _, it := range items {
		if it.Known == nil {
			return ""
		}
		b.WriteString(string(it.Key) + "\n" + string(it.Known.Raw) + "\n")
	}
	return shortID("", b.String())
}

func compareCard(p Policy, screen string, items []item, first string) card.Card {
	c := card.Card{Title: card.Shorten("Compare with "+screen, card.MaxTitle)}
	if first != "" {
		c.Text = append(c.Text, first)
	}
	c.Text = append(c.Text, "Open "+screen+" in Gladly and look; change nothing there. In an outage these are offered as the values to put back.")
	steps, words := make([]change.Step, len(items)), map[change.Key]item{}
	for i, it := range items {
		steps[i] = change.Step{Key: it.Key, Label: it.Label, Name: it.Name, Known: it.Known}
		words[it.Key] = it
	}
	c.Facts = facts(steps, func(st change.Step) card.Fact {
		it := words[st.Key]
		if it.Known == nil {
			return card.Fact{Before: "not known"}
		}
		when := ""
		if !it.at().IsZero() {
			when = " " + date(p, it.at())
		}
		return card.Fact{Before: quoted(*it.Known), Note: "says " + it.by() + when}
	})
	label := "Some differ…"
	if state := listedState(items); state != "" {
		c.Buttons = append(c.Buttons, card.Button{Label: "All as listed", Style: card.Primary, Action: Action{Verb: readyVerb, Key: screen, State: state, Arg: "as-listed"}.Encode()})
	} else {
		label = "Note the values…"
	}
	c.Buttons = append(c.Buttons,
		card.Button{Label: label, Opens: true, Action: Action{Verb: readyVerb, Key: screen, Arg: "differ"}.Encode()},
		card.Button{Label: "Not now", Action: Action{Verb: readyVerb, Arg: "again"}.Encode()})
	return c
}

// differForm asks for the values of a screen, those first of which least is known.
func differForm(screen string, items []item) card.Card {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(x, y item) int { return x.at().Compare(y.at()) })
	var inputs []card.Input
	for _, it := range items[:min(len(items), card.MaxInputs)] {
		st := change.Step{Key: it.Key, Label: it.Label, Name: it.Name}
		if it.want != nil {
			st.Want = *it.want
		}
		now := ""
		if it.Known != nil && len(card.Fields(it.Known.Text)) == 1 {
			now = it.Known.Text
		}
		inputs = append(inputs, valueInput(st, now))
	}
	return formCard("What does "+screen+" show?", "Note it", Action{Verb: readyVerb, Key: screen, Arg: "differ-send"}.Encode(), inputs...)
}

// menusCard says how the phone menus for an outage are made, and takes somebody's word that they are published.
func (s *Service) menusCard(f peace) card.Card {
	c := s.readyText("voicemail-only")
	if len(f.menus) == 0 {
		c.Notes = append(c.Notes, "None of your numbers is sent to it by hand.")
		return c
	}
	names := make([]string, len(f.menus))
	for i, m := range f.menus {
		names[i] = "“" + card.Shorten(plain(m), 60) + "”"
	}
	c.Notes = append(c.Notes, "Your numbers need: "+card.Shorten(list(names), 500)+".")
	c.Buttons = []card.Button{
		{Label: "I have looked: all IVRs are published", Style: card.Primary, Action: Action{Verb: readyVerb, Arg: published}.Encode()},
	}
	for _, m := range f.menus { // which one is not, where somebody said that it is
		if saidPublished(f.said, m) && len(c.Buttons) < card.MaxButtons-1 {
			c.Buttons = append(c.Buttons, card.Button{
				Label:  card.Shorten("Not published any more: “"+plain(m)+"”", card.MaxLabel),
				Action: Action{Verb: readyVerb, Key: shortID("", m), Arg: unpublished}.Encode(),
			})
		}
	}
	c.Buttons = append(c.Buttons, card.Button{Label: "Not now", Action: Action{Verb: readyVerb, Arg: "again"}.Encode()})
	return c
}

// readyText is one of the playbook's texts for quiet times, in full.
func (s *Service) readyText(id string) card.Card {
	n, ok := s.tree.Node(id)
	if !ok || n.Kind != tree.Advise {
		return s.wantsCard()
	}
	return card.Card{Title: card.Shorten(n.Title, card.MaxTitle), Text: paragraphs(n.Text), Notes: source(n)}
}

// wantsCard is all that the playbook wants done before anything breaks.
func (s *Service) wantsCard() card.Card {
	c := card.Card{Title: "What the playbook wants done while all is well"}
	for _, id := range s.tree.Ready() {
		if n, ok := s.tree.Node(id); ok {
			c.Facts = append(c.Facts, card.Fact{Name: n.Title, Note: strings.ReplaceAll(n.Text, "\n\n", "\n")})
		}
	}
	return c
}

// remindMonthly makes sure that somebody is reminded once a month of what is not ready, also where the timer of it was
// lost. Several processes may do it, and each may do it again.
func (s *Service) remindMonthly(ctx context.Context) error {
	up, err := s.store.Upkeep(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	next := s.nextMonth(now)
	if last := up.Value.Next; !last.IsZero() {
		if now.Sub(last) < remindLost {
			return nil
		}
		next = s.policy.NextOpen(now)
	}
	up.Value.Schema, up.Value.Next = max(up.Value.Schema, upkeepSchema), next
	err = s.store.Save(ctx, Save{Upkeep: &up, Timers: []Timer{{readyTimers + readyName + "/" + monthTimer, up.Value.Next}}})
	if errors.Is(err, ErrConflict) { // another process was first
		return nil
	}
	return err
}

// nextMonth is a month from now, at a time at which the team works.
func (s *Service) nextMonth(now time.Time) time.Time { return s.policy.NextOpen(now.AddDate(0, 1, 0)) }

// monthly reminds of what is red or old, in one message.
func (s *Service) monthly(ctx context.Context, b *batch) error {
	up, err := s.store.Upkeep(ctx)
	if err != nil {
		return err
	}
	f, err := s.peaceNow(ctx, b.event.At)
	if err != nil {
		return err
	}
	all, err := s.store.All(ctx)
	if err != nil {
		return err
	}
	f.drilled = lastDrill(all)
	have := needs(s.policy, f, b.event.At)
	up.Value.Schema, up.Value.Next = max(up.Value.Schema, upkeepSchema), s.nextMonth(b.event.At)
	if slices.ContainsFunc(have, func(n need) bool { return n.status != isReady }) {
		if to := s.standing(ctx); len(to) > 0 {
			up.Value.Told = b.event.At
			b.post(Show{Message: readyMessage + b.event.ID, Place: to[0], Card: readyCard(s.policy, have, "Once a month: what is not ready for an outage", b.event, true)})
		} else {
			zerolog.Ctx(ctx).Warn().Msg("not everything is ready for an outage, and nobody can be reminded: ready_to names nobody who has an account here")
		}
	}
	b.save.Upkeep = &up
	b.save.Timers = append(b.save.Timers, Timer{readyTimers + readyName + "/" + monthTimer, up.Value.Next})
	return nil
}
