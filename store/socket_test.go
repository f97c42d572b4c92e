package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"switchback/store"
)

// failing is a store that fails.
type failing struct {
	store.Store
	err error
}

func (f failing) Commit(context.Context, store.Commit) (uint64, error) { return 0, f.err }

func TestErrorsPassTheSocket(t *testing.T) {
	for _, sentinel := range []error{
		store.ErrConflict, store.ErrFenced, store.ErrReplayed, store.ErrNotDurable, store.ErrStateLost,
		store.ErrNewerSchema, store.ErrInvalid, errors.New("the disk is full: no space left on device"),
	} {
		dir := shortDir(t)
		err := fmt.Errorf("commit: %w", sentinel)
		serve(t, dir, failing{openVolatile(t, dir), err})
		s, dialErr := store.Dial(dir)
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		_, got := s.Commit(t.Context(), store.Commit{})
		if got == nil || got.Error() != err.Error() {
			t.Errorf("Commit = %v, want %v", got, err)
		}
		for _, other := range []error{
			store.ErrConflict, store.ErrFenced, store.ErrReplayed, store.ErrNotDurable, store.ErrStateLost,
			store.ErrNewerSchema, store.ErrInvalid,
		} {
			if is, want := errors.Is(got, other), errors.Is(sentinel, other); is != want {
				t.Errorf("%v is %v: %t, want %t", got, other, is, want)
			}
		}
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := shortDir(t)
	serve(t, dir, openVolatile(t, dir))
	info, err := os.Stat(filepath.Join(dir, "bot.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the socket has mode %o, want 600", got)
	}
}

func TestServeReplacesDeadSocket(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "bot.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	_ = l.Close()
	if _, err := store.Dial(dir); err == nil {
		t.Fatal("a dead socket was dialled")
	}
	t.Run("serve", func(t *testing.T) {
		serve(t, dir, openVolatile(t, dir))
		if _, err := store.Dial(dir); err != nil {
			t.Errorf("Dial = %v", err)
		}
		err := store.Serve(t.Context(), dir, openVolatile(t, t.TempDir()), zerolog.Nop())
		if !errors.Is(err, store.ErrBusy) {
			t.Errorf("a second Serve = %v, want ErrBusy", err)
		}
		if _, err := store.Dial(dir); err != nil {
			t.Errorf("Dial after a second Serve = %v", err)
		}
	})
	left, err := filepath.Glob(filepath.Join(dir, "*sock*"))
	if err != nil || len(left) != 0 {
		t.Errorf("after Serve these are left: %v, %v", left, err)
	}
	if _, err := store.Dial(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Dial after Serve = %v, want os.ErrNotExist", err)
	}
}

func TestServeNamesPathThatIsTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	s := openVolatile(t, dir)
	err := store.Serve(t.Context(), dir, s, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("Serve = %v, want that the path is too long", err)
	}
}

func TestServeRefusesWhatIsNoCall(t *testing.T) {
	dir := shortDir(t)
	serve(t, dir, openVolatile(t, dir))
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "bot.sock"))
		},
	}}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/health", "", http.StatusMethodNotAllowed},
		{"POST", "/health", "{}", http.StatusOK},
		{"POST", "/drop", "{}", http.StatusNotFound},
		{"POST", "/get", "", http.StatusBadRequest},
		{"POST", "/commit", "{}", http.StatusBadRequest},
		{"POST", "/get", `{"Keys":["` + strings.Repeat("k", 3*store.MaxCommit) + `"]}`, http.StatusBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, "http://bot"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != test.want {
			t.Errorf("%s %s with %d bytes: %s, want %d", test.method, test.path, len(test.body), resp.Status, test.want)
		}
	}
}

func TestOpenOrDial(t *testing.T) {
	t.Parallel() // it waits for the lock
	dir := shortDir(t)
	owner, err := store.OpenOrDial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	if _, err := store.OpenOrDial(dir); !errors.Is(err, store.ErrBusy) {
		t.Errorf("OpenOrDial of a store that nobody serves = %v, want ErrBusy", err)
	}
	serve(t, dir, owner)
	guest, err := store.OpenOrDial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = guest.Close() }()
	if n, err := guest.Commit(t.Context(), store.Commit{}); n != 1 || err != nil {
		t.Errorf("Commit through the socket = %d, %v", n, err)
	}
	if h, err := owner.Health(t.Context()); h.Counter != 1 || err != nil {
		t.Errorf("Health of the owner = %+v, %v, want the counter 1", h, err)
	}
}
