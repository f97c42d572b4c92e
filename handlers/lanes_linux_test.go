package handlers_test

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"switchback/bot/config"
	"switchback/store"
)

func TestTwoProcessesOnRedis(t *testing.T) {
	url := redisURL(t)
	testTwoProcesses(t, func() store.Store { return dialRedis(t, url) })
}

// redisURL starts a redis-server that dies with the test, and returns its address.
func redisURL(t *testing.T) config.Secret {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing")
		}
		t.Skip("redis-server is missing")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--appendonly", "yes", "--save", "", "--dir", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, "redis-server to answer", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return config.Secret("redis://" + addr)
}

func dialRedis(t *testing.T, url config.Secret) store.Store {
	t.Helper()
	s, err := store.OpenRedis(t.Context(), store.RedisConfig{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
