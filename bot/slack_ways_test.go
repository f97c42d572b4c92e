package main

import (
	"net/url"
	"strings"
	"testing"

	"switchback/bot/config"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
)

// closed has chat closed by ana, and returns the outage's message.
func (n *slackNight) closed() *story.Message {
	n.t.Helper()
	n.ana.Types("#support", "/outage chat late")
	n.ana.Sees("Web shop", "open → closed").Press("Close Web shop now")
	return n.support.Shows("Web shop", "Restore…")
}

// Every word after /outage has an answer, with nothing open and with something.
func TestSlackEveryWord(t *testing.T) {
	t.Parallel()
	n := inSlack(t)
	for _, c := range [][2]string{ // the bare one first: later a walk is under way
		{"", "What is affected?"},
		{"help", "What you can say"},
		{"status", "Nothing is open"},
		{"ready", "Ready for an outage?"},
		{"history", "What happened"},
		{"page", "bot outages --live"},
		{"history 12 Nov", "What happened on"},
		{"restore", "Nothing is open"},
		{"extend", "Nothing is open"},
		{"handover @sam", "Nothing is open"},
		{"take", "Nothing is open"},
		{"abandon", "Nothing is open"},
		{"note hello", "Nothing is open"},
		{"statsu", "Did you mean: /outage status?"},
		{"chat", "What happens in chat?"},
		{"voice", ""},
		{"sms", ""},
		{"social", ""},
		{"email", ""},
		{"login", "Nobody can log in"},
		{"extend soon", "Nothing is open"},
		{"chat-00000000", "I do not know"},
	} {
		words, want := c[0], c[1]
		n.ana.Types("#support", strings.TrimSpace("/outage "+words))
		n.ana.Alone(want)
		n.ana.Reloads()
	}
	n.closed()
	for words, want := range map[string]string{
		"note the team knows": "Added to the timeline", "status": "1 open", "extend soon": "I do not know the time", "abandon": "Give up the way back?",
		"abandon the shop is gone": "Reason: the shop is gone", "restore voice-00000000": "is not open", "history": "Chat",
	} {
		n.sam.Types("#support", "/outage "+words)
		if words == "abandon" {
			n.sam.Form(want).Close()
			continue
		}
		n.sam.Alone(want)
		n.sam.Reloads()
	}
	n.sam.Types("#support", "/outage handover @kim")
	n.kim.Alone("@sam asks you to look after an outage").Press("I look after it")
	n.support.Shows("Web shop", "@kim looks after it")
	n.sam.Types("#support", "/outage take")
	n.support.Shows("Web shop", "@sam looks after it")
	n.sam.Types("#support", "/outage extend 2h")
	n.support.Shows("Web shop", "@sam looks after it. I ask at")
	n.sam.Types("#support", "/outage restore")
	n.support.Thread("Web shop").Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
}

// The other ways in: the bot's name in a thread and outside, a direct message, a conversation of two people, shortcuts.
func TestSlackOtherWaysIn(t *testing.T) {
	t.Parallel()
	n := inSlack(t)
	n.slack.AddChannel(slacktest.Channel{ID: "D0TWO", Private: true, Members: []string{"U0ANA", "U0KIM"}})
	n.ana.Types("D0TWO", "/outage chat late") // the bot is not in there
	confirm := n.ana.Alone("Web shop", "open → closed")
	n.kim.Hides("open → closed")
	confirm.Press("Close Web shop now")
	chat := n.support.Shows("Web shop", "Restore…")

	n.sam.Types("", "voice reach nobody")
	n.sam.Alone("Orders").Press("Send 1 number to voicemail now, then show me the clicks for 1 number")
	n.support.Shows("VOICE", "Restore…")

	n.kim.Mentions("#support", chat, "note the web team knows")
	n.kim.Alone("Added to the timeline of chat-")
	n.kim.Mentions("#support", nil, "status")
	n.kim.Alone("2 open")

	n.kim.Shortcut("report")
	n.kim.Alone("What is affected?").Press("SMS")
	n.kim.Alone("What happens")

	n.lee.Types("#support", "customers say that the shop's chat is gone")
	said := n.support.Shows("customers say").As(n.sam)
	said.Shortcut("start")
	if m := n.sam.Alone("What is affected?"); m.Raw().Thread != said.Raw().TS {
		t.Errorf("the menu came into thread %q, want %q", m.Raw().Thread, said.Raw().TS)
	}
	said.Shortcut("timeline")
	n.sam.Alone("Which one?").Press("CHAT – Chat cannot be started, or arrives late (" + n.id(chat) + ")")
	n.sam.Alone("Added to the timeline of chat-")
	chat.Shows("customers say that the shop's chat is gone")
}

