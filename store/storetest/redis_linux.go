package storetest

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server of the test's own, on a free port of the loopback. It dies with the test.
type Server struct {
	Addr string // host and port, the same after a restart
	args []string
	env  []string // beside the test's own
	cmd  *exec.Cmd
}

// StartRedis starts a redis-server with the append-only file on, and with these settings besides. Without the program the
// test is skipped, or fails where it must be there.
func StartRedis(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return StartRedisAt(tb, "127.0.0.1", args...)
}

// StartRedisAt starts one at this address.
func StartRedisAt(tb testing.TB, host string, args ...string) *Server {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal("redis-server is missing (apt-get install redis-server)")
		}
		tb.Skip("redis-server is missing (apt-get install redis-server): nothing is tested on Redis")
	}
	addr := freeAddr(tb, host)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	return Serve(tb, addr, append([]string{"--port", port, "--bind", host, "--appendonly", "yes", "--save", "", "--dir", tb.TempDir(), "--logfile", "log"}, args...)...)
}

// Serve runs redis-server with these arguments, which make it listen on addr.
func Serve(tb testing.TB, addr string, args ...string) *Server {
	tb.Helper()
	s := &Server{Addr: addr, args: args}
	s.Start(tb)
	tb.Cleanup(s.Kill)
	return s
}

// FreeAddr is a port of the loopback on which nobody listens.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	return freeAddr(tb, "127.0.0.1")
}

func freeAddr(tb testing.TB, host string) string {
	tb.Helper()
	l, err := net.Listen("tcp", host+":0") //nolint:noctx // at once
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Loopback is an address of the loopback that nobody else has: what is killed there and comes back finds its port free,
// where many tests run at once.
func Loopback(tb testing.TB) string {
	tb.Helper()
	h := fnv.New32a()
	_, _ = io.WriteString(h, tb.TempDir())
	n := h.Sum32()
	return fmt.Sprintf("127.%d.%d.%d", 1+n>>16%250, 1+n>>8%250, 1+n%250)
}

// Start starts the server again, from now on with these arguments too, and returns when it has loaded its data.
func (s *Server) Start(tb testing.TB, more ...string) {
	tb.Helper()
	s.args = append(s.args, more...)
	s.cmd = exec.Command("redis-server", s.args...) //nolint:gosec,noctx // the arguments are the test's; it is ended by Kill
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		tb.Error(err)
		return
	}
	for range 10_000 {
		if s.answers() {
			return
		}
		time.Sleep(2 * time.Millisecond) // a server of its own starts in its own time
	}
	tb.Error("redis-server does not answer")
}

// answers reports whether the server has loaded its data. It dials anew, where a client would wait a second.
func (s *Server) answers() bool {
	c, err := net.Dial("tcp", s.Addr) //nolint:noctx // at once
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && (line == "+PONG\r\n" || strings.HasPrefix(line, "-NOAUTH"))
}

// Signal sends the server a signal.
func (s *Server) Signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		tb.Error(err)
	}
}

// Kill ends the server as kill -9 does, and those that it has forked to save its data.
func (s *Server) Kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}

// Redis starts a redis-server as StartRedis does, and returns its URL.
func Redis(tb testing.TB, args ...string) string {
	tb.Helper()
	return "redis://" + StartRedis(tb, args...).Addr
}
