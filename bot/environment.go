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
// here alone: a command line is seen by everybody on the machine. The README's table is made of it.
type environment struct {
	RedisURL config.Secret `env:"REDIS_URL" means:"Where everything is kept: rediss://user:password@host:port/db. Several processes may share it. This or DATA_DIR is always needed."`
	DataDir  string        `env:"DATA_DIR" means:"Where everything is kept instead: a folder that survives restarts, for one process."`

	ConfigFile   string `env:"CONFIG_FILE" means:"The organisation document. Without it everybody may look, and nobody may confirm."`
	ConfigYAML   string `env:"CONFIG_YAML" means:"Its text instead, where files cannot be had."`
	PlaybookFile string `env:"PLAYBOOK_FILE" means:"Your own playbook, instead of the built-in one."`

	Port        string        `env:"PORT" means:"The port to listen on, on all addresses. Left out: 8080."`
	ListenAddr  string        `env:"LISTEN_ADDR" means:"Instead of PORT: host:port."`
	PublicURL   string        `env:"PUBLIC_URL" means:"Where the bot is reached from outside, for links to its page and for bot doctor: https://bot.example.com."`
	OpsPassword config.Secret `env:"OPS_PASSWORD" means:"For PUBLIC_URL/ops, the page of what is open, as a bookmark for nights without chat; at least 16 characters."`
	MetricsAddr string        `env:"METRICS_ADDR" means:"host:port for Prometheus (/metrics), and nothing else. Left out: nowhere."`

	SlackToken         config.Secret `env:"SLACK_BOT_TOKEN" means:"Sets Slack up: xoxb-…, under OAuth & Permissions of your Slack app."`
	SlackSigningSecret config.Secret `env:"SLACK_SIGNING_SECRET" means:"Slack over HTTP: under Basic Information. While you replace it: the new one, a comma, the old one."`
	SlackAppToken      config.Secret `env:"SLACK_APP_TOKEN" means:"Slack over Socket Mode instead: xapp-…, with connections:write."`

	TeamsApp      string        `env:"TEAMS_APP_ID" means:"Sets Microsoft Teams up, with the next two: the application's id."`
	TeamsPassword config.Secret `env:"TEAMS_APP_PASSWORD" means:"A client secret of that application. Note when it ends."`
	TeamsTenant   string        `env:"TEAMS_TENANT_ID" means:"The tenant whose people use the bot."`

	FlagsSecret config.Secret `env:"FLAGS_SECRET" means:"user:password of phone menus that ask."`
	PagesSecret config.Secret `env:"STATUSPAGE_WEBHOOK_SECRET" means:"The end of the address for status pages' notifications. While you replace it: the new one, a comma, the old one."`
	EscalateURL config.Secret `env:"ESCALATE_URL" means:"A pager: https://switchback:KEY@host/path, from the third step of the ladder on."`
	GladlyURL   string        `env:"GLADLY_API_URL" means:"Whose time zone bot doctor, and bot serve at its start, compare with the document's …"`
	GladlyEmail string        `env:"GLADLY_API_EMAIL" means:"… asked by this user …"`
	GladlyToken config.Secret `env:"GLADLY_API_TOKEN" means:"… with this token."`

	RedisCluster    bool   `env:"REDIS_CLUSTER" means:"true where Redis is a cluster."`
	RedisPrefix     string `env:"REDIS_PREFIX" means:"Keeps several bots on one Redis apart. Left out: bot."`
	RedisCAFile     string `env:"REDIS_TLS_CA_FILE" means:"Your own certificate authority for rediss://."`
	RedisDurability string `env:"REDIS_DURABILITY" means:"operator: somebody answers for a store that cannot show that it is safe. Every confirm card says so."`

	SlackAPI    string   `env:"SLACK_API_URL" means:"Another Slack, such as a stand-in on loopback …"`
	SlackHosts  []string `env:"SLACK_RESPONSE_HOSTS" means:"… and where its answers go; with commas between."`
	TeamsHosts  []string `env:"TEAMS_SERVICE_HOSTS" means:"For another cloud of Microsoft's, or a stand-in: where activities come from and answers go; with commas between."`
	TeamsOpenID string   `env:"TEAMS_OPENID_URL" means:"Likewise: who signs activities."`
	TeamsTokens string   `env:"TEAMS_TOKEN_URL" means:"Likewise: where the bot gets its token."`
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
