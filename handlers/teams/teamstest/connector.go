package teamstest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Limits of Microsoft's.
const (
	maxMessage   = 100 << 10 // bytes in UTF-16, https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages
	maxConnector = 256 << 10
	maxPage      = 500
)

// rates are how much one bot may send in one conversation.
// https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
func rates() map[time.Duration]int {
	return map[time.Duration]int{time.Second: 7, 2 * time.Second: 8, 30 * time.Second: 60, time.Hour: 1800}
}

// Call is one request of the bot's.
type Call struct {
	Method string
	Path   string
	Status int
	Code   string
	Token  string
	Body   string
}

// Calls returns the requests of the bot's to the connector, in their order.
func (t *Teams) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.calls)
}

// Fault is what goes wrong with the next requests of the bot's that fit.
type Fault struct {
	Method string // empty: any
	Path   string // a part of it
	Body   string // a part of what is sent
	Status int
	Code   string
	To     string // Location; empty: no such header
	After  int    // Retry-After in seconds; 0: no such header
	Times  int    // 0: once
	Done   bool   // it does what it is asked, and answers so all the same
	Drop   bool   // the connection is cut in place of an answer
	Hang   bool   // there is no answer at all
}

// Fail adds a fault.
func (t *Teams) Fail(f Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.Times = max(f.Times, 1)
	t.faults = append(t.faults, f)
}

// Heal ends all faults.
func (t *Teams) Heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = nil
}

// fault answers a request as the first fault that fits says, and reports whether there was one; t.mu is held.
func (t *Teams) fault(w http.ResponseWriter, r *http.Request) bool {
	f := t.fits(r, nil)
	if f == nil {
		return false
	}
	t.fail(w, r, *f)
	return true
}

func (t *Teams) fits(r *http.Request, body []byte) *Fault {
	i := slices.IndexFunc(t.faults, func(f Fault) bool {
		return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path) && strings.Contains(string(body), f.Body)
	})
	if i < 0 {
		return nil
	}
	f := t.faults[i]
	if t.faults[i].Times--; t.faults[i].Times == 0 {
		t.faults = slices.Delete(t.faults, i, i+1)
	}
	return &f
}

func (t *Teams) fail(w http.ResponseWriter, r *http.Request, f Fault) {
	if f.Hang {
		t.mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-t.stopped.Done():
		}
		t.mu.Lock()
	}
	if f.Drop || f.Hang {
		panic(http.ErrAbortHandler)
	}
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.After))
	}
	if f.To != "" {
		w.Header().Set("Location", f.To)
	}
	refuse(w, f.Status, f.Code, "as a fault says")
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": text}})
}

func (t *Teams) handler() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET "+openIDPath, t.openID)
	m.HandleFunc("GET "+keysPath, t.keys)
	m.HandleFunc("POST /{tenant}/oauth2/v2.0/token", t.token)
	m.HandleFunc("POST /emea/v3/conversations", t.api(t.create))
	m.HandleFunc("POST /emea/v3/conversations/{id}/activities", t.api(t.post))
	m.HandleFunc("PUT /emea/v3/conversations/{id}/activities/{activity}", t.api(t.put))
	m.HandleFunc("DELETE /emea/v3/conversations/{id}/activities/{activity}", t.api(t.remove))
	m.HandleFunc("GET /emea/v3/conversations/{id}/members/{member}", t.api(t.member))
	m.HandleFunc("GET /emea/v3/conversations/{id}/pagedmembers", t.api(t.members))
	m.HandleFunc("GET /emea/v3/teams/{id}/conversations", t.api(t.channels))
	return m
}

// kept remembers the status of an answer.
type kept struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (k *kept) WriteHeader(status int) { k.status = status }
func (k *kept) Write(b []byte) (int, error) {
	k.body = append(k.body, b...)
	return len(b), nil
}

// api checks the token, goes wrong where a fault says so, and remembers the call.
func (t *Teams) api(do func(w http.ResponseWriter, r *http.Request, body []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxConnector+1))
		t.mu.Lock()
		defer t.mu.Unlock()
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		out := &kept{ResponseWriter: w, status: http.StatusOK}
		f := t.fits(r, body)
		switch end, ok := t.tokens[token]; {
		case !ok || !t.config.Now().Before(end):
			refuse(out, http.StatusUnauthorized, "Unauthorized", "Authorization has been denied for this request.")
		case f != nil && !f.Done:
			t.note(r, f.Status, f.Code, token, body)
			t.fail(w, r, *f)
			return
		case len(body) > maxConnector:
			refuse(out, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "too large")
		default:
			do(out, r, body)
		}
		var said struct {
			Error struct {
				Code string `json:"code"`
			} `json:"error"`
		}
		_ = json.Unmarshal(out.body, &said)
		t.note(r, out.status, said.Error.Code, token, body)
		if f != nil {
			t.fail(w, r, *f)
			return
		}
		w.WriteHeader(out.status)
		_, _ = w.Write(out.body)
	}
}

