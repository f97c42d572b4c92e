// Package storetest is the contract that every store keeps.
//
// The tests know no clock but the real one, since a store may have one of its own: what is due was set in the past,
// and what runs out does so within a millisecond.
package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchback/store"
)

// Run tests the stores that open returns. Each is new and empty, and is closed by open when its test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t test)
	}{
		{"an absent document has version 0", absent},
		{"documents come in the order asked, at the version of their commit", documents},
		{"any bytes and names are kept", bytesKept},
		{"what was read is the reader's own", own},
		{"list gives sorted names", list},
		{"a check that fails writes nothing", conflict},
		{"a check that is not written is checked too", checkOnly},
		{"a deleted document never has an old version again", recreated},
		{"a commit that breaks a rule is refused", invalid},
		{"a commit of nothing counts", nothing},
		{"an op is taken once", once},
		{"a repeat is answered as the first time", repeated},
		{"a commit that failed leaves no mark of its op", failedOp},
		{"an op is forgotten after its life", opLife},
		{"of fifty that race for one version one wins", race},
		{"of fifty with one op one is the first", opRace},
		{"due timers are claimed, oldest first", claimed},
		{"a timer is never early, and is kept to the millisecond", rounded},
		{"a claim hides its timer until its lease runs out", leaseEnds},
		{"what comes back goes behind what has waited", queued},
		{"two that claim share nothing", claimRace},
		{"a commit under a lost lease is fenced", fenced},
		{"a lease that ran out is good until somebody takes it", late},
		{"a lease is extended, and keeps its token", extended},
		{"setting or removing a timer ends its lease", leaseEnded},
		{"the audit log keeps order and pages", audit},
		{"health tells lineage and counter", health},
		{"a context that is done stops every call", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(test{t, open(t)}) })
	}
	t.Run("random commits do what a map would", func(t *testing.T) { model(t, open) })
}

func absent(t test) {
	t.wantDocs(store.Doc{Key: "none"}, store.Doc{Key: ""}, store.Doc{Key: "none"})
	if docs, err := t.store.Get(t.Context()); len(docs) != 0 || err != nil {
		t.Errorf("Get of nothing = %v, %v", docs, err)
	}
}

func documents(t test) {
	t.wantCommit(1, put("a", 0, "A"))
	t.wantCommit(2, put("b", 0, "B"))
	t.wantCommit(3, put("a", 1, "A2"))
	t.wantDocs(doc("b", 2, "B"), store.Doc{Key: "none"}, doc("a", 3, "A2"))
}

func bytesKept(t test) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := strings.Repeat("0123456789abcdef", 1<<12) // more than a page
	for i, d := range []store.Doc{
		doc("empty", 1, ""),
		doc("bytes", 2, string(all)),
		doc("big", 3, big),
		doc("out:C0 1\n<&é😀", 4, "\n"),
		doc(strings.Repeat("k", store.MaxName), 5, "x"),
	} {
		t.wantCommit(uint64(i+1), put(d.Key, 0, string(d.Data)))
		t.wantDocs(d)
	}
	t.wantCommit(6, store.Commit{Audit: []store.Entry{{Log: "any bytes", Data: all}}})
	entries, err := t.store.Audit(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]store.Entry{{Log: "any bytes", Data: all}}, written(entries)); diff != "" {
		t.Errorf("Audit (-want +got):\n%s", diff)
	}
	t.wantCommit(7, store.Commit{ // nil data is an empty document
		Checks: []store.Check{{Key: "nil"}}, Puts: []store.Put{{Key: "nil"}},
	})
	t.wantDocs(doc("nil", 7, ""))
}

func own(t test) {
	long := strings.Repeat("A", 10_000) // small documents may be kept in another way
	t.wantCommit(1, put("a", 0, long))
	docs, err := t.store.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	docs[0].Data[0] = 'B'
	t.wantDocs(doc("a", 1, long))
	c := put("b", 0, long)
	t.wantCommit(2, c)
	c.Puts[0].Data[0] = 'B'
	t.wantDocs(doc("b", 2, long))
}

