package main

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
	"switchback/store"
)

// The settings of acme that people click, and the numbers.
const (
	orders, returns            = "+16505550101", "+16505550102"
	returnsIVR      change.Key = "gladly/voice/" + returns + "/initial-ivr"
	helpCentre      change.Key = "gladly/chat/help-centre/"
	oldHelp                    = "We're “closed”. See <a href=\"https://help.example.com/faq?a=1&b=2\">help</a> &amp; more ☎️\n<p>…</p>"
)

// screens is a Gladly whose screens people open, whose callers call and whose visitors visit, while the bot serves the
// same company in Slack.
type screens struct {
	*slackNight
	gladly *gladlytest.Gladly
}

// atTheScreens starts both. Orders' menu has a Data Dip that asks the bot, and Web shop's page asks it; Returns and Help
// centre are clicked. Returns shows another menu than the document has.
func atTheScreens(t *testing.T) *screens {
	t.Helper()
	n := acmeInSlack(t, slacktest.Config{})
	n.edit = func(o *organisation) {
		message := oldHelp
		app := o.Gladly.Apps[0]
		app.ID, app.Name, app.Way, app.Origins, app.Message = "help-centre", "Help centre", "", nil, &message
		o.Gladly.Apps = append(o.Gladly.Apps, app)
	}
	n.start()
	t.Cleanup(func() { n.end() })
	n.look(n.url)
	g := gladlytest.New(gladlytest.Setup{
		Zone: time.UTC, Administrators: []string{"ana", "sam"},
		IVRs: []gladlytest.IVR{
			{Name: "Main menu", Published: true, Says: "Press 1.", Dip: &gladlytest.Dip{
				URL: n.url + "/flags/voice?number={{._companyNumber}}", User: "ivr", Password: "open-sesame", Variable: "state", Equals: "voicemail", Then: "Voicemail Only",
			}},
			{Name: "Snow day", Published: true, Says: "We open late today."},
			{Name: "Queue music", Published: true},
		},
		Numbers: []gladlytest.Number{{Number: orders, InitialIVR: "Main menu", QueueIVR: "Queue music"}, {Number: returns, InitialIVR: "Snow day", QueueIVR: "Queue music"}},
		Apps: []gladlytest.App{
			{ID: "web-shop", Hours: gladlytest.Week("00:00", "24:00"), Unavailable: "Hello!"},
			{ID: "help-centre", Name: "Help centre", Hours: gladlytest.Week("08:00", "20:00"), Unavailable: oldHelp},
		},
	})
	return &screens{n, g}
}

// admin is somebody's look at Gladly's settings.
func (s *screens) admin(name string) *gladlytest.Admin {
	s.t.Helper()
	a, err := s.gladly.SignIn(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// shows is what a setting shows there.
func (s *screens) shows(k change.Key) string {
	s.t.Helper()
	raw, err := s.admin("ana").See(k)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// sets is a person's hands.
func (s *screens) sets(who string, k change.Key, raw string) {
	s.t.Helper()
	if err := s.admin(who).Do(k, raw); err != nil {
		s.t.Fatalf("%s sets %s: %v", who, k, err)
	}
}

// hears calls a number until a caller comes where they should: the bot reads its flags once a second.
func (s *screens) hears(number string, voicemail bool) {
	s.t.Helper()
	var heard gladlytest.Heard
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if heard, err = s.gladly.Call(s.t.Context(), number); err != nil {
			s.t.Fatal(err)
		}
		if heard.Voicemail == voicemail {
			return
		}
	}
	s.t.Fatalf("a caller of %s hears %+v, want voicemail %v", number, heard, voicemail)
}

// visits opens a page of the web shop until a visitor meets what they should.
func (s *screens) visits(chat bool) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var seen gladlytest.Seen
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if seen, err = s.gladly.VisitPage(s.t.Context(), gladlytest.Page{App: "web-shop", Flag: s.url + "/flags/chat/web-shop", Origin: "https://shop.example.com", Client: client}, time.Now()); err != nil {
			s.t.Fatal(err)
		}
		if seen.Chat == chat {
			return
		}
	}
	s.t.Fatalf("a visitor meets %+v, want chat %v", seen, chat)
}

// steps are what the outage of a home message asks of people, as it is on record.
func (s *screens) steps(home *story.Message) []change.Step {
	s.t.Helper()
	_, r, err := store.Flow{Store: s.store}.Outage(s.t.Context(), s.id(home))
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(r.Value.Steps, func(st change.Step) bool { return st.Way != change.Guided })
}

