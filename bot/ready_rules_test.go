package main

import "testing"

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
