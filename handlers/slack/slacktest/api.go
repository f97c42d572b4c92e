package slacktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxBody = 1 << 20 // bytes of a request

// Call is one call of the Web API or of a response_url, as it was answered. Tokens are left out.
type Call struct {
	Method string // chat.postMessage, …; response_url
	Args   map[string]any
	At     time.Time
	Status int
	Error  string // of Slack; empty: ok
}

// Calls returns the calls of a method, the oldest first. An empty method means all.
func (s *Slack) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if method == "" || c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// apiError is an answer with "ok": false.
type apiError struct {
	code     string
	messages []string // what is wrong, and where
	needed   string   // scopes
}

func (e *apiError) Error() string { return e.code }

func fail(code string) *apiError { return &apiError{code: code} }

// args are the arguments of a call, from a form or from JSON.
type args map[string]any

func (a args) str(key string) string {
	switch v := a[key].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (a args) yes(key string) bool {
	v := a.str(key)
	return v == "true" || v == "1"
}

func (a args) number(key string, otherwise int) int {
	n, err := strconv.Atoi(a.str(key))
	if err != nil || n <= 0 {
		return otherwise
	}
	return n
}

// value returns an argument that is JSON, which a form carries as a string.
func (a args) value(key string) (any, bool) {
	v, ok := a[key]
	if !ok || v == nil {
		return nil, true
	}
	text, ok := v.(string)
	if !ok {
		return v, true
	}
	if text == "" {
		return nil, true
	}
	var out any
	if json.Unmarshal([]byte(text), &out) != nil {
		return nil, false
	}
	return out, true
}

// method is one method of the Web API. do is called with s.mu held.
type method struct {
	do    func(args) (map[string]any, *apiError)
	tier  int      // calls a minute; 0: not counted here
	scope []string // any one of these will do
	app   bool     // wants the app's token
}

func (s *Slack) method(name string) (method, bool) {
	const tier2, tier3, tier4 = 20, 50, 100
	chat := []string{"chat:write"}
	look := []string{"channels:read", "groups:read", "im:read"}
	history := []string{"channels:history", "groups:history", "im:history"}
	m, known := map[string]method{
		"auth.test":                    {do: s.authTest},
		"bots.info":                    {do: s.botsInfo, tier: tier3, scope: []string{"users:read"}},
		"chat.postMessage":             {do: s.postMessage, scope: chat}, // one a second and channel
		"chat.postEphemeral":           {do: s.postEphemeral, tier: tier4, scope: chat},
		"chat.update":                  {do: s.update, tier: tier3, scope: chat},
		"chat.delete":                  {do: s.remove, tier: tier3, scope: chat},
		"chat.getPermalink":            {do: s.permalink},
		"conversations.info":           {do: s.conversation, tier: tier3, scope: look},
		"conversations.open":           {do: s.openConversation, tier: tier3, scope: []string{"im:write", "chat:write"}},
		"conversations.members":        {do: s.members, tier: tier4, scope: look},
		"conversations.history":        {do: s.history, tier: tier3, scope: history},
		"conversations.replies":        {do: s.replies, tier: tier3, scope: history},
		"users.info":                   {do: s.usersInfo, tier: tier4, scope: []string{"users:read"}},
		"users.lookupByEmail":          {do: s.lookup, tier: tier3, scope: []string{"users:read.email"}},
		"usergroups.list":              {do: s.listGroups, tier: tier2, scope: []string{"usergroups:read"}},
		"usergroups.users.list":        {do: s.groupMembers, tier: tier2, scope: []string{"usergroups:read"}},
		"views.open":                   {do: s.openView, tier: tier4},
		"views.push":                   {do: s.pushView, tier: tier4},
		"views.update":                 {do: s.updateView, tier: tier4},
		"views.publish":                {do: s.publishView, tier: tier4},
		"files.getUploadURLExternal":   {do: s.uploadURL, tier: tier4, scope: []string{"files:write"}},
		"files.completeUploadExternal": {do: s.completeUpload, tier: tier4, scope: []string{"files:write"}},
		"apps.connections.open":        {do: s.openConnection, app: true},
	}[name]
	return m, known
}

func (s *Slack) call(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	a, token, err := read(w, r)
	if err != nil {
		s.answer(w, name, nil, http.StatusOK, nil, err)
		return
	}
	fault := s.meet(name)
	if s.before(w, r, name, a, fault) {
		return
	}
	m, known := s.method(name)
	if !known {
		s.answer(w, name, a, http.StatusOK, nil, fail("unknown_method"))
		return
	}
	s.mu.Lock()
	out, wait, err := s.carryOut(name, m, a, token)
	s.mu.Unlock()
	if wait > 0 {
		s.rateLimited(w, name, a, wait)
		return
	}
	s.after(w, r, name, a, fault)
	s.answer(w, name, a, http.StatusOK, out, err)
}

// carryOut does what is asked for, if it may be done. A wait says that it was too much at once.
func (s *Slack) carryOut(name string, m method, a args, token string) (map[string]any, time.Duration, *apiError) {
	if err := s.allow(m, token); err != nil {
		return nil, 0, err
	}
	if wait := s.take("method "+name, float64(m.tier)/60, m.tier); wait > 0 {
		return nil, wait, nil
	}
	if name == "chat.postMessage" {
		if wait := s.take("channel "+a.str("channel"), 1, s.config.Burst); wait > 0 {
			return nil, wait, nil
		}
	}
	out, err := m.do(a)
	if err == nil {
		s.touch()
	}
	return out, 0, err
}

// read takes arguments and token from a call: a form or JSON, the token in the header or among the arguments.
func read(w http.ResponseWriter, r *http.Request) (args, string, *apiError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, "", fail("request_timeout")
	}
	a := args{}
	for k, v := range r.URL.Query() {
		a[k] = v[0]
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case kind == "application/json":
		if json.Unmarshal(body, &a) != nil {
			return nil, "", fail("invalid_json")
		}
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, "", fail("invalid_form_data")
		}
		for k, v := range form {
			a[k] = v[0]
		}
	default:
		return nil, "", fail("invalid_post_type")
	}
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		token = a.str("token")
	}
	delete(a, "token")
	return a, token, nil
}

