package storetest

import (
	"net"
	"sync/atomic"
	"testing"
)

// Line lies between clients and a Redis, and passes on what they say. A pipeline, and what answers it, is small enough to
// come in one piece; of an answer that is not, each piece is one.
type Line struct {
	Addr string
	to   string
	pass func(request []byte, reply bool) bool
}

// StartLine begins to pass messages on to a server, until the test ends. It asks pass before each one, which is told the
// request also where the reply to it has come. Where that says no, the message is lost with its connection.
func StartLine(tb testing.TB, server string, pass func(request []byte, reply bool) bool) *Line {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	l := &Line{Addr: listener.Addr().String(), to: server, pass: pass}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(client)
		}
	}()
	return l
}

func (l *Line) connect(client net.Conn) {
	server, err := net.Dial("tcp", l.to) //nolint:noctx // at once
	if err != nil {
		_ = client.Close()
		return
	}
	var asked atomic.Pointer[[]byte]
	go copyMessages(server, client, func(m []byte) bool {
		asked.Store(&m)
		return l.pass(m, false)
	})
	copyMessages(client, server, func([]byte) bool {
		m := asked.Load()
		return m == nil || l.pass(*m, true)
	})
}

// copyMessages copies until one end is gone, or a message is not to be passed on.
func copyMessages(to, from net.Conn, pass func([]byte) bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 1<<20)
	for {
		n, err := from.Read(buf)
		if err != nil || !pass(append([]byte(nil), buf[:n]...)) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
