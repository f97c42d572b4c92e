package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
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

func TestTimesOfHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openFile(t, t.TempDir())
		commit := func(c Commit) error {
			_, err := f.Commit(t.Context(), c)
			return err
		}
		claims := func(want ...string) {
			t.Helper()
			claims, err := f.Claim(t.Context(), 30*time.Second, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range claims {
				got = append(got, c.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("after %s: Claim (-want +got):\n%s", time.Since(bubbleStart), diff)
			}
		}
		err := commit(Commit{Op: "press", Nonce: NewNonce(), Timers: []Timer{{ID: "ask", At: bubbleStart.Add(14 * time.Hour)}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(14*time.Hour - time.Nanosecond)
		claims()
		time.Sleep(time.Nanosecond)
		claims("ask")
		time.Sleep(30*time.Second - time.Nanosecond)
		claims()
		time.Sleep(time.Nanosecond)
		claims("ask")

		time.Sleep(7*24*time.Hour - time.Since(bubbleStart) - time.Nanosecond)
		if err := commit(Commit{Op: "press", Nonce: NewNonce()}); !errors.Is(err, ErrReplayed) {
			t.Errorf("press within 7 days = %v, want ErrReplayed", err)
		}
		time.Sleep(time.Nanosecond)
		if err := commit(Commit{Op: "press", Nonce: NewNonce()}); err != nil {
			t.Errorf("press after 7 days = %v", err)
		}
	})
}

// bubbleStart is when time begins in a synctest bubble.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestMarksAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := OpenVolatile(dir)
		if err != nil {
			t.Fatal(err)
		}
		press := func(n int) {
			t.Helper()
			for range n {
				if _, err := f.Commit(t.Context(), Commit{Op: NewNonce(), Nonce: NewNonce()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantMarks := func(want int) {
			t.Helper()
			err := f.db.View(func(tx *bolt.Tx) error {
				for _, b := range []*bolt.Bucket{ops(tx).items, ops(tx).order} {
					if got := b.Stats().KeyN; got != want {
						t.Errorf("%d marks are kept, want %d", got, want)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		press(100)
		time.Sleep(defaultOpLife)
		press(10)
		wantMarks(100 + 10 - 10*sweepPerCommit)
		press(5)
		wantMarks(15)
		time.Sleep(defaultOpLife)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if f, err = OpenVolatile(dir); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		wantMarks(0)
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a newer schema", func(t *testing.T) {
		dir := t.TempDir()
		f := openFile(t, dir)
		err := f.db.Update(func(tx *bolt.Tx) error {
			return setNumber(tx.Bucket([]byte(metaBucket)), "schema", schema+1)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("Open = %v, want ErrNewerSchema", err)
		}
	})
	t.Run("another kind of file", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "store.db")
		want := bytes.Repeat([]byte("not a store\n"), 10_000)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(dir); err == nil {
			_ = f.Close()
			t.Error("Open took a file that is no store")
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Open changed a file that is no store, %v", err)
		}
	})
}
