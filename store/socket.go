package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
)

// The process that has the file lends its store to commands on the same machine: HTTP over a socket that only the same
// user can reach, POST /<method> with the arguments as JSON, answered by an answer. Times of both sides are bounded.
const (
	askTimeout  = 10 * time.Second // for one call, as seen by who asks
	workTimeout = 8 * time.Second  // for one call, as seen by who answers: before the other gives up
	dialTimeout = 2 * time.Second
	stopTimeout = 5 * time.Second // for calls that are under way when Serve ends

	maxAsked    = 2 * MaxCommit // bytes of a request: JSON makes data a third longer
	maxAnswered = 256 << 20     // bytes of an answer: all the documents of many outages
	maxPath     = 103           // bytes of a socket's path, the least that any system allows
)

func socketPath(dir string) string { return filepath.Join(dir, "bot.sock") }

// asked holds the arguments of any method.
type asked struct {
	Keys   []string      `json:",omitempty"`
	Prefix string        `json:",omitempty"`
	Commit *Commit       `json:",omitempty"`
	Lease  time.Duration `json:",omitempty"`
	After  uint64        `json:",omitempty"`
	N      int           `json:",omitempty"`
}

// answer holds the result of any method, or its error.
type answer struct {
	Docs    []Doc    `json:",omitempty"`
	Keys    []string `json:",omitempty"`
	Counter uint64   `json:",omitempty"`
	Claims  []Claim  `json:",omitempty"`
	Entries []Logged `json:",omitempty"`
	Health  *Health  `json:",omitempty"`
	Err     *problem `json:",omitempty"`
}

// problem is an error on its way through the socket.
type problem struct {
	Kind string // which of the errors below it is; empty for any other
	Key  string // of a ConflictError
	Text string
}

// kinds names the errors that are still the same ones at the other end.
func kinds() map[string]error {
	return map[string]error{
		"conflict": ErrConflict, "fenced": ErrFenced, "replayed": ErrReplayed, "not-durable": ErrNotDurable,
		"state-lost": ErrStateLost, "newer-schema": ErrNewerSchema, "invalid": ErrInvalid,
	}
}

func problemOf(err error) *problem {
	if err == nil {
		return nil
	}
	p := &problem{Text: err.Error()}
	if c, ok := errors.AsType[*ConflictError](err); ok {
		p.Key = c.Key
	}
	for kind, sentinel := range kinds() {
		if errors.Is(err, sentinel) {
			p.Kind = kind
		}
	}
	return p
}

// remoteError is an error that the other process returned, with its words.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

func (p *problem) err() error {
	if p.Key != "" {
		return &ConflictError{Key: p.Key}
	}
	return &remoteError{text: p.Text, kind: kinds()[p.Kind]} // a kind that is not known yet is just an error
}

// Serve lends s to processes of the same user through the socket dir/bot.sock, until ctx is done; then calls under way
// are finished, and the socket is removed. A socket that a dead process left behind is replaced. Serve returns ErrBusy
// if another process answers there, and nil at the end.
func Serve(ctx context.Context, dir string, s Store, log zerolog.Logger) error {
	path := socketPath(dir)
	if other, err := Dial(dir); err == nil {
		_ = other.Close()
		return fmt.Errorf("serve store on %s: %w", path, ErrBusy)
	}
	l, err := listen(ctx, dir)
	if err != nil {
		return fmt.Errorf("serve store on %s: %w", path, err)
	}
	defer func() { _ = os.Remove(path) }()
	server := &http.Server{
		Handler:           handler{s, log},
		ReadHeaderTimeout: dialTimeout,
		ReadTimeout:       askTimeout,
		WriteTimeout:      2 * askTimeout,
		IdleTimeout:       time.Minute,
	}
	log.Info().Str("socket", path).Msg("commands on this machine can use the store")
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve store on %s: %w", path, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close()
		return fmt.Errorf("stop serving store on %s: %w", path, err)
	}
	return nil
}

