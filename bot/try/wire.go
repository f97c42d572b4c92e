package try

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	keptExchanges = 150
	keptBody      = 64 << 10 // bytes
)

// exchange is a request between the bot and the world, and its answer.
type exchange struct {
	N       int       `json:"n"`
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	What    string    `json:"what"`    // POST /slack/commands
	About   string    `json:"about"`   // what somebody typed or pressed, or what a message says
	Proof   string    `json:"proof"`   // how the asker shows who it is; empty: it need not
	Status  int       `json:"status"`  // 0: no answer
	Took    float64   `json:"took"`    // milliseconds
	Trouble string    `json:"trouble"` // in the words of the stand-in
	Times   int       `json:"times"`   // the same again, in a row

	request, answer string
	sent            []byte
}

// same reports whether an exchange only repeats another one, as those of the customers do.
func (x *exchange) same(o *exchange) bool {
	return x.To == o.To && x.What == o.What && x.Status == o.Status && x.Trouble == o.Trouble && x.answer == o.answer
}

// wire keeps the last exchanges.
type wire struct {
	changed func()
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	hide    func(string) string // takes secrets out

	mu   sync.Mutex
	n    int
	list []*exchange
}

func (w *wire) add(x *exchange) {
	w.mu.Lock()
	defer w.changed()
	defer w.mu.Unlock()
	x.About = about(x.sent)
	x.What, x.About, x.Trouble, x.request, x.answer = w.hide(x.What), w.hide(x.About), w.hide(x.Trouble), w.hide(x.request), w.hide(x.answer)
	if x.Proof == "" && strings.Contains(x.What+x.request, shownSecret) {
		x.Proof = "secret"
	}
	for _, o := range w.list[max(0, len(w.list)-repeats):] {
		if o.From == customers && o.same(x) {
			o.Times++
			o.At, o.Took, o.request = x.At, x.Took, x.request
			return
		}
	}
	w.n++
	x.N, x.Times = w.n, 1
	w.list = append(w.list, x)
	if len(w.list) > keptExchanges {
		w.list = slices.Delete(w.list, 0, len(w.list)-keptExchanges)
	}
}

// shownSecret stands where a secret was.
const shownSecret = "[secret]"

// repeats is how far back one that was seen before is looked for: customers come all the time.
const repeats = 12

// all returns the exchanges, the newest first.
func (w *wire) all() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]exchange, 0, len(w.list))
	for _, x := range slices.Backward(w.list) {
		out = append(out, *x)
	}
	return out
}

// texts returns what was sent and answered.
func (w *wire) texts(n int) (request, answer string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.list {
		if x.N == n {
			return x.request, x.answer, true
		}
	}
	return "", "", false
}

// client returns an HTTP client that reaches the bot by any name; what it sends is kept.
func (w *wire) client(from string) *http.Client {
	return &http.Client{Transport: tap{w, from, &http.Transport{DialContext: w.dial}}}
}

// tap keeps what goes through a client.
type tap struct {
	wire *wire
	from string
	next http.RoundTripper
}

// RoundTrip sends a request and reads the whole answer, so that both can be kept.
func (t tap) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	x := &exchange{At: time.Now(), From: t.from, To: theBot, What: r.Method + " " + r.URL.RequestURI(), Proof: proof(r.Header), request: written(r.Header, sent), sent: sent}
	defer func() {
		x.Took = milliseconds(time.Since(x.At))
		t.wire.add(x)
	}()
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		x.Trouble = "no answer: the bot is not there"
		if r.Context().Err() != nil {
			x.Trouble = "no answer in time"
		}
		return nil, err
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		x.Trouble = "the answer broke off"
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(got))
	x.Status, x.answer = resp.StatusCode, written(nil, got)
	if x.Status >= http.StatusBadRequest {
		x.Trouble = http.StatusText(x.Status)
	}
	return resp, nil
}

