package try

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/gladly/gladlytest"
	"switchback/handlers/slack/slacktest"
	"switchback/handlers/statuspage/statuspagetest"
)

//go:embed page
var files embed.FS

const (
	maxAction = 64 << 10 // bytes of what the page sends
	calmFor   = 25 * time.Millisecond
	writeIn   = 10 * time.Second
)

// page is the playground's page: its files, how everything stands, and what somebody does on it. It answers to the
// names of loopback alone, and to no other page.
func (w *world) page(address string) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", file("index.html"))
	m.HandleFunc("GET /page/{file}", func(rw http.ResponseWriter, r *http.Request) { file(r.PathValue("file"))(rw, r) })
	m.HandleFunc("GET /events", w.events)
	m.HandleFunc("GET /wire/{n}", w.exchange)
	for name, do := range w.actions() {
		m.HandleFunc("POST /do/"+name, w.action(do))
	}
	_, port, _ := net.SplitHostPort(address) // the listener's own
	names := []string{address, "localhost:" + port}
	guarded := http.NewCrossOriginProtection().Handler(m)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(names, r.Host) { // a foreign name that leads here
			http.Error(rw, "unknown host", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(rw, r)
	})
}

func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := fs.ReadFile(files, "page/"+name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		kind := mime.TypeByExtension(path.Ext(name))
		if strings.HasSuffix(name, ".js") { // what the system says of it differs
			kind = "text/javascript; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data)
	}
}

// events tells the page how everything stands for one person, and each part again when it has changed.
func (w *world) events(rw http.ResponseWriter, r *http.Request) {
	me := r.URL.Query().Get("as")
	if _, ok := w.slack.User(me); !ok {
		http.Error(rw, "there is nobody of that id", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(rw)
	sent := map[string][]byte{}
	for {
		changed := w.next()
		parts := map[string]json.RawMessage{}
		for name, part := range w.parts(me) {
			data, err := json.Marshal(part)
			if err != nil {
				return // none has anything that cannot be written
			}
			if !bytes.Equal(sent[name], data) {
				sent[name], parts[name] = data, data
			}
		}
		if len(parts) > 0 {
			data, err := json.Marshal(parts)
			if err != nil {
				return
			}
			_ = out.SetWriteDeadline(time.Now().Add(writeIn))
			if _, err := fmt.Fprintf(rw, "data: %s\n\n", data); err != nil || out.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
		select { // what belongs together comes together
		case <-r.Context().Done():
			return
		case <-time.After(calmFor):
		}
	}
}

// parts are all that the page shows to a person.
func (w *world) parts(me string) map[string]any {
	return map[string]any{
		"bot": w.bot.look(), "slack": w.workspaceFor(me), "teams": w.tenantFor(me), "customers": w.people.look(), "gladly": w.screens(), "status": w.statusPage(), "wire": w.wire.all(),
	}
}

// workspaceState is what a person sees of Slack.
type workspaceState struct {
	Me       string            `json:"me"`
	People   map[string]string `json:"people"`
	Groups   map[string]string `json:"groups"`
	Channels []channelState    `json:"channels"`
	Messages []messageState    `json:"messages"`
	Form     *formState        `json:"form"`
	Home     *formState        `json:"home"`
}

type channelState struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Direct bool   `json:"direct"`
}

type messageState struct {
	Channel string            `json:"channel"`
	TS      string            `json:"ts"`
	Thread  string            `json:"thread"`
	Only    bool              `json:"only"` // nobody else sees it
	User    string            `json:"user"`
	Text    string            `json:"text"`
	Blocks  []slacktest.Block `json:"blocks"`
	Edited  bool              `json:"edited"`
	At      time.Time         `json:"at"`
	Files   []fileState       `json:"files"`
}

type fileState struct {
	Title   string `json:"title"`
	Content string `json:"content"`
}

type formState struct {
	ID      string            `json:"id"`
	Hash    string            `json:"hash"`
	Title   string            `json:"title"`
	Submit  string            `json:"submit"`
	Close   string            `json:"close"`
	Blocks  []slacktest.Block `json:"blocks"`
	Errors  map[string]string `json:"errors"`
	Trouble string            `json:"trouble"`
}

func (w *world) workspaceFor(me string) workspaceState {
	out := workspaceState{Me: me, People: map[string]string{}, Groups: map[string]string{}, Messages: []messageState{}}
	direct := w.slack.Direct(me)
	for _, u := range w.slack.Users() {
		out.People[u.ID] = u.Name
	}
	for _, g := range w.slack.Groups() {
		out.Groups[g.ID] = g.Handle
	}
	for _, c := range w.slack.Channels() {
		if c.Name != "" {
			out.Channels = append(out.Channels, channelState{ID: c.ID, Name: c.Name})
		}
	}
	out.Channels = append(out.Channels, channelState{ID: direct.ID, Name: "Switchback", Direct: true})
	for _, m := range w.slack.Visible(me) {
		shown := messageState{m.Channel, m.TS, m.Thread, m.Only != "", m.User, m.Text, m.Blocks, !m.Edited.IsZero(), m.At, []fileState{}}
		for _, f := range m.Files {
			shown.Files = append(shown.Files, fileState{f.Title, string(f.Content)})
		}
		out.Messages = append(out.Messages, shown)
		w.remember(m)
	}
	if v, ok := w.slack.Form(me); ok {
		out.Form = formOf(v)
	}
	if v, ok := w.slack.Home(me); ok {
		out.Home = formOf(v)
	}
	return out
}

func formOf(v slacktest.View) *formState {
	return &formState{v.ID, v.Hash, v.Title, v.Submit, v.Close, v.Blocks, v.Errors, v.Trouble}
}

// remember keeps a message as it was shown: somebody may press what has changed meanwhile, as on any slow device.
func (w *world) remember(m slacktest.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.shown) > 2000 {
		clear(w.shown)
	}
	for _, b := range m.Blocks {
		if id, ok := b["block_id"].(string); ok {
			w.shown[m.Channel+m.TS+id] = m
		}
	}
}

// screens are what an administrator sees in Gladly.
type screens struct {
	Down    bool                `json:"down"` // nobody can log in
	IVRs    []string            `json:"ivrs"`
	Numbers []map[string]string `json:"numbers"`
	Apps    []appScreen         `json:"apps"`
}

type appScreen struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Message string      `json:"message"`
	Days    []dayScreen `json:"days"`
}

