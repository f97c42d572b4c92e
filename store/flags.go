package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
)

// Flags keeps the bot's own switches in any Store, and counts who asks for them. Documents, each readable JSON:
//
//	flag:<kind>/<target>         what it was last set to, and for which outage
//	asked:<kind>/<target>        who asked for it
//	flag:drill/<kind>/<target>   the same of drills
//
// Asking is counted in memory and written every ten seconds while Run runs, all flags in one commit, so that a busy
// page costs no sync per visitor. (Every second would write two gigabytes a day of counts into the append-only file of a
// company with twenty flags, and cards say no more than "last 9 s ago".) A crash loses what was counted since: the counts serve people who wonder whether
// anybody asks at all, and the next visitor answers that again.
type Flags struct {
	store Store

	writing sync.Mutex // held while counts are on their way from pending to the store, where Asked would miss them
	mu      sync.Mutex
	pending map[change.Key]asking
}

// Prefixes of documents.
const (
	flagDoc  = "flag:"
	askedDoc = "asked:"
)

const flagSchema = 1

const (
	askedEvery  = 10 * time.Second // how often counts are written, and how finely their times are kept
	askedWindow = 5 * time.Minute
	askedWait   = 5 * time.Second // for the store
)

// NewFlags returns the flags in s.
func NewFlags(s Store) *Flags { return &Flags{store: s, pending: map[change.Key]asking{}} }

// flag is a document: what a flag was last set to.
type flag struct {
	Schema int       `json:"schema"`
	Value  string    `json:"value"`
	Outage string    `json:"outage"` // that held it then; empty: none did
	At     time.Time `json:"at"`
}

// flagName returns what a document's name says of the flag.
func flagName(k change.Key) string { return strings.TrimPrefix(string(k), "flag/") }

func decodeFlag(d Doc) (flag, error) {
	v, err := decode[flag](d)
	if err == nil && v.Value.Schema > flagSchema {
		err = fmt.Errorf("%s: %w", d.Key, ErrNewerSchema)
	}
	return v.Value, err
}

// Get returns what a flag was last set to, empty if it never was.
func (f *Flags) Get(ctx context.Context, k change.Key) (string, error) {
	docs, err := f.store.Get(ctx, flagDoc+flagName(k))
	if err != nil {
		return "", err
	}
	now, err := decodeFlag(docs[0])
	return now.Value, err
}

// All returns what flags were last set to, empty for those that never were. One whose document cannot be understood, such
// as a newer program's, is left out.
func (f *Flags) All(ctx context.Context, keys []change.Key) (map[change.Key]string, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = flagDoc + flagName(k)
	}
	docs, err := f.store.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	out := make(map[change.Key]string, len(keys))
	for i, d := range docs {
		if now, err := decodeFlag(d); err == nil {
			out[keys[i]] = now.Value
		}
	}
	return out, nil
}

// Set changes a flag from was to want; empty means never set. It returns change.ErrRefused, with nothing written, if
// the flag is not at was.
func (f *Flags) Set(ctx context.Context, k change.Key, want, was string) error {
	for {
		docs, err := f.store.Get(ctx, flagDoc+flagName(k), lockDoc+string(k))
		if err != nil {
			return err
		}
		now, err := decodeFlag(docs[0])
		if err != nil {
			return err
		}
		if now.Value != was {
			return fmt.Errorf("%w: it is at %q, not at %q", change.ErrRefused, now.Value, was)
		}
		by, err := decode[holder](docs[1])
		if err != nil {
			return err
		}
		b := newBuilder("set")
		b.put(docs[0].Key, docs[0].Version, flag{flagSchema, want, by.Value.Outage, time.Now().UTC()})
		if err := b.save(ctx, f.store); !errors.Is(err, ErrConflict) {
			return err
		} // somebody was quicker, and what they wrote is compared with was
	}
}

// newBuilder begins a commit that can be repeated where its outcome is unknown.
func newBuilder(what string) *builder {
	nonce := NewNonce()
	return &builder{commit: Commit{Op: "flags:" + what + ":" + nonce, Nonce: nonce, OpLife: time.Minute}, docs: map[string]uint64{}}
}