// serve returns a handler that keeps what the bot asks of another.
func (w *wire) serve(to string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return // the bot went away
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		x := &exchange{At: time.Now(), From: theBot, To: to, What: r.Method + " " + r.URL.RequestURI(), Proof: proof(r.Header), request: written(r.Header, sent), sent: sent}
		kept := &recorder{ResponseWriter: rw}
		next.ServeHTTP(kept, r)
		x.Took, x.Status, x.answer = milliseconds(time.Since(x.At)), kept.status, written(nil, kept.body.Bytes())
		x.Trouble = refusal(kept.status, kept.body.Bytes())
		w.add(x)
	})
}

// recorder keeps what a handler answers.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write keeps the body.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets a handler reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// refusal is why Slack did not do what it was asked: it says so with status 200.
func refusal(status int, body []byte) string {
	var said struct {
		OK       *bool  `json:"ok"`
		Error    string `json:"error"`
		Metadata struct {
			Messages []string `json:"messages"`
		} `json:"response_metadata"`
	}
	switch err := json.Unmarshal(body, &said); {
	case status == http.StatusNotModified:
	case err == nil && said.OK != nil && !*said.OK:
		return strings.Join(append([]string{said.Error}, said.Metadata.Messages...), "; ")
	case status >= http.StatusBadRequest:
		return http.StatusText(status)
	}
	return ""
}

// proof is how a request shows who sends it.
func proof(h http.Header) string {
	scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
	switch {
	case h.Get("X-Slack-Signature") != "":
		return "signed"
	case scheme == "Bearer":
		return "token"
	case scheme == "Basic":
		return "password"
	}
	return ""
}

const aboutMost = 80 // characters

// about is what a request is about, in a few words.
func about(sent []byte) string {
	var said string
	form, err := url.ParseQuery(string(sent))
	switch {
	case len(sent) > 0 && sent[0] == '{':
		var a struct{ Type, Name, Text string }
		if err := json.Unmarshal(sent, &a); err != nil {
			return ""
		}
		said = strings.Join(strings.Fields(a.Type+" "+a.Name+" "+a.Text), " ")
	case err != nil:
		return ""
	case form.Has("command"):
		return form.Get("command") + " " + form.Get("text")
	case form.Has("payload"):
		var p struct {
			Type    string
			Actions []struct {
				Text struct{ Text string }
			}
		}
		if err := json.Unmarshal([]byte(form.Get("payload")), &p); err != nil {
			return ""
		}
		said = p.Type
		if len(p.Actions) > 0 {
			said += ": " + p.Actions[0].Text.Text
		}
	default:
		said = html.UnescapeString(form.Get("text"))
	}
	said, _, _ = strings.Cut(said, "\n")
	if runes := []rune(said); len(runes) > aboutMost {
		return string(runes[:aboutMost]) + "…"
	}
	return said
}

// written is a message as people read it: headers that matter, and JSON in lines. A form's payload is JSON too.
func written(h http.Header, body []byte) string {
	var out strings.Builder
	for _, name := range []string{"Content-Type", "X-Slack-Request-Timestamp", "X-Slack-Signature", "X-Slack-Retry-Num", "X-Slack-Retry-Reason", "Origin", "Authorization"} {
		if v := h.Get(name); v != "" {
			if name == "Authorization" {
				v, _, _ = strings.Cut(v, " ")
				v += " …"
			}
			out.WriteString(name + ": " + v + "\n")
		}
	}
	if out.Len() > 0 && len(body) > 0 {
		out.WriteString("\n")
	}
	if form, err := url.ParseQuery(string(body)); err == nil && strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded") {
		names := make([]string, 0, len(form))
		for name := range form {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			out.WriteString(name + ": " + pretty([]byte(form.Get(name))) + "\n")
		}
	} else {
		out.WriteString(pretty(body))
	}
	if text := out.String(); len(text) <= keptBody {
		return text
	}
	return strings.ToValidUTF8(out.String()[:keptBody], "") + "\n… and more"
}

func pretty(body []byte) string {
	var b bytes.Buffer
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') && json.Indent(&b, body, "", "  ") == nil {
		return b.String()
	}
	return string(body)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}

// capability are the ends of addresses that are secrets of their own: whoever has one may answer for a person.
var capability = regexp.MustCompile(`(/(?:commands|actions)/T[A-Z0-9]+/)[0-9]+/[0-9a-f]+`)
