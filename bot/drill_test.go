package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"switchback/store"
)

// practised is a drill of numbers: the first three were read.
const practised = "@ 2026-11-28T01:00:00Z live\n> /outage drill voice agents\n> 1\n> 3.1\n> 2\n> Snow day\n> \n> \n> 1\n"

// drillRules are those of Night 6 about drills.
func drillRules() []rule {
	return []rule{
		{
			"R51 clicks are read and not saved", "@ 2026-11-28T01:00:00Z live\n> /outage drill voice agents\n> 1\n> 3.1\n> 1\n",
			[]string{
				"DRILL – Callers get into the IVR", "This is a drill: nothing is changed for customers", "DRILL – VOICE – callers of all 4 numbers STILL reach nobody",
				"DRILL – Open Settings > Voice, read it, do NOT save. What does it show?", "Do NOT save", "open the screen, read the value, do NOT save. DO NOT change the Queue IVR", "Seen; nothing was saved",
			},
			[]string{"In #", "] Saved"},
		},
		{
			"R51 the values that were read are kept where somebody says so", practised + "> /outage restore\n> 1\n> 1\n> 3.1\n> 1\n> 1\n> /outage voice agents\n> 1\n> 9.1\n",
			[]string{
				"The drill is over", "First effect after", "Left open: nothing", "Keep the 3 values that were read as known values?", "0101 Orders, Initial IVR: Snow day: read by @ana",
				"Kept as known values, says @ana", "Before you click: what does Settings > Voice show?", "0101 Orders, Initial IVR: Snow day: said @ana",
			},
			nil,
		},
		{
			"R51 and forgotten where somebody says that", practised + "> /outage restore\n> 1\n> 1\n> 3.1\n> 1\n> 2\n> /outage ready\n",
			[]string{"Forgotten, says @ana", "noted 3 Nov 2026 by the organisation document", "Last drill: voice, by @ana"},
			nil,
		},
		{
			"R51 every full member may drill, and keeps no values without the right to", strings.ReplaceAll(practised, "> ", "> @lee ") + "> @lee /outage restore\n> @lee 1\n> @lee 1\n> @lee 3.1\n> @lee 1\n> @lee 1\n> /outage ready\n",
			[]string{"Keep the 3 values", "A responder or an administrator keeps values", "noted 3 Nov 2026 by the organisation document"},
			[]string{"You are not one of the responders"},
		},
		{
			"R51 nothing is chosen in Gladly in place of a blank setting", strings.ReplaceAll(strings.Replace(practised, "Snow day", "Blank", 1), "> ", "> @lee ") + "> @lee /outage restore\n> @lee 1\n> @lee 1\n> @lee 3.1\n> @lee 1\n",
			[]string{"Clear Initial IVR, so that it is blank", "The drill is over"},
			[]string{"Gladly will not clear it"},
		},
		{
			"R52 a drill is shown to its starter alone, who alone is reminded, and ends by itself", "@ 2026-11-25T18:00:00Z\n> /outage drill chat late\n> 1\n> 1\n~ 3h50m\n~ 30m\n> /outage status\n",
			[]string{"Everything else is in your own messages", "DRILL – CHAT – Web shop CLOSED", "~ 3h50m", "DRILL", "I ask at 17:00 whether it can be restored", "The drill is over: it was 4 h old", "> /outage status", "Nothing is open"},
			[]string{"In #", "To @sam"},
		},
		{
			"R52 in the channel for drills, and in no other", "@ 2026-11-25T18:00:00Z drills\n> /outage drill chat late\n> 1\n> 1\n",
			[]string{"In #drills", "DRILL – CHAT – Web shop CLOSED"},
			[]string{"In #support"},
		},
		{
			"R52 a real outage ends the drills of its channel with one line", "@ 2026-11-26T07:10:00Z live\n> /outage drill chat late\n> 1\n> 1\n> @sam /outage chat late\n> @sam 1\n> @sam 1\n",
			[]string{
				"DRILL – CHAT – Web shop CLOSED", "In Gladly it is Wed 25 Nov 23:10", "Web shop, chat: open → closed (by the bot, at once)", "OUTAGE: CHAT – Web shop",
				"The drill is over: a real outage of chat began",
			},
			[]string{"Keep the"},
		},
		{
			"R52 no drill of a channel that is really out", closing + "> /outage drill chat late\n",
			[]string{"DRILL – No drill now: this is really being worked on", "@ana looks after it"},
			nil,
		},
		{
			"R52 a drill of everything being down keeps nobody from clicking", "@ 2026-11-28T01:00:00Z live\n> @sam /outage drill login\n> @sam 1\n> @sam 1\n> /outage voice agents\n> 1\n> /outage status\n",
			[]string{"DRILL – LOGIN", "OUTAGE: VOICE", "I click: take the next 3", "1 open"},
			[]string{"waits. Do not try to click"},
		},
		{
			"R52 words mean what is really open, not the drill", "@ 2026-11-28T01:00:00Z live\n> /outage drill chat late\n> 1\n> 1\n> /outage sms reply\n> 1\n> /outage note seen on the phone\n> /outage status\n",
			[]string{"DRILL – CHAT", "Added to the timeline of outage 2", "1 open, and a drill"},
			nil,
		},
	}
}

