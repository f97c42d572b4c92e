package storetest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed testdata/clock.c
var clock string

// RedisWithClock starts a redis-server as StartRedis does, whose wall clock says what it was set to last: so a test in
// fake time runs the real scripts on the real server, over midnights. It needs a C compiler; without one the test is
// skipped, or fails where it must be there.
func RedisWithClock(tb testing.TB) (url string, set func(time.Time)) {
	tb.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("a C compiler is missing (apt-get install gcc)")
		}
		tb.Skip("a C compiler is missing (apt-get install gcc): the clock of redis-server cannot be set")
	}
	dir := tb.TempDir()
	source, lib, file := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "now")
	if err := os.WriteFile(source, []byte(clock), 0o600); err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O2", "-o", lib, source).CombinedOutput(); err != nil { //nolint:gosec,noctx // paths of the test's own
		tb.Fatalf("%v: %s", err, out)
	}
	now, err := os.Create(file) //nolint:gosec // the test's own
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = now.Close() })
	set = func(t time.Time) {
		if _, err := now.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(t.UnixMicro())), 0); err != nil {
			tb.Error(err)
		}
	}
	set(time.Now())
	s := StartRedis(tb)
	s.Kill()
	s.env = []string{"LD_PRELOAD=" + lib, "SWITCHBACK_TEST_CLOCK=" + file}
	s.Start(tb)
	return "redis://" + s.Addr, set
}