func list(t test) {
	for _, key := range []string{"walk:2", "walk:10", "walk", "wall", "walk:1", "a", "walk:"} {
		t.mustCommit(put(key, 0, "x"))
	}
	t.mustCommit(store.Commit{Checks: []store.Check{{Key: "walk:2", Version: 1}}, Deletes: []string{"walk:2"}})
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"walk:", []string{"walk:", "walk:1", "walk:10"}},
		{"", []string{"a", "walk", "walk:", "walk:1", "walk:10", "wall"}},
		{"walk:2", nil},
		{"z", nil},
	} {
		got, err := t.store.List(t.Context(), c.prefix)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", c.prefix, diff)
		}
	}
}

func conflict(t test) {
	t.wantCommit(1, put("a", 0, "A"))
	t.wantCommit(2, put("b", 0, "B"))
	for _, version := range []uint64{0, 2, math.MaxUint64} {
		c := put("a", version, "lost")
		c.Op, c.Nonce = "press", store.NewNonce()
		c.Checks = append(c.Checks, store.Check{Key: "b", Version: 2}, store.Check{Key: "new"})
		c.Puts = append(c.Puts, store.Put{Key: "new"})
		c.Deletes = []string{"b"}
		c.Timers = []store.Timer{{ID: "t", At: past(1)}}
		c.Audit = []store.Entry{{Log: "a", Data: []byte("{}")}}
		t.wantConflict(c, "a")
	}
	t.wantDocs(doc("a", 1, "A"), doc("b", 2, "B"), store.Doc{Key: "new"})
	t.wantClaims()
	if entries, err := t.store.Audit(t.Context(), 0, 9); len(entries) != 0 || err != nil {
		t.Errorf("Audit = %v, %v", entries, err)
	}
	t.wantCommit(3, put("a", 1, "A2"))
}

func checkOnly(t test) {
	t.wantCommit(1, put("lock", 0, "anna"))
	c := put("a", 0, "A")
	c.Checks = append(c.Checks, store.Check{Key: "lock"})
	t.wantConflict(c, "lock")
	c.Checks[1].Version = 1
	t.wantCommit(2, c)
	t.wantDocs(doc("lock", 1, "anna")) // which a check does not write
}

func recreated(t test) {
	t.wantCommit(1, put("a", 0, "A"))
	t.wantCommit(2, store.Commit{Checks: []store.Check{{Key: "a", Version: 1}}, Deletes: []string{"a"}})
	t.wantDocs(store.Doc{Key: "a"})
	t.wantConflict(put("a", 1, "late"), "a")
	t.wantCommit(3, put("a", 0, "B"))
	t.wantConflict(put("a", 1, "late"), "a")
	t.wantDocs(doc("a", 3, "B"))
	// To delete what is not there is no mistake.
	t.wantCommit(4, store.Commit{Checks: []store.Check{{Key: "none"}}, Deletes: []string{"none"}})
}

