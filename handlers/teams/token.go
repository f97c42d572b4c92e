package teams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/infracloudio/msbotbuilder-go/connector/auth"
	"github.com/infracloudio/msbotbuilder-go/schema"
)

const (
	leeway   = 5 * time.Minute // between Microsoft's clock and ours
	maxToken = 8 << 10         // bytes of the header
)

// errToken means that the token is none of Microsoft's for this bot; errForbidden that it is, and what it came with may
// not come in.
var (
	errToken     = errors.New("no token that counts here")
	errForbidden = errors.New("may not come in")
)

// claims are what is read of a token.
// https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
type claims struct {
	jwt.RegisteredClaims
	ServiceURL string `json:"serviceurl"`
	channels   []string
}

// validator checks who sends. It is the library's auth.TokenValidator too; but the token itself is checked before, and
// before anything of the body is read: verify.
type validator struct {
	app    string
	tenant string
	hosts  hosts
	keys   *keys
	parser *jwt.Parser
}

// The library's adapter takes it.
var _ auth.TokenValidator = (*validator)(nil)

func newValidator(app, tenant string, h hosts, k *keys) *validator {
	return &validator{app: app, tenant: tenant, hosts: h, keys: k, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithIssuer(k.issuer), jwt.WithAudience(app),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(k.now),
	)}
}

// verify checks an Authorization header by itself. It returns errToken, with the reason for the log, and errKeys where
// nobody can tell now.
func (v *validator) verify(ctx context.Context, header string) (*claims, error) {
	scheme, raw, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(header) > maxToken || strings.Count(raw, ".") != 2 {
		return nil, fmt.Errorf("%w: the header has no bearer token", errToken)
	}
	var c claims
	_, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		k, err := v.keys.get(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("%.60q: %w", id, err)
		}
		c.channels = k.channels
		return k.public, nil
	})
	switch {
	case errors.Is(err, errKeys):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: iss %.80q aud %.80q: %w", errToken, c.Issuer, c.Audience, err)
	case len(c.Audience) != 1:
		return nil, fmt.Errorf("%w: it is for others too: %.200q", errToken, c.Audience)
	case c.ServiceURL == "":
		return nil, fmt.Errorf("%w: it does not say where from", errToken)
	}
	return &c, nil
}

// claimsKey is where the context has the claims of a verified token.
type claimsKey struct{}

// AuthenticateRequest checks what came with a token that verify has taken. The library hands it the header once more,
// which has been dealt with, and credentials and a service that mean nothing here. It returns errForbidden.
func (v *validator) AuthenticateRequest(ctx context.Context, a schema.Activity, _ string, _ auth.CredentialProvider, _ string) (auth.ClaimsIdentity, error) {
	c, ok := ctx.Value(claimsKey{}).(*claims)
	if !ok {
		return nil, fmt.Errorf("%w: no token was verified", errForbidden)
	}
	conversation := a.Conversation.TenantID
	tenant, _ := within(a.ChannelData, "tenant")["id"].(string)
	var why string
	switch {
	case a.ServiceURL != c.ServiceURL:
		why = fmt.Sprintf("it names %.100q as its service, and its token %.100q", a.ServiceURL, c.ServiceURL)
	case v.hosts.check(a.ServiceURL) != nil:
		why = fmt.Sprintf("it comes from %.100q, which is not among the hosts that may send", a.ServiceURL)
	case a.ChannelID != channelID:
		why = fmt.Sprintf("it comes from the channel %.40q", a.ChannelID)
	case !slices.Contains(c.channels, channelID):
		why = "its key is not endorsed for Teams"
	case !strings.EqualFold(a.Recipient.ID, botID(v.app)):
		why = fmt.Sprintf("it is for %.80q", a.Recipient.ID)
	case conversation == "" && tenant == "", conversation != "" && !strings.EqualFold(conversation, v.tenant), tenant != "" && !strings.EqualFold(tenant, v.tenant):
		why = fmt.Sprintf("it comes from tenant %.40q, %.40q", tenant, conversation)
	default:
		return identity{}, nil
	}
	return nil, fmt.Errorf("%w: %s", errForbidden, why)
}

// identity is what the library wants to know of somebody who was let in; nobody asks it anything.
type identity struct{}

func (identity) GetClaimValue(string) string { return "" }
func (identity) IsAuthenticated() bool       { return true }

// channelID is Teams among the channels of the Bot Framework.
const channelID = "msteams"

// botID is the bot as Teams names it in conversations.
func botID(app string) string { return "28:" + app }
