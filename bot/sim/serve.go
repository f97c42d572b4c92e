package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve serves the company on a loopback address such as 127.0.0.1:0 until ctx ends. It calls ready with the address
// once it listens. Whoever can reach it can do everything, so any other address is refused, and so is what a web page
// of another site sends.
func Serve(ctx context.Context, addr string, c *Company, ready func(addr string)) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serve the company: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("serve the company: %s is not a loopback address", addr), l.Close())
	}
	s := &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(c),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      maxDelay + 10*time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	ready(l.Addr().String())
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = s.Close() // a practice company owes nobody an answer
		if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}
	if err != nil {
		return fmt.Errorf("serve the company: %w", err)
	}
	return nil
}
