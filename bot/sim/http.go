package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"switchback/bot/change"
)

const maxBody = 64 << 10 // bytes of a request

// The bodies that the company and the Platform exchange.
type (
	catalogue struct {
		Settings []listed `json:"settings"`
	}
	listed struct {
		Key    change.Key `json:"key"`
		Action string     `json:"action"`
		Target string     `json:"target"`
		Label  string     `json:"label"`
		Name   string     `json:"name"`
		Value  string     `json:"value"`
	}
	reading struct {
		Key   change.Key `json:"key"`
		Value string     `json:"value"`
	}
	writing struct {
		Value *string `json:"value"` // nil: left out, which is not the same as empty
	}
	trouble struct {
		Error string `json:"error"`
	}
)

// ServeHTTP serves the API and the practice routes.
func (c *Company) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	c.routes.ServeHTTP(w, r)
}

func (c *Company) handler() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /v1/settings", c.list)
	m.HandleFunc("GET /v1/settings/{key...}", c.read)
	m.HandleFunc("PUT /v1/settings/{key...}", c.write)
	m.HandleFunc("GET /sim/world", c.world)
	m.HandleFunc("POST /sim/edit", c.edit)
	m.HandleFunc("POST /sim/faults", c.fail)
	m.HandleFunc("DELETE /sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		c.Heal()
		w.WriteHeader(http.StatusNoContent)
	})
	m.HandleFunc("GET /sim/log", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.Log(), nil) })
	return m
}

func (c *Company) list(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	values := c.values // never changed in place
	c.mu.Unlock()
	out := catalogue{Settings: []listed{}}
	for _, s := range c.settings {
		r := s.resource
		out.Settings = append(out.Settings, listed{r.Key, r.Action, r.Target, r.Label, r.Name, values[r.Key]})
	}
	reply(w, out, nil)
}

func (c *Company) read(w http.ResponseWriter, r *http.Request) {
	k := change.Key(r.PathValue("key"))
	fault := c.meet(Read, k)
	v, err := c.get(k, fault.Kind)
	fault.after(w, r)
	reply(w, reading{k, v}, err)
}

func (c *Company) write(w http.ResponseWriter, r *http.Request) {
	k := change.Key(r.PathValue("key"))
	var body writing
	if err := decode(r, &body); err != nil {
		reply(w, nil, err)
		return
	}
	if body.Value == nil {
		reply(w, nil, fmt.Errorf("%w: no value", errInvalid))
		return
	}
	fault := c.meet(Write, k)
	v, err := c.set(Write, k, *body.Value, "api", fault.Kind)
	fault.after(w, r)
	reply(w, reading{k, v}, err)
}

// after is what a fault does once the call has had its effect.
func (f Fault) after(w http.ResponseWriter, r *http.Request) {
	switch f.Kind {
	case Slow:
		select {
		case <-time.After(time.Duration(f.Delay)):
		case <-r.Context().Done():
		}
	case Cut:
		// Some of the answer goes out first: a client may repeat a read by itself when it got nothing at all.
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Error, Refuse: // it had none
	}
}

func (c *Company) world(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	if s := r.FormValue("at"); s != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, s); err != nil {
			reply(w, nil, fmt.Errorf("%w: at: want a time such as 2026-11-25T23:10:00-08:00, got %q", errInvalid, s))
			return
		}
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/plain") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, c.World(at).String()) //nolint:gosec // plain text, not HTML
		return
	}
	reply(w, c.World(at), nil)
}

func (c *Company) edit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Key   change.Key `json:"key"`
		Value *string    `json:"value"`
		By    string     `json:"by"`
	}
	err := decode(r, &body)
	if err == nil && (body.Value == nil || body.By == "") {
		err = fmt.Errorf("%w: key, value and by are needed", errInvalid)
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	v, err := c.set(Edit, body.Key, *body.Value, body.By, "")
	reply(w, reading{body.Key, v}, err)
}

func (c *Company) fail(w http.ResponseWriter, r *http.Request) {
	var f Fault
	err := decode(r, &f)
	if err == nil {
		err = c.Fail(f)
	}
	reply(w, struct{}{}, err)
}

// decode reads a strict JSON body. Its errors are errInvalid.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one JSON value", errInvalid)
	}
	return nil
}

// reply answers with v, or with what went wrong.
func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, errUnknown):
		status = http.StatusNotFound
	case errors.Is(err, errInvalid):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errRefused):
		status = http.StatusForbidden
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		v = trouble{err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// Local returns a client whose calls go straight to h, whatever their host: no sockets and no goroutines, so that it
// works in a testing/synctest bubble. A call whose context ends gets the context's error as soon as h returns.
func Local(h http.Handler) *http.Client { return &http.Client{Transport: local{h}} }

type local struct{ handler http.Handler }

func (l local) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	ctx := r.Context()
	in := r.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() { _ = in.Body.Close() }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	w := &recorder{header: http.Header{}}
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // what net/http's server compares too
			resp, err = nil, io.ErrUnexpectedEOF
		} else if p != nil {
			panic(p)
		}
	}()
	l.handler.ServeHTTP(w, in)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.response(r), nil
}

// recorder keeps an answer. (httptest's registers command-line flags, which have no place in the program.)
type recorder struct {
	header http.Header
	status int
	sent   http.Header // as it was when the answer began
	body   strings.Builder
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r,
		Body: io.NopCloser(strings.NewReader(w.body.String())), ContentLength: int64(w.body.Len()),
	}
}
