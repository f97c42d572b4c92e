// Package statuspagetest is a small status page with state, in the shapes of Atlassian Statuspage: its v2 read API, its
// notifications with retries and quarantine, and what its operators do. It imports no testing.
//
// Where the vendor documents nothing, a comment says what this page does.
package statuspagetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	latest        = 50               // incidents.json has no more
	answerIn      = 30 * time.Second // a subscriber has so long
	quarantineAt  = 10               // failed requests …
	quarantineIn  = time.Hour        // … within this time end a subscription
	retryFirst    = 30 * time.Second // not documented; doubles up to retryMost
	retryMost     = 10 * time.Minute
	retryAttempts = 12
)

// Page is a status page. Its methods are what its operators do; it is an http.Handler for everybody else. Times are
// those of the process.
type Page struct {
	mu          sync.Mutex
	id, name    string
	dialect     Dialect
	components  []*component
	incidents   []*entry // newest first
	subscribers []*Subscriber
	trouble     Trouble
	frozen      map[string][]byte // by path: what a cache answers
	reads       map[string]int    // by path
	unchanged   int               // reads answered by 304
	inside      int               // reads of the summary under way …
	most        int               // … and how many there were at once
	delay       time.Duration     // of each answer
	n           int
	ctx         context.Context //nolint:containedctx // ends the deliveries
	stop        context.CancelFunc
	running     sync.WaitGroup
}

// Dialect is how a page differs from Atlassian's.
type Dialect struct {
	Bare  bool // incidents have no components and no shortlink, as on some incident.io pages
	ULIDs bool // ids are of another form
}

// Trouble is what is wrong with the page's own service.
type Trouble struct {
	Status     int    // every read is answered so; 0: reads work
	RetryAfter string // with Status
	HTML       bool   // a web page instead of JSON, as a wall against programs answers
	Redirect   string // every read is sent there
	Hang       bool   // no answer at all
}

type component struct {
	id, name, status, group string
	created, updated        time.Time
}

type entry struct {
	id, name, status, impact                        string
	created, updated, started, monitoring, resolved time.Time
	from, until, report                             time.Time
	backfilled                                      bool
	updates                                         []*update // newest first
	components                                      []string  // ids
}

type update struct {
	id, status, body string
	created, edited  time.Time
	changes          []change
	silent           bool
}

type change struct{ id, name, from, to string }

// New returns a page with these components, all operational: "Voice", or "Channels / Voice" for one in a group.
func New(name string, components ...string) *Page {
	ctx, stop := context.WithCancel(context.Background())
	p := &Page{id: "pg" + short(name), name: name, reads: map[string]int{}, ctx: ctx, stop: stop}
	for _, c := range components {
		group, label, ok := strings.Cut(c, " / ")
		if !ok {
			group, label = "", c
		}
		p.components = append(p.components, &component{id: "c" + short(c), name: label, group: group, status: "operational", created: now(), updated: now()})
	}
	return p
}

// Speak sets the dialect.
func (p *Page) Speak(d Dialect) { p.with(func() { p.dialect = d }) }

// Close ends all deliveries.
func (p *Page) Close() {
	p.stop()
	p.running.Wait()
}

// ID is the page's own id.
func (p *Page) ID() string { return p.id }

// Rename gives the page another id, as if another page answered at its address.
func (p *Page) Rename(id string) { p.with(func() { p.id = id }) }

// Break makes the page's own service fail; the zero Trouble mends it.
func (p *Page) Break(t Trouble) { p.with(func() { p.trouble = t }) }

// Freeze makes every read answer as the page is now, as a cache does; false ends that.
func (p *Page) Freeze(yes bool) {
	p.with(func() {
		p.frozen = nil
		if !yes {
			return
		}
		p.frozen = map[string][]byte{}
		for _, file := range []string{"summary.json", "incidents.json", "scheduled-maintenances.json"} {
			p.frozen["/api/v2/"+file], _ = p.answer("/api/v2/" + file)
		}
	})
}

