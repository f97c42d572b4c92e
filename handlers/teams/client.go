package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	msclient "github.com/infracloudio/msbotbuilder-go/connector/client"
	"github.com/infracloudio/msbotbuilder-go/schema"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/time/rate"

	"switchback/handlers"
)

const (
	callFor   = 10 * time.Second // one call of the connector, or of the token endpoint
	aheadBy   = 5 * time.Minute  // how long before its end a token is replaced
	maxAnswer = 1 << 20          // bytes of an answer that are read

	mostPause = time.Minute // between two attempts where Microsoft does not say how long
)

// connector calls Microsoft's Bot Connector in the bot's name. The token goes to hosts of the list alone.
type connector struct {
	hosts  hosts
	web    *http.Client
	tokens *tokens
	pace   pace
}

// The library's adapter can have it as its client.
var _ msclient.Client = (*connector)(nil)

// tokens are the bot's, of one tenant, replaced ahead of time.
type tokens struct {
	config clientcredentials.Config
	web    *http.Client

	mu     sync.Mutex
	source oauth2.TokenSource
	last   string
}

// get returns a token that works for some minutes still.
func (t *tokens) get() (string, error) {
	t.mu.Lock()
	if t.source == nil {
		// A source keeps its context: the client has the time limit.
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, t.web)
		t.source = oauth2.ReuseTokenSourceWithExpiry(nil, t.config.TokenSource(ctx), aheadBy)
	}
	source := t.source
	t.mu.Unlock()
	token, err := source.Token()
	if err != nil {
		return "", fmt.Errorf("%w: %s", errNoToken, whyNoToken(err))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = token.AccessToken
	return token.AccessToken, nil
}

// drop has a token that was refused replaced.
func (t *tokens) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == token {
		t.source, t.last = nil, ""
	}
}

// errNoToken means that Microsoft gives the bot no token.
var errNoToken = errors.New("Microsoft gives the bot no token") //nolint:staticcheck // a name begins it

// whyNoToken is what may be told of it: the answer of the token endpoint is not for a log.
func whyNoToken(err error) string {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case ok && refused.Response != nil:
		return fmt.Sprintf("status %d %.60q", refused.Response.StatusCode, refused.ErrorCode)
	case ok:
		return fmt.Sprintf("%.60q", refused.ErrorCode)
	}
	return withoutURL(err).Error()
}

// withoutURL takes the address off an error of an HTTP client.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refusal is an answer of the connector that is no success.
type refusal struct {
	status  int
	code    string // Microsoft's, such as MessageSizeTooBig
	message string
	after   time.Duration // when to come back; 0: it does not say
}

func (r *refusal) Error() string {
	return fmt.Sprintf("Teams answered with status %d %s %.200q", r.status, r.code, r.message)
}

// errUnclear means that the connector may have done what it was asked, or not.
var errUnclear = errors.New("it may have arrived, or not")

// do sends a request below a service's address, and decodes the answer into out, which may be nil. It returns a
// *refusal, an errUnclear, or an error where nothing was sent.
func (c *connector) do(ctx context.Context, method, service, path string, in, out any) error {
	if err := c.hosts.check(service); err != nil {
		return err
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	address := strings.TrimSuffix(service, "/") + path
	token, err := c.tokens.get()
	if err != nil {
		return err
	}
	answer, err := c.once(ctx, method, address, token, body)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusUnauthorized {
		c.tokens.drop(token)
		if token, err = c.tokens.get(); err != nil {
			return err
		}
		answer, err = c.once(ctx, method, address, token, body)
	}
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%w: its answer is no JSON", errUnclear)
	}
	return nil
}

func (c *connector) once(ctx context.Context, method, address, token string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body)) //nolint:gosec // do has checked its host
	if err != nil {
		return nil, errors.New("an address that cannot be called")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := c.web.Do(req) //nolint:gosec // do has checked its host
	if err != nil {
		err = withoutURL(err)
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUnclear, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnclear, err)
	}
	if resp.StatusCode/100 == 2 {
		return data, nil
	}
	var said struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(data, &said) // whatever else it says is not for us
	r := &refusal{status: resp.StatusCode, code: said.Error.Code, message: said.Error.Message}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 {
		r.after = time.Duration(n) * time.Second
	}
	return nil, r
}

