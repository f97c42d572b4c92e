package flags

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/change"
	"switchback/bot/config"
)

const (
	// answerIn is how long an answer may take: a phone menu gives up after two seconds, with the caller on the line.
	answerIn = 1500 * time.Millisecond
	maxBody  = 4 << 10 // bytes
	logEvery = time.Minute
)

const defaultMessage = "Chat is not available at the moment. Please try again later."

// Endpoints is what Handler answers from.
type Endpoints struct {
	Targets []Target
	Store   Store
	// Secret is "user:password", which the phone menu sends. Empty: every question of a menu is refused.
	Secret config.Secret
	// Notice returns what customers should read or hear while the flag k is set, and when people will look at it again.
	// Either may be left out, and Notice may be nil. It is not asked in peace time.
	Notice func(ctx context.Context, k change.Key) (text string, until time.Time)
}

// Handler answers those who ask for flags:
//
//	GET  /flags/chat/{app}             for pages of any origin, without credentials:
//	                                   {"open": false, "message": "Chat is …", "until": "2026-11-26T14:10:00Z"}
//	GET  /flags/voice?number=+1650…    for the data dip of a phone menu, with Basic authentication:
//	POST /flags/voice {"number": "…"}  {"state": "voicemail", "message": "…"}
//
// An answer that is not known lets customers through, whatever the reason: chat is open, callers come to the usual
// menu. A wrong "open" costs some customers a wait, as on any busy day; a wrong "closed" shuts a healthy shop because a
// bot is away, with nobody there to notice. So errors say so by their status, for menus whose error branch leads on
// (which it should, to the usual menu) and for monitors, and their bodies let customers through too, for pages that
// look at the body alone: there, a missing "open" would mean closed.
//
// Only what Endpoints.Targets lists exists; the answer for anything else does not tell what does. The logger is the
// one in the request's context; of each kind of trouble it gets a line a minute at most.
func Handler(e Endpoints) (http.Handler, error) {
	user, password, _ := strings.Cut(e.Secret.Reveal(), ":")
	if e.Secret != "" && (user == "" || password == "") {
		return nil, errors.New("the secret for flags: want user:password")
	}
	h := &handler{platform: New(e.Targets, e.Store), secret: sha256.Sum256([]byte(e.Secret.Reveal())), notice: e.Notice}
	m := http.NewServeMux()
	m.HandleFunc("/flags/chat/{app}", h.chat)
	m.HandleFunc("/flags/voice", h.voice)
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusNotFound, openChat("not found")) })
	return m, nil
}

type handler struct {
	platform *Platform
	secret   [sha256.Size]byte
	notice   func(context.Context, change.Key) (string, time.Time)

	unknown, denied, failed quiet
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

func (h *handler) chat(w http.ResponseWriter, r *http.Request) {
	// On errors too: a page cannot read an answer without it.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet:
	case http.MethodOptions: // a browser asks first where a page adds headers of its own; GET alone needs no asking
		w.Header().Set("Access-Control-Allow-Methods", http.MethodGet)
		w.Header().Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", "GET, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, openChat("method not allowed"))
		return
	}
	s, status, trouble := h.look(r, Chat, r.PathValue("app"))
	if trouble != "" {
		answer(w, status, openChat(trouble))
		return
	}
	a := chatAnswer{Open: !s.on, Message: s.message}
	if s.on && a.Message == "" {
		a.Message = defaultMessage
	}
	if !s.until.IsZero() {
		until := s.until.UTC().Truncate(time.Second)
		a.Until = &until
	}
	answer(w, http.StatusOK, a)
}

func (h *handler) voice(w http.ResponseWriter, r *http.Request) {
	if !h.allowed(r) {
		if held, ok := h.denied.next(); ok {
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
		var body struct {
			Number string `json:"number"`
		}
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(data, &body)
		}
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			answer(w, http.StatusRequestEntityTooLarge, usualMenu("the body is too large"))
			return
		} else if err != nil {
			answer(w, http.StatusBadRequest, usualMenu(`want JSON such as {"number": "+16505550101"}`))
			return
		}
		number = body.Number
	default:
		w.Header().Set("Allow", "GET, POST")
		answer(w, http.StatusMethodNotAllowed, usualMenu("method not allowed"))
		return
	}
	s, status, trouble := h.look(r, Voice, dialled(number))
	if trouble != "" {
		answer(w, status, usualMenu(trouble))
		return
	}
	answer(w, http.StatusOK, voiceAnswer{State: string(s.value.Raw), Message: s.message})
}

// dialled is a number as it stands in the targets. A menu puts it into the URL as it is, and there a plus sign means a
// space.
func dialled(number string) string {
	return "+" + strings.TrimLeft(strings.TrimSpace(number), "+")
}

// allowed compares in constant time; hashed, because the time of the comparison would tell the length. What is sent has
// a colon, so without a secret nothing fits.
func (h *handler) allowed(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	sent := sha256.Sum256([]byte(user + ":" + password)) // a user has no colon: it ends at the first one
	same := subtle.ConstantTimeCompare(sent[:], h.secret[:]) == 1
	return ok && same
}

// state is what a flag says, and what goes with it while it is set.
type state struct {
	value   change.Value
	on      bool
	message string
	until   time.Time
}

// look reads a flag and notes that it was asked for. On trouble it returns the status and the words for the asker.
func (h *handler) look(r *http.Request, kind Kind, id string) (s state, status int, trouble string) {
	log := zerolog.Ctx(r.Context())
	k := h.platform.key(Target{Kind: kind, ID: id})
	t, ok := h.platform.target(k)
	if !ok {
		if held, ok := h.unknown.next(); ok {
			log.Warn().Int("held_back", held).Str("kind", string(kind)).Str("target", id[:min(len(id), 64)]).Msg("somebody asks for a flag that does not exist")
		}
		return state{}, http.StatusNotFound, "not found"
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	v, err := h.platform.Read(ctx, k)
	if err != nil {
		if r.Context().Err() == nil { // else the asker hung up
			if held, ok := h.failed.next(); ok {
				log.Error().Err(err).Int("held_back", held).Msg("customers are let through: what the flag says is not known")
			}
		}
		return state{}, http.StatusServiceUnavailable, "not known at the moment"
	}
	h.platform.store.Note(k, time.Now())
	s = state{value: v, on: v.Equal(kind.outage())}
	if !s.on {
		return s, 0, ""
	}
	if h.notice != nil {
		s.message, s.until = h.notice(ctx, k)
	}
	if s.message == "" {
		s.message = t.Message
	}
	return s, 0, ""
}

func answer(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // the message is for people; whoever puts it into a page escapes it there
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // strings, bools and a time of this millennium
	}
	head := w.Header()
	head.Set("Content-Type", "application/json") // exactly so: phone menus compare it
	head.Set("Cache-Control", "no-store")        // what was true a minute ago closes a shop that is open again
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
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
