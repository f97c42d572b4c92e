package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"switchback/bot/flow"
	"switchback/store"
)

// inPeace is a Monday morning on which nobody has said anything yet.
const inPeace = "@ 2026-11-23T18:40:00Z live new\n"

// readyRules are those of Night 6.
func readyRules() []rule {
	return []rule{
		{
			"R49 each line has its state, by whom, and the next step", inPeace + "> /outage ready\n",
			[]string{
				"RED – The IVR “Voicemail Only”: nobody has said yet", "→ create and publish it", "RED – Web shop's page: has never asked the bot → put the two lines back into the page",
				"OLD – Last drill: none yet → start one", "ok – Numbers and apps: 2 apps and 4 numbers", "ok – Values of Settings > Voice: 4, noted 3 Nov 2026 by the organisation document",
				"ok – Responders: @ana, @sam and @kim", "ok – Gladly administrators: @ana and @sam", "Gladly Support's form: https://help.gladly.com", "Texts for customers: 4 ways to reach you",
				"The status page by e-mail: @ana and @sam", "Compare with Settings > Voice", "Look again",
			},
			nil,
		},
		{
			"R49 values older than 90 days are old until somebody compares them", "@ 2027-03-01T18:40:00Z live\n> /outage ready\n> 1\n> 1\n",
			[]string{"OLD – Values of Settings > Voice", "compare them with Settings > Voice", "All as listed", "ok – Values of Settings > Voice: 4, noted 1 Mar 2027 by @ana"},
			nil,
		},
		{
			"R49 a value said in peace time is offered in the outage, named and dated", inPeace + "> /outage ready\n> 1\n> 2\n> \n> Snow day\n> \n> \n> /outage voice agents\n> 1\n> 7.1\n",
			[]string{"Before you click: what does Settings > Voice show?", "Returns, Initial IVR: Snow day: said @ana Mon 23 Nov"},
			nil,
		},
		{
			"R49 only who may correct a value may say what it is", inPeace + "> @lee /outage ready\n> @lee 1\n> @lee 1\n> /outage ready\n",
			[]string{"You are not one of the responders", "noted 3 Nov 2026 by the organisation document"},
			[]string{"by @lee"},
		},
		{
			"R49 what an outage sets is never taken for the value of peace time", inPeace + "> /outage ready\n> 1\n> 2\n> Voicemail Only\n> \n> \n> \n",
			[]string{"That is what an outage sets", "0101 Orders"},
			[]string{"Voicemail Only: says"},
		},
		{
			"R49 a list that has changed is shown again, and nothing is noted by an old press", inPeace + "> /outage ready\n> 1\n> /outage ready\n> 1\n> 2\n> Snow day\n> \n> \n> \n> 2.1\n",
			[]string{"The list has changed since; nothing was noted by your press.", "0101 Orders, Initial IVR: Snow day"},
			nil,
		},
		{
			"R49 that the IVR is published can be taken back, and is asked first again in an outage", inPeace + "> /outage ready\n> 1.2\n> 1\n> 3.5\n> 4.2\n> /outage voice agents\n> 1\n",
			[]string{
				"exists and is published, says @ana", "The IVR is not published any more…", "Not published any more: “Voicemail Only”",
				"RED – The IVR “Voicemail Only”: is not published, says @ana", "First: does the IVR “Voicemail Only” exist",
			},
			nil,
		},
		{
			"R50 once a month, only what is red or old", inPeace + "= restart after 720h\n= restart after 24h\n",
			[]string{"Once a month: what is not ready for an outage", "RED – The IVR", "OLD – Last drill", "= restart after 24h"},
			[]string{"ok –", "In #"},
		},
		{
			"R50 restarts neither forget nor hasten it", inPeace + "= restart after 360h\n= restart after 359h\n= restart after 2h\n",
			[]string{"= restart after 359h", "= restart after 2h", "Once a month: what is not ready for an outage"},
			nil,
		},
	}
}

func TestReadyRules(t *testing.T) {
	for _, r := range readyRules() {
		t.Run(r.name, func(t *testing.T) {
			t.Run("terminal", func(t *testing.T) { r.holds(t) })
			t.Run("Slack", func(t *testing.T) { r.holds(t, onSlack) })
			t.Run("Teams", func(t *testing.T) { r.holds(t, onTeams) })
		})
	}
}

// What people say of peace time is what an outage puts back: each word is in the audit log, in a chain of its own, also
// those that an outage taught, and those that were taken back.
func TestWordsOfPeaceTimeAreAudited(t *testing.T) {
	script := inPeace + "> /outage ready\n> 1.2\n> 1\n> 3.5\n> 4.2\n> @sam /outage ready\n> @sam 1\n> @sam 2\n> @sam \n> @sam Snow day\n> @sam \n> @sam \n" +
		"> /outage voice agents\n> 1\n> 12.1\n> 13.1\n> /outage restore\n> 1\n> 1\n"
	synctest.Test(t, func(t *testing.T) {
		var dir string
		out := play(t, script, func(s *stage) { dir = s.dir })
		st, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		f := store.Flow{Store: st}
		entries, err := f.Log(t.Context(), "ready:all")
		if err != nil {
			t.Fatal(err)
		}
		up, err := f.Upkeep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		chain := flow.ReadChain(entries, up.Value.Head)
		if len(chain.Problems) > 0 || up.Value.Head == "" {
			t.Errorf("the chain does not hold: %v, head %q", chain.Problems, up.Value.Head)
		}
		rest := chain.Entries
		for _, want := range []struct{ by, setting, value, outage string }{
			{"@ana", "ivr/Voicemail Only", "published", ""},
			{"@ana", "ivr/Voicemail Only", "not published", ""},
			{"@sam", "gladly/voice/+16505550102/initial-ivr", "Snow day", ""},
			{"@ana", "gladly/voice/+16505550101/initial-ivr", "Main menu", "voice-"},
		} {
			for len(rest) > 0 && (rest[0].Data["by"] != want.by || rest[0].Data["setting"] != want.setting || rest[0].Data["value"] != want.value || !strings.HasPrefix(rest[0].Data["outage"], want.outage)) {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				t.Fatalf("not in the log, or not in this order: %+v\n%+v\n%s", want, chain.Entries, out)
			}
		}
	})
}