type dayScreen struct {
	Day    string `json:"day"`
	Closed bool   `json:"closed"`
	From   string `json:"from"`
	To     string `json:"to"`
}

func (w *world) screens() screens {
	out := screens{IVRs: []string{}, Numbers: []map[string]string{}, Apps: []appScreen{}}
	numbers, err := w.admin.Numbers()
	if err != nil {
		out.Down = true
		return out
	}
	for _, n := range numbers {
		out.Numbers = append(out.Numbers, map[string]string{"number": n.Number, "name": n.Name, "initial": n.InitialIVR, "queue": n.QueueIVR})
	}
	ivrs, err := w.admin.IVRs()
	if err != nil {
		out.Down = true
		return out
	}
	for _, v := range ivrs {
		out.IVRs = append(out.IVRs, v.Name)
	}
	for _, a := range apps() {
		page, err := w.admin.App(a.App)
		if err != nil {
			continue
		}
		screen := appScreen{ID: page.ID, Name: page.Name, Message: page.Unavailable}
		for day, h := range page.Hours {
			screen.Days = append(screen.Days, dayScreen{string(day), h.Closed, h.From, h.To})
		}
		order := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
		slices.SortFunc(screen.Days, func(a, b dayScreen) int { return slices.Index(order, a.Day) - slices.Index(order, b.Day) })
		out.Apps = append(out.Apps, screen)
	}
	return out
}

// statusPage is what anybody sees of the status page: the answers of its own API.
func (w *world) statusPage() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, name := range []string{"summary", "incidents"} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/api/v2/"+name+".json", nil)
		if err != nil {
			continue
		}
		var got paper
		w.status.ServeHTTP(&got, r)
		if json.Valid(got.Bytes()) {
			out[name] = got.Bytes()
		}
	}
	return out
}

// paper takes what a handler writes.
type paper struct {
	bytes.Buffer
	header http.Header
}

// Header is thrown away.
func (p *paper) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// WriteHeader is too.
func (*paper) WriteHeader(int) {}

// exchange shows what was sent and answered.
func (w *world) exchange(rw http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.PathValue("n")) // no number is no exchange
	request, answer, ok := w.wire.texts(n)
	if !ok {
		http.NotFound(rw, r)
		return
	}
	send(rw, http.StatusOK, map[string]string{"request": request, "answer": answer})
}

func send(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what)
}

// input is what the page sends with an action; each uses some of it.
type input struct {
	As      string            `json:"as"`
	Channel string            `json:"channel"`
	Thread  string            `json:"thread"`
	Text    string            `json:"text"`
	TS      string            `json:"ts"`
	Block   string            `json:"block"`
	Action  string            `json:"action"`
	Nth     int               `json:"nth"`    // of the actions of a card in Teams
	Values  map[string]string `json:"values"` // of a form, by block, or by label in Teams

	Number    string      `json:"number"`
	IVR       string      `json:"ivr"`
	App       string      `json:"app"`
	Message   string      `json:"message"`
	Days      []dayScreen `json:"days"`
	Down      bool        `json:"down"`
	Incident  string      `json:"incident"`
	Component string      `json:"component"`
	Status    string      `json:"status"`
}

type does func(context.Context, input) error

// action reads what somebody did, does it, and says what went wrong.
func (w *world) action(do does) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var in input
		if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxAction)).Decode(&in); err != nil {
			send(rw, http.StatusBadRequest, map[string]string{"error": "that was no JSON"})
			return
		}
		err := do(r.Context(), in)
		w.touch()
		w.people.hurry()
		if err != nil {
			send(rw, http.StatusConflict, map[string]string{"error": err.Error()})
			return
		}
		send(rw, http.StatusOK, map[string]string{})
	}
}

