package storetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"switchback/store"
)

// modelStore is a store in its plainest form. Its leases never run out: the tests lease for an hour.
type modelStore struct {
	counter uint64
	docs    map[string]store.Doc
	timers  map[string]time.Time
	tokens  map[string]uint64 // of the timers that are leased
	ops     map[string]mark
	log     []store.Entry
}

type mark struct {
	nonce   string
	counter uint64
}

// commit returns what Commit should, and which document a conflict is about.
func (m *modelStore) commit(c store.Commit) (uint64, error) {
	if done, ok := m.ops[c.Op]; ok && done.nonce == c.Nonce {
		return done.counter, nil
	} else if ok {
		return 0, store.ErrReplayed
	}
	if c.Lease != nil && m.tokens[c.Lease.Timer] != c.Lease.Token {
		return 0, store.ErrFenced
	}
	for _, k := range c.Checks {
		if m.docs[k.Key].Version != k.Version {
			return 0, &store.ConflictError{Key: k.Key}
		}
	}
	m.counter++
	for _, p := range c.Puts {
		m.docs[p.Key] = store.Doc{Key: p.Key, Version: m.counter, Data: p.Data}
	}
	for _, key := range c.Deletes {
		delete(m.docs, key)
	}
	for _, t := range c.Timers {
		delete(m.tokens, t.ID)
		delete(m.timers, t.ID)
		if !t.At.IsZero() {
			m.timers[t.ID] = t.At
		}
	}
	if c.Op != "" {
		m.ops[c.Op] = mark{c.Nonce, m.counter}
	}
	m.log = append(m.log, c.Audit...)
	return m.counter, nil
}

// due returns the timers that Claim should give, without their tokens.
func (m *modelStore) due(n int) []store.Claim {
	var due []store.Claim
	for id, at := range m.timers {
		if _, leased := m.tokens[id]; !leased && at.Before(time.Now()) {
			due = append(due, store.Claim{ID: id, At: at})
		}
	}
	slices.SortFunc(due, func(a, b store.Claim) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID))
	})
	return due[:min(n, len(due))]
}

// The few names that random commits are about.
func keys() []string { return []string{"a", "b", "ba", "c:1", "c:2"} }

// model compares a store with a modelStore through random commits and claims.
func model(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	start := time.Now().Truncate(time.Second).UTC()
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		m := modelStore{
			docs: map[string]store.Doc{}, timers: map[string]time.Time{}, tokens: map[string]uint64{}, ops: map[string]mark{},
		}
		var last store.Commit // to be repeated
		var highest uint64    // token
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				last = m.draw(rt, start)
				m.compare(rt, s, last)
			},
			"repeat": func(rt *rapid.T) {
				if last.Op == "" {
					rt.Skip("there is nothing to repeat")
				}
				m.compare(rt, s, last)
			},
			"claim": func(rt *rapid.T) {
				n := rapid.IntRange(0, 3).Draw(rt, "n")
				got, err := s.Claim(rt.Context(), time.Hour, n)
				if err != nil {
					rt.Fatal(err)
				}
				if diff := gocmp.Diff(m.due(n), got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Claim{}, "Token")); diff != "" {
					rt.Fatalf("Claim(%d) (-want +got):\n%s", n, diff)
				}
				for _, c := range got {
					if c.Token <= highest {
						rt.Fatalf("token %d came after %d", c.Token, highest)
					}
					highest = c.Token
					m.tokens[c.ID] = c.Token
				}
			},
			"": func(rt *rapid.T) { m.look(rt, s) },
		})
	})
}

