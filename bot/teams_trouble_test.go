package main

import (
	"os"
	"testing"
	"time"

	"switchback/handlers/teams/teamstest"
)

// Teams does not take an outage's message, in each of its ways. The change is made all the same, whoever looks after it
// knows where they stand, everything is put back, and the channel ends with the truth.
func TestTeamsInTrouble(t *testing.T) {
	const (
		waits = iota // the message comes by itself
		short        // … in few words
		told         // the owner is told that it may stand there or not, and its next version comes as a new message
		dead         // the owner is told that nothing arrives there, until the channel speaks to the bot
	)
	home := teamstest.Fault{Method: "POST", Body: teamsSupport} // a new post of the channel
	for name, tt := range map[string]struct {
		fault func(f *teamstest.Fault)
		then  int
		long  bool
	}{
		"too much":               {func(f *teamstest.Fault) { f.Status, f.After = 429, 1 }, waits, false},
		"a precondition":         {func(f *teamstest.Fault) { f.Status = 412 }, waits, false},
		"away":                   {func(f *teamstest.Fault) { f.Status = 503 }, waits, true},
		"too large":              {func(f *teamstest.Fault) { f.Status, f.Code = 413, "MessageSizeTooBig" }, short, false},
		"too large, ever":        {func(f *teamstest.Fault) { f.Status, f.Code, f.Times = 413, "MessageSizeTooBig", 2 }, told, false},
		"unclear, and taken":     {func(f *teamstest.Fault) { f.Status, f.Done = 500, true }, told, false},
		"unclear, and not taken": {func(f *teamstest.Fault) { f.Status = 502 }, told, false},
		"cut, and taken":         {func(f *teamstest.Fault) { f.Drop, f.Done = true, true }, told, false},
		"silent":                 {func(f *teamstest.Fault) { f.Hang = true }, told, true},
		"blocked":                {func(f *teamstest.Fault) { f.Status, f.Code, f.Times = 403, "MessageWritesBlocked", 9 }, dead, false},
		"removed":                {func(f *teamstest.Fault) { f.Status, f.Code, f.Times = 404, "BotNotInConversationRoster", 9 }, dead, false},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.long && os.Getenv("PROOF") == "" {
				t.Skip("what is away is left alone for a while; in the long run")
			}
			t.Parallel()
			n := inTeams(t, false)
			n.Within(time.Minute)
			n.ana.Says("", "outage chat late")
			confirm := n.ana.Alone("Web shop", "open → closed")
			fault := home
			tt.fault(&fault)
			n.teams.Fail(fault)
			confirm.Press("Close Web shop now")
			switch tt.then {
			case waits:
				n.support.Shows("Web shop", "closed · done", "Restore…")
			case short:
				n.support.Shows("Web shop", "The rest does not fit", "Restore…")
			case told:
				n.ana.Alone("the channel (Teams) cannot be reached")
			case dead:
				n.ana.Alone("the channel (Teams) cannot be reached", "removed there, or blocked")
				n.teams.Heal()
				n.sam.Says("support", "@Switchback outage status")
			}
			n.ana.Says("", "outage restore")
			n.ana.Sees("Put everything back now").Press("Put everything back now")
			n.support.Shows("open again", "Restored")
			n.end()
			if out := outages(t, n.env.DataDir); out != "Nothing is open.\n" {
				t.Errorf("bot outages afterwards: %s", out)
			}
		})
	}
}
