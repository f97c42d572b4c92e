package teamstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"time"
)

const (
	openIDPath = "/v1/.well-known/openidconfiguration"
	keysPath   = "/v1/.well-known/keys"

	// Issuer is who signs what Teams sends.
	Issuer = "https://api.botframework.com"
)

// signer is a key of the issuer's.
type signer struct {
	id           string
	key          *rsa.PrivateKey
	endorsements []string
	unpublished  bool
}

func newSigner(bits int, endorsements ...string) *signer {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err) // only for sizes that are no sizes
	}
	return &signer{id: random(), key: key, endorsements: endorsements}
}

func random() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Rotate adds a key that signs from now on. The old ones stay until Withdraw.
func (t *Teams) Rotate(endorsements ...string) { t.RotateBits(2048, endorsements...) }

// RotateBits is Rotate with a key of another size.
func (t *Teams) RotateBits(bits int, endorsements ...string) {
	next := newSigner(bits, endorsements...)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signers = append(t.signers, next)
}

// Withdraw takes the n oldest keys out of what the issuer publishes. They can still be signed with: see Token.
func (t *Teams) Withdraw(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.signers[:n] {
		s.unpublished = true
	}
}

// IssuerAway makes the issuer answer nothing, or lets it answer again.
func (t *Teams) IssuerAway(away bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issuerOff = away
}

// Count says how often an address of the issuer or the token endpoint was asked for: "openid", "keys", "token".
func (t *Teams) Count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

func (t *Teams) openID(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts["openid"]++
	if t.issuerOff {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"issuer": Issuer, "jwks_uri": "http://" + r.Host + keysPath, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (t *Teams) keys(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts["keys"]++
	if t.issuerOff {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	enc := base64.RawURLEncoding
	var out []any
	for _, s := range t.signers {
		if !s.unpublished {
			out = append(out, map[string]any{
				"kty": "RSA", "use": "sig", "kid": s.id, "x5t": s.id, "endorsements": s.endorsements,
				"n": enc.EncodeToString(s.key.N.Bytes()), "e": enc.EncodeToString(big.NewInt(int64(s.key.E)).Bytes()),
			})
		}
	}
	answer(w, http.StatusOK, map[string]any{"keys": out})
}

// Token is a token as Teams sends it, for what Teams would never send: each field changes one thing.
type Token struct {
	Header map[string]any // over alg, kid, typ, x5t
	Claims map[string]any // over iss, aud, nbf, exp, serviceurl; nil values are left out
	Key    int            // which of the keys signs; counted from the newest
	Sign   func(key *rsa.PrivateKey, signed string) []byte
	Raw    string // not empty: the token itself
}

// Sign makes a token for the bot.
func (t *Teams) Sign(q Token) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sign(q)
}

func (t *Teams) sign(q Token) string {
	if q.Raw != "" {
		return q.Raw
	}
	s := t.signers[len(t.signers)-1-q.Key]
	now := t.config.Now()
	header := map[string]any{"typ": "JWT", "alg": "RS256", "kid": s.id, "x5t": s.id}
	claims := map[string]any{
		"iss": Issuer, "aud": t.config.App, "nbf": now.Add(-time.Second).Unix(), "exp": now.Add(time.Hour).Unix(), "serviceurl": t.base + "/emea/",
	}
	maps.Copy(header, q.Header)
	for k, v := range q.Claims {
		if v == nil {
			delete(claims, k)
			continue
		}
		claims[k] = v
	}
	part := func(v any) string {
		data, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	signed := part(header) + "." + part(claims)
	if q.Sign == nil {
		q.Sign = func(key *rsa.PrivateKey, signed string) []byte {
			sum := sha256.Sum256([]byte(signed))
			out, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			if err != nil {
				panic(err) // the key is too small for any signature
			}
			return out
		}
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(q.Sign(s.key, signed))
}

// token is the token endpoint of each tenant.
func (t *Teams) token(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts["token"]++
	if t.fault(w, r) {
		return
	}
	refuse := func(code, text string) {
		answer(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": text, "error_codes": []int{}})
	}
	switch {
	case r.PathValue("tenant") != t.config.Tenant: // the application is of one tenant
		refuse("unauthorized_client", "AADSTS700016: Application with identifier '"+r.PostFormValue("client_id")+"' was not found in the directory.")
	case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != t.config.App:
		refuse("invalid_request", "AADSTS900144")
	case r.PostFormValue("client_secret") != t.config.Password:
		answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
	case r.PostFormValue("scope") != "https://api.botframework.com/.default":
		refuse("invalid_scope", "AADSTS70011")
	default:
		token := "ey" + random()
		t.tokens[token] = t.config.Now().Add(t.config.TokenLife)
		answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(t.config.TokenLife / time.Second), "access_token": token})
	}
}

// RevokeTokens makes the connector refuse all tokens that were given out.
func (t *Teams) RevokeTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tokens)
}

// Tokens returns all tokens that were given out and still work.
func (t *Teams) Tokens() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for token := range t.tokens {
		out = append(out, token)
	}
	slices.Sort(out)
	return out
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
