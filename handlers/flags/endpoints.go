package flags

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/config"
)

// Settings are this package's part of the organisation document.
type Settings struct {
	Keep config.Duration `yaml:"keep" jsonschema_description:"How long the last known state is answered while the store is away; after that customers are let through (default 10m)."`
}

// Check reports what is wrong with the settings, at its place in the document.
func (s Settings) Check(d *config.Document, at string) config.Problems {
	if s.Keep > config.Duration(maxKeep) {
		return config.Problems{d.Problem(at+".keep", "%s is too long: customers would be shut out while nobody knows why; a day at most", s.Keep)}
	}
	return nil
}

const (
	usualKeep    = 10 * time.Minute
	maxKeep      = 24 * time.Hour
	refreshEvery = time.Second
	refreshIn    = 2 * time.Second
)

// Config is what Endpoints answer from.
type Config struct {
	Targets []Target
	Store   Store
	// Secret is "user:password", which the phone menu sends; several are separated by commas, for the days in which one
	// replaces another. Empty: every question of a menu is refused.
	Secret config.Secret
	// Keep is how long the last known state is answered while the store is away; zero means ten minutes.
	Keep time.Duration
	// Notice returns what customers should read or hear while the flag k is set, and when people will look at it again.
	// Either may be left out, and Notice may be nil. It is asked once a second and never in peace time.
	Notice func(ctx context.Context, k change.Key) (text string, until time.Time)
}

// Endpoints answer pages and phone menus from memory, as an http.Handler for /flags/. Run keeps the memory in step with
// the store; no request ever waits for it.
type Endpoints struct {
	store   Store
	secrets [][sha256.Size]byte
	keep    time.Duration
	notice  func(context.Context, change.Key) (string, time.Time)
	page    reply
	routes  *http.ServeMux

	chats, numbers map[string]*flag // by target
	all            []*flag

	counts  counters
	quietly struct{ unknown, denied quiet }

	mu   sync.Mutex
	read time.Time // when all that could be read was last read
	err  error     // why the last reading failed
}

// flag is one target, and what is remembered of it.
type flag struct {
	target Target
	key    change.Key
	any    bool // pages of any origin may ask

	now   atomic.Pointer[said]
	asked atomic.Int64 // since they were last told to the store
	last  atomic.Int64 // when, in nanoseconds
}

// said is what a flag said when it was read.
type said struct {
	at    time.Time // when the reading began …
	wall  time.Time // … by the wall clock alone
	on    bool
	text  string
	until time.Time
	reply reply
}

// age is how old the reading is, by both clocks: the monotonic one stands still while a virtual machine is suspended.
func (s *said) age() time.Duration { return max(time.Since(s.at), time.Since(s.wall)) }

// NewEndpoints returns endpoints that know nothing yet, and so let customers through: Refresh them before they are
// asked, and Run them.
func NewEndpoints(c Config) (*Endpoints, error) {
	e := &Endpoints{
		store: c.Store, keep: c.Keep, notice: c.Notice, page: newReply(pageScript),
		chats: map[string]*flag{}, numbers: map[string]*flag{},
	}
	if e.keep == 0 {
		e.keep = usualKeep
	}
	if c.Secret != "" {
		for one := range strings.SplitSeq(c.Secret.Reveal(), ",") {
			one = strings.TrimSpace(one)
			if user, password, _ := strings.Cut(one, ":"); user == "" || password == "" {
				return nil, errors.New("want user:password, or several separated by commas")
			}
			e.secrets = append(e.secrets, sha256.Sum256([]byte(one)))
		}
	}
	p := New(c.Targets, c.Store)
	for _, t := range c.Targets {
		f := &flag{target: t, key: p.key(t), any: slices.Contains(t.Origins, "*")}
		e.all = append(e.all, f)
		if t.Kind == Voice {
			e.numbers[t.ID] = f
		} else {
			e.chats[t.ID] = f
		}
	}
	e.routes = e.mux()
	return e, nil
}

// Run reads the flags once a second, and tells the store who asked, until ctx ends: before the store stops writing that
// down. While the flags cannot be read, the logger of ctx gets a line a minute.
func (e *Endpoints) Run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	var told time.Time // of the last line; zero: all is well
	for {
		err := e.Refresh(ctx)
		e.tell()
		if ctx.Err() != nil {
			return
		}
		log := zerolog.Ctx(ctx)
		switch h := e.Health(); {
		case err == nil && !told.IsZero():
			log.Info().Msg("the flags can be read again")
			told = time.Time{}
		case err == nil || !told.IsZero() && time.Since(told) < logEvery:
		case h.LetThrough:
			told = time.Now()
			log.Error().Err(err).Time("read", h.Read).Msg("customers are let through, also where chat or phones were closed: the flags cannot be read")
		default:
			told = time.Now()
			log.Error().Err(err).Time("read", h.Read).Time("until", h.Until).Msg("the flags cannot be read; pages and menus get what was last known until then")
		}
		select {
		case <-ctx.Done():
			e.tell()
			return
		case <-tick.C:
		}
	}
}

