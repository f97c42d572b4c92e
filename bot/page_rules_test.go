package main

import "testing"

// A Monday, 14:00 in Los Angeles.
const paged = "@ 2026-11-23T22:00:00Z page\n"

// pageRules are those that speak of status pages.
func pageRules() []rule {
	const (
		open    = "> /page open | Calls fail | minor | Looking. | Voice=degraded_performance\n~ 5m\n"
		chatOff = "> /outage chat late\n> 1\n> 1\n"
	)
	return []rule{
		{
			"an incident is one message with its history in the thread; what gets worse and the end are told in the channel",
			paged + open + "> /page say | 1 | identified | Found it. | Voice=major_outage\n~ 2m\n> /page impact | 1 | critical\n~ 2m\n> /page say | 1 | monitoring | A fix is out. | Voice=degraded_performance\n~ 2m\n> /page say | 1 | resolved | Fixed. | Voice=operational\n~ 2m\n",
			[]string{
				"[1] In #voice:\n  Attention: Gladly's page: Calls fail", "Investigating, impact minor", "Start the voice playbook", "Not affecting us",
				"[2] In #voice, in the thread of gladly/", "Looking.",
				"[1] In #voice, changed:", "in the thread of gladly/", "and in the channel:\n  Worse: Voice: degraded performance → major outage",
				"OUTAGE: Gladly's page: Calls fail", "Worse: impact minor → critical",
				"Monitoring, impact critical", "[5] In #voice, in the thread of gladly/238d1a735432:\n  Monitoring",
				"Over: resolved", "and in the channel:\n  Over – Gladly's page: Calls fail",
			},
			[]string{"#support", "[7]"},
		},
		{
			"R34 not affecting us stops pings until it gets worse, and can be taken back", paged + open + "> @kim 1.2\n> /page say | 1 | identified | Found it.\n~ 2m\n> @sam 1.1\n> @sam 1.2\n> /page open | Chat too | minor | Hm.\n> /page impact | 1 | major\n~ 2m\n",
			[]string{"Not affecting us, says @kim 14:05. Still watching.", "It does affect us", "Identified", "Start the voice playbook", "Not affecting us, says @sam", "Worse: impact minor → major", "You had said that it does not affect us. Is that still so?"},
			nil,
		},
		{
			"R34 a press on the card from before it got worse does not count", paged + open + "> /page impact | 1 | major\n> @kim 1.2\n~ 2m\n> @kim 1.2\n",
			[]string{"Not affecting us, says @kim", "Worse: impact minor → major", "Not affecting us, says @kim"},
			nil,
		},
		{
			"R34 only a responder says so", paged + open + "> @lee 1.2\n",
			[]string{"You are not one of the responders"},
			[]string{"says @lee"},
		},
		{
			"R34 what does not affect us is no claim when a restore is offered",
			paged + "> /page open | Chat is slow | minor | Hm. | Chat=degraded_performance\n~ 5m\n> @kim 1.2\n" + chatOff + "> /page open | Chat is down | critical | Ouch. | Chat=degraded_performance\n~ 2m\n> /page say | 2 | resolved | Fixed.\n~ 2m\n",
			[]string{"Not affecting us, says @kim", "Gladly's page now reports this: Chat is down", "Gladly says resolved 14:07. Does it work for you? Restore chat?"},
			[]string{"I ask when that is over too"},
		},
		{
			"R35 an outage needs no incident: the card says what the page says, and asks whether it is only us",
			paged + "~ 40s\n> /outage sms reply\n> 4\n",
			[]string{"Gladly's page: nothing reported (read 40 s ago).", "Is it only us?", "the VPN off, a phone network instead of the office's, another site, a call from another carrier", "We wait for our IT", "Go on", "Write to Gladly Support"},
			[]string{"has not been read"},
		},
		{
			"R35 whose update we wait for", paged + "> /outage voice out\n> 4\n> 1\n",
			[]string{"We wait for our own IT. Contact: the IT desk, extension 400."},
			nil,
		},
		{
			"R36 an incident that comes later is linked, and can be let go: then its end does not ask",
			paged + chatOff + "~ 2m\n> /page open | Chat is down | major | Ouch. | Chat=major_outage\n~ 2m\n> 5\n",
			[]string{"Gladly's page now reports this: Chat is down", "linked to this outage", "Not ours"},
			nil,
		},
		{
			"R36 the end of what is not ours is no question", paged + chatOff + "~ 2m\n> /page open | Chat is down | major | Ouch. | Chat=major_outage\n~ 2m\n> @sam 5.1\n> /page say | 1 | resolved | Fixed.\n~ 2m\n",
			[]string{"Not ours, says @sam", "Over: resolved"},
			[]string{"Does it work for you?"},
		},
		{
			"R36 an end at night asks in channel and thread, mentions nobody, and starts the clock again on a word",
			"@ 2026-11-26T07:10:00Z page\n" + chatOff + "> /page open | Chat is late | major | Ouch. | Chat=major_outage\n~ 2m\n~ 2h16m\n> /page say | 1 | resolved | Fixed.\n~ 2m\n> @sam 7.2\n> @sam /outage restore\n",
			[]string{"and in the channel:\n  Attention: Gladly says resolved 01:28. Does it work for you? Restore chat?", "Nothing is put back by itself. What was there before:", "Web shop, Wed 25 Nov and Thu 26 Nov: Closed → 08:00–20:00", "Restore…", "Still down for us", "Still down for us, said @sam at 01:30. I ask again at Thu 26 Nov 05:30.", "Gladly's page: nothing reported, “Chat is late” is over since 01:28 (read"},
			[]string{"channel: @", "channel @"},
		},
		{
			"R36 as long as another incident claims the branch, it says which",
			paged + "> /page open | Chat is late | major | A. | Chat=degraded_performance\n> /page open | Chat is down | major | B. | Chat=major_outage\n~ 5m\n" + chatOff + "> /page say | 1 | resolved | Fixed.\n~ 2m\n> /page say | 2 | resolved | Fixed.\n~ 2m\n",
			[]string{"Gladly's page: Chat is late, since 14:00", "Gladly says resolved 14:05: Chat is late", "The page still reports for chat: “Chat is down”. I ask when that is over too.", "Gladly says resolved 14:07. Does it work for you? Restore chat?"},
			nil,
		},
		{
			"R36 reopened: who has restored is asked again", paged + "> /page open | Chat is down | major | Ouch. | Chat=major_outage\n~ 5m\n" + chatOff + "> /page say | 1 | resolved | Fixed.\n~ 2m\n> /outage restore\n> 1\n> 1\n> /page say | 1 | investigating | It is back. | Chat=major_outage\n~ 5m\n> 1\n",
			[]string{"Restored 14:07", "and in the channel:\n  Not over – Gladly's page: Chat is down", "Gladly's page reports it again: Chat is down", "Is it down again for you?", "Begin again", "Affecting customers since: now"},
			nil,
		},
		{
			"R36 reopened: who had restored before the page said that it was over is asked again, too", paged + "> /page open | Chat is down | major | Ouch. | Chat=major_outage\n~ 5m\n" + chatOff + "> /outage restore\n> 1\n> 1\n> /page say | 1 | resolved | Fixed.\n~ 2m\n> /page say | 1 | investigating | It is back. | Chat=major_outage\n~ 5m\n",
			[]string{"Gladly's page reports it again: Chat is down", "Is it down again for you?", "Begin again"},
			nil,
		},
		{
			"R36 where what still claims the branch is not ours, the end before it asks",
			paged + "> /page open | Chat is late | major | A. | Chat=degraded_performance\n~ 5m\n" + chatOff + "> /page open | Chat is down | major | B. | Chat=major_outage\n~ 2m\n> /page say | 1 | resolved | Fixed.\n~ 2m\n> @sam 8.1\n",
			[]string{"I ask when that is over too.", "Not ours, says @sam", "Does it work for you? Restore chat?"},
			nil,
		},
		{
			"R37 what the page says stands on the card, with the start of the incident as since when", paged + open + "> 1.1\n> 2\n",
			[]string{"What happens to calls?", "Affecting customers since: Mon 23 Nov 17:00", "Gladly's page: “Calls fail” since 17:00, investigating (read"},
			nil,
		},
		{
			"R37 what is reported for something else is said too", paged + "> /page open | Calls fail | minor | Looking. | Voice=major_outage\n~ 5m\n> /outage sms reply\n",
			[]string{"Gladly's page: nothing for SMS; but “Calls fail” since 17:00, investigating (read"},
			nil,
		},
		{
			"R37 a page that cannot be read is said to be so, never that all is well", paged + open + "> /page down | 503\n~ 8m\n> /outage chat late\n~ 10m\n> /page up\n~ 15m\n",
			[]string{"The page cannot be read since 14:06; this is what it said at 14:05.", "Gladly's page cannot be read since 17:06 (it answers 503). At 17:05 it said: nothing for chat; but “Calls fail”", "In #support:\n  Attention: Gladly's page cannot be read", "Gladly's page can be read again"},
			[]string{"nothing reported"},
		},
		{
			"R37 a page that was never read", "@ 2026-11-23T22:00:00Z page down\n> /outage chat late\n",
			[]string{"Gladly's page cannot be read: it answers with a web page; perhaps a wall against programs. Please look at https://gladly.statuspage.io."},
			[]string{"nothing reported"},
		},
		{
			"R38 an incident that matches no branch offers the menu, and is linked", paged + "> /page open | Reports are late | minor | Looking. | Reports=partial_outage\n~ 5m\n> 1\n> 2\n> 2\n> 1\n",
			[]string{"[1] In #support:", "Reports: partial outage (on no line of your map)", "Start the playbook…", "What is affected?", "Gladly's page: Reports are late, since 14:00", "Being worked on: CHAT"},
			[]string{"Start the chat playbook"},
		},
		{
			"R38 a title is a guess, and said to be one", paged + "> /page open | Inbound calls ring out | minor | Looking.\n~ 5m\n",
			[]string{"In #support:", "The page names no component. By its title it may be about voice: a guess.", "Start the playbook…", "In #voice:"},
			[]string{"Start the voice playbook"},
		},
		{
			"R39 a wait is asked at once when the page says that it is over", paged + "> /page open | SMS are late | minor | Looking. | SMS=partial_outage\n~ 5m\n> /outage sms reply\n> 1\n~ 12m\n> /page say | 1 | resolved | Fixed. | SMS=operational\n~ 2m\n",
			[]string{"Gladly's page: SMS are late, since 14:00", "To @ana (times of America/New_York):\n  Can agents reply to SMS again?\n  Gladly says resolved 17:17."},
			nil,
		},
		{
			"R39 out of hours it is asked at opening, and the thread knows at once", "@ 2026-11-24T08:00:00Z page\n> /page open | SMS are late | minor | Looking. | SMS=partial_outage\n~ 5m\n> /outage sms reply\n> 1\n> /page say | 1 | resolved | Fixed. | SMS=operational\n~ 2m\n~ 6h\n",
			[]string{"Gladly says resolved 00:05: SMS are late", "I ask @ana at Tue 24 Nov 06:00 whether it works again.", "Can agents reply to SMS again?\n  Gladly says resolved 03:05."},
			nil,
		},
		{
			"R42 a wait ends as not confirmed 12 h after the page's end", paged + "> /page open | SMS are late | minor | Looking. | SMS=partial_outage\n~ 5m\n> /outage sms reply\n> 1\n> /page say | 1 | resolved | Fixed. | SMS=operational\n~ 2m\n~ 11h50m\n> /outage status\n~ 20m\n",
			[]string{"1 open", "not confirmed: nobody answered"},
			nil,
		},
		{
			"R42 but not where somebody said that it is still broken", paged + "> /page open | SMS are late | minor | Looking. | SMS=partial_outage\n~ 5m\n> /outage sms reply\n> 1\n> /page say | 1 | resolved | Fixed. | SMS=operational\n~ 2m\n> 2\n~ 12h\n> /outage status\n",
			[]string{"Gladly says resolved", "Still broken, said @ana", "1 open"},
			[]string{"not confirmed"},
		},
		{
			"back from monitoring is no alarm", paged + open + "> /page say | 1 | monitoring | A fix is out.\n~ 2m\n> /page say | 1 | investigating | Not yet.\n~ 2m\n",
			[]string{"Monitoring, impact minor", "Investigating, impact minor"},
			[]string{"and in the channel"},
		},
		{
			"an edit a week later is quiet, and a report is one quiet line", paged + open + "> /page say | 1 | resolved | Fixed. | Voice=operational\n~ 2m\n= restart after 168h\n> /page edit | 1 | Fixed. The cause was a certificate.\n~ 6m\n> /page report | 1 | A long story.\n~ 6m\n",
			[]string{"Over – Gladly's page", "changed:\n  Resolved", "The cause was a certificate.", "The page rewrote this", "The page published a report on it"},
			[]string{"  A long story", "Worse", "Not over"},
		},
		{
			"what was entered for the record is silent", paged + "> /page backfill | Last week | It was bad.\n~ 6m\n",
			nil,
			[]string{"In #"},
		},
		{
			"the first start tells only what is open, and what is over meanwhile is told once", paged + "= restart after 3h\n",
			nil,
			[]string{"In #"},
		},
		{
			"planned work is told before it begins where it touches a channel, and quietly", paged + "> /page plan | Chat upgrade | Chat may stop. | 3h | 5h | Chat\n> /page plan | Reports upgrade | Nothing to see. | 3h | 5h | Reports\n~ 1h50m\n~ 20m\n~ 50m\n> /page say | 1 | in_progress | It begins.\n~ 2m\n> /page say | 1 | completed | Done.\n~ 2m\n",
			[]string{"~ 20m\n\n[1] In #support:\n  Gladly's page: Chat upgrade", "Planned work, from Mon 23 Nov 17:00 to Mon 23 Nov 19:00. It may begin earlier.", "Planned work, in progress since", "Over: completed"},
			[]string{"page: Reports upgrade", "and in the channel", "~ 1h50m\n\n["},
		},
		{
			"components without an incident wait for one, and are one message", paged + "> /page turn | Voice=major_outage, Chat=partial_outage, SMS=partial_outage, Login=major_outage\n~ 5m\n> /page turn | Voice=operational, Chat=operational, SMS=operational, Login=operational\n~ 2m\n",
			[]string{"Gladly's page: Voice, Chat and 2 more are not well", "No incident reported yet, impact critical", "All of them work again."},
			[]string{"SMS is not well"},
		},
		{
			"components that an incident explains in time are no message of their own", paged + "~ 2m\n> /page turn | Voice=major_outage\n~ 1m\n> /page open | Calls fail | major | Looking. | Voice=major_outage\n~ 10m\n",
			[]string{"Gladly's page: Calls fail"},
			[]string{"is not well"},
		},
		{
			"what the page takes off is said, and is no end", paged + open + "> /page delete | 1\n~ 20m\n~ 20m\n",
			[]string{"The page took it down", "never said that it is over"},
			[]string{"resolved"},
		},
		{
			"another page at the address is not believed", paged + open + "> /page rename | evil\n> /page open | Everything is fine | none | Go home.\n~ 3m\n> /outage status\n",
			[]string{"Another page answers at the address of Gladly's page", `It says that it is "evil"`, "Gladly's page is not believed since"},
			[]string{"  Go home"},
		},
		{
			"a notification is told at once, with the page's own word", paged + "> /page notify\n> /page open | Calls fail | minor | Looking. | Voice=degraded_performance\n~ 1s\n",
			[]string{"Gladly's page: Calls fail", "Start the voice playbook"},
			[]string{"confirmed"},
		},
		{
			"a notification that the page does not show yet is not confirmed, and proposes nothing until it is", paged + "> /page notify\n> /page freeze | yes\n> /page open | Calls fail | minor | Looking. | Voice=degraded_performance\n~ 5s\n> /page freeze | no\n~ 30s\n",
			[]string{"Gladly's page: Calls fail", "Not yet confirmed on the page: only a notification said so.", "~ 30s", "Start the voice playbook"},
			nil,
		},
		{
			"a notification while the page cannot be read is told as not confirmed", paged + "> /page notify\n> /page down | 503\n> /page open | Calls fail | minor | Looking. | Voice=degraded_performance\n~ 5s\n> /outage voice agents\n",
			[]string{"Not yet confirmed on the page", "Gladly's page cannot be read since"},
			[]string{"Start the voice playbook"},
		},
		{
			"an end that only a notification tells asks nobody to restore", paged + "> /page notify\n> /page open | Chat is down | major | Ouch. | Chat=major_outage\n~ 1s\n" + chatOff + "> /page freeze | yes\n> /page say | 1 | resolved | Fixed. | Chat=operational\n~ 5s\n> /page freeze | no\n~ 30s\n",
			[]string{"Over, says a notification; not yet confirmed on the page", "~ 30s", "Does it work for you? Restore chat?"},
			nil,
		},
		{
			"an hour of lost notifications loses nothing, and is told", paged + "> /page notify\n" + open + "> /page lose\n> /page say | 1 | identified | One.\n~ 20m\n> /page say | 1 | identified | Two.\n~ 20m\n> /page say | 1 | monitoring | Three.\n~ 40m\n> /page find\n> /page say | 1 | resolved | Four. | Voice=operational\n~ 1m\n",
			[]string{"One.", "Two.", "Three.", "Notifications of Gladly's page do not arrive any more", "sends notifications again", "Four."},
			nil,
		},
		{
			"after a restart nothing is told twice, and what was missed is told in one message", paged + open + "= restart after 1s\n> /page say | 1 | identified | One.\n> /page say | 1 | identified | Two.\n~ 2m\n= restart after 2h\n",
			[]string{"Looking.", "One.", "Two."},
			[]string{"[5]"},
		},
	}
}

func TestPageRules(t *testing.T) {
	for _, r := range pageRules() {
		t.Run(r.name, func(t *testing.T) {
			t.Run("terminal", func(t *testing.T) { r.holds(t) })
			t.Run("Slack", func(t *testing.T) { r.holds(t, onSlack) })
			t.Run("Teams", func(t *testing.T) { r.holds(t, onTeams) })
		})
	}
}
