package teams

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// How Microsoft's signing keys are kept. Microsoft lets them be kept for five days; a key that was withdrawn should not
// count for so long.
const (
	keysFreshFor = 24 * time.Hour  // after which they are fetched anew
	keysLastFor  = 72 * time.Hour  // how long the old ones serve while they cannot be
	keysEvery    = time.Minute     // at most this often, whoever sends unknown ones
	keysWithin   = 5 * time.Second // one fetch
	maxKeys      = 1 << 20         // bytes of a document
	minRSA       = 2048            // bits
)

var (
	errKey  = errors.New("signed with a key that Microsoft does not have")
	errKeys = errors.New("Microsoft's signing keys cannot be fetched") //nolint:staticcheck // a name begins it
)

// key is one that signs tokens.
type key struct {
	public   *rsa.PublicKey
	channels []string // those that it is endorsed for
}

// keySet is what the issuer had at one time.
type keySet struct {
	keys map[string]key // by their ids
	at   time.Time
}

// keys follows the issuer's keys: who asks for an unknown one has them fetched, but not more than once a minute.
type keys struct {
	openID string // where the metadata is
	issuer string // that it must name
	web    *http.Client
	now    func() time.Time

	current  atomic.Pointer[keySet]
	fetching chan struct{} // holds one: who fetches
	tried    time.Time     // guarded by fetching
}

func newKeys(c Config) *keys {
	return &keys{openID: c.OpenID, issuer: issuerOf(c.OpenID), web: c.client(keysWithin), now: c.Now, fetching: make(chan struct{}, 1)}
}

// get returns a key by its id. It returns errKey where there is none, and errKeys where that cannot be found out.
func (k *keys) get(ctx context.Context, id string) (key, error) {
	set := k.current.Load()
	if set != nil && k.now().Sub(set.at) < keysFreshFor {
		if found, ok := set.keys[id]; ok {
			return found, nil
		}
	}
	select {
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return key{}, errKeys
	}
	var failed error
	if now := k.current.Load(); now == set && (k.tried.IsZero() || k.now().Sub(k.tried) >= keysEvery) { // nobody did meanwhile
		k.tried = k.now()
		var fresh *keySet
		if fresh, failed = k.fetch(ctx); failed == nil {
			k.current.Store(fresh)
		}
	}
	set = k.current.Load()
	if set == nil || k.now().Sub(set.at) >= keysLastFor {
		return key{}, errors.Join(errKeys, failed)
	}
	found, ok := set.keys[id]
	if !ok {
		return key{}, errors.Join(errKey, failed)
	}
	return found, nil
}

// fetch reads the metadata and the keys that it leads to, https://openid.net/specs/openid-connect-discovery-1_0.html
func (k *keys) fetch(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysWithin) // others wait for it too
	defer cancel()
	var meta struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.read(ctx, k.openID, &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if meta.Issuer != k.issuer {
		return nil, fmt.Errorf("metadata of another issuer: %.100q", meta.Issuer)
	}
	from, err := url.Parse(k.openID)
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(meta.Keys)
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Host {
		return nil, fmt.Errorf("metadata that leads to keys elsewhere: %.100q", meta.Keys)
	}
	var answer struct {
		Keys []struct {
			Kind     string   `json:"kty"`
			ID       string   `json:"kid"`
			N        string   `json:"n"`
			E        string   `json:"e"`
			Channels []string `json:"endorsements"`
		} `json:"keys"`
	}
	if err := k.read(ctx, meta.Keys, &answer); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	set := &keySet{keys: map[string]key{}, at: k.now()}
	for _, one := range answer.Keys {
		if public := rsaKey(one.N, one.E); one.Kind == "RSA" && one.ID != "" && public != nil {
			set.keys[one.ID] = key{public, slices.Clone(one.Channels)}
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("no key that can be used")
	}
	return set, nil
}

func (k *keys) read(ctx context.Context, address string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := k.web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal(data, v)
}

// rsaKey is a public key of JSON Web Key form; nil if it is none, or too weak.
func rsaKey(n, e string) *rsa.PublicKey {
	modulus, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		return nil
	}
	exponent, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil || len(exponent) == 0 || len(exponent) > 4 {
		return nil
	}
	out := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
	if out.N.BitLen() < minRSA || out.N.BitLen() > 8192 || out.E < 3 {
		return nil
	}
	return out
}