// Nights 2, 3 and 6 about voice, at Gladly's own screens: the IVR is created in the outage, one number's menu asks the bot
// and the other is clicked, it showed something else than was known, nobody can log in for a while, and all comes back.
// A drill before it changes nothing, neither there nor for callers.
func TestVoiceAtGladlysScreens(t *testing.T) {
	t.Parallel()
	s := atTheScreens(t)
	s.hears(orders, false)

	s.ana.Types("#support", "/outage drill voice agents")
	s.ana.Sees("DRILL", "Orders").Press("Send 1 number to voicemail now, then show me the clicks for 1 number")
	s.ana.Sees("DRILL", "still to do by hand").Press("I click")
	s.ana.Sees("do NOT save", "What does it show?").Press("All as listed")
	s.ana.Sees("DRILL", "Do NOT save").Press("Seen; nothing was saved")
	s.hears(orders, false)
	if got := s.shows(returnsIVR); got != "Snow day" {
		t.Errorf("after a drill Returns shows %q", got)
	}

	s.sam.Types("#support", "/outage voice agents")
	s.sam.Sees("Orders", "Returns").Press("Send 1 number to voicemail now, then show me the clicks for 1 number")
	home := s.support.Shows("VOICE", "Restore…")
	thread := home.Thread()
	s.ana.Sees("The drill is over: a real outage of voice began")

	// The menu is not there yet: one creates it as the card says, the other notes meanwhile what the number shows.
	first := thread.Shows("First: does the IVR “Voicemail Only” exist").As(s.ana)
	first.Press("No: I create it")
	first = first.Shows("@ana creates the IVR", "Create New IVR", "Publish").As(s.ana)
	thread.Shows("still to do by hand", "I click").As(s.sam).Press("I click")
	thread.Shows("what does Settings > Voice show?").As(s.sam).Press("Some differ…")
	if errs := s.sam.Form("What does Settings > Voice show?").Fill("+1 650 555 0102 Returns, Initial IVR", s.shows(returnsIVR)).Submit(); len(errs) > 0 {
		t.Fatalf("errors %v", errs)
	}
	thread.Shows("Which should come back for +1 650 555 0102 Returns", "known from before is Main menu").As(s.kim).Press("Snow day")
	thread.Shows("The clicks come when “Voicemail Only” is published")
	if err := errors.Join(
		s.admin("ana").CreateIVR(gladlytest.IVR{Name: "Voicemail Only", Says: "Thanks for contacting us!", Voicemail: true}),
		s.admin("ana").PublishIVR("Voicemail Only", "new voicemail only message"),
	); err != nil {
		t.Fatal(err)
	}
	first.Press("It is published")
	s.hears(orders, true)
	s.hears(returns, false)

	// Nobody can log in just now: it goes to somebody who can later, and who looks first.
	s.gladly.NobodyCanLogIn(true)
	clicks := thread.Shows("@sam, now click in Settings > Voice", "DO NOT change the Queue IVR").As(s.sam)
	if _, err := s.gladly.SignIn("sam"); !errors.Is(err, gladlytest.ErrNoLogin) {
		t.Fatalf("sam signs in: %v", err)
	}
	clicks.Press("I cannot log in")
	thread.Shows("@sam cannot log in to Gladly. Can anybody?")
	home.Shows("Returns STILL reach nobody")
	s.gladly.NobodyCanLogIn(false)
	thread.Shows("look first: somebody may have clicked", "I click").As(s.ana).Press("I click")
	thread.Shows("Look first: what does Gladly show for +1 650 555 0102 Returns").As(s.ana).Press(s.shows(returnsIVR))
	clicks = thread.Shows("@ana, now click in Settings > Voice", "Snow day → Voicemail Only").As(s.ana)
	s.sets("ana", returnsIVR, "Voicemail Only")
	clicks.Press("Saved")
	s.hears(returns, true)
	thread.Shows("Call +1 650 555 0102 Returns as a customer: voicemail heard?").As(s.ana).Press("Yes")

	home.As(s.kim).Press("Restore…")
	thread.Shows("Voicemail Only → Snow day", "Put everything back now").As(s.kim).Press("Put everything back now")
	s.hears(orders, false)
	thread.Shows("free, to be put back", "I click").As(s.sam).Press("I click")
	clicks = thread.Shows("@sam, now click in Settings > Voice", "Voicemail Only → Snow day").As(s.sam)
	s.sets("sam", returnsIVR, "Snow day")
	clicks.Press("Saved")
	s.hears(returns, false)
	home.Shows("Returns as before", "Restored")
	if got := s.shows(returnsIVR); got != "Snow day" {
		t.Errorf("at the end Returns shows %q", got)
	}
	if len(s.gladly.Voicemails()) == 0 {
		t.Error("nobody left a message")
	}
}

