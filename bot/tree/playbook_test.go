package tree_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/tree"
)

// These tests hold the built-in playbook to Gladly's action plan and to the way people use it.

// TestEveryInstruction: whatever the action plan says stands where a person comes by at the moment when it is needed:
// before an outage, in it, or after it.
func TestEveryInstruction(t *testing.T) {
	const (
		before = "before" // among what is for quiet times
		during = "during" // at a node where answers lead to
		after  = "after"  // in what puts a change back, or among what is left to do
	)
	p := builtin(t)
	paper := collapse(text(t, p, p.Start()))
	for _, row := range []struct {
		says string // the action plan, in short
		when string
		node string
		key  string
		has  string
	}{
		// Subscribe to Gladly Status Page
		{"subscribe to the status page", before, "subscribe", "text", "Make sure that you are subscribed"},
		{"by e-mail, which carries every update", before, "subscribe", "text", "only e-mail comes whenever the page is updated"},
		{"severity and duration decide", during, "voice-agents", "text", "Severity and duration decide"},
		{"severity and duration decide", during, "chat-in", "text", "Severity and duration decide"},
		{"for extreme cases only", during, "voice-agents", "text", "extreme cases, when talking to customers is impossible"},
		{"for extreme cases only", during, "chat-in", "text", "extreme cases, when talking to customers is impossible"},

		// How to contact Gladly Support if you can't log into Gladly
		{"a form for those who cannot log in", before, "support-form", "text", "reached by a form outside Gladly"},
		{"a form for those who cannot log in", during, "login", "text", "Write to Gladly Support with the form for people who cannot log in"},

		// Voice
		{"it may be the VPN, the internet, the provider, the carrier", during, "voice-in", "text", "VPN in the company's network can stop calls in and out; so can the local internet or its provider, or the telephone carrier"},
		{"it may be the VPN, the internet, the provider, the carrier", during, "voice-agents", "text", "company's VPN, the local internet or its provider, or the telephone carrier"},
		{"it may be the VPN, the internet, the provider, the carrier", during, "voice-out", "text", "company's VPN, the local internet or its provider, or the telephone carrier"},
		{"callers cannot get in: wait", during, "voice-in", "text", "Wait until it is resolved"},
		{"… for the status page if it is Gladly", during, "voice-in", "text", "If it comes from Gladly, follow the Gladly Status Page"},
		{"… or for your team if it is your network", during, "voice-in", "text", "wait for the update of the team that looks after it"},
		{"… and ask again", during, "voice-in", "again", "Can customers call in again?"},
		{"… and try it afterwards", after, "test-call", "title", "Call one of the numbers as a customer"},
		{"the message of Gladly's own, word for word", during, "login", "text", "“We’re sorry. We’re currently experiencing technical difficulties. Call back soon, and we’ll be with you as soon as we can. We apologize for the inconvenience.”"},
		{"the message of Gladly's own, word for word", during, "voice-in", "text", "“We’re sorry. We’re currently experiencing technical difficulties. Call back soon, and we’ll be with you as soon as we can. We apologize for the inconvenience.”"},
		{"… which cannot be changed", during, "login", "text", "you cannot change it"},
		{"… which cannot be changed", during, "voice-in", "text", "You cannot change it"},
		{"… phones cannot be turned off then", during, "login", "text", "do not try to turn the phones off there"},

		{"callers reach nobody: phones off for a while, all calls to voicemail", during, "voice-agents", "text", "turn the phones off for a while: all incoming calls go straight to voicemail"},
		{"… practised", before, "practise", "text", "phones to voicemail"},
		{"strive to inform customers", before, "texts", "title", "Prepare the texts for customers"},
		{"strive to inform customers", during, "voice-agents", "text", "Tell your customers about it"},
		{"strive to inform customers", during, "voice-agents", "tell", "We cannot take phone calls at the moment"},
		{"… and undo that", after, "take-down", "title", "Take down the banner and the posts"},
		{"as an Administrator", before, "administrators", "title", "two Gladly Administrators"},
		{"as an Administrator", during, "voice-agents", "by_hand", "You need to be a Gladly Administrator"},
		{"as an Administrator", during, "chat-in", "by_hand", "You need to be a Gladly Administrator"},
		{"1 Settings > IVR", before, "voicemail-only", "text", "As an Administrator, go to Settings > IVR"},
		{"2 Create New IVR", before, "voicemail-only", "text", "Click Create New IVR"},
		{"3 the name", before, "voicemail-only", "text", `Enter "Voicemail Only" as the IVR name`},
		{"4 Start Building", before, "voicemail-only", "text", "Click Start Building"},
		{"5 the template", before, "voicemail-only", "text", "Click Voicemail Only under Select a template"},
		{"6 the message, word for word", before, "voicemail-only", "text", "“Thanks for contacting us! We are currently not taking phone calls, but you can leave us a voicemail, and we'll get back to you as soon as possible. Please leave a voicemail with your name, number and reason for calling and we'll get back to you soon!”"},
		{"… may be edited", before, "voicemail-only", "text", "You can edit it"},
		{"… or be a recording", before, "voicemail-only", "text", "click Text to Speech, then Recording, and upload it"},
		{"… which says, word for word", before, "voicemail-only", "text", "“Hi, thanks for reaching out to us. Our phone system is currently unavailable. You can leave us a voicemail or, if you prefer, contact us via email. We look forward to connecting with you.”"},
		{"7 Publish", before, "voicemail-only", "text", "Click Publish"},
		{"8 a note", before, "voicemail-only", "text", `Enter "new voicemail only message", or any other note`},
		{"1–8 if that was never done", during, "voice-agents", "by_hand", "create and publish it first: Settings > IVR > Create New IVR"},
		{"9 Settings > Voice", during, "voice-agents", "by_hand", "Go to Settings > Voice"},
		{"10 hover over a number and click", during, "voice-agents", "by_hand", "Move the mouse over a number that customers call, and click"},
		{"11 note the Initial IVR", before, "usual-values", "text", "For every number: its Initial IVR"},
		{"11 note the Initial IVR", during, "voice-agents", "by_hand", "Write down the number and the name of its present Initial IVR"},
		{"do not change the Queue IVR", during, "voice-agents", "by_hand", "Do NOT change the Queue IVR"},
		{"do not change the Queue IVR", after, "voice-agents", "back", "Do NOT change the Queue IVR"},
		{"12 select Voicemail Only", during, "voice-agents", "by_hand", `Under Initial IVR, select "Voicemail Only"`},
		{"… for every such number", before, "usual-values", "text", "the IVR that callers should hear in an outage"},
		{"… for every such number", during, "voice-agents", "by_hand", "Do the same for every number"},
		{"13 Save; customers now hear your message", during, "voice-agents", "by_hand", "Click Save. Callers of this number now hear your message"},
		{"voicemails go to the default Voice inbox", during, "voice-agents", "by_hand", "Tell the team of the default Voice inbox"},
		{"voicemails go to the default Voice inbox", after, "voicemails", "title", "Answer the voicemails in the default Voice inbox"},
		{"voicemails go to the default Voice inbox", after, "tell-voice-team", "title", "Tell the team of the default Voice inbox"},
		{"put the Initial IVR back, and Save", after, "voice-agents", "back", "Under Initial IVR, select the IVR that you wrote down for this number"},
		{"put the Initial IVR back, and Save", after, "voice-agents", "back", "Click Save"},

		{"agents cannot call out: wait", during, "voice-out", "text", "Wait until it is resolved"},
		{"… or e-mail or SMS, if available", during, "voice-out", "text", "by e-mail or SMS, if you have it"},
		{"… or e-mail or SMS, if available", during, "voice-out", "meanwhile", "email sms"},
		{"… and call back", after, "call-back", "title", "Call back the customers"},

		// Chat
		{"customers cannot chat in", during, "chat", "options", "Customers cannot start a chat"},
		{"… or long delays", during, "chat", "options", "chats reach agents late"},
		{"… close the Glad App, tell of other channels", during, "chat-in", "text", "Close the Glad App on your website for a while"},
		{"… display other channels", during, "chat-in", "tell", "Please try again later, or {ways}"},
		{"1 Settings > Glad App", during, "chat-in", "by_hand", "Go to Settings > Glad App"},
		{"2 find it, Configure", during, "chat-in", "by_hand", "Find the affected Glad App, click the icon beside it, and select Configure"},
		{"3 Closed on the affected day", during, "chat-in", "by_hand", "click the Closed box next to it"},
		{"… on each day that it lasts", during, "chat-in", "by_hand", "beyond midnight there, do the same for the next day"},
		{"4 note the message", before, "usual-values", "text", "the whole Chat Unavailable message"},
		{"4 note the message", during, "chat-in", "by_hand", "Copy the present message to a safe place"},
		{"… edit it: later, or another way", during, "chat-in", "by_hand", "ask customers to try again later, or give another way to reach you that works"},
		{"5 Save", during, "chat-in", "by_hand", "Click Save"},
		{"uncheck Closed", after, "chat-in", "back", "Uncheck the Closed box next to each day that you closed"},
		{"the message as it was, and Save", after, "chat-in", "back", "Put the old message back exactly"},
		{"the message as it was, and Save", after, "chat-in", "back", "Click Save"},
		{"agents cannot reply, or late", during, "chat", "options", "Agents cannot reply, or replies reach customers late"},
		{"… e-mail or call, say so", during, "chat-out", "text", "Write an e-mail to the customer, or call: say that chat has a problem"},
		{"… go on helping until it is resolved", during, "chat-out", "text", "go on helping them that way until it is resolved"},
		{"… e-mail or call", during, "chat-out", "meanwhile", "email voice"},
		{"… who was left waiting", after, "chats-waiting", "title", "left waiting"},

		// SMS
		{"SMS in: may not reach Gladly or an inbox", during, "sms-in", "text", "it may not reach Gladly, or not the right inbox"},
		{"… let it pass", during, "sms-in", "text", "Let it pass"},
		{"… asynchronous, a longer SLA than voice", during, "sms-in", "text", "need not be answered at once"},
		{"SMS replies: let it pass", during, "sms-out", "text", "Let it pass"},
		{"… or another channel until it is resolved", during, "sms-out", "text", "reach the customer another way, by phone for example, until it is resolved"},
		{"… or another channel until it is resolved", during, "sms-out", "meanwhile", "voice"},
		{"… answer those hours", after, "sms-hours", "title", "Answer the SMS of those hours"},

		// Social Messaging
		{"is it the network itself?", during, "social-start", "text", "Is it the social network itself, Facebook Messenger for example?"},
		{"cannot start: wait", during, "social-start-network", "text", "Wait until the social network has solved it"},
		{"cannot start: wait", during, "social-start-gladly", "text", "Wait until it is resolved"},
		{"… for the network", during, "social-start-network", "for", "network"},
		{"… and monitor the status page", during, "social-start-network", "text", "Gladly Status Page for updates"},
		{"… and monitor the status page", during, "social-start-gladly", "text", "Gladly Status Page for updates"},
		{"… works again?", after, "social-start-gladly", "again", "Can customers start a social message again?"},
		{"agents receive nothing: wait, follow up later", during, "social-arriving", "text", "Wait until it is resolved, and follow up with messages later"},
		{"… follow up", after, "social-follow-up", "title", "Follow up on the social messages of those hours"},

		// Email
		{"very rare", during, "email", "text", "very rare"},
		{"wait", during, "email", "text", "Wait until it is resolved"},
		{"hours to days: resolved before a reply is due", during, "email", "text", "it will most likely work again before an answer is due"},
		{"customers may not realize", during, "email", "text", "your customers may not notice"},
		{"call, if you know the number", during, "email", "text", "call a customer, if you know the phone number"},
		{"call, if you know the number", during, "email", "meanwhile", "voice"},
		{"… answer those hours", after, "email-hours", "title", "Answer the e-mails of those hours"},
	} {
		n, ok := p.Node(row.node)
		if !ok {
			t.Errorf("%s: %q: there is no node %q", row.when, row.says, row.node)
			continue
		}
		if got := value(n, row.key); !strings.Contains(got, row.has) {
			t.Errorf("%s: %q: %s of node %q is\n\t%s\nwant in it\n\t%s", row.when, row.says, row.key, row.node, got, row.has)
		}
		if row.key == "text" && !strings.Contains(paper, row.has) {
			t.Errorf("%s: %q: not in the paper version", row.when, row.says)
		}
		var met bool
		switch row.when {
		case before:
			met = slices.Contains(p.Ready(), row.node)
		case during:
			met = p.Path(row.node) != nil
		case after:
			met = row.key == "back" || row.key == "again" || leftBy(p, row.node)
		}
		if !met {
			t.Errorf("%s: %q: nobody meets node %q then", row.when, row.says, row.node)
		}
	}
}

