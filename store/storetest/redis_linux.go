package storetest

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Redis starts a redis-server with the append-only file on, and with these settings besides, on a free port of the
// loopback. It dies with the test. It returns its address. Without the program the test is skipped, or fails where it
// must be there.
func Redis(tb testing.TB, args ...string) string {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("redis-server is missing (apt-get install redis-server)")
		}
		tb.Skip("redis-server is missing (apt-get install redis-server): nothing is tested on Redis")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		tb.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	args = append([]string{"--port", port, "--bind", "127.0.0.1", "--appendonly", "yes", "--save", "", "--dir", tb.TempDir()}, args...)
	cmd := exec.Command("redis-server", args...) //nolint:gosec,noctx // the arguments are the test's; it is ended below
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 1000 {
		if pings(addr) {
			return "redis://" + addr
		}
		time.Sleep(10 * time.Millisecond) // a server of its own starts in its own time
	}
	tb.Fatal("redis-server does not answer")
	return ""
}

// pings reports whether a server has loaded its data.
func pings(addr string) bool {
	c, err := net.Dial("tcp", addr) //nolint:noctx // at once
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && line == "+PONG\r\n"
}
