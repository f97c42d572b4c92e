package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/caarlos0/env/v11"

	"switchback/bot/config"
	"switchback/handlers"
	"switchback/store"
)

// environment is what the program takes from environment variables; flags of the same meaning win. Secrets come from
// here alone: a command line is seen by everybody on the machine.
type environment struct {
	ConfigFile      string        `env:"CONFIG_FILE"`   // the organisation document
	PlaybookFile    string        `env:"PLAYBOOK_FILE"` // instead of the built-in playbook
	DataDir         string        `env:"DATA_DIR"`      // the folder of the embedded store
	RedisURL        config.Secret `env:"REDIS_URL"`     // keeps everything in Redis instead
	RedisCluster    bool          `env:"REDIS_CLUSTER"`
	RedisPrefix     string        `env:"REDIS_PREFIX"`
	RedisCAFile     string        `env:"REDIS_TLS_CA_FILE"`
	EscalateURL     config.Secret `env:"ESCALATE_URL"`     // where a pager rings: https://switchback:KEY@host/path
	RedisDurability string        `env:"REDIS_DURABILITY"` // "operator": somebody answers for it

	// Of bot serve.
	ConfigYAML         string        `env:"CONFIG_YAML"` // the organisation document itself, instead of CONFIG_FILE
	ListenAddr         string        `env:"LISTEN_ADDR"` // host:port; without it, PORT on all addresses
	Port               string        `env:"PORT"`
	SlackToken         config.Secret `env:"SLACK_BOT_TOKEN"`           // xoxb-…; sets Slack up
	SlackSigningSecret config.Secret `env:"SLACK_SIGNING_SECRET"`      // requests over HTTP; the old one after a comma while it is being replaced
	SlackAppToken      config.Secret `env:"SLACK_APP_TOKEN"`           // xapp-…; Socket Mode, where no request can come in
	SlackAPI           string        `env:"SLACK_API_URL"`             // another Slack, such as a stand-in on loopback
	SlackHosts         []string      `env:"SLACK_RESPONSE_HOSTS"`      // where its answers go; comma list
	TeamsApp           string        `env:"TEAMS_APP_ID"`              // the app registration; sets Teams up
	TeamsPassword      config.Secret `env:"TEAMS_APP_PASSWORD"`        // a client secret of it
	TeamsTenant        string        `env:"TEAMS_TENANT_ID"`           // the one whose people use the bot
	TeamsOpenID        string        `env:"TEAMS_OPENID_URL"`          // who signs what comes in; another cloud's, or a stand-in on loopback
	TeamsTokens        string        `env:"TEAMS_TOKEN_URL"`           // where the bot gets its token, likewise
	TeamsHosts         []string      `env:"TEAMS_SERVICE_HOSTS"`       // where activities come from and answers go; comma list
	MetricsAddr        string        `env:"METRICS_ADDR"`              // host:port for Prometheus, and nothing else; empty: nowhere
	PublicURL          string        `env:"PUBLIC_URL"`                // where pages and phone menus ask; for bot doctor
	GladlyURL          string        `env:"GLADLY_API_URL"`            // to compare its time zone with the document's …
	GladlyEmail        string        `env:"GLADLY_API_EMAIL"`          // … as the user of …
	GladlyToken        config.Secret `env:"GLADLY_API_TOKEN"`          // … this token
	FlagsSecret        config.Secret `env:"FLAGS_SECRET"`              // user:password of phone menus that ask
	PagesSecret        config.Secret `env:"STATUSPAGE_WEBHOOK_SECRET"` // in the address for status pages' notifications; comma list, the current one first
}

