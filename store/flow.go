package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
)

// Flow keeps flow's documents in any Store. Documents, each readable JSON:
//
//	outage:<id>      an outage; never expires        change:<id>   its record
//	open:<id>        marks an open outage            lock:<key>    which outage holds a resource
//	walk:<id>        a walk                          at:<person>   the walk that a person is in the middle of
//	in:<id>          work taken in and not done      playbook:<version>
//	ready:all        the monthly look at whether all is ready
//	page:<id>        a status page as it is watched  incident:<page>/<id>   one of its incidents
//	draft:<event>    a form that came too late to be opened, for a day
//	root:<lane>\n<ref>  which outage's message a chat platform's thread belongs to
//	said:<key>       what a person said that a setting is in peace time, and when
//	left:<key>       what an ended outage left on the platform, and what was there before it
//	out:<lane>\n<id> a card on its way               sent:<lane>\n<message> where a card was sent
//	sending:<lane>   until when somebody sends there, and what may have arrived
//	key:page         with which links to the page of an open outage are made
//	away:<platform>  since when no send to a chat platform worked
type Flow struct{ Store Store }

// Prefixes of documents.
const (
	outageDoc   = "outage:"
	recordDoc   = "change:"
	openDoc     = "open:"
	lockDoc     = "lock:"
	walkDoc     = "walk:"
	currentDoc  = "at:"
	workDoc     = "in:"
	playbookDoc = "playbook:"
	outDoc      = "out:"
	sentDoc     = "sent:"
	sendingDoc  = "sending:"
	awayDoc     = "away:"
	leftDoc     = "left:"
	saidDoc     = "said:"
	draftDoc    = "draft:"
	rootDoc     = "root:"
	pageDoc     = "page:"
	incidentDoc = "incident:"
	upkeepDoc   = "ready:all"
	pageKeyDoc  = "key:page"
)

// decode reads one document; an absent one is the zero value at version 0.
func decode[T any](d Doc) (flow.Doc[T], error) {
	out := flow.Doc[T]{Version: d.Version}
	if d.Version == 0 {
		return out, nil
	}
	if err := json.Unmarshal(d.Data, &out.Value); err != nil {
		return out, fmt.Errorf("%s: %w: %w", d.Key, flow.ErrUnreadable, err)
	}
	return out, nil
}

func get[T any](ctx context.Context, s Store, key string) (flow.Doc[T], error) {
	docs, err := s.Get(ctx, key)
	if err != nil {
		return flow.Doc[T]{}, err
	}
	return decode[T](docs[0])
}

// Walk returns a walk.
func (f Flow) Walk(ctx context.Context, id string) (flow.Doc[flow.Walk], error) {
	return get[flow.Walk](ctx, f.Store, walkDoc+id)
}

// Outage returns an outage and its record in one view. It returns ErrNewerSchema for one that a newer program wrote.
func (f Flow) Outage(ctx context.Context, id string) (flow.Doc[flow.Outage], flow.Doc[change.Record], error) {
	docs, err := f.Store.Get(ctx, outageDoc+id, recordDoc+id)
	if err != nil {
		return flow.Doc[flow.Outage]{}, flow.Doc[change.Record]{}, err
	}
	o, err := decode[flow.Outage](docs[0])
	if err != nil {
		return o, flow.Doc[change.Record]{}, err
	}
	r, err := decode[change.Record](docs[1])
	if err == nil && r.Value.Schema > change.Schema {
		err = fmt.Errorf("%s: %w: %w", docs[1].Key, flow.ErrNewer, ErrNewerSchema)
	}
	return o, r, err
}

// Open returns the open outages, oldest first.
func (f Flow) Open(ctx context.Context) ([]flow.Outage, error) { return f.outages(ctx, openDoc) }

// All returns the ended outages too.
func (f Flow) All(ctx context.Context) ([]flow.Outage, error) { return f.outages(ctx, outageDoc) }

