package main

import (
	"context"
	"errors"
	"fmt"
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
