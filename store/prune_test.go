package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func logNames(t *testing.T, f *File) []string {
	t.Helper()
	all, err := f.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Log+" "+string(e.Data))
	}
	return out
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	ctx := t.Context()
	for _, key := range []string{"old", "older", "kept"} {
		c := Commit{Checks: []Check{{key, 0}}, Puts: []Put{{key, []byte("x")}}, Audit: []Entry{{"log:" + key, []byte("1")}, {"log:" + key, []byte("2")}}}
		if _, err := f.Commit(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := f.Get(ctx, "old", "older")
	if err != nil {
		t.Fatal(err)
	}
	checks := []Check{{"old", docs[0].Version}, {"older", docs[1].Version + 1}}
	said := Entry{"prune", []byte("gone")}
	all := []string{"log:old 1", "log:old 2", "log:older 1", "log:older 2", "log:kept 1", "log:kept 2"}

	if n, err := f.Prune(ctx, checks, []string{"log:old", "log:older"}, said); n != 0 || !errors.Is(err, ErrConflict) {
		t.Errorf("Prune with a version from before = %d, %v; want ErrConflict", n, err)
	}
	if diff := cmp.Diff(all, logNames(t, f)); diff != "" {
		t.Errorf("the audit log after a conflict (-want +got):\n%s", diff)
	}
	if _, err := f.Prune(ctx, checks, nil, Entry{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Prune without a word about it = %v, want ErrInvalid", err)
	}
	checks[1].Version--
	if n, err := f.Prune(ctx, checks, []string{"log:old", "log:older", "log:none"}, said); n != 4 || err != nil {
		t.Fatalf("Prune = %d, %v; want 4 entries", n, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = openFile(t, dir)
	keys, err := f.List(ctx, "")
	if diff := cmp.Diff([]string{"kept"}, keys); err != nil || diff != "" {
		t.Errorf("documents after Prune: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"log:kept 1", "log:kept 2", "prune gone"}, logNames(t, f)); diff != "" {
		t.Errorf("the audit log after Prune (-want +got):\n%s", diff)
	}
}
