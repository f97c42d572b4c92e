package teams_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/handlers/teams"
	"switchback/handlers/teams/teamstest"
	"switchback/store"
)

// inbox takes events into a store, as flow does before anything else.
type inbox struct {
	desk
	kept store.Flow
}

func (i *inbox) Accept(ctx context.Context, e flow.Event) (<-chan flow.Reply, error) {
	out := make(chan flow.Reply)
	close(out)
	return out, i.kept.Save(ctx, flow.Save{Op: "in/" + e.ID, Work: []flow.Work{{ID: e.ID, Event: &e, After: e.At.Add(time.Hour)}}})
}

// A signed activity until its 200, without the network: the token and what fits it alone, and with the commit that makes
// it safe.
func BenchmarkActivity(b *testing.B) {
	ms := teamstest.New(teamstest.Config{})
	if err := ms.Listen(); err != nil {
		b.Fatal(err)
	}
	defer ms.Close()
	ms.AddUser(teamstest.User{Name: "ana", Zone: "Europe/Berlin"})
	file, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	bot, err := teams.New(teams.Config{
		App: ms.Config().App, Password: config.Secret(ms.Config().Password), Tenant: ms.Config().Tenant, OpenID: ms.OpenIDURL(), Token: ms.TokenURL(),
		Hosts: []string{ms.Host()}, Store: store.Learnt{Store: file, Platform: teams.Platform}, Flow: &inbox{kept: store.Flow{Store: file}}, Log: zerolog.Nop(),
	})
	if err != nil {
		b.Fatal(err)
	}
	token := "Bearer " + ms.Sign(teamstest.Token{})
	for name, kind := range map[string]string{"validator": "typing", "inbox": "message"} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				body, err := json.Marshal(ms.Activity(kind, "ana", "", func(a map[string]any) { a["text"] = "outage chat late" }))
				if err != nil {
					b.Fatal(err)
				}
				r := httptest.NewRequest(http.MethodPost, "/api/messages", strings.NewReader(string(body)))
				r.Header.Set("Authorization", token)
				w := httptest.NewRecorder()
				start := time.Now()
				bot.ServeHTTP(w, r)
				took = append(took, time.Since(start))
				if w.Code != http.StatusOK {
					b.Fatalf("answered %d", w.Code)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
