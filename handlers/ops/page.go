package ops

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/flow"
)

// PagePath is where the page is on the public address.
const PagePath = "/ops"

const pageIn = 10 * time.Second

// minPassword is how many bytes a password has at least: the page has nothing else against somebody who tries passwords.
const minPassword = 16

// ErrPassword means that a password is too short for a page that anybody can ask.
var ErrPassword = fmt.Errorf("it has fewer than %d characters; openssl rand -base64 18 makes one", minPassword)

// Page shows what is open to people who reach no chat. It only reads: whoever has a link, or the password, changes
// nothing with it.
type Page struct {
	name     string
	zone     *time.Location
	password config.Secret
	sheets   func(ctx context.Context) ([]flow.Sheet, error)
	key      func(ctx context.Context) (config.Secret, error)
	html     *template.Template
	policy   string // what a browser may load: the page's own style
}

// PageConfig is what a Page needs.
type PageConfig struct {
	Name     string // the organisation
	Zone     *time.Location
	Password config.Secret // for all that is open, as a bookmark: any user name, this password; empty: only links work
	Sheets   func(ctx context.Context) ([]flow.Sheet, error)
	Key      func(ctx context.Context) (config.Secret, error) // with which links are made
}

// NewPage returns the page. It returns ErrPassword for a password that is too short.
func NewPage(c PageConfig) (*Page, error) {
	if p := c.Password.Reveal(); p != "" && len(p) < minPassword {
		return nil, ErrPassword
	}
	html, err := template.New("page").Funcs(template.FuncMap{"rows": rows}).Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	sum := sha256.Sum256([]byte(style))
	allowed := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return &Page{name: c.Name, zone: c.Zone, password: c.Password, sheets: c.Sheets, key: c.Key, html: html, policy: allowed}, nil
}

// Link is the address of the page of one outage below a public address. It is good for as long as the outage is open.
func Link(public string, key config.Secret, outage string) string {
	return strings.TrimSuffix(public, "/") + PagePath + "/" + outage + "/" + mark(key, outage)
}

// mark shows that a link was made by somebody who has the key: 128 bits of an HMAC.
func mark(key config.Secret, outage string) string {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	h.Write([]byte("page of " + outage))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// ServeHTTP answers
//
//	GET /ops                    all that is open, with Basic authentication
//	GET /ops/{outage}/{mark}    one outage, while it is open
//
// What is not shown is 404, whatever the reason, and 503 while the store does not answer.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer") // the address is a key
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageIn)
	defer cancel()
	outage, given, link := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, PagePath), "/"), "/")
	if outage == "" && p.password != "" && !p.knows(r) {
		h.Set("WWW-Authenticate", `Basic realm="Switchback", charset="UTF-8"`)
		http.Error(w, "The password is OPS_PASSWORD of the bot; the user name may be anything.", http.StatusUnauthorized)
		return
	}
	if (outage == "") == link || outage == "" && p.password == "" {
		notFound(w)
		return
	}
	shown, err := p.shown(ctx, outage, given)
	switch {
	case errors.Is(err, errNotShown):
		notFound(w)
	case err != nil:
		zerolog.Ctx(ctx).Error().Err(err).Msg("the page cannot be shown")
		http.Error(w, away, http.StatusServiceUnavailable)
	default:
		h.Set("Content-Type", "text/html; charset=utf-8")
		if err := p.html.Execute(w, shown); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("the page was cut off")
		}
	}
}

const away = `The bot cannot remember right now: its store does not answer. Change nothing by the bot until it does.
The values from before are in the outage's thread too, as a copy. What to do without the bot: bot tree --text.`

var errNotShown = errors.New("no such outage is open, or the link is wrong")

func notFound(w http.ResponseWriter) {
	http.Error(w, "There is nothing here. A link to an outage works while the outage is open.", http.StatusNotFound)
}

// knows reports whether the request has the password.
func (p *Page) knows(r *http.Request) bool {
	_, given, _ := r.BasicAuth()
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(p.password.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// content is what the page shows.
type content struct {
	Name   string
	At     time.Time
	Style  template.CSS
	Sheets []flow.Sheet
}

// shown is the page of one outage, or of all where none is named.
func (p *Page) shown(ctx context.Context, outage, given string) (content, error) {
	c := content{Name: p.name, At: time.Now().In(p.zone), Style: style}
	if outage != "" {
		key, err := p.key(ctx)
		if err != nil {
			return c, err
		}
		if subtle.ConstantTimeCompare([]byte(given), []byte(mark(key, outage))) != 1 {
			return c, errNotShown
		}
	}
	all, err := p.sheets(ctx)
	if err != nil {
		return c, err
	}
	for _, s := range all {
		if outage == "" || s.ID == outage {
			c.Sheets = append(c.Sheets, s)
		}
	}
	if outage != "" && len(c.Sheets) == 0 {
		return c, errNotShown
	}
	return c, nil
}

//go:embed page.css
var style template.CSS

//go:embed page.html
var pageHTML string

// rows is how high a field is that shows a value.
func rows(value string) int { return min(1+strings.Count(value, "\n")+len(value)/80, 12) }