func (f Flow) outages(ctx context.Context, prefix string) ([]flow.Outage, error) {
	names, err := f.Store.List(ctx, prefix)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	for i, n := range names {
		names[i] = outageDoc + strings.TrimPrefix(n, prefix)
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := make([]flow.Outage, 0, len(docs))
	for _, d := range docs {
		o, err := decode[flow.Outage](d)
		if err != nil { // one that cannot be read must not hide the others
			zerolog.Ctx(ctx).Error().Err(err).Msg("an outage cannot be read")
			continue
		}
		if o.Version != 0 {
			out = append(out, o.Value)
		}
	}
	slices.SortStableFunc(out, func(a, b flow.Outage) int { return a.Began.Compare(b.Began) })
	return out, nil
}

// Holders says which open outage holds each resource.
func (f Flow) Holders(ctx context.Context, keys []change.Key) (map[change.Key]string, error) {
	docs, err := f.Store.Get(ctx, lockNames(keys)...)
	if err != nil {
		return nil, err
	}
	out := map[change.Key]string{}
	for i, d := range docs {
		h, err := decode[holder](d)
		if err != nil {
			return nil, err
		}
		if h.Version != 0 {
			out[keys[i]] = h.Value.Outage
		}
	}
	return out, nil
}

type holder struct {
	Outage string `json:"outage"`
}

func lockNames(keys []change.Key) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = lockDoc + string(k)
	}
	return names
}

// Left says which resources earlier outages left with their own values.
func (f Flow) Left(ctx context.Context, keys []change.Key) (map[change.Key]change.LeftBehind, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = leftDoc + string(k)
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := map[change.Key]change.LeftBehind{}
	for i, d := range docs {
		l, err := decode[change.LeftBehind](d)
		if err != nil {
			return nil, err
		}
		if l.Version != 0 {
			out[keys[i]] = l.Value
		}
	}
	return out, nil
}

// Words is what people said of settings in peace time.
func (f Flow) Words(ctx context.Context, keys []change.Key) (map[change.Key]change.Word, error) {
	out := map[change.Key]change.Word{}
	if len(keys) == 0 {
		return out, nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = saidDoc + string(k)
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		w, err := decode[change.Word](d)
		if err != nil {
			return nil, err
		}
		if w.Version != 0 {
			out[keys[i]] = w.Value
		}
	}
	return out, nil
}

type current struct {
	Walk string `json:"walk"`
}

// Current is the walk that a person is in the middle of.
func (f Flow) Current(ctx context.Context, person string) (string, error) {
	c, err := get[current](ctx, f.Store, currentDoc+person)
	return c.Value.Walk, err
}

// Playbook returns the bytes of a version in use.
func (f Flow) Playbook(ctx context.Context, version string) ([]byte, error) {
	docs, err := f.Store.Get(ctx, playbookDoc+version)
	if err != nil {
		return nil, err
	}
	return docs[0].Data, nil
}

// MessageAt is our id of the outage's message that a chat platform calls by this name.
func (f Flow) MessageAt(ctx context.Context, lane, ref string) (string, error) {
	r, err := get[root](ctx, f.Store, rootDoc+lane+"\n"+ref)
	return r.Value.Message, err
}

// buildRoot keeps what an outage's message is called where it was sent, so that its thread is known again.
func (f Flow) buildRoot(ctx context.Context, b *builder, t flow.Turn) error {
	if !strings.HasPrefix(t.Message, flow.HomeMessage) || t.Sent.Value.Ref == "" {
		return nil
	}
	docs, err := f.Store.Get(ctx, rootDoc+t.Lane+"\n"+t.Sent.Value.Ref)
	if err == nil && docs[0].Version == 0 {
		b.put(docs[0].Key, 0, root{t.Message})
	}
	return err
}

// root is a message that begins a thread.
type root struct {
	Message string `json:"message"`
}

// Draft returns a form that came too late to be opened.
func (f Flow) Draft(ctx context.Context, id string) (flow.Doc[flow.Draft], error) {
	return get[flow.Draft](ctx, f.Store, draftDoc+id)
}

