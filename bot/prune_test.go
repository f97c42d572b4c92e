package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/store"
)

func documentsOf(t *testing.T, dir string) []string {
	t.Helper()
	f, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys, err := f.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// containing are the keys that speak of an outage.
func containing(keys []string, what string) []string {
	var out []string
	for _, k := range keys {
		if strings.Contains(k, what) {
			out = append(out, k)
		}
	}
	return out
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	before := settings(t, dir)
	talk(t, dir, "/outage chat late", "1", "1")
	over, _ := theOpen(t, dir)
	talk(t, dir, "/outage restore", "1", "1", "/outage voice agents", "2.9", "/outage voice agents", "1", "1")
	open, _ := theOpen(t, dir)
	talk(t, dir) // sends what is left to send
	was := documentsOf(t, dir)
	now := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }

	if out, status := command(t, "", "prune", "--data", dir, "--before", "2020-01-01"); status != 0 || !strings.Contains(out, "Nothing ended before") {
		t.Errorf("bot prune --before 2020-01-01 = %d:\n%s", status, out)
	}
	if out, status := command(t, "", "prune", "--data", dir, "--before", "2200-01-01", "--yes"); status != 1 || !strings.Contains(out, "lies in the future") {
		t.Errorf("bot prune of the future = %d:\n%s", status, out)
	}
	out, status := command(t, "", "prune", "--data", dir, "--before", now())
	if status != 0 || !strings.Contains(out, over.ID) || strings.Contains(out, open.ID) || !strings.Contains(out, "Nothing was removed") {
		t.Errorf("bot prune without an answer = %d:\n%s", status, out)
	}
	if diff := cmp.Diff(was, documentsOf(t, dir)); diff != "" {
		t.Errorf("documents after a prune that nobody wanted (-was +now):\n%s", diff)
	}
	if out, status = command(t, "y\n", "prune", "--data", dir, "--before", now()); status != 0 || !strings.Contains(out, "Removed: 1 outages") {
		t.Errorf("bot prune = %d:\n%s", status, out)
	}
	is := documentsOf(t, dir)
	if left := containing(is, over.ID); left != nil {
		t.Errorf("still there: %q", left)
	}
	if diff := cmp.Diff(containing(was, open.ID), containing(is, open.ID)); diff != "" {
		t.Errorf("documents of the open outage (-was +now):\n%s", diff)
	}
	if out, status = command(t, "", "audit", "verify", "--data", dir); status != 0 {
		t.Errorf("bot audit verify afterwards = %d:\n%s", status, out)
	}
	if out, _ = command(t, "", "audit", "export", "--data", dir); !strings.Contains(out, `"outages":"`+over.ID+`"`) || strings.Contains(out, `"log":"outage:`+over.ID) {
		t.Errorf("want a word about what was removed, and nothing of it:\n%s", out)
	}
	out, status = command(t, "y\n", "restore", "--data", dir)
	wantRestored(t, dir, before, out, status)
}

func TestPruneBesideTheBot(t *testing.T) {
	dir := t.TempDir()
	if out, status := command(t, "", "prune", "--data", dir, "--before", "2026-01-01"); status != 1 || !strings.Contains(out, "nothing is kept in") {
		t.Errorf("bot prune of nothing = %d:\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "store.db")); err == nil {
		t.Error("bot prune made a store")
	}
	p := chat(t, dir)
	p.until("Type /outage")
	p.types("/outage status")
	p.until("Nothing is open")
	if out, status := command(t, "", "prune", "--data", dir, "--before", "2026-01-01", "--yes"); status != 1 || !strings.Contains(out, "stop it first") {
		t.Errorf("bot prune beside the running bot = %d, want 1:\n%s", status, out)
	}
	p.ends()
}