func (b *builder) save(ctx context.Context, s Store) error {
	if b.err != nil {
		return b.err
	}
	return commit(ctx, s, b.commit)
}

// asking is a document: how often a flag was asked for.
type asking struct {
	Last   time.Time `json:"last"`
	Total  int       `json:"total"`
	Recent []slot    `json:"recent"` // of the five minutes before Last, oldest first
}

// slot is how often it was in the ten seconds from At.
type slot struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}

// plus adds up what two counted.
func (a asking) plus(b asking) asking {
	out := asking{Last: a.Last, Total: a.Total + b.Total}
	if b.Last.After(out.Last) {
		out.Last = b.Last
	}
	all := append(slices.Clone(a.Recent), b.Recent...)
	slices.SortFunc(all, func(x, y slot) int { return x.At.Compare(y.At) })
	for _, s := range all {
		switch n := len(out.Recent); {
		case !s.At.After(out.Last.Add(-askedWindow)):
		case n > 0 && out.Recent[n-1].At.Equal(s.At):
			out.Recent[n-1].N += s.N
		default:
			out.Recent = append(out.Recent, s)
		}
	}
	return out
}

// Note counts n who asked for a flag and were answered, the last of them at that time. It waits for nothing.
func (f *Flags) Note(k change.Key, n int, at time.Time) {
	at = at.UTC().Round(0) // without the monotonic clock, which means nothing to whoever reads it from the store
	some := asking{Last: at, Total: n, Recent: []slot{{at.Truncate(askedEvery), n}}}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[k] = f.pending[k].plus(some)
}

// Asked returns when a flag was last asked for (zero: never), how often in the last five minutes, to ten seconds, and
// how often ever. What other processes counted is at most ten seconds old.
func (f *Flags) Asked(ctx context.Context, k change.Key) (last time.Time, in5min, total int, err error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	stored, err := get[asking](ctx, f.store, askedDoc+flagName(k))
	if err != nil {
		return time.Time{}, 0, 0, err
	}
	f.mu.Lock()
	all := stored.Value.plus(f.pending[k])
	f.mu.Unlock()
	for _, s := range all.Recent {
		if s.At.After(time.Now().Add(-askedWindow)) {
			in5min += s.N
		}
	}
	return all.Last, in5min, all.Total, nil
}

// Run writes the counts every ten seconds, and once more when ctx ends. While the store is away they stay in memory;
// the logger of ctx gets one line about it.
func (f *Flags) Run(ctx context.Context) {
	tick := time.NewTicker(askedEvery)
	defer tick.Stop()
	away := false
	write := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, askedWait)
		defer cancel()
		err := f.write(ctx)
		if err != nil && !away {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("who asked for flags is not written for now")
		}
		away = err != nil
	}
	for {
		select {
		case <-ctx.Done():
			write(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			write(ctx)
		}
	}
}

// write moves the counts into the store, where others may have added theirs meanwhile. Where the outcome stays unknown
// they are counted twice at worst, rather than not at all.
func (f *Flags) write(ctx context.Context) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	taken := f.pending
	f.pending = map[change.Key]asking{}
	f.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	kept, err := f.add(ctx, taken)
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, a := range kept {
		f.pending[k] = a.plus(f.pending[k])
	}
	return err
}

// add returns what it could not write. A document that cannot be understood is left as it is, and keeps back its own
// counts alone.
func (f *Flags) add(ctx context.Context, counts map[change.Key]asking) (map[change.Key]asking, error) {
	keys := slices.Sorted(maps.Keys(counts))
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = askedDoc + flagName(k)
	}
	for {
		docs, err := f.store.Get(ctx, names...)
		if err != nil {
			return counts, err
		}
		b := newBuilder("asked")
		odd, why := map[change.Key]asking{}, error(nil)
		for i, d := range docs {
			stored, err := decode[asking](d)
			if err != nil {
				odd[keys[i]], why = counts[keys[i]], errors.Join(why, err)
				continue
			}
			b.put(d.Key, d.Version, stored.Value.plus(counts[keys[i]]))
		}
		if len(odd) == len(counts) {
			return odd, why
		}
		switch err := b.save(ctx, f.store); {
		case err == nil:
			return odd, why
		case !errors.Is(err, ErrConflict):
			return counts, err
		}
	}
}
