package main

import "testing"

// reportRules are those of Night 7.
func reportRules() []rule {
	return []rule{
		{
			"R53 history leads to reports, and anybody may ask for one by day", closing + "> /outage restore\n> 1\n> 1\n~ 24h\n> /outage history 25 Nov\n> @lee /outage report 25 Nov\n",
			[]string{"What happened on Wed 25 Nov 2026", "Report: CHAT", "To @lee", "Report: CHAT – Chat cannot be started, or arrives late"},
			nil,
		},
		{
			"R54 before, set and after, each with how we know, in the company's zone and UTC", closing + "~ 10m\n> @lee 2.1\n> /outage restore\n> 1\n> 1\n~ 1m\n> /outage report today\n",
			[]string{
				"Customers hit since Wed 25 Nov 10:00 (18:00 UTC); declared Wed 25 Nov 10:00 (18:00 UTC); first effect Wed 25 Nov 10:00", "all effects Wed 25 Nov 10:00", "restored Wed 25 Nov 10:10 (18:10 UTC) by @ana",
				"Visitors read: “Chat is down", "Web shop, Wed 25 Nov: before: 08:00–20:00 (read by the bot", "set: Closed (read back by the bot", "after: 08:00–20:00 (read back by the bot",
				"Refused: 1.", "The record is whole",
			},
			[]string{"NOT whole"},
		},
		{
			"R54 what the page said then, in its own words and times", "@ 2026-11-23T18:00:00Z page\n> /outage voice agents\n> 1\n> 1\n> /page open | Calls do not reach agents | major | We are <b>investigating</b>. | Voice=partial_outage\n~ 6m\n> /page say | 1 | resolved | All calls arrive again. | Voice=operational\n~ 10m\n> /outage report today\n",
			[]string{
				"Report: VOICE", "Gladly's page: Calls do not reach agents", "UTC) Investigating: “We are investigating.”", "UTC) Resolved: “All calls arrive again.”", "The record is whole",
			},
			nil,
		},
		{
			"R54 what people clicked stands on their word, and drills apart", "@ 2026-11-25T18:00:00Z live\n> /outage drill voice agents\n> 1\n> /outage abandon enough\n> 1\n> /outage voice agents\n> 1\n> 8.1\n> 1\n> 1\n> /outage report today\n",
			[]string{"Initial IVR: before: Main menu (seen by @ana", "set: Voicemail Only (saved, says @ana", "not put back yet", "The record is whole"},
			[]string{"DRILL – Report"},
		},
	}
}

func TestReportRules(t *testing.T) {
	for _, r := range reportRules() {
		t.Run(r.name, func(t *testing.T) {
			t.Run("terminal", func(t *testing.T) { r.holds(t) })
			t.Run("Slack", func(t *testing.T) { r.holds(t, onSlack) })
			t.Run("Teams", func(t *testing.T) { r.holds(t, onTeams) })
		})
	}
}
