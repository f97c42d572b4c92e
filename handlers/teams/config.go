package teams

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"switchback/bot/config"
)

// Microsoft's own addresses.
const (
	defaultOpenID  = "https://login.botframework.com/v1/.well-known/openidconfiguration"
	defaultLogin   = "https://login.microsoftonline.com/%s/oauth2/v2.0/token" // of one tenant
	defaultService = "https://smba.trafficmanager.net/teams/"                 // where no activity has named another

	// The issuer of the tokens that come in, and that of the cloud of the government.
	issuer           = "https://api.botframework.com"
	governmentOpenID = "login.botframework.azure.us"
	governmentIssuer = "https://api.botframework.us"
)

// defaultHosts are where Teams may send from, and where the bot's token may go: those of the clouds.
const defaultHosts = "smba.trafficmanager.net,smba.infra.gcc.teams.microsoft.com,smba.infra.gov.teams.microsoft.us,smba.infra.dod.teams.microsoft.us"

// hosts is the list of hosts, with their ports where they have one. The bot's token goes nowhere else.
type hosts []string

// check wants an https address at a host of the list; http only for loopback hosts that stand there: those are stand-ins.
func (h hosts) check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" {
		return errors.New("not the address of a service")
	}
	for _, one := range h {
		named := strings.EqualFold(u.Host, one) || strings.EqualFold(u.Hostname(), one) && (u.Port() == "" || config.Loopback(one))
		if named && (u.Scheme == "https" || u.Scheme == "http" && config.Loopback(u.Hostname())) {
			return nil
		}
	}
	return fmt.Errorf("%.100q is not on the list of hosts", u.Host)
}

// checkURL wants https, but for loopback hosts: those are stand-ins.
func checkURL(what, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return fmt.Errorf("%s is not a web address", what)
	}
	if u.Scheme == "https" || u.Scheme == "http" && config.Loopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s must begin with https://", what)
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsID reports whether s is an id of Microsoft Entra, of a person, a tenant or an app, as the organisation document and
// the environment have them.
func IsID(s string) bool { return guid.MatchString(s) }

var shared = regexp.MustCompile(`^19:[^\s/?#;|]+@(thread\.tacv2|thread\.v2|thread\.skype|unq\.gbl\.spaces)$`)

// IsChannel reports whether s is the id of a channel or a group chat, as the organisation document has it.
func IsChannel(s string) bool { return shared.MatchString(s) }

// filled is c with what was left out, and checked.
func (c Config) filled() (Config, error) {
	var wrong []error
	for what, id := range map[string]string{"TEAMS_APP_ID": c.App, "TEAMS_TENANT_ID": c.Tenant} {
		if !IsID(id) {
			wrong = append(wrong, fmt.Errorf("%s is not an id such as 12345678-90ab-cdef-1234-567890abcdef", what))
		}
	}
	if c.Password == "" {
		wrong = append(wrong, errors.New("TEAMS_APP_PASSWORD is missing"))
	}
	c.App, c.Tenant = strings.ToLower(c.App), strings.ToLower(c.Tenant)
	c.OpenID = cmp.Or(c.OpenID, defaultOpenID)
	c.Token = cmp.Or(c.Token, fmt.Sprintf(defaultLogin, c.Tenant))
	for what, address := range map[string]string{"TEAMS_OPENID_URL": c.OpenID, "TEAMS_TOKEN_URL": c.Token} {
		if err := checkURL(what, address); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(c.Hosts) == 0 {
		c.Hosts = strings.Split(defaultHosts, ",")
	}
	if c.Mention == nil {
		c.Mention = func(string) string { return "" }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, errors.Join(wrong...)
}

// issuerOf is who issues the tokens of a cloud.
func issuerOf(openID string) string {
	if u, err := url.Parse(openID); err == nil && u.Hostname() == governmentOpenID {
		return governmentIssuer
	}
	return issuer
}

// scopeOf is what the bot's token is for: the connector of the issuer's cloud.
func scopeOf(issuer string) string { return issuer + "/.default" }

// client follows no redirect: what it carries is for one host.
func (c Config) client(within time.Duration) *http.Client {
	var web http.Client
	if c.Client != nil {
		web = *c.Client
	}
	web.Timeout = within
	web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &web
}
