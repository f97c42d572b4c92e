package gladly

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchback/bot/config"
)

// What the API's refusals mean to the caller.
var (
	ErrCredentials = errors.New("the e-mail address and token are not accepted")
	ErrForbidden   = errors.New("the user needs the permission API User in Gladly")
	ErrBusy        = errors.New("no more requests are taken from this organisation for now")
)

// Credentials are those of a Gladly user with the permission API User. The token may do everything that the API can;
// Gladly has no narrower ones.
type Credentials struct {
	URL   string // https://acme.gladly.com
	Email string
	Token config.Secret
}

// API asks Gladly's public API, of which the bot needs very little: none of the settings that an outage needs are part
// of it. The ten requests a second are shared by all clients of the organisation, so API leaves most of them to others,
// and steps back when they run out. It is safe for concurrent use.
type API struct {
	base        string
	credentials Credentials
	client      *http.Client

	mu   sync.Mutex
	next time.Time // when the next request may leave
}

const (
	apiTimeout    = 5 * time.Second // of one request
	apiPace       = 500 * time.Millisecond
	apiTries      = 5
	apiBackoff    = time.Second // doubled each time, and chance takes up to all of it away
	maxRetryAfter = 30 * time.Second
	maxAPIAnswer  = 64 << 10
)

// NewAPI returns the API behind the credentials' URL. A nil client means one of its own.
func NewAPI(c Credentials, client *http.Client) (*API, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "":
		return nil, errors.New("the address of Gladly's API: want one such as https://acme.gladly.com")
	case u.Scheme != "https" && (u.Scheme != "http" || !config.Loopback(u.Hostname())):
		return nil, errors.New("the address of Gladly's API: want https")
	case c.Email == "" || c.Token == "":
		return nil, errors.New("the credentials of Gladly's API: want an e-mail address and a token")
	}
	if client == nil {
		client = &http.Client{}
	}
	to := *client
	to.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token goes nowhere else
	// The documentation has /api/v1 in the servers and again in the paths; it stands there once.
	base := strings.TrimSuffix(strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/"), "/api/v1")
	return &API{base: base, credentials: c, client: &to}, nil
}

// Account is an organisation, as Gladly knows it.
type Account struct {
	ID, Name string
	Zone     *time.Location // by which Gladly takes weekdays and hours
}

// Account asks for the organisation; it is the cheapest way to see whether the credentials work. It tries again where
// that may help, for as long as ctx allows. Its errors are ErrCredentials, ErrForbidden and ErrBusy, or tell what
// happened; none has the address or the token in it.
func (a *API) Account(ctx context.Context) (Account, error) {
	var body struct{ ID, Name, Timezone string }
	if err := a.get(ctx, "/api/v1/organization", &body); err != nil {
		return Account{}, fmt.Errorf("ask Gladly for the organisation: %w", err)
	}
	zone, err := time.LoadLocation(body.Timezone)
	if err != nil || body.Timezone == "" || body.Timezone == "Local" {
		return Account{}, fmt.Errorf("ask Gladly for the organisation: its time zone %q is not known here", body.Timezone)
	}
	return Account{ID: body.ID, Name: body.Name, Zone: zone}, nil
}

// ZoneWarning compares the document's zone with Gladly's. It returns what to tell people, or nothing: zones of two names
// are the same if they agree on every day of the year from now on.
func (a Account) ZoneWarning(document *time.Location, now time.Time) string {
	for day := range 366 {
		t := now.AddDate(0, 0, day)
		if here, there := t.In(document), t.In(a.Zone); here.Format("15:04") != there.Format("15:04") || here.Day() != there.Day() {
			return fmt.Sprintf("zone is %s in the document and %s in Gladly: chat would be closed on the wrong weekday around midnight (on %s it is %s in the one and %s in the other)",
				document, a.Zone, t.Format(time.DateOnly), here.Format("15:04"), there.Format("15:04"))
		}
	}
	return ""
}

// get asks until there is an answer.
func (a *API) get(ctx context.Context, path string, into any) error {
	backoff := apiBackoff
	for try := 1; ; try++ {
		again, after, err := a.once(ctx, path, into)
		if err == nil || !again || try == apiTries || ctx.Err() != nil {
			return err
		}
		wait := max(after, time.Duration(rand.Int64N(int64(backoff)))) //nolint:gosec // it only spreads clients out
		if sleep(ctx, wait) != nil {
			return err
		}
		backoff *= 2
	}
}

// once asks once. again says whether it may help to ask again, at the earliest after that time.
func (a *API) once(ctx context.Context, path string, into any) (again bool, after time.Duration, err error) {
	if err := a.turn(ctx); err != nil {
		return false, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return false, 0, errors.New("the address cannot be used")
	}
	r.SetBasicAuth(a.credentials.Email, a.credentials.Token.Reveal())
	r.Header.Set("Accept", "application/json")
	resp, err := a.client.Do(r)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // without the address
		}
		return true, 0, fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Ratelimit-Remaining-Second") == "0" {
		a.rest(time.Second)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAPIAnswer))
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized:
		return false, 0, ErrCredentials
	case s == http.StatusForbidden:
		return false, 0, ErrForbidden
	case s == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // Gladly does not promise it
		return true, min(max(0, time.Duration(seconds)*time.Second), maxRetryAfter), ErrBusy
	case s >= 500:
		return true, 0, fmt.Errorf("it answers with status %d", s)
	case s != http.StatusOK:
		return false, 0, fmt.Errorf("it answers with status %d", s)
	case err != nil:
		return true, 0, fmt.Errorf("its answer broke off: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, 0, errors.New("its answer is not understood; is the address that of Gladly's API?")
	}
	return false, 0, nil
}

// turn waits until the next request may leave.
func (a *API) turn(ctx context.Context) error {
	a.mu.Lock()
	at := a.next
	if now := time.Now(); at.Before(now) {
		at = now
	}
	a.next = at.Add(apiPace)
	a.mu.Unlock()
	return sleep(ctx, time.Until(at))
}

// rest lets nothing leave for that long.
func (a *API) rest(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := time.Now().Add(d); t.After(a.next) {
		a.next = t
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