// Refresh reads all flags. An error means that some could not be read; they stay as they were last known.
func (e *Endpoints) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshIn)
	defer cancel()
	keys := make([]change.Key, len(e.all))
	for i, f := range e.all {
		keys[i] = f.key
	}
	began := time.Now()
	values, err := e.store.All(ctx, keys)
	if err == nil {
		var odd []string
		for _, f := range e.all {
			raw, there := values[f.key]
			v, ok := f.target.Kind.value(raw)
			if !there || !ok {
				odd = append(odd, string(f.key))
				continue
			}
			e.hear(ctx, f, v, began)
		}
		if odd != nil {
			err = fmt.Errorf("what they say means nothing to this version: %s", strings.Join(odd, ", "))
		}
	}
	e.counts.reads.Add(1)
	if err != nil {
		e.counts.failed.Add(1)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err = err; err == nil {
		e.read = began
	}
	return err
}

// hear keeps what a flag said, and makes the answer ready to be sent.
func (e *Endpoints) hear(ctx context.Context, f *flag, v change.Value, at time.Time) {
	now := &said{at: at, wall: at.Round(0), on: v.Equal(f.target.Kind.outage())}
	if now.on {
		if e.notice != nil {
			now.text, now.until = e.notice(ctx, f.key)
		}
		if now.text == "" {
			now.text = f.target.Message
		}
		if now.text == "" && f.target.Kind == Chat {
			now.text = defaultMessage
		}
	}
	if was := f.now.Load(); was != nil && was.on == now.on && was.text == now.text && was.until.Equal(now.until) {
		now.reply = was.reply
	} else if f.target.Kind == Voice {
		now.reply = newReply(encode(voiceAnswer{State: string(v.Raw), Message: now.text}))
	} else {
		a := chatAnswer{Open: !now.on, Message: now.text}
		if !now.until.IsZero() {
			a.Until = new(now.until.UTC().Truncate(time.Second))
		}
		now.reply = newReply(encode(a))
	}
	f.now.Store(now)
}

// said is what a flag says, as far as it is known.
func (e *Endpoints) said(f *flag) (*said, bool) {
	now := f.now.Load()
	if now == nil || now.age() > e.keep {
		e.counts.letThrough.Add(1)
		return nil, false
	}
	if now.age() > refreshEvery+refreshIn {
		e.counts.kept.Add(1)
	}
	return now, true
}

// note counts one who asked and was answered.
func (f *flag) note(at time.Time) {
	f.last.Store(at.UnixNano())
	f.asked.Add(1)
}

// tell tells the store who asked since the last time.
func (e *Endpoints) tell() {
	for _, f := range e.all {
		if n := f.asked.Swap(0); n > 0 {
			e.store.Note(f.key, int(n), time.Unix(0, f.last.Load()))
		}
	}
}

// Health is how well the endpoints know what they answer.
type Health struct {
	Read       time.Time // when all flags were last read; zero: never
	Until      time.Time // until when that is answered if it stays so
	LetThrough bool      // customers of at least one target are let through, because nothing is known of it
	Err        error     // why the last reading failed; nil: it did not
}

// Health tells how well the endpoints know what they answer.
func (e *Endpoints) Health() Health {
	e.mu.Lock()
	h := Health{Read: e.read, Err: e.err}
	e.mu.Unlock()
	if !h.Read.IsZero() {
		h.Until = h.Read.Add(e.keep)
	}
	for _, f := range e.all {
		now := f.now.Load()
		h.LetThrough = h.LetThrough || now == nil || now.age() > e.keep
	}
	return h
}

// counters count since the start.
type counters struct {
	chat, voice, kept, letThrough, unknown, denied, refused, reads, failed atomic.Uint64
}

// Counts names what happened since the start: the name of each metric, what it counts, and how often. They only grow.
func (e *Endpoints) Counts(each func(name, help string, n uint64)) {
	c := &e.counts
	each("flags_chat_answered_total", "Questions of pages that were answered with what their flag says.", c.chat.Load())
	each("flags_voice_answered_total", "Questions of phone menus that were answered with what their flag says.", c.voice.Load())
	each("flags_answered_old_total", "Of the answered ones: from what was known last, while the store could not be read.", c.kept.Load())
	each("flags_let_through_total", "Questions while the flag was not known: chat open, the usual menu.", c.letThrough.Load())
	each("flags_no_such_target_total", "Questions about apps and numbers that have no flag.", c.unknown.Load())
	each("flags_unauthorized_total", "Questions of phone menus without the right user and password.", c.denied.Load())
	each("flags_bad_request_total", "Questions of phone menus that could not be understood.", c.refused.Load())
	each("flags_readings_total", "Readings of the flags from the store.", c.reads.Load())
	each("flags_readings_failed_total", "Of these: those that failed.", c.failed.Load())
}