// Reads is how often a path of the API was asked for.
func (p *Page) Reads(path string) (n int) {
	p.with(func() { n = p.reads[path] })
	return n
}

// Slow makes each answer take so long.
func (p *Page) Slow(d time.Duration) { p.with(func() { p.delay = d }) }

// AtOnce is how many reads of the summary were under way at the same time, at most.
func (p *Page) AtOnce() (n int) {
	p.with(func() { n = p.most })
	return n
}

// Unchanged is how many reads were answered by 304.
func (p *Page) Unchanged() (n int) {
	p.with(func() { n = p.unchanged })
	return n
}

func (p *Page) with(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Component is the id of a component by its name.
func (p *Page) Component(name string) (id string) {
	p.with(func() { id = p.component(name).id })
	return id
}

func (p *Page) component(name string) *component {
	for _, c := range p.components {
		if c.name == name || c.id == name {
			return c
		}
	}
	panic(fmt.Sprintf("the page has no component %q", name))
}

// Set is a component and the state that an operator gives it.
type Set struct{ Component, Status string }

// Open begins an incident and returns its id.
func (p *Page) Open(name, impact, status, body string, set ...Set) (id string) {
	p.with(func() {
		e := &entry{id: p.newID(), name: name, impact: impact, created: now(), started: now()}
		p.incidents = slices.Insert(p.incidents, 0, e)
		p.update(e, status, body, set, false)
		id = e.id
	})
	return id
}

// Schedule announces a maintenance and returns its id.
func (p *Page) Schedule(name, body string, from, until time.Time, names ...string) (id string) {
	p.with(func() {
		e := &entry{id: p.newID(), name: name, impact: "maintenance", created: now(), from: from, until: until}
		for _, n := range names {
			e.components = append(e.components, p.component(n).id)
		}
		p.incidents = slices.Insert(p.incidents, 0, e)
		p.update(e, "scheduled", body, nil, false)
		id = e.id
	})
	return id
}

// Update adds an update: its status becomes the incident's.
func (p *Page) Update(id, status, body string, set ...Set) {
	p.with(func() { p.update(p.find(id), status, body, set, false) })
}

// Whisper adds an update that nobody is notified of.
func (p *Page) Whisper(id, status, body string, set ...Set) {
	p.with(func() { p.update(p.find(id), status, body, set, true) })
}

// Impact changes an incident's impact, as an override does.
func (p *Page) Impact(id, impact string) {
	p.with(func() {
		e := p.find(id)
		e.impact, e.updated = impact, now()
		p.announce(p.incidentNotice(e))
	})
}

// Edit rewrites the newest update's text. Real pages do that long after the end, and notify nobody.
func (p *Page) Edit(id, body string) {
	p.with(func() {
		e := p.find(id)
		e.updates[0].body, e.updates[0].edited, e.updated = body, now(), now()
	})
}

// Title renames an incident.
func (p *Page) Title(id, name string) {
	p.with(func() {
		e := p.find(id)
		e.name, e.updated = name, now()
	})
}

// Report publishes a postmortem.
func (p *Page) Report(id, body string) {
	p.with(func() {
		e := p.find(id)
		e.report = now()
		p.update(e, "postmortem", body, nil, false)
	})
}

// Backfill enters an old incident for the record. Such an entry can contradict itself.
func (p *Page) Backfill(name, body string) (id string) {
	p.with(func() {
		e := &entry{id: p.newID(), name: name, impact: "major", created: now(), backfilled: true}
		p.incidents = slices.Insert(p.incidents, 0, e)
		p.update(e, "investigating", body, nil, true)
		e.status = "resolved"
		id = e.id
	})
	return id
}

// Delete takes an incident off the page.
func (p *Page) Delete(id string) {
	p.with(func() {
		p.incidents = slices.DeleteFunc(p.incidents, func(e *entry) bool { return e.id == id })
	})
}

// Turn changes a component without an incident.
func (p *Page) Turn(name, status string) {
	p.with(func() { p.turn(p.component(name), status) })
}

func (p *Page) find(id string) *entry {
	for _, e := range p.incidents {
		if e.id == id {
			return e
		}
	}
	panic(fmt.Sprintf("the page has no incident %q", id))
}

func (p *Page) newID() string {
	p.n++
	if p.dialect.ULIDs {
		return "01JD" + strings.ToUpper(short(fmt.Sprint(p.name, p.n))) + "ZQ"
	}
	return short(fmt.Sprint(p.name, "/", p.n))
}

func (p *Page) update(e *entry, status, body string, set []Set, silent bool) {
	u := &update{id: short(fmt.Sprint(e.id, len(e.updates), now().UnixNano())), status: status, body: body, created: now(), silent: silent}
	for _, s := range set {
		c := p.component(s.Component)
		label := c.name
		if c.group != "" {
			label = c.group + " - " + c.name
		}
		u.changes = append(u.changes, change{c.id, label, c.status, s.Status})
		if !slices.Contains(e.components, c.id) {
			e.components = append(e.components, c.id)
		}
	}
	e.updates = slices.Insert(e.updates, 0, u)
	e.status, e.updated = status, now()
	switch status {
	case "monitoring":
		e.monitoring = now()
	case "resolved", "completed":
		e.resolved = now()
	}
	for _, s := range set {
		p.turn(p.component(s.Component), s.Status)
	}
	if !silent {
		p.announce(p.incidentNotice(e))
	}
}

func (p *Page) turn(c *component, status string) {
	if c.status == status {
		return
	}
	old := c.status
	c.status, c.updated = status, now()
	p.announce(map[string]any{
		"component_update": map[string]any{
			"id": short(fmt.Sprint(c.id, now().UnixNano())), "component_id": c.id, "component_type": "Component", "state": "sn_created",
			"old_status": old, "new_status": status, "created_at": zulu(now()),
		},
		"component": p.wireComponent(c, 1),
	})
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func zulu(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// local writes a time as pages in other zones do; one body has both forms.
func local(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05.000-07:00")
}

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// ServeHTTP serves the read API.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.reads[r.URL.Path]++
	t, delay := p.trouble, p.delay
	if strings.HasSuffix(r.URL.Path, "/summary.json") {
		p.inside++
		p.most = max(p.most, p.inside)
		defer p.with(func() { p.inside-- })
	}
	p.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	switch {
	case t.Hang:
		select {
		case <-r.Context().Done():
		case <-p.ctx.Done():
		}
		return
	case t.Redirect != "":
		http.Redirect(w, r, t.Redirect, http.StatusFound)
		return
	case t.Status != 0:
		if t.RetryAfter != "" {
			w.Header().Set("Retry-After", t.RetryAfter)
		}
		w.WriteHeader(t.Status)
		return
	case t.HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>Just a moment…</title>")
		return
	}
	p.mu.Lock()
	data, ok := p.frozen[r.URL.Path]
	if !ok {
		data, ok = p.answer(r.URL.Path)
	}
	p.mu.Unlock()
	if !ok || r.Method != http.MethodGet {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	sum := sha256.Sum256(data)
	tag := `W/"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "max-age=0, private, must-revalidate")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.Header.Get("If-None-Match") == tag {
		p.with(func() { p.unchanged++ })
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(data)
}

func (p *Page) answer(path string) ([]byte, bool) {
	body := map[string]any{"page": map[string]any{
		"id": p.id, "name": p.name, "url": "https://status.example.com", "time_zone": "America/Los_Angeles", "updated_at": local(p.last()),
	}}
	list := func(keep func(*entry) bool, most int) []any {
		out := []any{}
		for _, e := range p.incidents {
			if len(out) < most && keep(e) {
				out = append(out, p.wireIncident(e))
			}
		}
		return out
	}
	open := func(e *entry) bool {
		return e.status != "resolved" && e.status != "postmortem" && e.status != "completed"
	}
	planned := func(e *entry) bool { return !e.from.IsZero() }
	switch strings.TrimPrefix(path, "/api/v2/") {
	case "summary.json":
		body["status"] = p.status()
		body["components"] = p.wireComponents()
		body["incidents"] = list(func(e *entry) bool { return !planned(e) && open(e) }, 1000)
		body["scheduled_maintenances"] = list(func(e *entry) bool { return planned(e) && open(e) }, 1000)
	case "status.json":
		body["status"] = p.status()
	case "components.json":
		body["components"] = p.wireComponents()
	case "incidents.json":
		body["incidents"] = list(func(e *entry) bool { return !planned(e) }, latest)
	case "scheduled-maintenances.json":
		body["scheduled_maintenances"] = list(planned, latest)
	default:
		return nil, false
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and times
	}
	return data, true
}

// last is when anything changed.
func (p *Page) last() time.Time {
	var out time.Time
	for _, e := range p.incidents {
		if e.updated.After(out) {
			out = e.updated
		}
	}
	for _, c := range p.components {
		if c.updated.After(out) {
			out = c.updated
		}
	}
	return out
}

func (p *Page) status() map[string]any {
	worst, words := 0, []string{"All Systems Operational", "Minor Service Outage", "Partial System Outage", "Major Service Outage"}
	for _, e := range p.incidents {
		if e.status != "resolved" && e.status != "postmortem" && e.status != "completed" {
			worst = max(worst, slices.Index([]string{"none", "minor", "major", "critical"}, e.impact))
		}
	}
	return map[string]any{"indicator": []string{"none", "minor", "major", "critical"}[worst], "description": words[worst]}
}

func (p *Page) wireComponents() []any {
	out := []any{}
	groups := map[string]bool{}
	for i, c := range p.components {
		if c.group != "" && !groups[c.group] {
			groups[c.group] = true
			out = append(out, map[string]any{"id": "g" + short(c.group), "name": c.group, "status": "operational", "group": true, "group_id": nil, "components": []any{}})
		}
		out = append(out, p.wireComponent(c, i+1))
	}
	return out
}

func (p *Page) wireComponent(c *component, position int) map[string]any {
	out := map[string]any{
		"id": c.id, "name": c.name, "status": c.status, "created_at": local(c.created), "updated_at": zulu(c.updated), "position": position,
		"description": nil, "showcase": false, "start_date": nil, "group_id": nil, "page_id": p.id, "group": false, "only_show_if_degraded": false,
	}
	if c.group != "" {
		out["group_id"] = "g" + short(c.group)
	}
	return out
}

func (p *Page) wireIncident(e *entry) map[string]any {
	out := map[string]any{
		"id": e.id, "name": e.name, "status": e.status, "impact": e.impact, "page_id": p.id,
		"created_at": local(e.created), "updated_at": zulu(e.updated), "started_at": local(e.started), "monitoring_at": zulu(e.monitoring), "resolved_at": zulu(e.resolved),
		"incident_updates": p.wireUpdates(e),
	}
	if !p.dialect.Bare {
		out["shortlink"] = "https://stspg.io/" + e.id + "?u=" + short("subscriber")
		components := []any{}
		for i, id := range e.components {
			components = append(components, p.wireComponent(p.component(id), i+1))
		}
		out["components"] = components
	}
	if e.backfilled {
		out["backfilled"] = true
	}
	if !e.report.IsZero() {
		out["postmortem_body"], out["postmortem_published_at"] = e.updates[0].body, zulu(e.report)
	}
	if !e.from.IsZero() {
		out["scheduled_for"], out["scheduled_until"] = local(e.from), local(e.until)
	}
	return out
}

func (p *Page) wireUpdates(e *entry) []any {
	out := []any{}
	for _, u := range e.updates {
		edited := u.created
		if !u.edited.IsZero() {
			edited = u.edited
		}
		w := map[string]any{
			"id": u.id, "incident_id": e.id, "status": u.status, "body": u.body, "created_at": local(u.created), "updated_at": zulu(edited),
			"display_at": local(u.created), "deliver_notifications": !u.silent, "custom_tweet": nil, "tweet_id": nil, "affected_components": nil,
		}
		switch {
		case p.dialect.Bare:
			delete(w, "affected_components")
		case len(u.changes) == 0:
			w["affected_components"] = []any{map[string]any{"name": "No components were affected by this update."}}
		default:
			var list []any
			for _, c := range u.changes {
				list = append(list, map[string]any{"code": c.id, "name": c.name, "old_status": c.from, "new_status": c.to})
			}
			w["affected_components"] = list
		}
		out = append(out, w)
	}
	return out
}

func (p *Page) incidentNotice(e *entry) map[string]any {
	w := p.wireIncident(e)
	w["impact_override"] = nil
	for _, k := range []string{"scheduled_remind_prior", "scheduled_auto_in_progress", "scheduled_auto_completed", "postmortem_ignored", "postmortem_notified_subscribers"} {
		w[k] = false
	}
	return map[string]any{"incident": w}
}

// Subscriber is an address that is notified.
type Subscriber struct {
	url    string
	client *http.Client

	mu          sync.Mutex
	failures    []time.Time
	quarantined bool
	delivered   int
	lost        bool
}

// Subscribe notifies an address from now on. A person does that on a real page, once.
func (p *Page) Subscribe(url string, client *http.Client) *Subscriber {
	c := *client
	c.Timeout = answerIn
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // 3xx is a failure
	s := &Subscriber{url: url, client: &c}
	p.with(func() { p.subscribers = append(p.subscribers, s) })
	return s
}

// Quarantined reports whether the page has given up on the subscriber.
func (s *Subscriber) Quarantined() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quarantined
}

// Reactivate ends the quarantine. What was missed is not sent again.
func (s *Subscriber) Reactivate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined, s.failures = false, nil
}

// Lose makes what is sent from now on disappear on the way, or arrive again.
func (s *Subscriber) Lose(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = yes
}

// Delivered is how many notifications were answered with 2xx.
func (s *Subscriber) Delivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

// announce sends an event to all subscribers, each with its own retries: they may arrive in any order.
func (p *Page) announce(event map[string]any) {
	event["meta"] = map[string]any{
		"unsubscribe":   "http://statuspage.example/?unsubscribe=" + short("subscriber") + "unsubscribe-capability",
		"documentation": "https://doers.statuspage.io/customer-notifications/webhooks/",
		"generated_at":  zulu(now()),
	}
	s := p.status()
	event["page"] = map[string]any{"id": p.id, "status_indicator": s["indicator"], "status_description": s["description"]}
	body, err := json.Marshal(event)
	if err != nil {
		panic(err) // strings and times
	}
	for _, s := range p.subscribers {
		if s.away() {
			continue
		}
		p.running.Go(func() { s.deliver(p.ctx, body) })
	}
}

func (s *Subscriber) deliver(ctx context.Context, body []byte) {
	wait := retryFirst
	for range retryAttempts {
		if s.post(ctx, body) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if s.away() {
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// away reports whether nothing is sent.
func (s *Subscriber) away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quarantined || s.lost
}

func (s *Subscriber) post(ctx context.Context, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", rand.Text())
	resp, err := s.client.Do(req)
	ok := err == nil && resp.StatusCode >= 200 && resp.StatusCode < 300
	if err == nil {
		_ = resp.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.delivered++
		return true
	}
	at := time.Now()
	s.failures = slices.DeleteFunc(append(s.failures, at), func(t time.Time) bool { return at.Sub(t) > quarantineIn })
	s.quarantined = s.quarantined || len(s.failures) >= quarantineAt
	return false
}