// allow checks token and scopes.
func (s *Slack) allow(m method, token string) *apiError {
	want := s.config.BotToken
	if m.app {
		want = s.config.AppToken
	}
	switch {
	case token == "":
		return fail("not_authed")
	case token != want && (token == s.config.AppToken || token == s.config.BotToken):
		return fail("not_allowed_token_type")
	case token != want:
		return fail("invalid_auth")
	case s.token != "" && !m.app:
		return fail(s.token)
	case m.app || len(m.scope) == 0:
		return nil
	}
	for _, scope := range m.scope {
		if slices.Contains(s.scopes, scope) {
			return nil
		}
	}
	return s.lacks(m.scope[0])
}

func (s *Slack) lacks(scope string) *apiError { return &apiError{code: "missing_scope", needed: scope} }

// answer writes an answer and notes the call.
func (s *Slack) answer(w http.ResponseWriter, name string, a args, status int, out map[string]any, err *apiError) {
	if out == nil {
		out = map[string]any{}
	}
	out["ok"] = err == nil
	code := ""
	if err != nil {
		code = err.code
		out["error"] = code
		if err.needed != "" {
			s.mu.Lock()
			out["needed"], out["provided"] = err.needed, strings.Join(s.scopes, ",")
			s.mu.Unlock()
		}
		if len(err.messages) > 0 {
			var lines []string
			for _, m := range err.messages {
				lines = append(lines, "[ERROR] "+m)
			}
			out["errors"], out["response_metadata"] = err.messages, map[string]any{"messages": lines}
		}
	}
	s.note(name, a, status, code)
	s.mu.Lock()
	w.Header().Set("X-OAuth-Scopes", strings.Join(s.scopes, ","))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Slack) note(name string, a args, status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Method: name, Args: a, At: s.now(), Status: status, Error: code})
	s.touch()
}

func (s *Slack) rateLimited(w http.ResponseWriter, name string, a args, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(max(1, seconds)))
	s.answer(w, name, a, http.StatusTooManyRequests, nil, fail("ratelimited"))
}

// bucket is what is left of an allowance.
type bucket struct {
	left float64
	at   time.Time
}

// take takes one from an allowance that grows by rate a second up to size, or says how long to wait for it. A size of
// 0 is no allowance at all but no limit. s.mu is held.
func (s *Slack) take(name string, rate float64, size int) time.Duration {
	if !s.limited || size == 0 {
		return 0
	}
	now := s.now()
	b := s.buckets[name]
	if b == nil {
		b = &bucket{float64(size), now}
		s.buckets[name] = b
	}
	b.left = min(float64(size), b.left+now.Sub(b.at).Seconds()*rate)
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second))
	}
	b.left--
	return 0
}

// Limit turns the rate limits on or off.
func (s *Slack) Limit(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited = on
}

func (s *Slack) authTest(args) (map[string]any, *apiError) {
	out := map[string]any{
		"url": "https://" + s.config.Domain + ".slack.com/", "team": s.config.Domain, "user": s.user(BotUser).Name,
		"team_id": s.config.TeamID, "user_id": BotUser, "bot_id": BotID, "is_enterprise_install": s.config.OrgWide,
	}
	if s.config.OrgWide {
		out["team_id"], out["enterprise_id"] = enterprise, enterprise
	}
	return out, nil
}

const enterprise = "E0ACME" // of an organisation-wide installation

func (s *Slack) botsInfo(a args) (map[string]any, *apiError) {
	if id := cmp.Or(a.str("bot"), BotID); id != BotID {
		return nil, fail("bot_not_found")
	}
	return map[string]any{"bot": map[string]any{
		"id": BotID, "app_id": AppID, "user_id": BotUser, "name": s.user(BotUser).RealName, "deleted": false,
	}}, nil
}

// page cuts one page of at most limit from n items, from the one that cursor names, and says which is next.
func page(a args, n, limit int) (from, to int, next string, err *apiError) {
	if c := a.str("cursor"); c != "" {
		if _, e := fmt.Sscanf(c, "next:%d", &from); e != nil || from > n {
			return 0, 0, "", fail("invalid_cursor")
		}
	}
	to = min(n, from+limit)
	if to < n {
		next = fmt.Sprintf("next:%d", to)
	}
	return from, to, next, nil
}