// Watches returns what is watched of each of these pages.
func (f Flow) Watches(ctx context.Context, pages []string) ([]flow.Doc[flow.Watch], error) {
	names := make([]string, len(pages))
	for i, p := range pages {
		names[i] = pageDoc + p
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := make([]flow.Doc[flow.Watch], len(docs))
	for i, d := range docs {
		if out[i], err = decode[flow.Watch](d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// logPage is how many entries of the audit log are read at once.
const logPage = 500

// Log returns the entries of one log of the audit log, oldest first.
func (f Flow) Log(ctx context.Context, name string) ([][]byte, error) {
	var out [][]byte
	for after := uint64(0); ; {
		page, err := f.Store.Audit(ctx, after, logPage)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, l := range page {
			if after = l.ID; l.Log == name {
				out = append(out, l.Data)
			}
		}
	}
}

// Upkeep is what is remembered of the monthly look at what is ready.
func (f Flow) Upkeep(ctx context.Context) (flow.Doc[flow.Upkeep], error) {
	return get[flow.Upkeep](ctx, f.Store, upkeepDoc)
}

// PageKey is the key with which links to the page of an open outage are made; the first to ask draws it.
func (f Flow) PageKey(ctx context.Context) (config.Secret, error) {
	for range tries {
		k, err := get[pageKey](ctx, f.Store, pageKeyDoc)
		if err != nil || k.Version != 0 {
			return config.Secret(k.Value.Key), err
		}
		b := builder{docs: map[string]uint64{}}
		b.put(pageKeyDoc, 0, pageKey{rand.Text()})
		if err := b.save(ctx, f.Store); err != nil && !errors.Is(err, flow.ErrConflict) {
			return "", err
		}
	}
	return "", flow.ErrConflict
}

type pageKey struct {
	Key string `json:"key"`
}

// Cases returns incidents of a page by their ids.
func (f Flow) Cases(ctx context.Context, page string, ids []string) (map[string]flow.Doc[flow.Case], error) {
	out := make(map[string]flow.Doc[flow.Case], len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = incidentDoc + page + "/" + id
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		c, err := decode[flow.Case](d)
		if err != nil {
			return nil, err
		}
		if c.Version != 0 {
			out[ids[i]] = c
		}
	}
	return out, nil
}

// Work returns one piece of work.
func (f Flow) Work(ctx context.Context, id string) (flow.Doc[flow.Work], error) {
	return get[flow.Work](ctx, f.Store, workDoc+id)
}

// Pending lists the ids of all work that is not done.
func (f Flow) Pending(ctx context.Context) ([]string, error) {
	names, err := f.Store.List(ctx, workDoc)
	for i, n := range names {
		names[i] = strings.TrimPrefix(n, workDoc)
	}
	return names, err
}

// Settled reports whether no work is left, and no card on its way.
func (f Flow) Settled(ctx context.Context) (bool, error) {
	for _, prefix := range []string{workDoc, outDoc} {
		if names, err := f.Store.List(ctx, prefix); err != nil || len(names) > 0 {
			return false, err
		}
	}
	return true, nil
}

// Origin names the store and how far it has come.
func (f Flow) Origin(ctx context.Context) (lineage string, counter uint64, err error) {
	h, err := f.Store.Health(ctx)
	return h.Lineage, h.Counter, err
}

// Claim leases due timers.
func (f Flow) Claim(ctx context.Context, lease time.Duration, n int) ([]flow.Claim, error) {
	now := time.Now()
	claims, err := f.Store.Claim(ctx, lease, n)
	out := make([]flow.Claim, len(claims))
	for i, c := range claims {
		out[i] = flow.Claim{ID: c.ID, At: c.At, Token: c.Token, Leased: now, For: lease}
	}
	return out, inFlow(err)
}

// Healthy reports whether changes may be made. Where they may, its words are what somebody answers for.
func (f Flow) Healthy(ctx context.Context) (bool, string) {
	h, err := f.Store.Health(ctx)
	switch {
	case err != nil:
		return false, "I cannot remember for you: the store does not answer"
	case !h.Changes:
		return false, "I cannot remember for you safely: " + strings.Join(h.Warnings, "; ")
	}
	return true, strings.Join(h.Answered, "; ")
}

// tries is how often an answer that says neither yes nor no is asked for again, with the same commit.
const tries = 3

// Save turns what a decision changes into one commit.
func (f Flow) Save(ctx context.Context, s flow.Save) error {
	b := builder{docs: map[string]uint64{}}
	if err := f.build(ctx, &b, s); err != nil {
		return err
	}
	if b.commit.Op == "" { // asked for again, it must not find itself in its own way
		b.commit.Nonce, b.commit.OpLife = NewNonce(), turnLife
		b.commit.Op = "save/" + b.commit.Nonce
	}
	return commit(ctx, f.Store, b.commit)
}

// commit carries a commit out. Errors with a meaning are flow's; any other leaves the outcome unknown, so the same
// commit is asked for again.
func commit(ctx context.Context, s Store, c Commit) error {
	var err error
	for range tries {
		_, err = s.Commit(ctx, c)
		if err == nil || final(err) || ctx.Err() != nil {
			break
		}
	}
	return inFlow(err)
}

// final reports whether an error of Commit says that nothing was written, and that asking again is of no use.
func final(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrReplayed) || errors.Is(err, ErrFenced) || errors.Is(err, ErrInvalid) ||
		errors.Is(err, ErrStateLost) || errors.Is(err, ErrNewerSchema)
}

func inFlow(err error) error {
	switch {
	case errors.Is(err, ErrConflict):
		return fmt.Errorf("%w: %w", flow.ErrConflict, err)
	case errors.Is(err, ErrReplayed):
		return flow.ErrReplayed
	case errors.Is(err, ErrFenced):
		return flow.ErrFenced
	case errors.Is(err, ErrInvalid):
		return fmt.Errorf("%w: %w", flow.ErrInvalid, err)
	case errors.Is(err, ErrStateLost):
		return fmt.Errorf("%w: %w", flow.ErrLost, err)
	}
	return err
}

// builder puts a commit together. Every document in it is checked against the version it was seen with.
type builder struct {
	commit Commit
	docs   map[string]uint64
	err    error
}

func (b *builder) check(key string, version uint64) {
	if seen, ok := b.docs[key]; ok {
		if seen != version {
			b.err = fmt.Errorf("%s is checked with two versions", key)
		}
		return
	}
	b.docs[key] = version
	b.commit.Checks = append(b.commit.Checks, Check{key, version})
}

func (b *builder) put(key string, version uint64, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		b.err = fmt.Errorf("write %s: %w", key, err)
		return
	}
	b.check(key, version)
	b.commit.Puts = append(b.commit.Puts, Put{key, data})
}

func (b *builder) remove(key string, version uint64) {
	if version == 0 {
		return
	}
	b.check(key, version)
	b.commit.Deletes = append(b.commit.Deletes, key)
}

// work takes work in that nobody has begun.
func (b *builder) work(work []flow.Work) {
	for _, w := range work {
		b.put(workDoc+w.ID, 0, w)
		b.commit.Timers = append(b.commit.Timers, Timer{flow.WorkTimer(w.ID), w.After})
	}
}

func (f Flow) build(ctx context.Context, b *builder, s flow.Save) error {
	if s.Newer() {
		return fmt.Errorf("%w: %w", flow.ErrNewer, ErrNewerSchema)
	}
	if s.Op != "" {
		b.commit.Op, b.commit.Nonce = s.Op, NewNonce()
	}
	if s.Lease != nil {
		b.commit.Lease = &Lease{Timer: s.Lease.Timer, Token: s.Lease.Token, Extend: s.Lease.Extend}
	}
	if s.Walk != nil {
		b.put(walkDoc+s.Walk.Value.ID, s.Walk.Version, s.Walk.Value)
	}
	if s.Record != nil {
		b.put(recordDoc+s.Record.Value.Outage, s.Record.Version, s.Record.Value)
	}
	buildPage(b, s)
	if s.Upkeep != nil {
		b.put(upkeepDoc, s.Upkeep.Version, s.Upkeep.Value)
	}
	if err := f.buildOutage(ctx, b, s); err != nil {
		return err
	}
	if err := f.buildCurrent(ctx, b, s); err != nil {
		return err
	}
	timers := newTimers(s.Timers)
	for _, w := range s.Work {
		b.put(workDoc+w.ID, 0, w)
		timers.set(flow.WorkTimer(w.ID), w.After)
	}
	if s.Done != nil {
		b.remove(workDoc+s.Done.Value.ID, s.Done.Version)
		timers.set(flow.WorkTimer(s.Done.Value.ID), time.Time{})
	}
	for _, p := range s.Posts {
		p.At = time.Now()
		b.put(outDoc+p.Place.Lane()+"\n"+p.ID, 0, p)
		timers.set(flow.LaneTimers+p.Place.Lane(), time.Now().Truncate(time.Millisecond)) // due at once, whatever a store rounds to
	}
	if err := f.buildDraft(ctx, b, s); err != nil {
		return err
	}
	if err := f.buildWords(ctx, b, s.Words); err != nil {
		return err
	}
	b.commit.Timers = timers.list
	for _, e := range s.Audit {
		b.commit.Audit = append(b.commit.Audit, Entry{Log: e.Log, Data: e.Data})
	}
	return b.err
}

// buildPage writes a status page and its incidents.
func buildPage(b *builder, s flow.Save) {
	if s.Watch == nil {
		return
	}
	page := s.Watch.Value.Page
	b.put(pageDoc+page, s.Watch.Version, s.Watch.Value)
	for _, c := range s.Cases {
		b.put(incidentDoc+page+"/"+c.Value.Incident.ID, c.Version, c.Value)
	}
	for _, c := range s.Forgot {
		b.remove(incidentDoc+page+"/"+c.Value.Incident.ID, c.Version)
	}
}

// buildOutage writes the outage with its mark of being open, and the locks. A lock is written with "must not exist":
// of two outages that want one resource, one gets a conflict.
func (f Flow) buildOutage(ctx context.Context, b *builder, s flow.Save) error {
	if s.Outage == nil {
		return nil
	}
	o := s.Outage.Value
	b.put(outageDoc+o.ID, s.Outage.Version, o)
	for _, k := range s.Lock {
		b.put(lockDoc+string(k), 0, holder{o.ID})
	}
	if err := f.buildLeft(ctx, b, s.Left); err != nil {
		return err
	}
	seen := lockNames(s.Free)
	switch anew := s.Outage.Version == 0; {
	case anew && o.Ended == nil:
		b.put(openDoc+o.ID, 0, struct{}{})
	case anew: // a drill may be over as it begins
	case o.Ended != nil:
		seen = append(seen, openDoc+o.ID)
	}
	if len(seen) == 0 {
		return nil
	}
	docs, err := f.Store.Get(ctx, seen...)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if h, err := decode[holder](d); err == nil && h.Value.Outage != "" && h.Value.Outage != o.ID {
			continue // somebody else's lock is not ours to give back
		}
		b.remove(d.Key, d.Version)
	}
	return nil
}

func (f Flow) buildDraft(ctx context.Context, b *builder, s flow.Save) error {
	if s.Draft != nil {
		b.put(draftDoc+s.Draft.ID, 0, s.Draft)
	}
	if s.Dropped == "" {
		return nil
	}
	docs, err := f.Store.Get(ctx, draftDoc+s.Dropped)
	if err == nil {
		b.remove(docs[0].Key, docs[0].Version)
	}
	return err
}

// buildWords keeps what people said; the newest word counts.
func (f Flow) buildWords(ctx context.Context, b *builder, words map[change.Key]change.Word) error {
	for _, k := range slices.Sorted(maps.Keys(words)) {
		docs, err := f.Store.Get(ctx, saidDoc+string(k))
		if err != nil {
			return err
		}
		was, err := decode[change.Word](docs[0])
		if err == nil && was.Value.Outdoes(words[k], time.Now()) { // one of a clock that was wrong does not
			continue
		}
		b.put(docs[0].Key, docs[0].Version, words[k])
	}
	return nil
}

// buildLeft keeps, or forgets, what an outage leaves behind.
func (f Flow) buildLeft(ctx context.Context, b *builder, left map[change.Key]*change.LeftBehind) error {
	keys := slices.Sorted(maps.Keys(left))
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = leftDoc + string(k)
	}
	if len(names) == 0 {
		return nil
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return err
	}
	for i, d := range docs {
		if l := left[keys[i]]; l != nil {
			b.put(d.Key, d.Version, l)
		} else {
			b.remove(d.Key, d.Version)
		}
	}
	return nil
}

