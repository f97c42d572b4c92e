package statuspage

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/incident"
)

const (
	// HookPath is where notifications come: a page's id and a secret stand behind it.
	HookPath = "/hooks/statuspage/"

	maxHook   = 1 << 20 // bytes of one notification
	perMinute = 600     // notifications of one page; a storm of fifty components is far below
	secretMin = 22      // characters of a secret of 128 bits in base64; 32 in hex
)

// Hooks is what Handler needs.
type Hooks struct {
	Pages incident.Routing
	// Secret is one secret or several with commas between, the first is the current one: each is valid. Empty: no
	// notification is taken.
	Secret config.Secret
	// Accept takes a notice in. When it returns without error the notice is safe, whatever becomes of the process.
	Accept func(ctx context.Context, page string, n incident.Notice) error
}

// Handler takes notifications at HookPath{page}/{secret}. Statuspage signs nothing, so the secret is in the path, and
// what comes is only a hint. A wrong secret and an unknown page get the same 404, before anything is read. Everything else
// that is JSON gets 200, once it is safe: ten failures in an hour would end the subscription
// (https://support.atlassian.com/statuspage/docs/view-quarantined-subscribers).
//
// No path and no body is ever logged.
func Handler(h Hooks) (http.Handler, error) {
	secrets, err := Secrets(h.Secret)
	if err != nil {
		return nil, err
	}
	in := &intake{Hooks: h, counts: map[string]*count{}}
	for _, s := range secrets {
		in.secrets = append(in.secrets, sha256.Sum256([]byte(s.Reveal())))
	}
	m := http.NewServeMux()
	m.HandleFunc(HookPath+"{page}/{secret}", in.serve)
	return m, nil
}

var (
	secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	hexForm    = regexp.MustCompile(`^[0-9a-fA-F]+$`)
)

// Secrets splits a list of secrets and checks each; the error shows none.
func Secrets(list config.Secret) ([]config.Secret, error) {
	if strings.TrimSpace(list.Reveal()) == "" {
		return nil, nil
	}
	var out []config.Secret
	for i, s := range strings.Split(list.Reveal(), ",") {
		s = strings.TrimSpace(s)
		distinct := map[rune]bool{}
		for _, r := range s {
			distinct[r] = true
		}
		switch {
		case !secretForm.MatchString(s):
			return nil, fmt.Errorf("secret %d for status pages: letters, digits, - and _ only", i+1)
		case len(s) < secretMin, hexForm.MatchString(s) && len(s) < 32, len(distinct) < 8:
			return nil, fmt.Errorf("secret %d for status pages: want 128 random bits: openssl rand -hex 16", i+1)
		}
		out = append(out, config.Secret(s))
	}
	return out, nil
}

type intake struct {
	Hooks
	secrets [][sha256.Size]byte

	mu     sync.Mutex
	counts map[string]*count
}

// count is how many notifications of a page came in the minute that began at from.
type count struct {
	from time.Time
	n    int
}

func (in *intake) serve(w http.ResponseWriter, r *http.Request) {
	log := zerolog.Ctx(r.Context())
	page, known := in.Pages.Find(r.PathValue("page"))
	if !in.allowed(r.PathValue("secret")) || !known {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	if !in.room(page.ID, time.Now()) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many", http.StatusTooManyRequests)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	} else if err != nil {
		http.Error(w, "the body was cut off", http.StatusBadRequest)
		return
	}
	n, err := decodeNotice(page, body, time.Now())
	if err != nil {
		log.Warn().Str("page", page.ID).Int("bytes", len(body)).Msg("a notification that is no JSON object was refused")
		http.Error(w, "want a JSON object", http.StatusBadRequest)
		return
	}
	if err := in.Accept(r.Context(), page.ID, n); err != nil {
		log.Error().Err(err).Str("page", page.ID).Msg("a notification could not be kept; the page sends it again")
		http.Error(w, "not kept", http.StatusServiceUnavailable)
		return
	}
	log.Info().Str("page", page.ID).Str("kind", kindOf(n)).Str("agent", r.UserAgent()[:min(len(r.UserAgent()), 100)]).Msg("a notification came")
	w.WriteHeader(http.StatusOK)
}

// allowed compares with each secret, in constant time; hashed, because the time of a comparison would tell the length.
func (in *intake) allowed(secret string) bool {
	sent, ok := sha256.Sum256([]byte(secret)), 0
	for _, s := range in.secrets {
		ok |= subtle.ConstantTimeCompare(sent[:], s[:])
	}
	return ok == 1
}

func (in *intake) room(page string, now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.counts[page]
	if c == nil || now.Sub(c.from) >= time.Minute {
		c = &count{from: now}
		in.counts[page] = c
	}
	c.n++
	return c.n <= perMinute
}

func kindOf(n incident.Notice) string {
	switch {
	case n.Incident != nil:
		return "incident"
	case n.Change != nil:
		return "component"
	}
	return "unknown"
}