func (t *Teams) note(r *http.Request, status int, code, token string, body []byte) {
	t.calls = append(t.calls, Call{r.Method, r.URL.Path, status, code, token, string(body)})
	t.touch()
}

// limited answers 429 where too much was sent in a conversation; t.mu is held.
func (t *Teams) limited(w http.ResponseWriter, group string) bool {
	if t.config.NoRateLimits {
		return false
	}
	now := t.config.Now()
	for window, most := range rates() {
		n := 0
		for _, at := range t.sends[group] {
			if now.Sub(at) < window {
				n++
			}
		}
		if n >= most {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "TooManyRequests", "API calls quota exceeded")
			return true
		}
	}
	t.sends[group] = append(t.sends[group], now)
	return false
}

// place is a conversation that the bot may write to, with the root of its thread; nil: it was refused.
func (t *Teams) place(w http.ResponseWriter, id string) (g *Group, root string) {
	bare, root, _ := strings.Cut(id, ";messageid=")
	g = t.group(bare)
	switch {
	case g == nil || bare != g.ID:
		refuse(w, http.StatusNotFound, "ConversationNotFound", "Conversation not found.")
		return nil, ""
	case !g.Bot:
		refuse(w, http.StatusNotFound, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
		return nil, ""
	case g.Blocked:
		refuse(w, http.StatusForbidden, "MessageWritesBlocked", "The bot was blocked.")
		return nil, ""
	}
	return g, root
}

func (t *Teams) create(w http.ResponseWriter, _ *http.Request, body []byte) {
	var q struct {
		IsGroup bool `json:"isGroup"`
		Bot     struct {
			ID string `json:"id"`
		} `json:"bot"`
		Members []struct {
			ID string `json:"id"`
		} `json:"members"`
		Tenant string `json:"tenantId"`
		Data   struct {
			Channel struct {
				ID string `json:"id"`
			} `json:"channel"`
			Tenant struct {
				ID string `json:"id"`
			} `json:"tenant"`
		} `json:"channelData"`
		Activity json.RawMessage `json:"activity"`
	}
	if err := json.Unmarshal(body, &q); err != nil || q.Bot.ID != t.BotID() || q.Tenant != t.config.Tenant {
		refuse(w, http.StatusBadRequest, "BadSyntax", "bot or tenant are missing")
		return
	}
	if q.IsGroup {
		g, _ := t.place(w, q.Data.Channel.ID)
		if g == nil || t.limited(w, g.ID) {
			return
		}
		if m := t.store(w, g, "", q.Activity); m != nil {
			m.Root = m.ID
			answer(w, http.StatusCreated, map[string]any{"id": g.ID + ";messageid=" + m.ID, "activityId": m.ID})
		}
		return
	}
	if len(q.Members) != 1 {
		refuse(w, http.StatusBadRequest, "BadSyntax", "one member, please")
		return
	}
	i := slices.IndexFunc(t.users, func(u *User) bool { return u.ID == q.Members[0].ID || u.Object == q.Members[0].ID })
	if i < 0 || !t.knows(t.users[i]) {
		refuse(w, http.StatusForbidden, "ForbiddenOperationException", "The bot is not installed in user's personal scope")
		return
	}
	if t.limited(w, t.users[i].ID) {
		return
	}
	answer(w, http.StatusCreated, map[string]any{"id": t.chat(t.users[i]).ID})
}

// knows reports whether the bot is somewhere with somebody.
func (t *Teams) knows(u *User) bool {
	return slices.ContainsFunc(t.groups, func(g *Group) bool { return g.Bot && slices.Contains(g.Members, u.ID) })
}

// store keeps a message of the bot's; nil: it was refused.
func (t *Teams) store(w http.ResponseWriter, g *Group, root string, body []byte) *Message {
	m := &Message{Group: g.ID, Root: root, From: t.BotID()}
	if !t.fill(w, m, body) {
		return nil
	}
	m.ID = t.id()
	t.messages = append(t.messages, m)
	return m
}

func (t *Teams) fill(w http.ResponseWriter, m *Message, body []byte) bool {
	var a struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		Summary     string `json:"summary"`
		Attachments []struct {
			Type    string         `json:"contentType"`
			Content map[string]any `json:"content"`
		} `json:"attachments"`
		Timestamp string `json:"timestamp"`
	}
	err := json.Unmarshal(body, &a)
	switch {
	case err != nil || a.Type != "message" || a.Timestamp != "":
		refuse(w, http.StatusBadRequest, "BadSyntax", "no message")
		return false
	case a.Text != "" && len(a.Attachments) > 0: // it would become two, and neither is named
		refuse(w, http.StatusBadRequest, "BadSyntax", "text and a card at once")
		return false
	case 2*len(utf16.Encode([]rune(string(body)))) > maxMessage:
		refuse(w, http.StatusRequestEntityTooLarge, "MessageSizeTooBig", "Message size too large.")
		return false
	case len(a.Attachments) > 1 || len(a.Attachments) == 1 && a.Attachments[0].Type != cardType:
		refuse(w, http.StatusBadRequest, "BadArgument", "not one card")
		return false
	}
	m.Text, m.Summary, m.Card = a.Text, a.Summary, nil
	if len(a.Attachments) == 1 {
		if problem := Problem(a.Attachments[0].Content); problem != "" {
			refuse(w, http.StatusBadRequest, "BadArgument", problem)
			return false
		}
		m.Card = a.Attachments[0].Content
	}
	return true
}

