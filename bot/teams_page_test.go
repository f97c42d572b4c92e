package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchback/handlers/statuspage"
	"switchback/handlers/statuspage/statuspagetest"
)

// From the page to Teams and back: told at once in the routed channel, its history in the thread, what gets worse and
// the end as posts that everybody there sees; the branch started from its message, and put back from the question at the
// end.
func TestTeamsPage(t *testing.T) {
	t.Parallel()
	n := inTeams(t, false)
	page := statuspagetest.New("Gladly", "Channels / Voice", "Channels / Chat", "Reports")
	web := httptest.NewServer(page)
	t.Cleanup(web.Close)
	t.Cleanup(page.Close)
	n.end()
	n.env.PagesSecret = hookSecret
	n.start(n.doc + "  pages: [{id: gladly, name: Gladly, url: '" + web.URL + "', components: [{name: Chat, for: [chat]}]}]\n")
	n.teams.Connect(n.url + "/api/messages")
	page.Subscribe(n.url+statuspage.HookPath+"gladly/"+hookSecret, http.DefaultClient)

	id := page.Open("Chats arrive late", "minor", "investigating", "We look into <b>it</b>.<br>@channel <at>everybody</at> [x](http://evil.example)",
		statuspagetest.Set{Component: "Chat", Status: "degraded_performance"})
	root := n.support.Shows("Gladly's page: Chats arrive late", "Investigating", "Start the chat playbook", "Not affecting us")
	if text := root.String(); strings.Contains(text, "<at>") || strings.Contains(text, "<b>") || strings.Contains(text, "[x](") {
		t.Errorf("markup or a mention came through: %s", text)
	}
	n.support.Thread("Gladly's page: Chats arrive late").Shows("Investigating", "We look into it.")

	root.As(n.ana).Press("Start the chat playbook")
	n.ana.Sees("What happens in chat?").Press("Customers cannot start a chat, or chats reach agents late")
	n.ana.Sees("Web shop", "open → closed", "Gladly's page: “Chats arrive late”").Press("Close Web shop now")
	n.support.Shows("CHAT", "Gladly's page: Chats arrive late", "Restore…")
	n.support.Shows("Gladly's page: Chats arrive late", "Being worked on: CHAT")

	page.Update(id, "identified", "Found it.")
	n.support.Shows("Gladly's page: Chats arrive late", "Identified", "Being worked on: CHAT")
	history := n.support.Thread("Gladly's page: Chats arrive late", "Being worked on: CHAT")
	history.Shows("Found it.")
	page.Update(id, "identified", "More of them.", statuspagetest.Set{Component: "Chat", Status: "major_outage"})
	n.support.Shows("Worse: Chat: degraded performance → major outage", "More of them.")
	history.Shows("Worse: Chat: degraded performance → major outage", "Said in the channel.")

	page.Update(id, "resolved", "Fixed.", statuspagetest.Set{Component: "Chat", Status: "operational"})
	n.support.Shows("Gladly says resolved", "Restore chat?", "Still down for us").As(n.sam).Press("Restore…")
	n.sam.Sees("Gladly's page: nothing reported, “Chats arrive late” is over since", "Put everything back now").Press("Put everything back now")
	n.support.Shows("open again")
	n.support.Shows("Gladly's page: Chats arrive late", "Over: resolved")
	if c := n.support.Count("Start the chat playbook"); c != 0 {
		t.Errorf("%d messages still offer to start the branch", c)
	}
	posts := 0
	for _, m := range n.teams.Messages("support", "") {
		if m.Root == m.ID {
			posts++
		}
	}
	if posts != 4 { // the incident, what got worse, the outage, and the question at the end
		t.Errorf("%d posts in the channel, want 4", posts)
	}
}