func invalid(t test) {
	check := []store.Check{{Key: "a"}}
	for name, c := range map[string]store.Commit{
		"put without a check":      {Puts: []store.Put{{Key: "a"}}},
		"delete without a check":   {Checks: check, Deletes: []string{"b"}},
		"put twice":                {Checks: check, Puts: []store.Put{{Key: "a"}, {Key: "a"}}},
		"put and deleted":          {Checks: check, Puts: []store.Put{{Key: "a"}}, Deletes: []string{"a"}},
		"checked twice":            {Checks: append(check, check...)},
		"no key":                   {Checks: []store.Check{{}}},
		"key too long":             {Checks: []store.Check{{Key: strings.Repeat("k", store.MaxName+1)}}},
		"key not UTF-8":            {Checks: []store.Check{{Key: "\xff"}}},
		"key with NUL":             {Checks: []store.Check{{Key: "a\x00b"}}},
		"timer twice":              {Timers: []store.Timer{{ID: "t", At: past(1)}, {ID: "t"}}},
		"timer without an id":      {Timers: []store.Timer{{At: past(1)}}},
		"log without a name":       {Audit: []store.Entry{{}}},
		"op without a nonce":       {Op: "press"},
		"nonce without an op":      {Nonce: store.NewNonce()},
		"op life without an op":    {OpLife: time.Hour},
		"op life below 0":          {Op: "press", Nonce: store.NewNonce(), OpLife: -1},
		"lease without a timer":    {Lease: &store.Lease{Token: 1}},
		"lease extended backwards": {Lease: &store.Lease{Timer: "t", Token: 1, Extend: -1}},
		"too many bytes": {
			Checks: check,
			Puts:   []store.Put{{Key: "a", Data: make([]byte, store.MaxCommit)}},
			Audit:  []store.Entry{{Log: "a", Data: []byte("{")}},
		},
	} {
		if n, err := t.store.Commit(t.Context(), c); n != 0 || !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: Commit = %d, %v, want ErrInvalid", name, n, err)
		}
	}
	t.wantCommit(1, store.Commit{
		Checks: check,
		Puts:   []store.Put{{Key: "a", Data: make([]byte, store.MaxCommit)}}, // is just allowed
	})
}

func nothing(t test) {
	t.wantCommit(1, store.Commit{})
	t.wantCommit(2, store.Commit{})
}

func once(t test) {
	first := put("a", 0, "anna")
	first.Op, first.Nonce = "press:1", store.NewNonce()
	t.wantCommit(1, first)
	// That the event had its effect counts for more than that the document has changed since.
	second := put("a", 0, "ben")
	second.Op, second.Nonce = "press:1", store.NewNonce()
	t.wantErr(second, store.ErrReplayed)
	second.Checks[0].Version = 1
	t.wantErr(second, store.ErrReplayed)
	t.wantDocs(doc("a", 1, "anna"))
	second.Op = "press:2"
	t.wantCommit(2, second)
}

func repeated(t test) {
	c := put("a", 0, "A")
	c.Op, c.Nonce = "press", store.NewNonce()
	c.Audit = []store.Entry{{Log: "a", Data: []byte("{}")}}
	c.Timers = []store.Timer{{ID: "t", At: past(1)}}
	t.wantCommit(1, c)
	t.wantCommit(2, put("a", 1, "B"))
	t.wantCommit(1, c) // the counter of the first time, which is the version that it wrote
	t.wantDocs(doc("a", 2, "B"))
	if entries, err := t.store.Audit(t.Context(), 0, 9); len(entries) != 1 || err != nil {
		t.Errorf("Audit after a repeat = %v, %v, want one entry", entries, err)
	}
	t.wantCommit(3, store.Commit{})
	// The mark is found even where the lease, which the first time ended, is gone.
	claim := t.wantClaims("t")[0]
	done := store.Commit{
		Op: "work", Nonce: store.NewNonce(),
		Lease: &store.Lease{Timer: "t", Token: claim.Token}, Timers: []store.Timer{{ID: "t"}},
	}
	t.wantCommit(4, done)
	t.wantCommit(4, done)
}

func failedOp(t test) {
	t.wantCommit(1, put("a", 0, "A"))
	c := put("a", 0, "B")
	c.Op, c.Nonce = "press", store.NewNonce()
	t.wantConflict(c, "a")
	c = put("a", 1, "B") // decided again, so with a nonce of its own
	c.Op, c.Nonce = "press", store.NewNonce()
	t.wantCommit(2, c)
}

