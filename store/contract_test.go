package store_test

import (
	"context"
	"os"
	"testing"

	"github.com/rs/zerolog"

	"switchback/store"
	"switchback/store/storetest"
)

func TestFileKeepsContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return openVolatile(t, t.TempDir())
	})
}

func TestSocketKeepsContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		dir := shortDir(t)
		serve(t, dir, openVolatile(t, dir))
		s, err := store.Dial(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// shortDir makes a folder like t.TempDir, but without the test's name: a socket's path must be short.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func openVolatile(t *testing.T, dir string) store.Store {
	t.Helper()
	f, err := store.OpenVolatile(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// serve serves s until the test ends, and returns when it can be dialled.
func serve(t *testing.T, dir string, s store.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log := make(lines, 100)
	served := make(chan error, 1)
	go func() { served <- store.Serve(ctx, dir, s, zerolog.New(log).Level(zerolog.InfoLevel)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	select {
	case <-log: // it says so when it listens
	case err := <-served:
		served <- nil
		t.Fatalf("Serve = %v", err)
	}
}

// lines is a log that drops what nobody waits for.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}