func (f Flow) buildCurrent(ctx context.Context, b *builder, s flow.Save) error {
	names := []string{}
	if s.Current != nil {
		names = append(names, currentDoc+s.Current.Person)
	}
	if s.Playbook != nil && s.Walk != nil {
		names = append(names, playbookDoc+s.Walk.Value.Playbook)
	}
	if len(names) == 0 {
		return nil
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if strings.HasPrefix(d.Key, playbookDoc) {
			if d.Version == 0 {
				b.check(d.Key, 0)
				b.commit.Puts = append(b.commit.Puts, Put{d.Key, s.Playbook})
			}
			continue
		}
		now, err := decode[current](d)
		if err != nil {
			return err
		}
		// A walk that is over is forgotten only where it still is the current one.
		if s.Current.Walk != now.Value.Walk && (s.Current.Walk != "" || now.Value.Walk == s.Walk.Value.ID) {
			b.put(d.Key, d.Version, current{s.Current.Walk})
		}
	}
	return nil
}

// timerSet keeps the last word about each timer, in the order in which they were first named.
type timerSet struct {
	list []Timer
	at   map[string]int
}

func newTimers(from []flow.Timer) *timerSet {
	t := &timerSet{at: map[string]int{}}
	for _, x := range from {
		t.set(x.ID, x.At)
	}
	return t
}