func (t *Teams) post(w http.ResponseWriter, r *http.Request, body []byte) {
	g, root := t.place(w, r.PathValue("id"))
	if g == nil || t.limited(w, g.ID) {
		return
	}
	if root != "" && !slices.ContainsFunc(t.messages, func(m *Message) bool { return m.ID == root && m.Group == g.ID }) {
		refuse(w, http.StatusNotFound, "ConversationNotFound", "no such thread")
		return
	}
	m := t.store(w, g, root, body)
	if m == nil {
		return
	}
	if g.Kind == Channel && root == "" {
		m.Root = m.ID
	}
	answer(w, http.StatusCreated, map[string]any{"id": m.ID})
}

// message is a message of the bot's in a conversation; nil: it was refused.
func (t *Teams) message(w http.ResponseWriter, r *http.Request) *Message {
	g, _ := t.place(w, r.PathValue("id"))
	if g == nil {
		return nil
	}
	for _, m := range t.messages {
		if m.ID == r.PathValue("activity") && m.Group == g.ID && m.From == t.BotID() {
			return m
		}
	}
	refuse(w, http.StatusNotFound, "ActivityNotFoundInConversation", "Activity not found in conversation.")
	return nil
}

func (t *Teams) put(w http.ResponseWriter, r *http.Request, body []byte) {
	m := t.message(w, r)
	if m == nil || t.limited(w, m.Group) {
		return
	}
	if !t.fill(w, m, body) {
		return
	}
	m.Edits++
	m.views = nil // everybody's device draws it anew
	answer(w, http.StatusOK, map[string]any{"id": m.ID})
}

func (t *Teams) remove(w http.ResponseWriter, r *http.Request, _ []byte) {
	if m := t.message(w, r); m != nil {
		t.messages = slices.DeleteFunc(t.messages, func(x *Message) bool { return x == m })
		answer(w, http.StatusOK, map[string]any{})
	}
}

// Delete removes a message, as a moderator can.
func (t *Teams) Delete(m Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.messages = slices.DeleteFunc(t.messages, func(x *Message) bool { return x.ID == m.ID })
}

func (t *Teams) member(w http.ResponseWriter, r *http.Request, _ []byte) {
	g, _ := t.place(w, r.PathValue("id"))
	if g == nil {
		return
	}
	for _, u := range t.users {
		if (u.ID == r.PathValue("member") || u.Object == r.PathValue("member")) && slices.Contains(g.Members, u.ID) && !u.Gone {
			answer(w, http.StatusOK, shown(u))
			return
		}
	}
	refuse(w, http.StatusNotFound, "MemberNotFoundInConversation", "The member was not found.")
}

func shown(u *User) map[string]any {
	role, upn := "user", u.UPN
	if u.Guest {
		role, upn = "guest", strings.ReplaceAll(u.UPN, "@", "_")+"#EXT#@acme.example"
	}
	return map[string]any{
		"id": u.ID, "name": u.Name, "aadObjectId": u.Object, "email": u.UPN, "userPrincipalName": upn, "tenantId": u.Tenant, "userRole": role,
	}
}

func (t *Teams) members(w http.ResponseWriter, r *http.Request, _ []byte) {
	g, _ := t.place(w, r.PathValue("id"))
	if g == nil {
		return
	}
	size, err := strconv.Atoi(r.URL.Query().Get("pageSize"))
	if err != nil || size < 1 || size > maxPage {
		size = maxPage
	}
	at, _ := strconv.Atoi(r.URL.Query().Get("continuationToken"))
	out := map[string]any{"members": []any{}}
	var page []any
	for _, id := range g.Members[min(at, len(g.Members)):min(at+size, len(g.Members))] {
		page = append(page, shown(t.user(id)))
	}
	out["members"] = page
	if at+size < len(g.Members) {
		out["continuationToken"] = strconv.Itoa(at + size)
	}
	answer(w, http.StatusOK, out)
}

func (t *Teams) channels(w http.ResponseWriter, r *http.Request, _ []byte) {
	out := []any{}
	for _, g := range t.groups {
		if g.Team == r.PathValue("id") && g.Bot {
			out = append(out, map[string]any{"id": g.ID, "name": g.Name, "type": g.Type})
		}
	}
	if len(out) == 0 {
		refuse(w, http.StatusNotFound, "ConversationNotFound", "no such team")
		return
	}
	answer(w, http.StatusOK, map[string]any{"conversations": out})
}

func clone(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}