// draw makes a commit that is mostly right: about one in ten versions, tokens and nonces is wrong.
func (m *modelStore) draw(rt *rapid.T, start time.Time) store.Commit {
	var c store.Commit
	wrong := func(what string) bool { return rapid.IntRange(0, 9).Draw(rt, "wrong "+what) == 0 }
	for _, key := range keys() {
		what := rapid.SampledFrom([]string{"", "", "check", "put", "delete"}).Draw(rt, key)
		if what == "" {
			continue
		}
		version := m.docs[key].Version
		if wrong("version") {
			version = rapid.Uint64Range(0, m.counter+1).Draw(rt, "version")
		}
		c.Checks = append(c.Checks, store.Check{Key: key, Version: version})
		switch what {
		case "put":
			c.Puts = append(c.Puts, store.Put{Key: key, Data: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(rt, "data")})
		case "delete":
			c.Deletes = append(c.Deletes, key)
		}
	}
	for _, id := range []string{"t1", "t2", "t3"} {
		switch rapid.IntRange(0, 4).Draw(rt, id) {
		case 0:
			c.Timers = append(c.Timers, store.Timer{ID: id})
		case 1:
			hours := rapid.IntRange(1, 3).Draw(rt, "hours")
			c.Timers = append(c.Timers, store.Timer{ID: id, At: start.Add(-time.Duration(hours) * time.Hour)})
		case 2:
			c.Timers = append(c.Timers, store.Timer{ID: id, At: start.Add(time.Hour)})
		}
	}
	if held := slices.Sorted(maps.Keys(m.tokens)); len(held) > 0 && rapid.Bool().Draw(rt, "leased") {
		timer := rapid.SampledFrom(held).Draw(rt, "lease")
		c.Lease = &store.Lease{Timer: timer, Token: m.tokens[timer]}
		if wrong("token") {
			c.Lease.Token--
		}
		if rapid.Bool().Draw(rt, "extended") {
			c.Lease.Extend = time.Hour
		}
	}
	if rapid.Bool().Draw(rt, "marked") {
		c.Op = rapid.StringMatching(`press:[0-9]{1,2}`).Draw(rt, "op")
		c.Nonce = store.NewNonce()
	}
	if rapid.Bool().Draw(rt, "audited") {
		c.Audit = []store.Entry{{Log: "outage:1", Data: []byte(`{"n":1}`)}, {Log: "walk:1", Data: []byte("{}")}}
	}
	return c
}

func (m *modelStore) compare(rt *rapid.T, s store.Store, c store.Commit) {
	want, wantErr := m.commit(c)
	got, err := s.Commit(rt.Context(), c)
	if !sameError(err, wantErr) || got != want {
		rt.Fatalf("Commit(%+v) = %d, %v, want %d, %v", c, got, err, want, wantErr)
	}
}

func sameError(got, want error) bool {
	if want, ok := errors.AsType[*store.ConflictError](want); ok {
		got, ok := errors.AsType[*store.ConflictError](got)
		return ok && *got == *want
	}
	return errors.Is(got, want)
}

// look compares all that can be seen.
func (m *modelStore) look(rt *rapid.T, s store.Store) {
	want := make([]store.Doc, len(keys()))
	for i, key := range keys() {
		want[i] = m.docs[key]
		want[i].Key = key
	}
	got, err := s.Get(rt.Context(), keys()...)
	if diff := gocmp.Diff(want, got); err != nil || diff != "" {
		rt.Fatalf("Get: %v (-want +got):\n%s", err, diff)
	}
	names, err := s.List(rt.Context(), "")
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(m.docs)), names, cmpopts.EquateEmpty()); err != nil || diff != "" {
		rt.Fatalf("List: %v (-want +got):\n%s", err, diff)
	}
	entries, err := s.Audit(rt.Context(), 0, 1000)
	if diff := gocmp.Diff(m.log, written(entries), cmpopts.EquateEmpty()); err != nil || diff != "" {
		rt.Fatalf("Audit: %v (-want +got):\n%s", err, diff)
	}
	health, err := s.Health(rt.Context())
	if err != nil || health.Counter != m.counter {
		rt.Fatalf("Health = %+v, %v, want the counter %d", health, err, m.counter)
	}
}
