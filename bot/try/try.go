// Package try is the playground: the real bot as a child process, and around it a simulated world to use it in.
//
// The world is a Slack workspace, Gladly's settings and the company's customers, each a server of its own on loopback.
// Between them and the bot is real HTTP with real signatures, under secrets that are drawn anew at each start; the bot
// does not know that it is being tried out. One page shows it all.
package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

const headerIn = 5 * time.Second

// Config is what the playground is made of.
type Config struct {
	Command  []string // the bot: its program and the words that make it serve
	Env      []string // that the bot gets besides its configuration
	Manifest []byte   // the Slack app's: it may do and hears what stands there
	Data     string   // where the bot keeps everything; empty: a folder that is removed at the end
	Address  string   // of the page, on loopback; empty: a free port
	Out      io.Writer
}

// Run shows the playground until ctx ends.
func Run(ctx context.Context, c Config) error {
	listener, err := listen(ctx, c.Address)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.Data == "" {
		dir, err := os.MkdirTemp("", "switchback-try-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.Data = dir
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	w, err := newWorld(ctx, c)
	if err != nil {
		return err
	}
	defer w.close()
	page := &http.Server{Handler: w.page(listener.Addr().String()), ReadHeaderTimeout: headerIn, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- page.Serve(listener) }()
	fmt.Fprintf(c.Out, "Switchback, to try out: http://%s\nOpen that address. All around the bot is simulated, and nothing leaves this machine. Ctrl-C ends it.\n", listener.Addr())
	err = w.begin(ctx)
	if err == nil {
		w.live(ctx)
	}
	_ = page.Close()
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		return ended
	}
	if ctx.Err() != nil { // somebody ended it, perhaps before it began
		return nil
	}
	return err
}

// listen listens on loopback, and nowhere else: who reaches the page can do everything on it.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("%q is not an address on loopback such as 127.0.0.1:8080", address)
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}