func (t *timerSet) set(id string, at time.Time) {
	if i, ok := t.at[id]; ok {
		t.list[i].At = at
		return
	}
	t.at[id] = len(t.list)
	t.list = append(t.list, Timer{ID: id, At: at})
}

// Lane returns what waits for one place, in the order in which it became known. What waits never changes: known, from
// an earlier look, is not read again.
func (f Flow) Lane(ctx context.Context, lane string, known []flow.Doc[flow.Post]) ([]flow.Doc[flow.Post], error) {
	names, err := f.Store.List(ctx, outDoc+lane+"\n")
	if err != nil || len(names) == 0 {
		return nil, err
	}
	present := make(map[string]bool, len(names)) // and not known
	for _, name := range names {
		present[name] = true
	}
	out := make([]flow.Doc[flow.Post], 0, len(names))
	for _, p := range known {
		if name := outDoc + lane + "\n" + p.Value.ID; present[name] {
			out = append(out, p)
			delete(present, name)
		}
	}
	if len(present) == 0 {
		return out, nil
	}
	docs, err := f.Store.Get(ctx, slices.Sorted(maps.Keys(present))...)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		p, err := decode[flow.Post](d)
		if err != nil { // one that cannot be read must not hold up the others
			zerolog.Ctx(ctx).Error().Err(err).Msg("a card cannot be read, and is not sent")
			continue
		}
		if p.Version != 0 {
			out = append(out, p)
		}
	}
	// A document's version is the counter of its commit; within one commit the ids are in order. What came after a look
	// has a higher one.
	slices.SortFunc(out, func(a, b flow.Doc[flow.Post]) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Value.ID, b.Value.ID))
	})
	return out, nil
}

