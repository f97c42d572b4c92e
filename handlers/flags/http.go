package flags

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxBody = 4 << 10 // bytes
	// bodyIn is how long a menu may take to send its question; it gives up after two seconds itself.
	bodyIn   = 2 * time.Second
	logEvery = time.Minute
	// KeyHeader may carry the secret instead of Basic authentication.
	KeyHeader = "X-Flags-Key"
)

// How long a browser, or a cache in front of the bot, may keep what it got.
const (
	stateAge  = "max-age=5" // a visitor who looks at many pages asks once; nobody is shut out for longer
	scriptAge = "max-age=300"
	never     = "no-store"
)

const defaultMessage = "Chat is not available at the moment. Please try again later."

//go:embed page/chat.min.js
var pageScript []byte

// ServeHTTP answers those who ask for flags:
//
//	GET  /flags/chat.js                the script that a page includes; page/chat.js is its source
//	GET  /flags/chat/{app}             for pages of the app's origins, without credentials:
//	                                   {"open": false, "message": "Chat is …", "until": "2026-11-26T14:10:00Z"}
//	GET  /flags/voice?number=+1650…    for the data dip of a phone menu, with Basic authentication or X-Flags-Key:
//	POST /flags/voice {"number": "…"}  {"state": "voicemail", "message": "…"}
//
// An answer that is not known lets customers through, whatever the reason: chat is open, callers come to the usual
// menu. A wrong "open" costs some customers a wait, as on any busy day; a wrong "closed" shuts a healthy shop because a
// bot is away, with nobody there to notice. So errors say so by their status, for menus whose error branch leads on
// (which it should, to the usual menu) and for monitors, and their bodies let customers through too:
//
//	400 the body is no JSON with a number      405 another method
//	401 wrong user, password or key            413 the body is too large
//	404 no such app or number                  503 what the flag says is not known
//
// Only what Config.Targets lists exists; the answer for anything else does not tell what does. The logger is the one in
// the request's context; of each kind of trouble it gets a line a minute at most.
func (e *Endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.routes.ServeHTTP(w, r) }

func (e *Endpoints) mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("/flags/chat.js", e.script)
	m.HandleFunc("/flags/chat/{app}", e.chat)
	m.HandleFunc("/flags/voice", e.voice)
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, openChat("not found")) })
	return m
}

// What is answered. Fields are never left out, so that a page need not ask whether they are there.
type (
	chatAnswer struct {
		Open    bool       `json:"open"`
		Message string     `json:"message"` // plain text; empty while open
		Until   *time.Time `json:"until"`   // when people look at it again: nothing reopens by itself then; null: not known
		Error   string     `json:"error,omitempty"`
	}
	voiceAnswer struct {
		State   string `json:"state"`   // "normal" or "voicemail", for the menu to match on
		Message string `json:"message"` // for the menu to speak; may be empty
		Error   string `json:"error,omitempty"`
	}
)

func openChat(trouble string) chatAnswer { return chatAnswer{Open: true, Error: trouble} }

func usualMenu(trouble string) voiceAnswer {
	return voiceAnswer{State: string(Voice.peace().Raw), Error: trouble}
}

// script sends the page's script. It is the same for all, so a page may pin it by its hash (integrity, crossorigin).
func (e *Endpoints) script(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, openChat("method not allowed"))
		return
	}
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Cross-Origin-Resource-Policy", "cross-origin")
	send(w, r, e.page, "text/javascript; charset=utf-8", scriptAge)
}

func (e *Endpoints) chat(w http.ResponseWriter, r *http.Request) {
	f, known := e.chats[r.PathValue("app")]
	theirs := known && f.allow(w, r)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions: // a browser asks first where a page adds headers of its own; GET alone needs no asking
		if theirs {
			w.Header().Set("Access-Control-Allow-Methods", http.MethodGet)
			w.Header().Set("Access-Control-Max-Age", "86400")
		}
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, openChat("method not allowed"))
		return
	}
	if !known {
		e.noTarget(r, Chat, r.PathValue("app"))
		answer(w, http.StatusNotFound, openChat("not found"))
		return
	}
	now, ok := e.said(f)
	if !ok {
		answer(w, http.StatusServiceUnavailable, openChat("not known at the moment"))
		return
	}
	e.counts.chat.Add(1)
	if theirs && r.Method == http.MethodGet {
		f.note(time.Now())
	}
	send(w, r, now.reply, "application/json", stateAge)
}

// allow lets pages of the app's origins read the answer, and reports whether the asker is such a page: nobody else is
// a visitor whose chat the flag could close. A page of the bot's own host sends no origin, but says that it is one. Of
// an app for any origin (*) every asker counts.
func (f *flag) allow(w http.ResponseWriter, r *http.Request) bool {
	head := w.Header()
	if f.any {
		head.Set("Access-Control-Allow-Origin", "*")
		return true
	}
	head.Set("Vary", "Origin") // or a cache would give one origin's permission to another
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	if !slices.Contains(f.target.Origins, origin) {
		return false
	}
	head.Set("Access-Control-Allow-Origin", origin)
	return true
}

