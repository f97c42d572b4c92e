package slacktest

import (
	"net/http"
	"strings"
	"time"
)

// Fault is something that goes wrong with the next calls that fit it. Each call meets one fault, the oldest.
type Fault struct {
	Kind   FaultKind
	Method string        // how the method's name begins: chat.postMessage, chat., response_url; empty: every call
	Times  int           // how many calls meet it; 0: 1; negative: all until Heal
	Delay  time.Duration // of a Slow answer; the Retry-After of a TooMany
	Error  string        // of a Refused call
}

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Broken  FaultKind = "broken"  // 500, and nothing was done
	TooMany FaultKind = "toomany" // 429 with Retry-After, and nothing was done
	Refused FaultKind = "refused" // an error of Slack's, and nothing was done
	Silent  FaultKind = "silent"  // no answer until the caller gives up, and nothing was done
	Lost    FaultKind = "lost"    // no answer until the caller gives up, but it was done
	Cut     FaultKind = "cut"     // the line breaks after it was done
	Slow    FaultKind = "slow"    // it was done, and the answer takes Delay
)

// Fail makes calls to come go wrong.
func (s *Slack) Fail(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Heal takes away all faults that still wait.
func (s *Slack) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// meet takes the fault that a call meets; the zero Fault is none.
func (s *Slack) meet(name string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.HasPrefix(name, f.Method) {
			continue
		}
		switch f.Times {
		case 1:
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		default:
			s.faults[i].Times = max(-1, f.Times-1)
		}
		return f
	}
	return Fault{}
}

// before is what a fault does in place of the call. It reports whether it did.
func (s *Slack) before(w http.ResponseWriter, r *http.Request, name string, a args, f Fault) bool {
	switch f.Kind {
	case Broken:
		s.note(name, a, http.StatusInternalServerError, "")
		http.Error(w, "something broke", http.StatusInternalServerError)
	case TooMany:
		s.rateLimited(w, name, a, f.Delay)
	case Refused:
		s.answer(w, name, a, http.StatusOK, nil, fail(f.Error))
	case Silent:
		s.note(name, a, 0, "")
		hang(r, 0)
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// after is what a fault does once the call has had its effect. After some there is nobody left to answer.
func (s *Slack) after(w http.ResponseWriter, r *http.Request, name string, a args, f Fault) {
	switch f.Kind {
	case Slow:
		hang(r, f.Delay)
	case Lost:
		s.note(name, a, 0, "")
		hang(r, 0)
		panic(http.ErrAbortHandler)
	case Cut:
		s.note(name, a, 0, "")
		// Some of the answer goes out first: a client may repeat a call by itself when it got nothing at all.
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
	}
}

// hang waits until the caller gives up, or for a time if there is one.
func hang(r *http.Request, d time.Duration) {
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case <-over:
	case <-r.Context().Done():
	}
}
