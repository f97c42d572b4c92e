package teams_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"switchback/bot/flow"
	"switchback/handlers/teams/teamstest"
)

// What an unsigned local client sends comes in signed, with all checks on, and answers go back to it.
func TestForward(t *testing.T) {
	var mu sync.Mutex
	var got []string
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "a1"})
	}))
	defer client.Close()
	n := newTenant(t, teamstest.Config{})
	forward := httptest.NewServer(n.Forward(client.URL))
	defer forward.Close()
	said := `{"type":"message","id":"1","channelId":"emulator","serviceUrl":"http://localhost:1/_connector","from":{"id":"user-1","name":"Alex"},` +
		`"recipient":{"id":"bot"},"conversation":{"id":"19:c@thread.tacv2","conversationType":"groupChat"},"text":"<at>Bot</at> outage status",` +
		`"entities":[{"type":"mention","text":"<at>Bot</at>","mentioned":{"id":"bot"}}]}`
	resp, err := http.Post(forward.URL, "application/json", strings.NewReader(said))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("forwarded: %v, %v", resp, err)
	}
	resp.Body.Close()
	events := n.desk.got()
	if len(events) != 1 || strings.Join(events[0].What.(flow.Command).Words, " ") != "status" || !events[0].By.Member {
		t.Fatalf("came in: %+v", events)
	}
	who := strings.TrimPrefix(events[0].By.Account, "teams:")
	if a, err := n.teams.Directory().Account(t.Context(), who); !a.Member || a.Name != "Alex" || err != nil {
		t.Errorf("Account = %+v, %v", a, err)
	}
	p := inChannel("a", "Nothing is open")
	p.Place.Channel = "19:c@thread.tacv2"
	if ref, err := n.teams.Send(t.Context(), p, target("")); err != nil || ref != "19:c@thread.tacv2|a1" {
		t.Errorf("Send = %q, %v", ref, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || !strings.HasPrefix(got[0], "POST /_connector/v3/conversations/19:c@thread.tacv2/activities ") || !strings.Contains(got[0], "Nothing is open") {
		t.Errorf("the client got %q", got)
	}
}