func opLife(t test) {
	press := func(op string, life time.Duration) (uint64, error) {
		return t.store.Commit(t.Context(), store.Commit{Op: op, Nonce: store.NewNonce(), OpLife: life})
	}
	for _, op := range []string{"kept", "short"} {
		if _, err := press(op, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := press("other", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	t.soon("the op to be forgotten", func() bool {
		_, err := press("other", time.Hour)
		if err != nil && !errors.Is(err, store.ErrReplayed) {
			t.Fatal(err)
		}
		return err == nil
	})
	for _, op := range []string{"other", "kept"} { // the second life of other is long
		if _, err := press(op, 0); !errors.Is(err, store.ErrReplayed) {
			t.Errorf("%s again: %v, want ErrReplayed", op, err)
		}
	}
}

func race(t test) {
	t.wantCommit(1, put("a", 0, "free"))
	won := t.together(50, func(i int) error {
		_, err := t.store.Commit(t.Context(), put("a", 1, fmt.Sprint(i)))
		return err
	}, store.ErrConflict)
	if len(won) != 1 {
		t.Fatalf("%d won, want one", len(won))
	}
	t.wantDocs(doc("a", 2, fmt.Sprint(won[0])))
	t.wantCommit(3, store.Commit{}) // those who lost did not count
}

func opRace(t test) {
	won := t.together(50, func(i int) error {
		key := fmt.Sprint(i)
		c := put(key, 0, key)
		c.Op, c.Nonce = "press", store.NewNonce()
		_, err := t.store.Commit(t.Context(), c)
		return err
	}, store.ErrReplayed)
	names, err := t.store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(won) != 1 || !slices.Equal(names, []string{fmt.Sprint(won[0])}) {
		t.Errorf("%v won, and these were written: %v; want one", won, names)
	}
}

func claimed(t test) {
	t.wantClaims()
	t.mustCommit(store.Commit{Timers: []store.Timer{
		{ID: "b", At: past(2)},
		{ID: "later", At: time.Now().Add(time.Hour)},
		{ID: "c", At: past(1)},
		{ID: "gone", At: past(4)},
		{ID: "a", At: past(3)},
		{ID: "moved", At: past(5)},
		{ID: "before 1970", At: time.Date(1912, 4, 15, 2, 20, 0, 0, time.UTC)},
	}})
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "gone"}, {ID: "never"}, {ID: "moved", At: time.Now().Add(time.Hour)}}})
	if claims, err := t.store.Claim(t.Context(), time.Hour, 0); len(claims) != 0 || err != nil {
		t.Fatalf("Claim of none = %v, %v", claims, err)
	}
	claims := append(t.wantClaimsN(3, "before 1970", "a", "b"), t.wantClaims("c")...)
	if !slices.IsSortedFunc(claims, func(a, b store.Claim) int { return cmp.Compare(a.Token, b.Token) }) {
		t.Errorf("tokens do not rise: %+v", claims)
	}
	if got, want := claims[1].At, past(3); got.Sub(want).Abs() > time.Minute {
		t.Errorf("a was due at %s, want about %s", got, want)
	}
	t.wantClaims()
}

func rounded(t test) {
	for _, at := range []time.Time{
		time.Date(2026, 11, 26, 2, 10, 0, 0, time.UTC),
		time.Date(2026, 11, 26, 2, 10, 0, 1, time.FixedZone("", 3600)),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		if at.After(time.Now()) {
			at = at.AddDate(-100, 0, 0)
		}
		t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: at}}})
		want := at.Add(time.Millisecond - 1).Truncate(time.Millisecond)
		if got := t.wantClaims("t")[0].At; !got.Equal(want) {
			t.Errorf("a timer for %s was due at %s, want %s", at, got, want)
		}
	}
	at := time.Now().Add(3 * time.Millisecond)
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "soon", At: at}}})
	t.soon("the timer", func() bool {
		claims, err := t.store.Claim(t.Context(), time.Hour, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(claims) > 0 && time.Now().Before(at) {
			t.Errorf("the timer was early")
		}
		return len(claims) > 0
	})
}

func leaseEnds(t test) {
	due := past(1)
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "short", At: due}}})
	first, err := t.store.Claim(t.Context(), time.Millisecond, 9)
	if err != nil || len(first) != 1 {
		t.Fatalf("Claim = %v, %v", first, err)
	}
	var second []store.Claim
	t.soon("the lease to run out", func() bool {
		if second, err = t.store.Claim(t.Context(), time.Hour, 9); err != nil {
			t.Fatal(err)
		}
		return len(second) > 0
	})
	if second[0].Token <= first[0].Token {
		t.Errorf("the second token is %d, want more than %d", second[0].Token, first[0].Token)
	}
	if !second[0].At.Equal(first[0].At) {
		t.Errorf("the second claim says that it was due at %s, want %s, as set", second[0].At, first[0].At)
	}
	t.wantClaims()
}