// listen makes the socket where nobody else can look, and moves it to its place when it is private.
func listen(ctx context.Context, dir string) (net.Listener, error) {
	hidden, err := os.MkdirTemp(dir, ".sock")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(hidden) }()
	path := filepath.Join(hidden, "s")
	if len(path) > maxPath {
		return nil, fmt.Errorf("the path is too long for a socket: the folder's may have at most %d bytes",
			maxPath-len(path)+len(dir))
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it would look for the socket in its first place
	if err := errors.Join(os.Chmod(path, 0o600), os.Rename(path, socketPath(dir))); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// handler answers calls out of a store.
type handler struct {
	store Store
	log   zerolog.Logger
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	var a asked
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAsked)).Decode(&a); err != nil {
		http.Error(w, "read request: "+err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), workTimeout)
	defer cancel()
	var out answer
	var err error
	switch r.URL.Path {
	case "/get":
		out.Docs, err = h.store.Get(ctx, a.Keys...)
	case "/list":
		out.Keys, err = h.store.List(ctx, a.Prefix)
	case "/commit":
		if a.Commit == nil {
			http.Error(w, "no commit", http.StatusBadRequest)
			return
		}
		out.Counter, err = h.store.Commit(ctx, *a.Commit)
		h.log.Info().Err(err).Str("op", a.Commit.Op).Uint64("counter", out.Counter).Msg("commit of another process")
	case "/claim":
		out.Claims, err = h.store.Claim(ctx, a.Lease, a.N)
	case "/audit":
		out.Entries, err = h.store.Audit(ctx, a.After, a.N)
	case "/health":
		var health Health
		health, err = h.store.Health(ctx)
		out.Health = &health
	default:
		http.NotFound(w, r)
		return
	}
	out.Err = problemOf(err)
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		h.log.Warn().Err(err).Str("call", r.URL.Path).Msg("answer not delivered")
	}
}

// remote is a Store in another process.
type remote struct {
	path   string
	client *http.Client
}

// Dial returns the store that another process serves in the folder dir. Its errors are the same as there. An error
// that is os.ErrNotExist means that nobody serves one.
func Dial(dir string) (Store, error) {
	path := socketPath(dir)
	var d net.Dialer
	r := &remote{path: path, client: &http.Client{
		Timeout: askTimeout,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	if _, err := r.Health(ctx); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("dial store: %w", err)
	}
	return r, nil
}

// OpenOrDial opens the store in the folder dir, or reaches it through the process that has it open. It returns ErrBusy
// if that process does not answer. Whoever has it open is asked first: to open it would wait for them to go.
func OpenOrDial(dir string) (Store, error) {
	if r, err := Dial(dir); err == nil {
		return r, nil
	}
	f, err := Open(dir)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, ErrBusy) {
		return nil, err
	}
	r, dialErr := Dial(dir)
	if dialErr != nil {
		return nil, fmt.Errorf("%w, which does not answer: %w", err, dialErr)
	}
	return r, nil
}

// call asks for one method.
func (r *remote) call(ctx context.Context, method string, a asked) (answer, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://bot/"+method, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", method, err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s through %s: %w", method, r.path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	limited := io.LimitReader(resp.Body, maxAnswered)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(limited, 500))
		return answer{}, fmt.Errorf("%s through %s: %s: %s", method, r.path, resp.Status, bytes.TrimSpace(text))
	}
	var out answer
	if err := json.NewDecoder(limited).Decode(&out); err != nil {
		return answer{}, fmt.Errorf("%s through %s: %w", method, r.path, err)
	}
	if out.Err != nil {
		return answer{}, out.Err.err()
	}
	return out, nil
}

func (r *remote) Get(ctx context.Context, keys ...string) ([]Doc, error) {
	out, err := r.call(ctx, "get", asked{Keys: keys})
	return out.Docs, err
}

func (r *remote) List(ctx context.Context, prefix string) ([]string, error) {
	out, err := r.call(ctx, "list", asked{Prefix: prefix})
	return out.Keys, err
}

func (r *remote) Commit(ctx context.Context, c Commit) (uint64, error) {
	if err := c.check(); err != nil { // before it is too long for the other end
		return 0, err
	}
	out, err := r.call(ctx, "commit", asked{Commit: &c})
	return out.Counter, err
}

func (r *remote) Claim(ctx context.Context, lease time.Duration, n int) ([]Claim, error) {
	out, err := r.call(ctx, "claim", asked{Lease: lease, N: n})
	return out.Claims, err
}

func (r *remote) Audit(ctx context.Context, after uint64, n int) ([]Logged, error) {
	out, err := r.call(ctx, "audit", asked{After: after, N: n})
	return out.Entries, err
}

func (r *remote) Health(ctx context.Context) (Health, error) {
	out, err := r.call(ctx, "health", asked{})
	if err == nil && out.Health == nil {
		err = fmt.Errorf("health through %s: no store answers there", r.path)
	}
	if err != nil {
		return Health{}, err
	}
	return *out.Health, nil
}

// Close gives up the connection; the other process goes on.
func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}
