package teamstest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Forward takes what an unsigned local client sends, such as Microsoft's Agents Playground, and sends it on to the bot
// as Teams would: signed, to this tenant's bot, by somebody with an object in Entra. The bot's checks all stay on. Its
// answers to that client go straight there, so the client's host must be on the bot's list (TEAMS_SERVICE_HOSTS).
func (t *Teams) Forward() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConnector))
		var a map[string]any
		if err != nil || json.Unmarshal(body, &a) != nil {
			http.Error(w, "not an activity", http.StatusBadRequest)
			return
		}
		t.adopt(a)
		service, _ := a["serviceUrl"].(string)
		d := t.Send(r.Context(), a, Token{Claims: map[string]any{"serviceurl": service}})
		if d.Status == 0 {
			http.Error(w, "the bot does not answer", http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(d.Status)
		_, _ = io.WriteString(w, d.Raw)
	})
}

// adopt makes an activity one of this tenant: the bot's name and the tenant's are ours, and who has no object gets one
// that stays the same.
func (t *Teams) adopt(a map[string]any) {
	object := func(name string) map[string]any {
		o, ok := a[name].(map[string]any)
		if !ok {
			o = map[string]any{}
			a[name] = o
		}
		return o
	}
	recipient, from := object("recipient"), object("from")
	was, _ := recipient["id"].(string)
	recipient["id"] = t.BotID()
	for _, name := range []string{"entities", "membersAdded", "membersRemoved"} {
		for _, e := range list(a[name]) {
			if m, ok := e["mentioned"].(map[string]any); ok && m["id"] == was {
				m["id"] = t.BotID()
			}
			if e["id"] == was {
				e["id"] = t.BotID()
			}
		}
	}
	object("conversation")["tenantId"] = t.config.Tenant
	object("channelData")["tenant"] = map[string]any{"id": t.config.Tenant}
	a["channelId"] = "msteams"
	if id, _ := from["aadObjectId"].(string); !strings.Contains(id, "-") {
		from["aadObjectId"] = "00000000-0000-0000-0000-0000000000aa"
	}
}