// id is the name of the outage whose message it is.
func (n *slackNight) id(home *story.Message) string { return outageIDs.FindString(home.String()) }

// The Home tab shows what is open and what its reader may do; its buttons work from there. A form whose trigger is too
// old is offered by a card.
func TestSlackHomeAndForms(t *testing.T) {
	n := inSlack(t)
	n.lee.Home("Nothing is open", "You may look and practise").Press("Ready for an outage?")
	n.lee.Alone("Ready for an outage?", "Gladly administrators", "Look again")
	home := n.closed()
	n.sam.Home("1 open", "You may confirm a change, restore", "Web shop", "Everything about it is in").Press("One hour more")
	home.Shows("@ana looks after it")
	n.sam.Home("1 open").Press("Hand over…")
	n.sam.Form("Hand over to whom?").Close()

	n.slack.Fail(slacktest.Fault{Kind: slacktest.Refused, Method: "views.open", Error: "expired_trigger_id"})
	home.As(n.sam).Press("Hand over…")
	n.sam.Alone("Hand over to whom?", "Open the form").Press("Open the form")
	form := n.sam.Form("Hand over to whom?").Fill("Name", "@kim")
	if errs := form.Submit(); len(errs) > 0 {
		t.Errorf("errors %v", errs)
	}
	n.kim.Alone("@sam asks you to look after an outage").Press("I cannot")
	n.ana.Alone("@kim cannot take over")
}

// Night 9: guests, and people of other organisations in a channel that became shared: one neutral sentence, and title,
// state and end.
func TestSlackStrangers(t *testing.T) {
	t.Parallel()
	n := inSlack(t)
	home := n.closed()
	n.slack.AddUser(slacktest.User{ID: "U0EVE", Name: "eve", Team: "T0PARTNER"})
	n.slack.AddUser(slacktest.User{ID: "U0GUS", Name: "gus", Guest: true})
	n.slack.ChangeChannel("C0SUPPORT", func(c *slacktest.Channel) { c.Members = append(c.Members, "U0EVE", "U0GUS") })
	n.slack.Share(t.Context(), "C0SUPPORT")
	const neutral = "This belongs to acme's support team. Your account cannot use it."
	for _, name := range []string{"eve", "gus"} {
		p := n.Person(name)
		home.As(p).Press("Restore…")
		p.Alone(neutral)
		p.Mentions("#support", home, "restore")
		p.Alone(neutral)
	}
	n.Person("gus").Types("#support", "/outage status")
	n.Person("gus").Home(neutral)
	n.sam.Types("#support", "/outage note the partner reads along")
	now := home.Shows("CHAT – being worked on since")
	if now.Has("Web shop") || now.Has("partner") || now.Has("Restore") {
		t.Errorf("the shared channel shows\n%s", now)
	}
	n.sam.Types("#support", "/outage restore")
	n.ana.Alone("Put everything back now").Press("Put everything back now") // the owner: no channel is left that is not shared
	home.Shows("CHAT – ended")
}