// queued: work that fails each time must not keep the rest from its turn.
func queued(t test) {
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "fails", At: past(2)}, {ID: "waits", At: past(1)}}})
	for _, want := range []string{"fails", "waits"} {
		claims, err := t.store.Claim(t.Context(), 0, 1) // the lease runs out at once
		if err != nil || len(claims) != 1 || claims[0].ID != want {
			t.Fatalf("Claim = %+v, %v, want %s", claims, err, want)
		}
	}
}

func claimRace(t test) {
	var c store.Commit
	for i := range 40 {
		c.Timers = append(c.Timers, store.Timer{ID: fmt.Sprint(i), At: past(1)})
	}
	t.mustCommit(c)
	var mu sync.Mutex
	claimed, tokens := map[string]int{}, map[uint64]bool{}
	t.together(20, func(int) error {
		claims, err := t.store.Claim(t.Context(), time.Hour, 3)
		mu.Lock()
		defer mu.Unlock()
		for _, c := range claims {
			claimed[c.ID]++
			tokens[c.Token] = true
		}
		return err
	})
	if len(claimed) != 40 || len(tokens) != 40 {
		t.Errorf("%d timers were claimed with %d tokens, want 40 of both", len(claimed), len(tokens))
	}
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("timer %s was claimed %d times", id, n)
		}
	}
}

func fenced(t test) {
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: past(1)}}})
	old, err := t.store.Claim(t.Context(), time.Millisecond, 1)
	if err != nil || len(old) != 1 {
		t.Fatalf("Claim = %v, %v", old, err)
	}
	var now []store.Claim
	t.soon("the lease to run out", func() bool {
		if now, err = t.store.Claim(t.Context(), time.Hour, 1); err != nil {
			t.Fatal(err)
		}
		return len(now) > 0
	})
	under := func(timer string, token uint64) store.Commit {
		c := put("a", 0, "x")
		c.Lease = &store.Lease{Timer: timer, Token: token, Extend: time.Hour}
		return c
	}
	t.wantErr(under("t", old[0].Token), store.ErrFenced)
	t.wantErr(under("t", now[0].Token+1), store.ErrFenced)
	t.wantErr(under("t", 0), store.ErrFenced)
	t.wantErr(under("other", now[0].Token), store.ErrFenced)
	t.wantDocs(store.Doc{Key: "a"})
	// Who lost the lease hears that, and not that a document has changed.
	both := under("t", old[0].Token)
	both.Checks[0].Version = 7
	t.wantErr(both, store.ErrFenced)
	t.mustCommit(under("t", now[0].Token))
}

func late(t test) {
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: past(1)}}})
	claims, err := t.store.Claim(t.Context(), 0, 1) // runs out at once
	if err != nil || len(claims) != 1 {
		t.Fatalf("Claim = %v, %v", claims, err)
	}
	c := put("a", 0, "done")
	c.Lease = &store.Lease{Timer: "t", Token: claims[0].Token}
	c.Timers = []store.Timer{{ID: "t"}}
	t.mustCommit(c)
	t.wantClaims()
}

func extended(t test) {
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: past(1)}}})
	claims, err := t.store.Claim(t.Context(), 0, 1) // runs out at once
	if err != nil || len(claims) != 1 {
		t.Fatalf("Claim = %v, %v", claims, err)
	}
	l := &store.Lease{Timer: "t", Token: claims[0].Token, Extend: time.Hour}
	t.mustCommit(store.Commit{Lease: l})
	t.wantClaims()
	l.Extend = time.Millisecond
	t.mustCommit(store.Commit{Lease: l})
	t.soon("the lease to run out", func() bool {
		claims, err := t.store.Claim(t.Context(), time.Hour, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(claims) > 0
	})
}

