package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"switchback/bot/config"
)

// RedisConfig says which Redis, and what may be relied on.
type RedisConfig struct {
	// URL is redis://user:password@host:port/database, or rediss:// for TLS. The parameter addr=host:port, which may
	// come several times, names further nodes of a cluster. With master_name=name the addresses are Sentinels, whose own
	// user and password are sentinel_username and sentinel_password. There are no other parameters.
	URL config.Secret
	// Cluster says that the address belongs to a cluster. With several addresses and no Sentinel it is one anyway.
	Cluster bool
	// Prefix sets apart the stores of several bots in one Redis; empty is "bot".
	Prefix string
	// CAFile holds, in PEM, the only authorities whose certificates are trusted. Empty: those of the system.
	CAFile string
	// Durability "operator" says that somebody answers for a Redis whose append-only file is off, or which does not
	// tell. Empty: there changes are refused.
	Durability string
}

// Limits of time. A press must be answered within three seconds, also where Redis is away.
const (
	dialLimit  = time.Second
	replyLimit = 3 * time.Second
	waitLimit  = time.Second // for a replica; it is part of the time for the reply
)

func (c RedisConfig) keyPrefix() string {
	name := c.Prefix
	if name == "" {
		name = "bot"
	}
	return "{switchback:" + name + "}:"
}

// options returns what the client needs. Its errors hold nothing of the URL's user and password.
func (c RedisConfig) options() (*redis.UniversalOptions, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`).MatchString(c.Prefix) {
		return nil, fmt.Errorf("the prefix %q is not of letters, digits, dots, dashes and underscores", c.Prefix)
	}
	if c.Durability != "" && c.Durability != "operator" {
		return nil, fmt.Errorf(`durability is %q; the only word is "operator"`, c.Durability)
	}
	o, err := parseRedisURL(c.URL.Reveal())
	if err != nil {
		return nil, err
	}
	o.IsClusterMode = c.Cluster
	if (c.Cluster || len(o.Addrs) > 1) && o.MasterName == "" && o.DB != 0 {
		return nil, fmt.Errorf("database %d: a cluster has only database 0", o.DB)
	}
	if c.Cluster && o.MasterName != "" {
		return nil, errors.New("master_name is for Sentinel, and a cluster has none")
	}
	if c.CAFile != "" {
		if o.TLSConfig == nil {
			return nil, errors.New("a CA file needs a URL that begins with rediss://")
		}
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		o.TLSConfig.RootCAs = x509.NewCertPool()
		if !o.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s holds no certificate", c.CAFile)
		}
	}

	// Nothing is sent twice: only the caller knows what may be.
	o.MaxRetries, o.MaxRedirects = -1, -1
	o.DialTimeout, o.DialerRetries = dialLimit, 1
	o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = replyLimit, replyLimit, replyLimit
	o.ContextTimeoutEnabled = true
	o.PoolSize, o.PipelinePoolSize = 10, -1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// parseRedisURL is strict, and narrower than go-redis, whose URLs can switch on retries, reading from replicas and
// certificates that nobody checks.
func parseRedisURL(text string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" {
		// What url.Parse says may quote the password.
		return nil, errors.New("the URL is not redis://user:password@host:port/database (of the password's characters write / ? # % and @ as %2F %3F %23 %25 and %40)")
	}
	o := &redis.UniversalOptions{}
	switch u.Scheme {
	case "redis":
	case "rediss":
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the name to be certified is that of each address
	default:
		return nil, fmt.Errorf("the URL begins with %q, not with redis:// or rediss://", u.Scheme)
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	if path := strings.Trim(u.Path, "/"); path != "" {
		if o.DB, err = strconv.Atoi(path); err != nil || o.DB < 0 {
			return nil, fmt.Errorf("the URL's path %q is not the number of a database", path)
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the URL's parameters cannot be read")
	}
	port := "6379"
	for name, values := range query {
		last := values[len(values)-1]
		switch name {
		case "addr":
		case "master_name":
			o.MasterName = last
			port = "26379"
		case "sentinel_username":
			o.SentinelUsername = last
		case "sentinel_password":
			o.SentinelPassword = last
		case "skip_verify":
			return nil, errors.New("skip_verify is not allowed in the URL: name the authority's certificate with REDIS_TLS_CA_FILE")
		default:
			return nil, fmt.Errorf("the URL has an unknown parameter %q", name)
		}
	}
	if (o.SentinelUsername != "" || o.SentinelPassword != "") && o.MasterName == "" {
		return nil, errors.New("the URL names a Sentinel's user or password and no master_name")
	}
	o.Addrs = []string{net.JoinHostPort(u.Hostname(), u.Port())}
	if u.Port() == "" {
		o.Addrs[0] = net.JoinHostPort(u.Hostname(), port)
	}
	for _, addr := range query["addr"] {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("addr=%s is not host:port", addr)
		}
		o.Addrs = append(o.Addrs, addr)
	}
	return o, nil
}
