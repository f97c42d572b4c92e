package teams_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/handlers"
	"switchback/handlers/teams"
	"switchback/handlers/teams/teamstest"
)

// What is known to be wrong in msbotbuilder-go, and the test that shows that it does not reach us. All of them run under
// the race detector in the gate.
//
//	an empty app id switches authentication off            TestLibraryHoles, TestRequests
//	endorsements of keys are never read                    TestKeys
//	a token without an end is good for ever                TestTokens
//	claims of another form, or missing, are a panic        TestTokens
//	the metadata is fetched for each request               TestTokens, TestKeys (32 at once fetch once)
//	keys are kept for 5 days: rotation, withdrawal         TestKeys
//	requests race for the cache of keys                    TestKeys (32 at once)
//	the tenant's authority is ignored                      TestTokensOfTheBot (the stand-in gives tokens to its own tenant alone)
//	the bot's token goes wherever an activity says         TestTokens, TestTamperedPlaces, TestLibraryHoles (redirects)
//	a conversation's id is not escaped                     TestTamperedPlaces
//	the body is decoded before the token is checked        TestRequests
//	a validator that lets everybody in is compiled in      TestLibraryHoles
//	the scheme "Bearer" is optional                        TestRequests
//	the answer says why a token is refused                 TestTokens, TestRequests
//	clocks may not differ                                  TestTokens
//	the token endpoint away is a panic                     TestLibraryHoles
//	an error of the token endpoint becomes an empty token  TestTokensOfTheBot
//	requests race for the bot's token                      TestLibraryHoles
//	no time limits, and contexts that are not looked at    TestLibraryHoles
//	Retry-After and the reason of a refusal are dropped    TestSendGoesWrong
//	the id of what was sent is dropped                     TestSend
//	activities with a dozen dates of the year 1            TestSend (the stand-in refuses them)
//	a string as a value fails the request                  TestEvents, FuzzDecode
//	unknown kinds of activities are errors                 TestEvents
//	an invoke has no answer                                TestAnswersToPresses
//	mentions lose their ids                                TestSpoken, TestSend
//	the thread stays in a conversation's id                TestEvents, TestSend
func TestLibraryHoles(t *testing.T) {
	t.Run("an empty app id", func(t *testing.T) {
		for _, app := range []string{"", "b07", "b07b07b0-0000-4000-8000-000000000b07 "} {
			if _, err := teams.New(teams.Config{App: app, Tenant: "7e4a4700-0000-4000-8000-0000000000ac", Password: "x"}); err == nil || !strings.Contains(err.Error(), "TEAMS_APP_ID") {
				t.Errorf("app id %q: %v", app, err)
			}
		}
	})
	t.Run("what is never called", func(t *testing.T) {
		err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, name := range []string{"NewBotAdapter(", "MockTokenValidator", "NewJwtTokenValidator"} {
				if strings.Contains(string(text), name) {
					t.Errorf("%s has %s", path, name)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("the token endpoint is away", func(t *testing.T) {
		n := newTenant(t, teamstest.Config{})
		n.says("ana", "support", "@Switchback hi")
		n.Away()
		if _, err := n.teams.Send(t.Context(), inChannel("a", "one"), target("")); !errors.As(err, new(handlers.Later)) {
			t.Errorf("Send = %v, want later", err)
		}
		if err := n.Back(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("many send at once", func(t *testing.T) {
		n := newTenant(t, teamstest.Config{NoRateLimits: true})
		n.says("ana", "", "hi")
		before := n.Count("token")
		n.RevokeTokens()
		var sending sync.WaitGroup
		for range 6 { // Microsoft's pace lets seven through at once
			sending.Go(func() {
				if _, err := n.teams.Send(t.Context(), post(n.object("ana"), "One"), target("")); err != nil {
					t.Errorf("Send: %v", err)
				}
			})
		}
		sending.Wait()
		if got := n.Count("token") - before; got != 1 {
			t.Errorf("%d tokens for six messages at once, want one", got)
		}
	})
	t.Run("the connector hangs", func(t *testing.T) {
		n := newTenant(t, teamstest.Config{})
		n.says("ana", "", "hi")
		if _, err := n.teams.Send(t.Context(), post(n.object("ana"), "One"), target("")); err != nil {
			t.Fatal(err)
		}
		n.Fail(teamstest.Fault{Method: "POST", Path: "/activities", Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := n.teams.Send(ctx, post(n.object("ana"), "Two"), target(""))
		if !errors.Is(err, handlers.ErrRefused) || time.Since(start) > 5*time.Second {
			t.Errorf("Send = %v after %v", err, time.Since(start))
		}
	})
	t.Run("the connector sends the bot elsewhere", func(t *testing.T) {
		n := newTenant(t, teamstest.Config{})
		n.says("ana", "", "hi")
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("%s went there, with %q", r.URL, r.Header.Get("Authorization"))
		}))
		defer elsewhere.Close()
		n.Fail(teamstest.Fault{Method: "POST", Path: "/activities", Status: http.StatusTemporaryRedirect, To: elsewhere.URL})
		if _, err := n.teams.Send(zerolog.Nop().WithContext(t.Context()), post(n.object("ana"), "One"), target("")); err == nil {
			t.Error("a redirect was taken for an answer")
		}
	})
}
