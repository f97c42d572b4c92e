package tree_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/tree"
)

// small is a playbook with all that a playbook can have. The tests break one thing of it each.
const small = `ready: [paper]
nodes:
  start:
    kind: ask
    text: What is affected?
    options:
      - {label: Chat, aliases: [chat, web chat], goto: chat-in}
      - {label: Mail, aliases: [mail], goto: mail}
  chat-in:
    kind: change
    title: Chat is down
    channel: chat
    text: Close it.
    action: close-chat
    affects: New visitors
    by_hand: [Click Closed.]
    back: [Click again.]
    meanwhile: [email]
    tell: Please {ways}.
    after: [answer]
    source: Chat
  mail:
    kind: wait
    title: Mail is down
    channel: email
    text: Wait.
    for: gladly
    every: [30m, 1h]
    again: {text: Better?, yes: done, no: mail}
    offer: [close-chat]
    source: Mail
  answer: {kind: advise, title: Answer them, text: All of them., source: Chat}
  paper: {kind: advise, title: Print this, text: Today., source: Chat}
`

func TestProblems(t *testing.T) {
	long := strings.Repeat("x", 2501)
	tests := []struct {
		name     string
		old, new string // what is changed in small; "" for old means that new is the file
		want     []string
	}{
		{"nothing wrong", "text: Close it.", "text: Close it now.", nil},

		// The file.
		{"empty", "", "", []string{"p.yaml:1:1: the file is empty"}},
		{"syntax", "ready: [paper]", "ready: [paper", []string{"p.yaml:2:6: did not find expected ',' or ']', while parsing a flow sequence from line 1"}},
		{"another file", "", "organisation: {name: acme}\n", []string{
			"p.yaml:1:1: organisation: unknown key",
			"p.yaml:1:1: nodes: there is no node \"start\", where the way begins",
		}},
		{"unknown keys, everywhere at once", "affects: New visitors", "afects: New visitors\n    sauce: hot", []string{
			`p.yaml:15:5: nodes.chat-in.afects: unknown key; did you mean "affects"?`,
			`p.yaml:16:5: nodes.chat-in.sauce: unknown key; did you mean "source"?`,
		}},
		{"prose in braces is two keys", "text: Today.,", "text: Today, or tomorrow,", []string{
			"p.yaml:33:57: nodes.paper.or tomorrow: unknown key",
		}},
		{"a node twice", "  answer: {", "  mail: {kind: advise, title: Again, text: Again., source: Mail}\n  answer: {", []string{
			"p.yaml:32:3: nodes.mail: given twice; first on line 22",
		}},
		{"a list for a text", "title: Chat is down", "title: [Chat, is, down]", []string{"p.yaml:11:12: nodes.chat-in.title: want text, got a list"}},
		{"no duration", "every: [30m, 1h]", "every: [30m, often]", []string{
			`p.yaml:28:18: nodes.mail.every.1: want a duration such as 30m, 1h30m or 2d, got "often"`,
		}},

		// Ids and targets.
		{"no start", "  start:", "  begin:", []string{`p.yaml:2:1: nodes: there is no node "start", where the way begins`}},
		{"a misspelt target is one problem, not two", "goto: chat-in", "goto: chat-inn", []string{
			`p.yaml:7:56: nodes.start.options.0.goto: there is no node "chat-inn"; did you mean "chat-in"?`,
		}},
		{"a target that nobody meant", "goto: mail", "goto: nowhere", []string{
			`p.yaml:8:46: nodes.start.options.1.goto: there is no node "nowhere"`,
			"p.yaml:22:3: nodes.mail: nothing leads here",
		}},
		{"a question ends nothing", "goto: mail", "goto: done", []string{
			`p.yaml:8:46: nodes.start.options.1.goto: "done" ends an outage; only the answers of again may lead there`,
			"p.yaml:22:3: nodes.mail: nothing leads here",
		}},
		{"a node called done", "  paper: {", "  done: {", []string{
			`p.yaml:1:9: ready.0: there is no node "paper"`,
			`p.yaml:33:3: nodes.done: "done" is no node: it is where an answer leads when the outage is over`,
		}},
		{"a bad id", "  answer: {", "  Answer: {", []string{
			`p.yaml:20:13: nodes.chat-in.after.0: there is no node "answer"; did you mean "Answer"?`,
			"p.yaml:32:3: nodes.Answer: an id is at most 40 lower-case letters and digits, with single dashes between",
		}},
		{"misspelt answers of again", "yes: done, no: mail}", "yes: don, no: mial}", []string{
			`p.yaml:29:33: nodes.mail.again.yes: there is no node "don"; did you mean "done"?`,
			`p.yaml:29:42: nodes.mail.again.no: there is no node "mial"; did you mean "mail"?`,
		}},
		{"unreachable", "after: [answer]", "after: [paper]", []string{"p.yaml:32:3: nodes.answer: nothing leads here"}},

		// Ways that do not end.
		{"a loop", "  answer: {", "  a: {kind: ask, text: A?, options: [{label: B, goto: b}, {label: C, goto: mail}]}\n  b: {kind: ask, text: B?, options: [{label: A, goto: a}]}\n  answer: {", []string{
			"p.yaml:32:3: nodes.a: nothing leads here",
			"p.yaml:33:3: nodes.b: nothing leads here",
			"p.yaml:33:55: nodes.b.options.0.goto: leads in a circle: a → b → a",
		}},
		{"a question that leads to itself", "goto: mail}", "goto: start}", []string{
			"p.yaml:8:46: nodes.start.options.1.goto: leads in a circle: start → start",
			"p.yaml:22:3: nodes.mail: nothing leads here",
		}},
		{"a dead end", "  mail:\n    kind: wait", "  mail:\n    kind: ask", []string{
			"p.yaml:22:3: nodes.mail: a dead end: a question without options",
			`p.yaml:24:12: nodes.mail.title: does not belong to the kind "ask", only to "advise", "change", "wait"`,
			`p.yaml:25:14: nodes.mail.channel: does not belong to the kind "ask", only to "change", "wait"`,
			`p.yaml:27:10: nodes.mail.for: does not belong to the kind "ask", only to "wait"`,
			`p.yaml:28:5: nodes.mail.every: does not belong to the kind "ask", only to "wait"`,
			`p.yaml:29:5: nodes.mail.again: does not belong to the kind "ask", only to "wait"`,
			`p.yaml:30:5: nodes.mail.offer: does not belong to the kind "ask", only to "wait"`,
			`p.yaml:31:13: nodes.mail.source: does not belong to the kind "ask", only to "advise", "change", "wait"`,
		}},
		{"options without label or goto", "{label: Mail, aliases: [mail], goto: mail}", "{label: Mail}\n      - {goto: mail}", []string{
			"p.yaml:8:9: nodes.start.options.1: a dead end: no goto",
			"p.yaml:9:9: nodes.start.options.2: no label",
		}},

		// What people type.
		{"an alias twice", "aliases: [mail]", "aliases: [mail, Web  CHAT]", []string{
			`p.yaml:8:39: nodes.start.options.1.aliases.1: "web chat" is what option 1 is called already`,
		}},
		{"an alias that is another label", "aliases: [mail]", "aliases: [mail, Chat!]", []string{
			`p.yaml:8:39: nodes.start.options.1.aliases.1: "chat" is what option 1 is called already`,
		}},
		{"a command of the bot", "aliases: [mail]", "aliases: [mail, Restore mail]", []string{
			`p.yaml:8:39: nodes.start.options.1.aliases.1: "restore" is a command of the bot`,
		}},
		{"a label that is a command", "{label: Mail,", "{label: Help,", []string{`p.yaml:8:17: nodes.start.options.1.label: "help" is a command of the bot`}},
		{"an empty alias", "aliases: [mail]", `aliases: [mail, ""]`, []string{"p.yaml:8:39: nodes.start.options.1.aliases.1: an empty alias"}},

		// Words that are known.
		{"no kind", "    kind: change\n", "", []string{"p.yaml:9:3: nodes.chat-in: no kind: one of ask, advise, change, wait"}},
		{"kind", "kind: change", "kind: chnage", []string{
			`p.yaml:10:11: nodes.chat-in.kind: "chnage" is not one of ask, advise, change, wait; did you mean "change"?`,
		}},
		{"action", "action: close-chat", "action: close-caht", []string{
			`p.yaml:14:13: nodes.chat-in.action: "close-caht" is not one of close-chat, phones-to-voicemail; did you mean "close-chat"?`,
		}},
		{"offer", "offer: [close-chat]", "offer: [close-chat, close-chat, fly]", []string{
			`p.yaml:30:25: nodes.mail.offer.1: "close-chat" stands here twice`,
			`p.yaml:30:37: nodes.mail.offer.2: "fly" is not one of close-chat, phones-to-voicemail`,
		}},
		{"channel and for", "channel: email\n    text: Wait.\n    for: gladly", "channel: mail\n    text: Wait.\n    for: galdly", []string{
			`p.yaml:25:14: nodes.mail.channel: "mail" is not one of voice, chat, sms, social, email, login; did you mean "email"?`,
			`p.yaml:27:10: nodes.mail.for: "galdly" is not one of gladly, it, carrier, network; did you mean "gladly"?`,
		}},
		{"meanwhile", "meanwhile: [email]", "meanwhile: [chat, login]", []string{
			`p.yaml:18:17: nodes.chat-in.meanwhile.0: "chat" is the channel that is broken`,
			`p.yaml:18:23: nodes.chat-in.meanwhile.1: "login" is not one of voice, chat, sms, social, email`,
		}},
		{"a placeholder", "{ways}", "{way}", []string{"p.yaml:19:11: nodes.chat-in.tell: {way} means nothing here; only {ways} does"}},
		{"after and ready are advice", "after: [answer]", "after: [answer, mail, answer, papr]", []string{
			`p.yaml:20:21: nodes.chat-in.after.1: "mail" has the kind "wait"; only advise can be listed here`,
			`p.yaml:20:27: nodes.chat-in.after.2: "answer" stands here twice`,
			`p.yaml:20:35: nodes.chat-in.after.3: there is no node "papr"; did you mean "paper"?`,
		}},

		// What every node of a kind must have.
		{"a bare change", "    by_hand: [Click Closed.]\n    back: [Click again.]\n", "", []string{
			"p.yaml:9:3: nodes.chat-in: no by_hand: how a person does it when the bot cannot",
			"p.yaml:9:3: nodes.chat-in: a change without a way back: back is missing",
		}},
		{"a wait that does not ask", "    every: [30m, 1h]\n    again: {text: Better?, yes: done, no: mail}\n", "", []string{
			"p.yaml:22:3: nodes.mail: no every: when to ask, such as [30m, 1h, 2h]",
			"p.yaml:22:3: nodes.mail: no again: what to ask, and where the answers lead",
		}},
		{"a question half asked", "again: {text: Better?, yes: done, no: mail}", "again: {yes: done}", []string{
			"p.yaml:29:5: nodes.mail.again: no text",
			"p.yaml:29:5: nodes.mail.again: no no",
		}},
		{"asking without a pause", "every: [30m, 1h]", "every: [30m, 1s]", []string{"p.yaml:28:18: nodes.mail.every.1: too often: at least 1m"}},
		{"no title, text, source", "{kind: advise, title: Answer them, text: All of them., source: Chat}", "{kind: advise}", []string{
			"p.yaml:32:3: nodes.answer: no title",
			"p.yaml:32:3: nodes.answer: no text",
			"p.yaml:32:3: nodes.answer: no source: the passage of the guidance that it comes from",
		}},
		{"keys of another kind", "{kind: advise, title: Answer them,", "{kind: advise, title: Answer them, action: close-chat,", []string{
			`p.yaml:32:54: nodes.answer.action: does not belong to the kind "advise", only to "change"`,
		}},

		// What fits.
		{"title", "Chat is down", long[:151], []string{"p.yaml:11:12: nodes.chat-in.title: 151 characters, at most 150"}},
		{"question", "What is affected?", long[:151], []string{"p.yaml:5:11: nodes.start.text: 151 characters, at most 150"}},
		{"label", "label: Mail", "label: " + long[:76], []string{"p.yaml:8:17: nodes.start.options.1.label: 76 characters, at most 75"}},
		{"texts", "text: Close it.", "text: " + long, []string{"p.yaml:13:11: nodes.chat-in.text: 2501 characters, at most 2500"}},
		{"instructions", "[Click again.]", `["", ` + long + "]", []string{
			"p.yaml:17:12: nodes.chat-in.back.0: an empty instruction",
			"p.yaml:17:16: nodes.chat-in.back.1: 2501 characters, at most 2500",
		}},
		{"options", "      - {label: Mail,", strings.Repeat("      - {label: Mail, goto: mail}\n", 9) + "      - {label: Mail,", append(
			[]string{"p.yaml:6:5: nodes.start.options: 11 options, at most 10"},
			"p.yaml:9:17: nodes.start.options.2.label: \"mail\" is what option 2 is called already",
			"p.yaml:10:17: nodes.start.options.3.label: \"mail\" is what option 2 is called already",
			"p.yaml:11:17: nodes.start.options.4.label: \"mail\" is what option 2 is called already",
			"p.yaml:12:17: nodes.start.options.5.label: \"mail\" is what option 2 is called already",
			"p.yaml:13:17: nodes.start.options.6.label: \"mail\" is what option 2 is called already",
			"p.yaml:14:17: nodes.start.options.7.label: \"mail\" is what option 2 is called already",
			"p.yaml:15:17: nodes.start.options.8.label: \"mail\" is what option 2 is called already",
			"p.yaml:16:17: nodes.start.options.9.label: \"mail\" is what option 2 is called already",
			"p.yaml:17:17: nodes.start.options.10.label: \"mail\" is what option 2 is called already",
			"p.yaml:17:33: nodes.start.options.10.aliases.0: \"mail\" is what option 2 is called already",
		)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := test.new
			if test.old != "" {
				if strings.Count(small, test.old) != 1 {
					t.Fatalf("%q stands %d times in the playbook", test.old, strings.Count(small, test.old))
				}
				text = strings.Replace(small, test.old, test.new, 1)
			}
			p, err := tree.Parse("p.yaml", []byte(text), change.Actions())
			var got []string
			if problems, ok := errors.AsType[config.Problems](err); ok {
				for _, q := range problems {
					got = append(got, q.String())
				}
			} else if err != nil {
				t.Fatalf("Parse: %T, want config.Problems", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Parse, -want +got:\n%s", diff)
			}
			if (len(p.IDs()) == 0) != (err != nil) {
				t.Errorf("Parse: a tree of %d nodes with error %v", len(p.IDs()), err)
			}
		})
	}
}

func TestTooManyNodes(t *testing.T) {
	many := "nodes:\n"
	for i := range 501 {
		many += "  n" + strings.Repeat("x", i) + ": {}\n"
	}
	_, err := tree.Parse("p.yaml", []byte(many), nil)
	if want := "p.yaml:1:1: nodes: 501 nodes, at most 500"; err == nil || err.Error() != want {
		t.Errorf("Parse = %v, want %s", err, want)
	}
}