func (w *world) actions() map[string]does {
	return map[string]does{
		"say": w.say, "press": w.press, "submit": w.submit, "close": w.closeForm, "home": w.home, "pressHome": w.pressHome,
		"teamsSay": w.sayInTeams, "teamsPress": w.pressInTeams, "teamsSubmit": w.submitInTeams, "teamsClose": w.closeInTeams,
		"number": w.setNumber, "app": w.setApp, "login": func(_ context.Context, in input) error { w.gladly.NobodyCanLogIn(in.Down); return nil },
		"incident": w.openIncident, "update": w.updateIncident,
		"kill":  func(context.Context, input) error { return w.bot.kill() },
		"start": func(ctx context.Context, _ input) error { return w.bot.start(ctx) },
	}
}

// answered turns what Slack would show in red into an error. A command's failure is a message of Slackbot's already.
func answered(d slacktest.Delivery, err error) error {
	switch {
	case err != nil:
		return err
	case d.Kind == "" || d.OK() || d.Kind == "command":
		return nil
	case d.Err == slacktest.TimedOut:
		return errors.New("after three seconds Slack gave up waiting for the bot (operation_timeout)")
	}
	return fmt.Errorf("the bot did not take it (%s)", d.Err)
}

func (w *world) say(ctx context.Context, in input) error {
	if strings.HasPrefix(in.Text, "/") && in.Thread == "" {
		return answered(w.slack.Command(ctx, in.As, in.Channel, in.Text))
	}
	_, d, err := w.slack.Say(ctx, in.As, in.Channel, in.Thread, in.Text)
	return answered(d, err)
}

func (w *world) press(ctx context.Context, in input) error {
	w.mu.Lock()
	m, ok := w.shown[in.Channel+in.TS+in.Block]
	w.mu.Unlock()
	if !ok {
		return errors.New("that message is gone")
	}
	return answered(w.slack.Press(ctx, in.As, m, in.Action))
}

func (w *world) pressHome(ctx context.Context, in input) error {
	v, ok := w.slack.Home(in.As)
	if !ok {
		return errors.New("that page is gone")
	}
	// Buttons of different cards there have the same action id; the block tells them apart.
	v.Blocks = slices.DeleteFunc(slices.Clone(v.Blocks), func(b slacktest.Block) bool { return b["block_id"] != in.Block })
	return answered(w.slack.PressIn(ctx, in.As, v, in.Action))
}

func (w *world) submit(ctx context.Context, in input) error {
	for block, text := range in.Values {
		if err := w.slack.Fill(in.As, block, text); err != nil {
			return err
		}
	}
	_, err := w.slack.Submit(ctx, in.As) // what is wrong stands in the form
	return err
}

func (w *world) closeForm(ctx context.Context, in input) error {
	return answered(w.slack.CloseForm(ctx, in.As))
}

func (w *world) home(ctx context.Context, in input) error {
	return answered(w.slack.OpenHome(ctx, in.As), nil)
}

func (w *world) setNumber(_ context.Context, in input) error {
	return w.admin.EditNumber(in.Number, func(n *gladlytest.Number) { n.InitialIVR = in.IVR })
}

func (w *world) setApp(_ context.Context, in input) error {
	page, err := w.admin.App(in.App)
	if err != nil {
		return err
	}
	page.Unavailable = in.Message
	for name, d := range page.Hours {
		i := slices.IndexFunc(in.Days, func(d dayScreen) bool { return d.Day == string(name) })
		if i < 0 {
			continue
		}
		d.Closed, d.From, d.To = in.Days[i].Closed, in.Days[i].From, in.Days[i].To
		page.Hours[name] = d
	}
	return w.admin.SaveApp(page)
}

func (w *world) openIncident(_ context.Context, in input) error {
	if !slices.Contains(components(), in.Component) {
		return fmt.Errorf("the page has no component %q", in.Component)
	}
	id := w.status.Open(in.Component+" is slow, and some requests fail", "minor", "investigating", "We are looking into reports of trouble with "+in.Component+".",
		statuspagetest.Set{Component: in.Component, Status: "degraded_performance"})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incidents[id] = in.Component
	return nil
}

func (w *world) updateIncident(_ context.Context, in input) error {
	w.mu.Lock()
	component, ok := w.incidents[in.Incident]
	w.mu.Unlock()
	if !ok {
		return errors.New("the page has no such incident")
	}
	switch in.Status {
	case "worse":
		w.status.Update(in.Incident, "identified", component+" does not work. We know why, and are working on it.", statuspagetest.Set{Component: component, Status: "major_outage"})
		w.status.Impact(in.Incident, "critical")
	case "resolved":
		w.status.Update(in.Incident, "resolved", component+" works again.", statuspagetest.Set{Component: component, Status: "operational"})
	default:
		return fmt.Errorf("an incident does not become %q", in.Status)
	}
	return nil
}
