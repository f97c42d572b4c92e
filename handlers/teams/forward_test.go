package teams_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/teams/teamstest"
)

// What an unsigned local client sends comes in signed, with all checks on, and answers go back to it: words in a personal
// chat, a mention in a channel, a press on a card, and a post that nobody asked for.
func TestForward(t *testing.T) {
	var mu sync.Mutex
	var got []string
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		if strings.Contains(r.URL.Path, "/teams/") { // it knows nothing of them
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"id": fmt.Sprint("a", len(got)), "activityId": fmt.Sprint(len(got))})
	}))
	defer client.Close()
	n := newTenant(t, teamstest.Config{})
	forward := httptest.NewServer(n.Forward(client.URL))
	defer forward.Close()
	sends := func(set map[string]any) (int, string) {
		t.Helper()
		a := map[string]any{
			"type": "message", "id": fmt.Sprint(len(n.Deliveries()) + 1), "channelId": "emulator", "serviceUrl": "http://localhost:1/_connector",
			"from": map[string]any{"id": "user-1", "name": "Alex"}, "recipient": map[string]any{"id": "bot"},
			"conversation": map[string]any{"id": "personal-chat", "conversationType": "personal"},
		}
		maps.Copy(a, set)
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(forward.URL, "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(answer)
	}
	last := func() flow.Event {
		t.Helper()
		events := n.desk.got()
		if len(events) == 0 {
			t.Fatal("nothing came in")
		}
		return events[len(events)-1]
	}
	reached := func(method, path, text string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, method+" "+path+" ") && strings.Contains(s, text) }) {
			t.Errorf("the client got no %s %s with %q, but %q", method, path, text, got)
		}
	}

	if status, _ := sends(map[string]any{"text": "outage status"}); status != http.StatusOK {
		t.Fatalf("personal chat: %d", status)
	}
	by := last().By
	if diff := cmp.Diff(flow.Command{Words: []string{"status"}}, last().What); diff != "" || !by.Member || last().Place.Channel != "personal-chat" {
		t.Errorf("personal chat: %+v\n%s", last(), diff)
	}
	if a, err := n.teams.Directory().Account(t.Context(), strings.TrimPrefix(by.Account, "teams:")); !a.Member || a.Name != "Alex" || err != nil {
		t.Errorf("Account = %+v, %v", a, err)
	}

	channel := map[string]any{"id": "19:c@thread.tacv2;messageid=7", "conversationType": "channel"}
	mention := map[string]any{"type": "mention", "text": "<at>Bot</at>", "mentioned": map[string]any{"id": "bot"}}
	status, _ := sends(map[string]any{"text": "<at>Bot</at> outage chat", "entities": []any{mention}, "conversation": channel, "channelData": map[string]any{"team": map[string]any{"id": "19:t@thread.tacv2"}}})
	if diff := cmp.Diff(flow.Command{Words: []string{"chat"}}, last().What); diff != "" || status != http.StatusOK || last().Place.Channel != "19:c@thread.tacv2" {
		t.Errorf("channel mention: %d, %+v\n%s", status, last(), diff)
	}

	p := flow.Post{ID: "p1", Message: "walk:w1/0", Place: flow.Place{Platform: "teams", Person: by.Account}, Card: card.Card{Title: "Close it?", Buttons: []card.Button{goes}}}
	ref, err := n.teams.Send(t.Context(), p, target(""))
	if err != nil {
		t.Fatal(err)
	}
	reached("POST", "/_connector/v3/conversations/personal-chat/activities", "Close it?")
	_, id, _ := strings.Cut(ref, "|")
	n.desk.reply = func(flow.Event) (flow.Reply, bool) {
		done := p
		done.Card = card.Card{Title: "Closed by Alex"}
		return flow.Reply{Shown: []flow.Post{done}}, true
	}
	var drawn struct {
		Attachments []struct {
			Content map[string]any `json:"content"`
		} `json:"attachments"`
	}
	mu.Lock()
	_, body, _ := strings.Cut(got[len(got)-1], "activities ")
	mu.Unlock()
	if err := json.Unmarshal([]byte(body), &drawn); err != nil {
		t.Fatal(err)
	}
	data := teamstest.Message{Card: drawn.Attachments[0].Content}.Actions()[0].Data
	status, answer := sends(map[string]any{
		"type": "invoke", "name": "adaptiveCard/action", "replyToId": id,
		"value": map[string]any{"action": map[string]any{"type": "Action.Execute", "verb": "press", "data": data}, "trigger": "manual"},
	})
	if _, ok := last().What.(flow.Press); !ok || status != http.StatusOK || !strings.Contains(answer, "Closed by Alex") {
		t.Errorf("card press: %d %s, %+v", status, answer, last())
	}

	home := inChannel("home", "Web shop is closed")
	home.Place.Channel = "19:c@thread.tacv2"
	ref, err = n.teams.Send(t.Context(), home, target(""))
	if err != nil {
		t.Fatal(err)
	}
	reached("POST", "/_connector/v3/conversations", "Web shop is closed")
	note := inChannel("note", "Extended")
	note.Place.Channel = "19:c@thread.tacv2"
	if _, err := n.teams.Send(t.Context(), note, handlers.Target{Thread: ref}); err != nil {
		t.Fatal(err)
	}
	thread, _, _ := strings.Cut(ref, "|")
	reached("POST", "/_connector/v3/conversations/"+thread+"/activities", "Extended")
}