// value is what a person reads of a node under a key of the playbook.
func value(n tree.Node, key string) string {
	switch key {
	case "title":
		return n.Title
	case "text":
		return collapse(n.Text)
	case "tell":
		return n.Tell
	case "for":
		return n.For
	case "by_hand":
		return strings.Join(n.ByHand, "\n")
	case "back":
		return strings.Join(n.Back, "\n")
	case "meanwhile":
		return strings.Join(n.Meanwhile, " ")
	case "again":
		return n.Again.Text
	case "options":
		var labels []string
		for _, o := range n.Options {
			labels = append(labels, o.Label)
		}
		return strings.Join(labels, "\n")
	}
	return ""
}

// leftBy reports whether an outage leaves this to do.
func leftBy(p tree.Tree, id string) bool {
	return slices.ContainsFunc(p.Leaves(), func(leaf string) bool {
		n, _ := p.Node(leaf)
		return slices.Contains(n.After, id)
	})
}

func text(t *testing.T, p tree.Tree, from string) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Text(&b, from); err != nil {
		t.Fatalf("Text(%s): %v", from, err)
	}
	return b.String()
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestPaperIsWhole: the paper version has every word that a person could need, and no line too wide for paper.
func TestPaperIsWhole(t *testing.T) {
	p := builtin(t)
	paper := text(t, p, p.Start())
	for _, id := range p.IDs() {
		n, _ := p.Node(id)
		want := slices.Concat([]string{n.Title, n.Affects, strings.ReplaceAll(n.Tell, "{ways}", "[how else to reach you]")},
			n.ByHand, n.Back, strings.Split(n.Text, "\n\n"))
		if n.Kind != tree.Advise {
			want = append(want, "Source: "+n.Source)
		}
		for _, o := range n.Options {
			want = append(want, o.Label+": go to ")
		}
		for _, s := range want {
			if !strings.Contains(collapse(paper), collapse(s)) {
				t.Errorf("%s: the paper version lacks %q", id, s)
			}
		}
	}
	for line := range strings.Lines(paper) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 78 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestFirstMenu: six entries, in this order.
func TestFirstMenu(t *testing.T) {
	p := builtin(t)
	n, _ := p.Node(p.Start())
	var got []string
	for _, o := range n.Options {
		got = append(got, o.Label)
	}
	want := []string{"Voice", "Chat", "SMS", "Social messaging", "E-mail", "Nobody can log in"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the first menu, -want +got:\n%s", diff)
	}
}

// TestLeaves: where answers lead to, what changes something, and the words for it.
func TestLeaves(t *testing.T) {
	p := builtin(t)
	var got []string
	for _, id := range p.Leaves() {
		n, _ := p.Node(id)
		got = append(got, id+" | "+string(n.Kind)+" | "+p.Command(id))
		path, rest := p.Find(p.Start(), strings.Fields(p.Command(id)))
		if diff := cmp.Diff(p.Path(id), path); diff != "" || len(rest) > 0 {
			t.Errorf("Find(%s) leaves %q, -want +got:\n%s", p.Command(id), rest, diff)
		}
	}
	want := []string{
		"voice-in | wait | voice in",
		"voice-agents | change | voice agents",
		"voice-out | wait | voice out",
		"chat-in | change | chat late",
		"chat-out | wait | chat out",
		"sms-in | wait | sms in",
		"sms-out | wait | sms reply",
		"social-start-network | wait | social start yes",
		"social-start-gladly | wait | social start no",
		"social-arriving | wait | social arriving",
		"email | wait | email",
		"login | wait | login",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("leaves, -want +got:\n%s", diff)
	}
	// Every outage has a text for customers that names only what works, and something left to do; every wait asks.
	for _, id := range p.Leaves() {
		n, _ := p.Node(id)
		if !strings.Contains(n.Tell, "{ways}") {
			t.Errorf("%s: tell names no other ways: %q", id, n.Tell)
		}
		if !slices.Contains(n.After, "take-down") || len(n.After) < 2 {
			t.Errorf("%s: left to do afterwards: %q", id, n.After)
		}
		if n.Kind != tree.Wait {
			continue
		}
		if got := fmt.Sprint(n.Every); got != "[30m 1h 2h]" {
			t.Errorf("%s: asks every %s", id, got)
		}
		if n.Again.Yes != tree.Done || n.Again.No != id || !strings.HasSuffix(n.Again.Text, " again?") {
			t.Errorf("%s: asks %+v", id, *n.Again)
		}
	}
	login, _ := p.Node("login")
	if diff := cmp.Diff([]string{"close-chat", "phones-to-voicemail"}, login.Offer); diff != "" {
		t.Errorf("what is still possible when nobody can log in, -want +got:\n%s", diff)
	}
}

// TestWords: what the playbook never says. It is read on every chat platform, by people who never saw the code.
func TestWords(t *testing.T) {
	never := regexp.MustCompile(`(?i)\b(flags?|guided|baselines?|capsules?|drift(s|ed)?|leases?|leaf)\b|\b(Slack|Teams|Microsoft|Discord)\b`)
	for i, line := range strings.Split(string(tree.Builtin()), "\n") {
		if word := never.FindString(line); word != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			t.Errorf("playbook.yaml:%d: %q", i+1, word)
		}
	}
}

// TestFits: a question with its way back is one message, also where a platform draws six buttons.
func TestFits(t *testing.T) {
	p := builtin(t)
	for _, id := range p.IDs() {
		n, _ := p.Node(id)
		room := card.MaxButtons - 1
		if id == p.Start() {
			room = card.MaxButtons
		}
		if len(n.Options) > room {
			t.Errorf("%s: %d options, room for %d", id, len(n.Options), room)
		}
	}
}