func (e *Endpoints) voice(w http.ResponseWriter, r *http.Request) {
	if !e.allowed(r) {
		e.counts.denied.Add(1)
		if held, ok := e.quietly.denied.next(); ok {
			zerolog.Ctx(r.Context()).Warn().Int("held_back", held).Msg("a phone menu was refused: wrong user or password, or FLAGS_SECRET is not set")
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="flags"`)
		answer(w, http.StatusUnauthorized, usualMenu("unauthorized"))
		return
	}
	var number string
	switch r.Method {
	case http.MethodGet:
		number = r.URL.Query().Get("number")
	case http.MethodPost:
		var status int
		var trouble string
		if number, status, trouble = bodyNumber(w, r); trouble != "" {
			e.counts.refused.Add(1)
			answer(w, status, usualMenu(trouble))
			return
		}
	default:
		w.Header().Set("Allow", "GET, POST")
		answer(w, http.StatusMethodNotAllowed, usualMenu("method not allowed"))
		return
	}
	number = dialled(number)
	f, known := e.numbers[number]
	if !known {
		e.noTarget(r, Voice, number)
		answer(w, http.StatusNotFound, usualMenu("not found"))
		return
	}
	now, ok := e.said(f)
	if !ok {
		answer(w, http.StatusServiceUnavailable, usualMenu("not known at the moment"))
		return
	}
	e.counts.voice.Add(1)
	f.note(time.Now())
	send(w, r, now.reply, "application/json", never)
}

// bodyNumber reads the number out of a menu's body; what does not fit has a status and words for the asker.
func bodyNumber(w http.ResponseWriter, r *http.Request) (number string, status int, trouble string) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyIn)) // a test's recorder has none
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var body struct {
		Number string `json:"number"`
	}
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return "", http.StatusRequestEntityTooLarge, "the body is too large"
	} else if err != nil {
		return "", http.StatusBadRequest, `want JSON such as {"number": "+16505550101"}`
	}
	return body.Number, 0, ""
}

// dialled is a number as it stands in the targets. A menu puts it into the URL as it is, and there a plus sign means a
// space.
func dialled(number string) string {
	return "+" + strings.TrimLeft(strings.TrimSpace(number), "+")
}

// allowed compares in constant time with every secret; hashed, because the time of the comparison would tell the
// length. What is sent has a colon, so without a secret nothing fits.
func (e *Endpoints) allowed(r *http.Request) bool {
	user, password, basic := r.BasicAuth()
	sent := user + ":" + password // a user has no colon: it ends at the first one
	if !basic {
		sent = r.Header.Get(KeyHeader)
	}
	hash := sha256.Sum256([]byte(sent))
	same := 0
	for _, s := range e.secrets {
		same |= subtle.ConstantTimeCompare(hash[:], s[:])
	}
	return same == 1
}

// noTarget tells the operators of somebody who asks for what does not exist.
func (e *Endpoints) noTarget(r *http.Request, kind Kind, id string) {
	e.counts.unknown.Add(1)
	if held, ok := e.quietly.unknown.next(); ok {
		zerolog.Ctx(r.Context()).Warn().Int("held_back", held).Str("kind", string(kind)).Str("target", id[:min(len(id), 64)]).
			Msg("somebody asks for a flag that does not exist")
	}
}

// reply is a body that is sent many times.
type reply struct {
	body []byte
	etag string
}

func newReply(body []byte) reply {
	hash := sha256.Sum256(body)
	return reply{body, `"` + hex.EncodeToString(hash[:8]) + `"`}
}

// send sends a reply, or says that the asker has it already.
func send(w http.ResponseWriter, r *http.Request, what reply, kind, age string) {
	head := w.Header()
	head.Set("Content-Type", kind) // exactly so: phone menus compare it
	head.Set("Cache-Control", age)
	head.Set("X-Content-Type-Options", "nosniff")
	if age != never {
		head.Set("Etag", what.etag)
		if has(r.Header.Get("If-None-Match"), what.etag) {
			head.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	_, _ = w.Write(what.body)
}

// has reports whether an If-None-Match names the tag. A cache that compressed the answer calls it weak.
func has(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == etag {
			return true
		}
	}
	return false
}

func encode(v any) []byte {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // the message is for people; whoever puts it into a page escapes it there
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // strings, bools and a time of this millennium
	}
	return body.Bytes()
}

// answer sends what is said once: trouble.
func answer(w http.ResponseWriter, status int, v any) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", never)
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(encode(v))
}

// quiet keeps a log readable while many strangers, or all customers, meet the same trouble.
type quiet struct {
	mu   sync.Mutex
	at   time.Time // of the next line
	held int
}

// next reports whether it is time for a line, and how many were held back before it.
func (q *quiet) next() (held int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if now.Before(q.at) {
		q.held++
		return 0, false
	}
	held, q.held, q.at = q.held, 0, now.Add(logEvery)
	return held, true
}