func leaseEnded(t test) {
	for _, c := range []struct {
		name    string
		at      time.Time
		claimed []string
	}{
		{"set", past(1), []string{"t"}},
		{"set to later", time.Now().Add(time.Hour), nil},
		{"removed", time.Time{}, nil},
	} {
		t.Run(c.name, func(sub *testing.T) {
			t := test{sub, t.store}
			t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: past(2)}}})
			l := &store.Lease{Timer: "t", Token: t.wantClaims("t")[0].Token}
			t.mustCommit(store.Commit{Lease: l})
			// The last word is the timer's, also where the same commit extends the lease.
			t.mustCommit(store.Commit{
				Lease:  &store.Lease{Timer: "t", Token: l.Token, Extend: time.Minute},
				Timers: []store.Timer{{ID: "t", At: c.at}},
			})
			t.wantErr(store.Commit{Lease: l}, store.ErrFenced)
			t.wantClaims(c.claimed...)
		})
	}
}

func audit(t test) {
	var want []store.Entry
	for i := range 7 {
		e := store.Entry{Log: fmt.Sprintf("outage:%d", i%2), Data: fmt.Appendf(nil, `{"n":%d}`, i)}
		want = append(want, e)
	}
	start := time.Now().Add(-time.Minute) // the store's clock may be another
	t.mustCommit(store.Commit{Audit: want[:3]})
	t.mustCommit(store.Commit{Audit: want[3:4]})
	t.mustCommit(store.Commit{Audit: want[4:]})
	var got []store.Logged
	var after uint64
	for {
		page, err := t.store.Audit(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].ID
	}
	if diff := gocmp.Diff(want, written(got)); diff != "" {
		t.Errorf("Audit (-want +got):\n%s", diff)
	}
	for i, e := range got {
		if e.At.Before(start) || e.At.After(time.Now().Add(time.Minute)) {
			t.Errorf("entry %d was written at %s, want about now", i, e.At)
		}
		if i > 0 && e.ID <= got[i-1].ID {
			t.Errorf("entry %d has the ID %d after %d", i, e.ID, got[i-1].ID)
		}
	}
	for _, after := range []uint64{got[6].ID, math.MaxInt64} {
		if page, err := t.store.Audit(t.Context(), after, 3); len(page) != 0 || err != nil {
			t.Errorf("Audit after %d = %v, %v, want nothing", after, page, err)
		}
	}
	if page, err := t.store.Audit(t.Context(), 0, 0); len(page) != 0 || err != nil {
		t.Errorf("Audit of no entries = %v, %v", page, err)
	}
}

func health(t test) {
	before, err := t.store.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Kind == "" || before.Lineage == "" || before.Counter != 0 || !before.Changes {
		t.Errorf("Health of a new store = %+v", before)
	}
	t.mustCommit(put("a", 0, "A"))
	after, err := t.store.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := before
	want.Counter = 1
	if diff := gocmp.Diff(want, after); diff != "" {
		t.Errorf("Health after a commit (-want +got):\n%s", diff)
	}
}

func cancelled(t test) {
	t.mustCommit(store.Commit{Timers: []store.Timer{{ID: "t", At: past(1)}}})
	ctx, cancel := contextDone(t.T)
	defer cancel()
	_, get := t.store.Get(ctx, "a")
	_, list := t.store.List(ctx, "")
	_, commit := t.store.Commit(ctx, put("a", 0, "A"))
	_, claim := t.store.Claim(ctx, time.Hour, 1)
	_, audit := t.store.Audit(ctx, 0, 1)
	_, health := t.store.Health(ctx)
	for call, err := range map[string]error{
		"Get": get, "List": list, "Commit": commit, "Claim": claim, "Audit": audit, "Health": health,
	} {
		if !errors.Is(err, ctx.Err()) {
			t.Errorf("%s = %v, want %v", call, err, ctx.Err())
		}
	}
	t.wantDocs(store.Doc{Key: "a"})
	t.wantClaims("t")
}