// Night 1 at Gladly's own screens: Web shop's page asks the bot and Help centre is clicked; each weekday and the message
// come back, the message byte for byte from the field that it is given back in.
func TestChatAtGladlysScreens(t *testing.T) {
	t.Parallel()
	s := atTheScreens(t)
	peace, err := s.admin("ana").App("help-centre")
	if err != nil {
		t.Fatal(err)
	}
	s.visits(true)
	s.ana.Types("#support", "/outage chat late")
	s.ana.Sees("Web shop", "Help centre").Press("Close Web shop now, then show me the clicks for Help centre")
	home := s.support.Shows("CHAT", "Restore…")
	thread := home.Thread()
	s.visits(false)
	home.Shows("Help centre STILL OPEN")
	take := func(board *story.Message) {
		board.Press(regexp.MustCompile(`I click: take all \d+`).FindString(board.String()))
	} // days and a message
	work := func(who *story.Person, name, title string, to func(change.Step) string) {
		t.Helper()
		clicks := thread.Shows(title, "One Save, at the end").As(who)
		clicks.Press("Copy the text…")
		form := who.Form("Copy the text")
		text := form.Value("Help centre, message")
		form.Close()
		for _, st := range s.steps(home) {
			raw := to(st)
			if strings.HasSuffix(string(st.Key), "unavailable-message") {
				raw = text // what is to be copied is all that people have
			}
			s.sets(name, st.Key, raw)
		}
		clicks.Press("Saved")
	}
	take(thread.Shows("still to do by hand", "I click").As(s.sam))
	thread.Shows("Before you click: what does Settings > Glad App > Help centre > Configure show?").As(s.sam).Press("All as listed")
	work(s.sam, "sam", "@sam, now click in", func(st change.Step) string { return string(st.Want.Raw) })
	home.Shows("CLOSED")
	home.Now().Shows("Help centre, message")
	thread.Shows("as a customer: is chat closed?").As(s.sam).Press("Yes")

	home.As(s.kim).Press("Restore…")
	thread.Shows("Put everything back now").As(s.kim).Press("Put everything back now")
	s.visits(true)
	take(thread.Shows("free, to be put back", "I click").As(s.ana))
	work(s.ana, "ana", "@ana, now click in", func(st change.Step) string { return string(st.Before.Value.Raw) })
	home.Shows("open again", "Restored")
	now, err := s.admin("ana").App("help-centre")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(peace, now); diff != "" {
		t.Errorf("Help centre's page after the night (-before +after):\n%s", diff)
	}
}

// Night 3 at Gladly's own screens: nobody can log in while clicks wait. What asks the bot protects customers all the same,
// no card asks for a click meanwhile, and when somebody can log in again everything is put back.
func TestNobodyCanLogInAtGladlysScreens(t *testing.T) {
	t.Parallel()
	s := atTheScreens(t)
	if err := errors.Join(
		s.admin("ana").CreateIVR(gladlytest.IVR{Name: "Voicemail Only", Says: "Thanks for contacting us!", Voicemail: true}),
		s.admin("ana").PublishIVR("Voicemail Only", "new voicemail only message"),
	); err != nil {
		t.Fatal(err)
	}
	s.sam.Types("#support", "/outage voice agents")
	s.sam.Sees("Orders", "Returns").Press("Send 1 number to voicemail now, then show me the clicks for 1 number")
	voice := s.support.Shows("VOICE", "Restore…")
	s.hears(orders, true)

	s.gladly.NobodyCanLogIn(true)
	s.kim.Types("#support", "/outage everything")
	s.kim.Sees("Web shop").Press("Close Web shop now")
	login := s.support.Shows("LOGIN", "Restore…")
	s.visits(false)
	board := voice.Thread().Shows("Nobody can log in to Gladly right now, so this waits. Do not try to click.")
	if strings.Contains(board.String(), "I click") {
		t.Errorf("a card asks for a click:\n%s", board)
	}

	s.gladly.NobodyCanLogIn(false)
	login.As(s.kim).Press("Restore…")
	login.Thread().Shows("Put everything back now").As(s.kim).Press("Put everything back now")
	s.visits(true)
	s.kim.Types("#support", "/outage restore "+s.id(voice))
	voice.Thread().Shows("Put everything back now").As(s.kim).Press("Put everything back now")
	s.hears(orders, false)
	voice.Shows("Returns as before", "Restored") // nobody was sent to click
	if got := s.shows(returnsIVR); got != "Snow day" {
		t.Errorf("Returns shows %q", got)
	}
}
