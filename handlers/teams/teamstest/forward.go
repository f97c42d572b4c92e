package teamstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// forwardPath is where the bot finds the client's connector: on this Teams, which checks its token.
const forwardPath = "/forward/"

// Forward takes what an unsigned local client sends, such as Microsoft's Agents Playground, and sends it on to the bot
// as Teams would: signed, to this tenant's bot, by a member of it. The bot's checks all stay on. Its messages go the same
// way back; questions about people and channels are answered here, where the client knows nothing of tenants. client is
// where the client listens, such as http://127.0.0.1:56150.
func (t *Teams) Forward(client string) http.Handler {
	t.mu.Lock()
	t.back = t.backward(client)
	t.mu.Unlock()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConnector))
		var a map[string]any
		if err != nil || json.Unmarshal(body, &a) != nil {
			http.Error(w, "not an activity", http.StatusBadRequest)
			return
		}
		service := t.adopt(a)
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

// adopt makes an activity one of this tenant: the names of the bot and the tenant are ours, the service is here, and
// who has no object in Entra gets one. It returns the service.
func (t *Teams) adopt(a map[string]any) string {
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
	if id, _ := object("conversation")["id"].(string); id != "" {
		bare, _, _ := strings.Cut(id, ";messageid=")
		if _, known := t.Group(bare); !known {
			t.AddGroup(Group{ID: bare, Name: bare, Kind: Channel})
		}
	}
	object("channelData")["tenant"] = map[string]any{"id": t.config.Tenant}
	a["channelId"] = "msteams"
	id, _ := from["id"].(string)
	name, _ := from["name"].(string)
	if _, known := t.User(id); id != "" && !known {
		t.AddUser(User{ID: id, Name: name})
	}
	if u, ok := t.User(id); ok {
		from["aadObjectId"] = u.Object
	}
	service, _ := a["serviceUrl"].(string)
	if _, path, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(service, "http://"), "https://"), "/"); ok {
		service = t.URL() + forwardPath + path
	}
	a["serviceUrl"] = service
	return service
}

// backward hands the bot's requests to the client, and answers those that the client has no answer for.
func (t *Teams) backward(client string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConnector))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		path := strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(forwardPath, "/"))
		if answered := t.backwardHere(w, r, path); answered {
			return
		}
		q, err := http.NewRequestWithContext(r.Context(), r.Method, strings.TrimSuffix(client, "/")+path, bytes.NewReader(body)) //nolint:gosec // to the one client that somebody named, on loopback
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		q.URL.RawQuery = r.URL.RawQuery
		q.Header.Set("Content-Type", "application/json")
		resp, err := t.client.Do(q) //nolint:gosec // likewise
		if err != nil {
			http.Error(w, "the client does not answer", http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxConnector))
		t.mu.Lock()
		t.calls = append(t.calls, Call{r.Method, r.URL.Path, resp.StatusCode, "", "", string(body)})
		t.touch()
		t.mu.Unlock()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(answer)
	})
}

// backwardHere answers what is not for the client: a bot without a token, and questions about people and channels.
func (t *Teams) backwardHere(w http.ResponseWriter, r *http.Request, path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := strings.Split(r.URL.Path, "/")
	end, known := t.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !known || !t.config.Now().Before(end):
		refuse(w, http.StatusUnauthorized, "Unauthorized", "no token")
	case strings.HasSuffix(path, "/pagedmembers"):
		members := []any{}
		for _, u := range t.users { // all of the client's people are members of the tenant
			if u.Tenant == t.config.Tenant && !u.Guest {
				members = append(members, shown(u))
			}
		}
		answer(w, http.StatusOK, map[string]any{"members": members})
	case len(parts) > 2 && parts[len(parts)-3] == "teams": // all that it spoke in is an ordinary channel
		channels := []any{}
		for _, g := range t.groups {
			channels = append(channels, map[string]any{"id": g.ID, "name": g.Name, "type": "standard"})
		}
		answer(w, http.StatusOK, map[string]any{"conversations": channels})
	case len(parts) > 1 && parts[len(parts)-2] == "members":
		u := t.user(parts[len(parts)-1])
		if u == nil {
			refuse(w, http.StatusNotFound, "MemberNotFoundInConversation", "nobody")
			return true
		}
		answer(w, http.StatusOK, shown(u))
	default:
		return false
	}
	return true
}
