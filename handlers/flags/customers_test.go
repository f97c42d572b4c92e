package flags_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/gladly/gladlytest"
	"switchback/bot/sim"
	"switchback/handlers/flags"
)

// phones is a Gladly whose menu asks the bot on each call, and whose shop asks it on each page. None of its settings is
// ever touched.
func phones(client *http.Client) *gladlytest.Gladly {
	day := gladlytest.Day{From: "00:00", To: "24:00"}
	hours := map[change.Weekday]gladlytest.Day{}
	for _, d := range change.Weekdays() {
		hours[d] = day
	}
	return gladlytest.New(gladlytest.Setup{
		Zone: time.UTC,
		IVRs: []gladlytest.IVR{
			{Name: "Voicemail Only", Published: true, Says: "Leave a message.", Voicemail: true},
			{Name: "Main menu", Published: true, Says: "Press 1.", Dip: &gladlytest.Dip{
				URL: "https://bot.example/flags/voice?number={{._companyNumber}}", User: "ivr", Password: "right:horse",
				Variable: "state", Equals: "voicemail", Then: "Voicemail Only", Client: client,
			}},
			{Name: "Menu that posts", Published: true, Says: "Press 2.", Dip: &gladlytest.Dip{
				URL: "https://bot.example/flags/voice", Body: `{"number": "{{._companyNumber}}"}`, Header: map[string]string{flags.KeyHeader: secret},
				Variable: "state", Equals: "voicemail", Then: "Voicemail Only", Client: client,
			}},
			{Name: "Menu with a wrong password", Published: true, Says: "Press 3.", Dip: &gladlytest.Dip{
				URL: "https://bot.example/flags/voice?number={{._companyNumber}}", User: "ivr", Password: "wrong",
				Variable: "state", Equals: "voicemail", Then: "Voicemail Only", Client: client,
			}},
		},
		Numbers: []gladlytest.Number{
			{Number: "+16505550101", InitialIVR: "Main menu"},
			{Number: "+16505550102", InitialIVR: "Menu that posts"},
			{Number: "+16505550103", InitialIVR: "Menu with a wrong password"},
			{Number: "+16505550109", InitialIVR: "Main menu"},
		},
		Apps: []gladlytest.App{{ID: "web-shop", Hours: hours, Unavailable: "We are closed."}},
	})
}

// Callers and visitors through a night: peace, an outage, the bot slow, down, without its store, and peace again.
func TestCallersAndVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := append(targets(),
			flags.Target{Kind: flags.Voice, ID: "+16505550102", Message: "Please leave a message."},
			flags.Target{Kind: flags.Voice, ID: "+16505550103"})
		s, _ := openStore(t, t.TempDir())
		store := &moody{Store: s}
		bot := endpoints(t, flags.Config{Targets: all, Store: store, Secret: secret, Keep: time.Minute})
		n := &night{Endpoints: bot, t: t, store: store, log: &log{}}
		stop := n.run()
		defer stop()
		delay := time.Duration(0)
		client := sim.Local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if delay < 0 {
				panic(http.ErrAbortHandler)
			}
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
			}
			bot.ServeHTTP(w, r)
		}))
		world := phones(client)
		page := gladlytest.Page{App: "web-shop", Flag: "https://bot.example/flags/chat/web-shop", Origin: shopOrigin, Client: client}
		other := page
		other.Origin = "https://other.example"
		look := func(when, number string, want gladlytest.Heard, sees gladlytest.Seen) {
			t.Helper()
			heard, err := world.Call(t.Context(), number)
			if err != nil {
				t.Fatal(err)
			}
			if failed := heard.Dip != nil; failed == (want.Dip == nil) {
				t.Errorf("%s the menu of %s gets the error %v", when, number, heard.Dip)
			}
			heard.Dip, want.Dip = nil, nil
			if diff := cmp.Diff(want, heard); diff != "" {
				t.Errorf("%s a caller of %s hears (-want +got):\n%s", when, number, diff)
			}
			seen, err := world.VisitPage(t.Context(), page, time.Now())
			if diff := cmp.Diff(sees, seen); err != nil || diff != "" {
				t.Errorf("%s a visitor sees, error %v (-want +got):\n%s", when, err, diff)
			}
			if seen, err := world.VisitPage(t.Context(), other, time.Now()); err != nil || seen.Chat != (want.Says != gladlytest.Fixed) {
				t.Errorf("%s a visitor of another origin sees %+v, %v, want a chat", when, seen, err)
			}
		}
		const first, second, wrong, foreign = "+16505550101", "+16505550102", "+16505550103", "+16505550109"
		menu := gladlytest.Heard{IVR: "Main menu", Says: "Press 1.", Agent: true}
		unanswered := menu
		unanswered.Dip = http.ErrHandlerTimeout // any
		chat := gladlytest.Seen{Icon: true, Chat: true}

		look("in peace", first, menu, chat)
		look("in peace", second, gladlytest.Heard{IVR: "Menu that posts", Says: "Press 2.", Agent: true}, chat)

		p := flags.New(all, s)
		write(t, p, shop, closed, open)
		for _, number := range []change.Key{first, second, wrong} {
			write(t, p, "flag/voice/"+number, voicemail, normal)
		}
		time.Sleep(2 * time.Second)
		notice := gladlytest.Seen{Message: `Write to <help@acme.example> & "wait"`}
		messages := gladlytest.Heard{IVR: "Voicemail Only", Says: "Please leave a message.", Voicemail: true}
		look("in the outage", first, messages, notice)
		look("in the outage", second, messages, notice)
		look("in the outage", wrong, gladlytest.Heard{IVR: "Menu with a wrong password", Says: "Press 3.", Agent: true, Dip: http.ErrHandlerTimeout}, notice)
		look("in the outage", foreign, unanswered, notice)

		delay = 900 * time.Millisecond
		look("when the bot takes its time", first, messages, notice)
		delay = 3 * time.Second
		began := time.Now()
		look("when the bot is slow", first, unanswered, chat)
		if took := time.Since(began); took != 4*time.Second { // two for the call, one for each page
			t.Errorf("that took %v", took)
		}
		delay = -1
		look("when the bot is down", first, unanswered, chat)
		delay = 0
		store.away.Store(true)
		time.Sleep(30 * time.Second)
		look("when its store is away", first, messages, notice)
		time.Sleep(31 * time.Second)
		look("when it stays away", first, unanswered, chat)
		store.away.Store(false)
		time.Sleep(2 * time.Second)
		look("when it is back", first, messages, notice)
		write(t, p, shop, open, closed)
		write(t, p, orders, normal, voicemail)
		time.Sleep(2 * time.Second)
		look("when it is over", first, menu, chat)
		world.NobodyCanLogIn(true)
		look("when nobody can log in", first, gladlytest.Heard{Says: gladlytest.Fixed}, gladlytest.Seen{Icon: true, Message: "We are closed."})
	})
}