// servable reports all that bot serve lacks at once.
func (e environment) servable() error {
	var out []error
	lacks := func(format string, args ...any) { out = append(out, fmt.Errorf(format, args...)) }
	if e.RedisURL == "" && e.DataDir == "" {
		lacks("nothing to remember with: set REDIS_URL (several processes may share it), or DATA_DIR (a folder that survives restarts, for one process)")
	}
	if e.RedisURL != "" && e.DataDir != "" {
		lacks("REDIS_URL and DATA_DIR are both set; which one is meant?")
	}
	if e.ListenAddr != "" && e.Port != "" {
		lacks("LISTEN_ADDR and PORT are both set; which one is meant?")
	}
	if e.ConfigFile != "" && e.ConfigYAML != "" {
		lacks("CONFIG_FILE and CONFIG_YAML are both set; which one is meant?")
	}
	slackSet := e.SlackSigningSecret != "" || e.SlackAppToken != ""
	if e.SlackToken == "" && slackSet {
		lacks("SLACK_BOT_TOKEN is missing; it begins with xoxb- and stands under OAuth & Permissions of your Slack app")
	}
	if e.SlackToken != "" && !slackSet {
		lacks("SLACK_SIGNING_SECRET is missing (Basic Information of your Slack app), or SLACK_APP_TOKEN for Socket Mode")
	}
	for name, value := range map[string]string{"TEAMS_APP_ID": e.TeamsApp, "TEAMS_APP_PASSWORD": e.TeamsPassword.Reveal(), "TEAMS_TENANT_ID": e.TeamsTenant} {
		if value == "" && (e.TeamsApp != "" || e.TeamsPassword != "" || e.TeamsTenant != "") {
			lacks("%s is missing; Teams needs the application's id, a client secret of it, and the tenant", name)
		}
	}
	return errors.Join(out...)
}

// address is where bot serve listens.
func (e environment) address() string {
	if e.ListenAddr != "" {
		return e.ListenAddr
	}
	return ":" + cmp.Or(e.Port, "8080")
}

// organisation is the document that bot serve works for.
// The problems of one that can be used are warnings.
func (e environment) organisation() (organisation, config.Problems, error) {
	name, data := "built-in", []byte(unnamed)
	switch {
	case e.ConfigYAML != "":
		name, data = "CONFIG_YAML", []byte(e.ConfigYAML)
	case e.ConfigFile != "":
		name = e.ConfigFile
		var err error
		if data, err = os.ReadFile(name); err != nil { //nolint:gosec // the operator names the file
			return organisation{}, nil, err
		}
	}
	o, problems := parseOrganisation(name, data)
	return o, problems, problems.Err()
}

// secrets are those of a comma list, the current one first.
func secrets(list config.Secret) []config.Secret {
	var out []config.Secret
	for one := range strings.SplitSeq(list.Reveal(), ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, config.Secret(one))
		}
	}
	return out
}

// readEnvironment reads all of it, and reports all problems at once. No value is part of an error.
func readEnvironment() (environment, error) {
	e, err := env.ParseAs[environment]()
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		err = fmt.Errorf("%d of the environment variables cannot be used; REDIS_CLUSTER is true or false", len(all.Errors))
	}
	if d := e.RedisDurability; err == nil && d != "" && d != "operator" {
		err = errors.New(`REDIS_DURABILITY is "operator" or left out`)
	}
	return e, err
}

// vars are the defaults of flags.
func (e environment) vars() kong.Vars {
	return kong.Vars{"config_file": e.ConfigFile, "playbook_file": e.PlaybookFile, "data_dir": e.DataDir}
}

// open opens the store that everything is kept in: Redis where its address is given, else the folder's file.
func (e environment) open(ctx context.Context, dir string) (store.Store, error) {
	if e.RedisURL == "" {
		return store.Open(dir)
	}
	return store.OpenRedis(ctx, store.RedisConfig{
		URL: e.RedisURL, Cluster: e.RedisCluster, Prefix: e.RedisPrefix, CAFile: e.RedisCAFile, Durability: e.RedisDurability,
	})
}

// practice is the environment of a practice company: in the same Redis it is kept apart, so that nobody who practises gets
// hold of real work.
func (e environment) practice() environment {
	e.RedisPrefix = strings.TrimPrefix(e.RedisPrefix+"-practice", "-")
	return e
}

// pager is where reminders ring; nil means nowhere.
func (e environment) pager() (handlers.Sender, error) {
	if e.EscalateURL == "" {
		return nil, nil //nolint:nilnil // no pager is no error
	}
	p, err := handlers.NewPager(e.EscalateURL)
	if err != nil {
		return nil, fmt.Errorf("ESCALATE_URL: %w", err)
	}
	return p, nil
}