// pause is how long Microsoft is left alone: what it says, or some seconds, which differ.
func pause(said time.Duration) time.Duration {
	if said > 0 {
		return min(said, 10*mostPause)
	}
	return time.Second + rand.N(3*time.Second) //nolint:gosec // only so that not all come back at once
}

// pace keeps to what Microsoft takes of one bot in one conversation: of messages 7 in 1 s, 8 in 2 s, 60 in 30 s and
// 1,800 in an hour, of questions twice as many; and of one app in one tenant 50 in 1 s.
// https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
type pace struct {
	off      bool
	mu       sync.Mutex
	messages map[string]*rate.Limiter
	reads    map[string]*rate.Limiter
	all      *rate.Limiter
}

const (
	messageEvery = 2010 * time.Millisecond // with the burst, not more than 1,800 in an hour
	messageBurst = 7
	readEvery    = messageEvery / 2
	readBurst    = 2 * messageBurst
	patience     = 3 * time.Second // of somebody for whom others are looked up
	perSecond    = 50
	mostPaced    = 10_000 // conversations that are remembered
)

func (p *pace) message(conversation string) error {
	return p.wait(&p.messages, conversation, messageEvery, messageBurst)
}

// read waits a little for its turn: somebody waits for what is read.
func (p *pace) read(ctx context.Context, conversation string) error {
	for {
		err := p.wait(&p.reads, conversation, readEvery, readBurst)
		later, ok := errors.AsType[handlers.Later](err)
		if !ok || later.After > patience {
			return err
		}
		turn := time.NewTimer(later.After)
		select {
		case <-turn.C:
		case <-ctx.Done():
			turn.Stop()
			return err
		}
	}
}

// wait returns a handlers.Later where Microsoft would refuse.
func (p *pace) wait(kept *map[string]*rate.Limiter, conversation string, every time.Duration, burst int) error {
	if p.off {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = rate.NewLimiter(perSecond, perSecond)
	}
	if *kept == nil || len(*kept) >= mostPaced {
		*kept = map[string]*rate.Limiter{}
	}
	l, ok := (*kept)[conversation]
	if !ok {
		l = rate.NewLimiter(rate.Every(every), burst)
		(*kept)[conversation] = l
	}
	for _, one := range []*rate.Limiter{l, p.all} {
		r := one.Reserve()
		if d := r.Delay(); d > 0 {
			r.Cancel()
			return handlers.Later{After: d}
		}
	}
	return nil
}

// Get, Post, Put and Delete make the connector a client for the library's adapter: whoever answers by that is held to
// the same hosts and tokens. The bot's own messages need their ids, which the library's interface has no place for.

// Get reads below an address.
func (c *connector) Get(ctx context.Context, u url.URL) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.do(ctx, http.MethodGet, u.Scheme+"://"+u.Host, u.EscapedPath(), nil, &out)
	return out, err
}

// Post sends an activity.
func (c *connector) Post(ctx context.Context, u url.URL, a schema.Activity) error {
	return c.do(ctx, http.MethodPost, u.Scheme+"://"+u.Host, u.EscapedPath(), plainActivity(a), nil)
}

// Put replaces an activity.
func (c *connector) Put(ctx context.Context, u url.URL, a schema.Activity) error {
	return c.do(ctx, http.MethodPut, u.Scheme+"://"+u.Host, u.EscapedPath(), plainActivity(a), nil)
}

// Delete removes an activity.
func (c *connector) Delete(ctx context.Context, u url.URL) error {
	return c.do(ctx, http.MethodDelete, u.Scheme+"://"+u.Host, u.EscapedPath(), nil, nil)
}

// plainActivity is a plain reply without the fields that the library fills with years of 1.
func plainActivity(a schema.Activity) outgoing {
	return outgoing{Type: string(a.Type), Text: a.Text, Summary: a.Summary}
}
