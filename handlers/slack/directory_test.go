package slack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
)

// While Slack does not answer, nobody is let in; who was in a group within a day is known, for a restore from elsewhere.
func TestDirectoryWhileSlackIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slacktest.New(slacktest.Config{BaseURL: "http://127.0.0.1:1"})
		defer s.Close()
		for _, u := range []slacktest.User{{ID: ana, Name: "ana"}, {ID: "U0LEE", Name: "lee"}, {ID: "U0GUS", Name: "gus", Guest: true}} {
			s.AddUser(u)
		}
		s.AddGroup(slacktest.Group{ID: "S0ONCALL", Handle: "oncall", Members: []string{ana, "U0KIM", "U0GUS"}})
		s.AddUser(slacktest.User{ID: "U0KIM", Name: "kim"})
		adapter, err := slack.New(slack.Config{
			Organisation: slack.Organisation{Responders: []slack.Group{{ID: "S0ONCALL", Name: "oncall"}}}, SigningSecrets: []config.Secret{"x"},
			Token: config.Secret(s.Config().BotToken), API: "http://127.0.0.1:1/api/", Client: sim.Local(s), Flow: &desk{},
		})
		if err != nil {
			t.Fatal(err)
		}
		d := adapter.Directory()
		for _, id := range []string{ana, "U0LEE", "U0GUS"} { // kim was never looked up
			if _, err := d.Account(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		want := func(restorers map[string]bool) {
			t.Helper()
			for id, may := range restorers {
				if a, err := d.Account(t.Context(), id); err == nil || a != (flow.Account{Restorer: may}) {
					t.Errorf("%s: %+v, %v; want an error, and who may restore: %v", id, a, err, may)
				}
			}
		}
		s.Fail(slacktest.Fault{Kind: slacktest.Broken, Times: -1})
		time.Sleep(time.Hour)
		want(map[string]bool{ana: true, "U0KIM": true, "U0LEE": false, "U0GUS": false})
		time.Sleep(24 * time.Hour)
		want(map[string]bool{ana: false, "U0KIM": false})
	})
}
