package gladlytest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// PerSecond is how many requests Gladly takes from all clients of an organisation.
const PerSecond = 10

// Credentials of an API user.
type Credentials struct{ Email, Token string }

// api is what the stand-in of the API has to remember.
type api struct {
	second time.Time // in which spent counts
	spent  int
	asked  int
	faults []func(http.ResponseWriter, *http.Request)
}

// Spend is what other clients of the organisation use up of this second's requests.
func (g *Gladly) Spend(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spend(n)
}

func (g *Gladly) spend(n int) (left int) {
	if now := time.Now().Truncate(time.Second); !now.Equal(g.api.second) {
		g.api.second, g.api.spent = now, 0
	}
	g.api.spent += n
	return PerSecond - g.api.spent
}

// Fail lets the next request to the API meet f instead of an answer. Several wait in a row.
func (g *Gladly) Fail(f func(http.ResponseWriter, *http.Request)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.api.faults = append(g.api.faults, f)
}

// Asked returns how many requests the API got.
func (g *Gladly) Asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.api.asked
}

// API is GET /api/v1/organization, with Basic authentication, the limit of ten requests a second, and Gladly's error
// bodies. Fields that the bot does not know are part of the answer: Gladly may add some.
func (g *Gladly) API(c Credentials) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /api/v1/organization", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": "org_1", "name": "acme", "loginDomain": "acme.example", "timezone": g.zone.String(),
			"gladlyUrl": "https://acme.gladly.com", "plan": map[string]any{"seats": 46},
		})
	})
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { trouble(w, http.StatusNotFound, "", "not_exist") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.api.asked++
		left := g.spend(1)
		var fault func(http.ResponseWriter, *http.Request)
		if len(g.api.faults) > 0 {
			fault, g.api.faults = g.api.faults[0], g.api.faults[1:]
		}
		down := g.down
		g.mu.Unlock()
		w.Header().Set("Ratelimit-Limit-Second", strconv.Itoa(PerSecond))
		w.Header().Set("Ratelimit-Remaining-Second", strconv.Itoa(max(0, left)))
		user, password, _ := r.BasicAuth()
		switch {
		case fault != nil:
			fault(w, r)
		case left < 0:
			trouble(w, http.StatusTooManyRequests, "", "rate_limit")
		case down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case user != c.Email || password != c.Token:
			trouble(w, http.StatusUnauthorized, "", "unauthorized")
		default:
			m.ServeHTTP(w, r)
		}
	})
}

func trouble(w http.ResponseWriter, status int, attr, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"attr": attr, "code": code, "detail": http.StatusText(status)}}})
}
