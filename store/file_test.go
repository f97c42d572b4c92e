package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOpenMakesPrivateFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "bot")
	f := openFile(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, f.db.Path(): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	openFile(t, dir)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := Open(dir)
		if !errors.Is(err, ErrBusy) {
			t.Fatalf("Open = %v, want ErrBusy", err)
		}
		if waited := time.Since(start); waited > lockWait {
			t.Errorf("waited %s, want at most %s", waited, lockWait)
		}
		if want := "open store " + filepath.Join(dir, "store.db") + ": in use by another process"; err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
	})
}

func openFile(t *testing.T, dir string) *File {
	t.Helper()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := openFile(t, dir)
		due := time.Now().Add(-time.Minute).UTC()
		commit := Commit{
			Op: "press", Nonce: NewNonce(),
			Checks: []Check{{Key: "walk:1"}},
			Puts:   []Put{{Key: "walk:1", Data: []byte("{}")}},
			Timers: []Timer{{ID: "walk:1", At: due}},
			Audit:  []Entry{{Log: "walk:1", Data: []byte("{}")}},
		}
		if n, err := f.Commit(t.Context(), commit); n != 1 || err != nil {
			t.Fatalf("Commit = %d, %v", n, err)
		}
		before, err := f.Claim(t.Context(), time.Hour, 10)
		if err != nil {
			t.Fatal(err)
		}
		health, err := f.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}

		f = openFile(t, dir) // at the same fake instant: tokens must not rest on the clock
		again, err := f.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(health, again); diff != "" {
			t.Errorf("health after reopening (-before +after):\n%s", diff)
		}
		docs, err := f.Get(t.Context(), "walk:1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Doc{{Key: "walk:1", Version: 1, Data: []byte("{}")}}, docs); diff != "" {
			t.Errorf("Get (-want +got):\n%s", diff)
		}
		if n, err := f.Commit(t.Context(), commit); n != 1 || err != nil {
			t.Errorf("the same commit again = %d, %v, want 1, nil", n, err)
		}
		_, err = f.Commit(t.Context(), Commit{Lease: &Lease{Timer: "walk:1", Token: before[0].Token}})
		if !errors.Is(err, ErrFenced) {
			t.Errorf("commit with a lease from before = %v, want ErrFenced", err)
		}
		after, err := f.Claim(t.Context(), time.Hour, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(after) != 1 || !after[0].At.Equal(due) || after[0].Token <= before[0].Token {
			t.Errorf("claims after reopening = %+v, want the timer of %s with a token above %d", after, due, before[0].Token)
		}
	})
}
