package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchback/store"
)

// test is a test and the store that it is about. Its methods, and the functions below, are the words in which the tests
// are written.
type test struct {
	*testing.T
	store store.Store
}

func doc(key string, version uint64, data string) store.Doc {
	return store.Doc{Key: key, Version: version, Data: []byte(data)}
}

// put is a commit that writes one document.
func put(key string, version uint64, data string) store.Commit {
	return store.Commit{
		Checks: []store.Check{{Key: key, Version: version}},
		Puts:   []store.Put{{Key: key, Data: []byte(data)}},
	}
}

func past(hours int) time.Time { return time.Now().Add(-time.Duration(hours) * time.Hour) }

// written drops what the store adds to audit entries.
func written(entries []store.Logged) []store.Entry {
	out := make([]store.Entry, len(entries))
	for i, e := range entries {
		out[i] = e.Entry
	}
	return out
}

func (t test) mustCommit(c store.Commit) {
	t.Helper()
	if _, err := t.store.Commit(t.Context(), c); err != nil {
		t.Fatalf("Commit(%+v) = %v", c, err)
	}
}

func (t test) wantCommit(counter uint64, c store.Commit) {
	t.Helper()
	if n, err := t.store.Commit(t.Context(), c); n != counter || err != nil {
		t.Fatalf("Commit = %d, %v, want %d", n, err, counter)
	}
}

func (t test) wantErr(c store.Commit, want error) {
	t.Helper()
	if n, err := t.store.Commit(t.Context(), c); n != 0 || !errors.Is(err, want) {
		t.Fatalf("Commit = %d, %v, want %v", n, err, want)
	}
}

func (t test) wantConflict(c store.Commit, key string) {
	t.Helper()
	_, err := t.store.Commit(t.Context(), c)
	conflict, ok := errors.AsType[*store.ConflictError](err)
	if !ok || conflict.Key != key || !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Commit = %v, want a conflict about %s", err, key)
	}
}

func (t test) wantDocs(want ...store.Doc) {
	t.Helper()
	keys := make([]string, len(want))
	for i, d := range want {
		keys[i] = d.Key
	}
	got, err := t.store.Get(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
}

// wantClaims claims all that is due, for an hour.
func (t test) wantClaims(want ...string) []store.Claim {
	t.Helper()
	return t.wantClaimsN(100, want...)
}

func (t test) wantClaimsN(n int, want ...string) []store.Claim {
	t.Helper()
	claims, err := t.store.Claim(t.Context(), time.Hour, n)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range claims {
		got = append(got, c.ID)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Claim (-want +got):\n%s", diff)
	}
	return claims
}

// soon calls done again and again until it says yes, which takes a few milliseconds.
func (t test) soon(what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// together calls do from n goroutines at once, and returns which of them got no error; others may get lost.
func (t test) together(n int, do func(i int) error, lost ...error) []int {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	var won []int
	for i, err := range errs {
		switch {
		case err == nil:
			won = append(won, i)
		case len(lost) == 0 || !errors.Is(err, lost[0]):
			t.Errorf("number %d got %v", i, err)
		}
	}
	return won
}

func contextDone(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