// Sent returns where a message went.
func (f Flow) Sent(ctx context.Context, lane, message string) (flow.Doc[flow.Sent], error) {
	return get[flow.Sent](ctx, f.Store, sentDoc+lane+"\n"+message)
}

// Sending returns how far the sending of a lane has come.
func (f Flow) Sending(ctx context.Context, lane string) (flow.Doc[flow.Sending], error) {
	return get[flow.Sending](ctx, f.Store, sendingDoc+lane)
}

// FreeLanes takes the lanes from whoever sends. It is for the start of a process that has the store alone: whoever had
// them is no more, and people should not wait for the end of a dead process' time.
func (f Flow) FreeLanes(ctx context.Context) error {
	names, err := f.Store.List(ctx, sendingDoc)
	if err != nil {
		return err
	}
	var b builder
	b.docs = map[string]uint64{}
	for _, name := range names {
		d, err := get[flow.Sending](ctx, f.Store, name)
		if err != nil {
			return err
		}
		if d.Value.Until.IsZero() {
			continue
		}
		d.Value.Until = time.Time{}
		b.put(name, d.Version, d.Value)
		b.commit.Timers = append(b.commit.Timers, Timer{flow.LaneTimers + strings.TrimPrefix(name, sendingDoc), time.Now().Truncate(time.Millisecond)})
	}
	if len(b.commit.Puts) == 0 {
		return nil
	}
	return b.save(ctx, f.Store)
}

const (
	turnLife  = 10 * time.Minute // in which a turn, or another save, may be asked for again
	turnPause = 100 * time.Millisecond
)

