//go:build unix

package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/store"
)

// These tests start the test binary once more, as a process of its own: childDir says that it is the child, and which
// folder is meant.
const childDir = "STORE_TEST_CHILD_DIR"

// child returns a command that runs the calling test alone, as the child.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	return cmd
}

// TestKill kills a process that commits, again and again. What it was told is written must be there, and nothing may
// be there by halves. This is the death of the process, not of the machine: the disk's cache lives on.
func TestKill(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		commitForEver(t, dir)
	}
	dir := t.TempDir()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 12 {
		acknowledged := killAfter(t, child(t, dir), 1+random.IntN(40))
		if !t.Run(fmt.Sprintf("round %d of seed %d", round, seed), func(t *testing.T) { wantAll(t, dir, acknowledged) }) {
			return
		}
	}
}

// numbered is the n-th commit of the child: something of everything.
func numbered(n uint64) store.Commit {
	name := fmt.Sprint("n", n)
	return store.Commit{
		Op: name, Nonce: name,
		Checks: []store.Check{{Key: "last", Version: n - 1}, {Key: name}, {Key: fmt.Sprint("gone", n-1), Version: n - 1}, {Key: fmt.Sprint("gone", n)}},
		Puts: []store.Put{
			{Key: "last", Data: []byte(name)},
			{Key: name, Data: []byte(strings.Repeat(name, 300))},
			{Key: fmt.Sprint("gone", n), Data: []byte(name)},
		},
		Deletes: []string{fmt.Sprint("gone", n-1)},
		Timers:  []store.Timer{{ID: name, At: time.UnixMilli(int64(n))}},
		Audit:   []store.Entry{{Log: "outage:1", Data: []byte(name)}},
	}
}

func commitForEver(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := h.Counter + 1; ; n++ {
		if _, err := s.Commit(t.Context(), numbered(n)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("committed", n)
	}
}

// killAfter starts the child, kills it when it has said n times that it committed, and returns the last number that it
// said.
func killAfter(t *testing.T, cmd *exec.Cmd, n int) (last uint64) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() { // to the end: what was said before the kill was acknowledged
		number, ok := strings.CutPrefix(lines.Text(), "committed ")
		if !ok {
			continue
		}
		if last, err = strconv.ParseUint(number, 10, 64); err != nil {
			t.Fatal(err)
		}
		if n--; n == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); n > 0 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return last
}

// wantAll opens the store and looks for the commits up to the last one acknowledged, and perhaps one more.
func wantAll(t *testing.T, dir string, acknowledged uint64) {
	t.Helper()
	s, err := store.OpenVolatile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.Counter != acknowledged && h.Counter != acknowledged+1 {
		t.Fatalf("%d commits are there, and %d were acknowledged", h.Counter, acknowledged)
	}
	var keys []string
	var docs []store.Doc
	for n := uint64(1); n <= h.Counter; n++ {
		for _, p := range numbered(n).Puts[1:] {
			if p.Key == fmt.Sprint("gone", n) && n < h.Counter {
				continue
			}
			keys = append(keys, p.Key)
			docs = append(docs, store.Doc{Key: p.Key, Version: n, Data: p.Data})
		}
	}
	keys = append(keys, "last")
	docs = append(docs, store.Doc{Key: "last", Version: h.Counter, Data: fmt.Append(nil, "n", h.Counter)})
	got, err := s.Get(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(docs, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	names, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	entries, err := s.Audit(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.Claim(t.Context(), time.Hour, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != int(h.Counter) || len(claims) != int(h.Counter) {
		t.Fatalf("%d entries and %d timers, want %d of both", len(entries), len(claims), h.Counter)
	}
	for i := range h.Counter {
		want := fmt.Sprint("n", i+1)
		if string(entries[i].Data) != want || claims[i].ID != want {
			t.Errorf("entry %s and timer %s, want %s", entries[i].Data, claims[i].ID, want)
		}
		if n, err := s.Commit(t.Context(), numbered(i+1)); n != i+1 || err != nil {
			t.Errorf("commit %d again = %d, %v", i+1, n, err)
		}
	}
}

// TestFullDisk limits the size of files (as ulimit -f does), so that writing beyond it fails as on a full disk. The limit
// is the whole process's, hence the child.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		t.Run("the file cannot grow", func(t *testing.T) { fillDisk(t, filepath.Join(dir, "a"), 4) })
		t.Run("a page cannot be written", func(t *testing.T) { fillDisk(t, filepath.Join(dir, "b"), 3) })
		return
	}
	if out, err := child(t, t.TempDir()).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillDisk fills the disk when the store has grown a little. The limit is so many quarters of what the file has then.
func fillDisk(t *testing.T, dir string, quarters int64) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(n int) (store.Commit, error) {
		key := fmt.Sprintf("%03d", n)
		c := store.Commit{
			Op: key, Nonce: store.NewNonce(),
			Checks: []store.Check{{Key: key}},
			Puts:   []store.Put{{Key: key, Data: make([]byte, 5_000)}},
		}
		_, err := s.Commit(t.Context(), c)
		return c, err
	}
	var n int
	for ; n < 10; n++ {
		if _, err := fill(n); err != nil {
			t.Fatal(err)
		}
	}
	lift := limitFiles(t, dir, quarters)
	var failed store.Commit
	for err = nil; err == nil && n < 1000; n++ {
		failed, err = fill(n)
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("Commit on a full disk = %v, want that it is full", err)
	}
	there := uint64(n - 1)
	h, err := s.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h.Counter != there || h.Changes || len(h.Warnings) != 1 || !strings.Contains(h.Warnings[0], "the disk is full") {
		t.Errorf("Health = %+v, want %d commits, no changes, and why", h, there)
	}
	wantThere := func() {
		t.Helper()
		if names, err := s.List(t.Context(), ""); len(names) != int(there) || err != nil {
			t.Errorf("%d documents, %v, want %d", len(names), err, there)
		}
	}
	wantThere()
	if _, err := s.Commit(t.Context(), failed); err == nil {
		t.Error("the disk is full, and the same commit succeeded")
	}

	lift()
	if n, err := s.Commit(t.Context(), failed); n != there+1 || err != nil {
		t.Errorf("the same commit with room again = %d, %v, want %d", n, err, there+1)
	}
	there++
	wantThere()
	if h, err := s.Health(t.Context()); !h.Changes || len(h.Warnings) > 0 || err != nil {
		t.Errorf("Health with room again = %+v, %v", h, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(dir); err != nil {
		t.Fatal(err)
	}
	wantThere()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// limitFiles lets nothing be written beyond so many quarters of the store's file.
func limitFiles(t *testing.T, dir string, quarters int64) (lift func()) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	now := syscall.Rlimit{Cur: uint64(info.Size() / 4 * quarters)}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	now.Max = old.Max
	lift = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	return lift
}

// TestLockEndsWithItsProcess kills the process that has the file, and opens it at once.
func TestLockEndsWithItsProcess(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		commitForEver(t, dir)
	}
	dir := t.TempDir()
	cmd := child(t, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "committed") {
		continue
	}
	_, busy := store.Open(dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !errors.Is(busy, store.ErrBusy) {
		t.Errorf("Open while the other lives = %v, want ErrBusy", busy)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}