func TestDrillRules(t *testing.T) {
	for _, r := range drillRules() {
		t.Run(r.name, func(t *testing.T) {
			t.Run("terminal", func(t *testing.T) { r.holds(t) })
			t.Run("Slack", func(t *testing.T) { r.holds(t, onSlack) })
			t.Run("Teams", func(t *testing.T) { r.holds(t, onTeams) })
		})
	}
}

// Nothing stays behind but the drill itself: no lock, no word of peace time, nothing left on a setting, and flags that
// say what they say in peace time; however the drill ended, and whenever the process stopped.
func TestADrillLeavesNothingBehind(t *testing.T) {
	for name, script := range map[string]string{
		"restored":                practised + "> /outage restore\n> 1\n> 1\n> 3.1\n> 1\n> 2\n",
		"ended by itself":         "@ 2026-11-25T18:00:00Z live\n> /outage drill chat late\n> 1\n> 1\n> 3.1\n> 1\n= restart after 5h\n",
		"a real outage began":     "@ 2026-11-25T18:00:00Z live\n> /outage drill chat late\n> 1\n> 1\n> 3.1\n> 1\n> @sam /outage chat in\n> @sam 1\n> @sam 1\n= restart\n",
		"given up":                "@ 2026-11-25T18:00:00Z live\n> /outage drill chat late\n> 1\n> 1\n= restart\n> /outage abandon enough\n> 1\n",
		"stopped in the middle":   "@ 2026-11-25T18:00:00Z live\n> /outage drill chat late\n> 1\n> 1\n> 3.1\n= restart\n> /outage restore\n> 1\n> 1\n",
		"nothing was set in it":   "@ 2026-11-25T18:00:00Z live\n> /outage drill sms reply\n> 1\n= restart\n> 1\n> 2.1\n",
		"a walk and nothing more": "@ 2026-11-25T18:00:00Z live\n> /outage drill chat late\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dir string
				out := play(t, script, func(s *stage) { dir = s.dir })
				st, err := store.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer st.Close()
				for _, prefix := range []string{"lock:drill", "said:drill", "said:gladly", "left:", "flag:drill/"} {
					keys, err := st.List(t.Context(), prefix)
					if err != nil {
						t.Fatal(err)
					}
					for _, k := range keys {
						docs, err := st.Get(t.Context(), k)
						if err != nil {
							t.Fatal(err)
						}
						if prefix != "flag:drill/" || !strings.Contains(string(docs[0].Data), `"value":"open"`) {
							t.Errorf("%s stays: %s\n%s", k, docs[0].Data, out)
						}
					}
				}
			})
		})
	}
}