// Away returns since when no send to a chat platform worked; version 0 means that the last one did.
func (f Flow) Away(ctx context.Context, platform string) (flow.Doc[flow.Away], error) {
	return get[flow.Away](ctx, f.Store, awayDoc+platform)
}

// SetAway keeps that, or that it works again where Since is zero, with what follows from it. It returns ErrConflict
// where somebody else noticed it too.
func (f Flow) SetAway(ctx context.Context, platform string, d flow.Doc[flow.Away], work []flow.Work) error {
	b := builder{docs: map[string]uint64{}}
	if d.Value.Since.IsZero() {
		b.remove(awayDoc+platform, d.Version)
	} else {
		b.put(awayDoc+platform, d.Version, d.Value)
	}
	b.work(work)
	if b.err != nil {
		return b.err
	}
	return commit(ctx, f.Store, b.commit)
}

// Waiting says for each chat platform how many cards wait to be sent there, and since when the oldest does.
func (f Flow) Waiting(ctx context.Context) (map[string]flow.Queue, error) {
	names, err := f.Store.List(ctx, outDoc)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	docs, err := f.Store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := map[string]flow.Queue{}
	for _, d := range docs {
		p, err := decode[flow.Post](d)
		if err != nil {
			return nil, err
		}
		q := out[p.Value.Place.Platform]
		if p.Version == 0 {
			continue
		}
		if q.Cards++; q.Oldest.IsZero() || p.Value.At.Before(q.Oldest) {
			q.Oldest = p.Value.At
		}
		out[p.Value.Place.Platform] = q
	}
	return out, nil
}

// Turn saves what was sent, and who sends on. It returns the new version of the lane's Sending, and ErrConflict where
// somebody else has taken the lane. While the store does not answer it asks again, as long as ctx lasts: what was sent
// is worth waiting for.
func (f Flow) Turn(ctx context.Context, t flow.Turn) (uint64, error) {
	b := builder{docs: map[string]uint64{}}
	b.put(sendingDoc+t.Lane, t.Sending.Version, t.Sending.Value)
	for _, p := range t.Done {
		b.remove(outDoc+t.Lane+"\n"+p.Value.ID, p.Version)
	}
	if t.Sent != nil {
		b.put(sentDoc+t.Lane+"\n"+t.Message, t.Sent.Version, t.Sent.Value)
		if err := patiently(ctx, func() error { return f.buildRoot(ctx, &b, t) }); err != nil {
			return 0, err
		}
	}
	b.work(t.Work)
	if b.err != nil {
		return 0, b.err
	}
	c := b.commit
	c.Nonce, c.OpLife = NewNonce(), turnLife
	c.Op = "turn/" + c.Nonce
	if t.Rest == nil {
		return f.patiently(ctx, c)
	}
	c.Lease = &Lease{Timer: t.Rest.Claim.ID, Token: t.Rest.Claim.Token}
	c.Timers = append(c.Timers, Timer{t.Rest.Claim.ID, t.Rest.At})
	version, err := f.patiently(ctx, c)
	if errors.Is(err, flow.ErrFenced) { // a post came, and whoever took its claim saw that the lane was taken
		c.Lease, c.Timers[len(c.Timers)-1].At = nil, time.Now().Truncate(time.Millisecond)
		return f.patiently(ctx, c)
	}
	return version, err
}

func (f Flow) patiently(ctx context.Context, c Commit) (counter uint64, err error) {
	err = patiently(ctx, func() error {
		counter, err = f.Store.Commit(ctx, c)
		return err
	})
	return counter, inFlow(err)
}

// patiently asks until there is an answer, as long as ctx lasts.
func patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || final(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(turnPause):
		}
	}
}

// Rest ends the claim of a lane that somebody else sends. A post that came meanwhile has set the timer anew and ended
// the claim: then nothing is done here.
func (f Flow) Rest(ctx context.Context, r flow.Rest) error {
	err := commit(ctx, f.Store, Commit{Lease: &Lease{Timer: r.Claim.ID, Token: r.Claim.Token}, Timers: []Timer{{r.Claim.ID, r.At}}})
	if errors.Is(err, flow.ErrFenced) {
		return nil
	}
	return err
}
