package slack

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"switchback/bot/config"
)

// Organisation is Slack's part of the organisation document.
type Organisation struct {
	Team       string  `yaml:"team" jsonschema_description:"Your workspace's id, such as T012AB3CD; without it, the one that the bot token belongs to."`
	Responders []Group `yaml:"responders" jsonschema_description:"User groups whose members may confirm, restore, extend and take over."`
}

// Group is a Slack user group.
type Group struct {
	ID   string `yaml:"id" jsonschema_description:"Such as S012AB3CD."`
	Name string `yaml:"name" jsonschema_description:"As people mention it, without @."`
}

// Check reports what is wrong with it, each at its path in the document.
func (o Organisation) Check(d *config.Document, at string) config.Problems {
	var out config.Problems
	add := func(path, format string, args ...any) { out = append(out, d.Problem(at+"."+path, format, args...)) }
	if o.Team != "" && !regexp.MustCompile(`^T[A-Z0-9]{2,}$`).MatchString(o.Team) {
		add("team", "%q is not the id of a workspace, such as T012AB3CD", o.Team)
	}
	for i, g := range o.Responders {
		if !regexp.MustCompile(`^S[A-Z0-9]{2,}$`).MatchString(g.ID) {
			add(fmt.Sprintf("responders.%d.id", i), "%q is not the id of a user group, such as S012AB3CD", g.ID)
		}
		if g.Name == "" {
			add(fmt.Sprintf("responders.%d", i), "a group needs the name by which people know it")
		}
	}
	return out
}

// Slack's own addresses.
const (
	defaultAPI   = "https://slack.com/api/"
	defaultHosts = "hooks.slack.com,hooks.slack-gov.com"
)

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

// lent reports whether a response_url leads to a host on the list. Nothing is ever sent to an address that only a
// request named.
func lent(address string, hosts []string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	for _, h := range hosts {
		if strings.EqualFold(u.Host, h) || strings.EqualFold(u.Hostname(), h) && u.Port() == "" {
			return u.Scheme == "https" || config.Loopback(u.Hostname())
		}
	}
	return false
}