// Rights by user group: whoever is in it may confirm. While nobody can tell who is in it nothing is changed, and whom it
// had a moment ago may put back.
func TestSlackUserGroups(t *testing.T) {
	t.Parallel()
	n := inSlack(t)
	n.lee.Types("#support", "/outage chat late")
	confirm := n.lee.Sees("Web shop", "open → closed")
	confirm.Press("Close Web shop now")
	n.lee.Alone("You are not one of the responders")
	n.slack.SetGroup(t.Context(), "S0ONCALL", "U0LEE")
	n.lee.Types("#support", "/outage chat late")
	n.lee.Sees("Web shop", "open → closed").Press("Close Web shop now")
	home := n.support.Shows("Web shop", "Restore…")

	n.slack.Fail(slacktest.Fault{Kind: slacktest.Refused, Method: "usergroups.users.list", Error: "fatal_error", Times: -1})
	n.slack.SetGroup(t.Context(), "S0ONCALL", "U0LEE") // what is known is asked for anew
	n.lee.Types("#support", "/outage voice reach nobody")
	n.lee.Alone("Orders").Press("Send 1 number to voicemail now, then show me the clicks for 1 number")
	n.lee.Alone("I cannot find out right now whether you are one of the responders")
	home.As(n.lee).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.lee).Press("Put everything back now")
	n.support.Shows("open again", "Restored")
}

// An app that was installed for a whole organisation says so to whoever uses it, in each way.
func TestSlackOrganisationWide(t *testing.T) {
	t.Parallel()
	n := acmeInSlack(t, slacktest.Config{OrgWide: true})
	n.start()
	t.Cleanup(func() { n.end() })
	n.look(n.url)
	const reason = "installed for a whole organisation"
	n.ana.Types("#support", "/outage chat late")
	n.ana.Alone(reason)
	n.ana.Reloads()
	n.ana.Mentions("#support", nil, "chat late")
	n.ana.Alone(reason)
	n.support.Hides("CHAT")
}

// All of it over Socket Mode, while the line is renewed and breaks. What comes twice, the second time over HTTP, has its
// effect once.
func TestSlackOverSocketMode(t *testing.T) {
	t.Parallel()
	n := acmeInSlack(t, slacktest.Config{})
	n.slack.ConnectSocket()
	n.env.SlackAppToken = config.Secret(n.slack.Config().AppToken)
	n.start()
	t.Cleanup(func() { n.end() })
	n.look("")
	connected := func() {
		t.Helper()
		for n.slack.Sockets() == 0 {
			<-n.slack.Changed()
		}
	}
	connected()
	n.ana.Types("#support", "/outage chat late")
	n.slack.Disconnect("refresh_requested")
	confirm := n.ana.Sees("Web shop", "open → closed")
	connected()
	d := confirm.Press("Close Web shop now")
	n.slack.Drop()
	home := n.support.Shows("Web shop", "Restore…")
	connected()
	note := func() slacktest.Delivery {
		n.sam.Mentions("#support", home, "note once")
		all := n.slack.Deliveries()
		return all[len(all)-1]
	}()
	n.sam.Alone("Added to the timeline")
	for _, again := range []slacktest.Delivery{d, note} {
		q := slacktest.Request{URL: n.url + "/slack/events", Body: again.Body, ContentType: "application/json"}
		if again.Kind == "block_actions" {
			q = slacktest.Request{URL: n.url + "/slack/interactions", Body: url.Values{"payload": {again.Body}}.Encode()}
		}
		if d := n.slack.Send(t.Context(), q); !d.OK() {
			t.Errorf("once more: %+v", d)
		}
	}
	home.As(n.sam).Press("Restore…")
	home.Thread().Shows("Put everything back now").As(n.sam).Press("Put everything back now")
	now := n.support.Shows("open again", "Restored")
	if strings.Count(now.String(), "note once") > 1 || n.support.Count("Web shop") != 1 {
		t.Errorf("shown is\n%s", now)
	}
}
