package gladly_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// traps are the seventeen ways in which an outage of Gladly goes wrong in the hands of a bot, each with the tests that
// turn red when we fall into it: a function, or the words of one of its cases.
func traps() map[string][]string {
	return map[string][]string{
		"1 the weekday of the server's or the responder's zone":   {"trap 1: tomorrow in UTC is today in Gladly", "the responder's midnight is not the company's", "TestZoneWarning"},
		"2 the outage crosses midnight there":                     {"trap 2: each weekday that an outage touched comes back", "R9 asked again half an hour before a midnight", "R9 the next weekday is part of the first change"},
		"3 the day was closed before":                             {"trap 3: a day that was closed before stays closed", "over it", "within it: visitors are told all the same"},
		"4 a week later the same weekday":                         {"trap 4: the same weekday a week later is not noted again", "a week: the same weekday does not come twice"},
		"5 the outage's value noted as the one before":            {"trap 5: what the outage itself set is never the value before", "the outage's value is never the value before", "noted during an outage", "R19 who starts what is open is offered to help"},
		"6 somebody clicked first":                                {"trap 6: somebody clicked before us, and the true value is asked for", "one shows the outage's value before us", "R21 find out later is an answer", "R21 a noted value that is not the known one"},
		"7 three of five, then the shift ends":                    {"trap 7: somebody else goes on where one stopped after the click", "R18 claimed and unanswered is looked at first"},
		"8 changed by somebody meanwhile":                         {"trap 8: what somebody changed meanwhile is not overwritten", "somebody edits by hand during the outage", "TestRestoreNeverOverwritesWithoutAWord", "TestVoiceAtGladlysScreens"},
		"9 blank, renamed, deleted, unpublished, two of a name":   {"trap 9: a number that had no IVR is blank again", "trap 9: an IVR that is gone is left by name", "trap 9: of two IVRs with one name the name comes back", "two apps of one name", "R22 what Gladly will not clear is left by name"},
		"10 the Queue IVR":                                        {"trap 10: the Queue IVR cannot be asked for", "a number that would be a path", "TestGuides"},
		"11 the old text on its way through chat":                 {"trap 11: the old message comes back byte for byte", "TestCapsuleSurvivesChatPrograms", "TestFormComesBack", "notice that would be noticed if anything of it became HTML", "TestChatAtGladlysScreens"},
		"12 the store forgets what was there before":              {"TestRedisHealth", "TestRedisLostState", "TestCapsuleRoundTrip", "TestRestoreWithoutTheBot"},
		"13 a stale write of the business hours":                  {"TestNothingIsWrittenByAPI"},
		"14 pressed twice, by two, by a stranger":                 {"trap 14: a press that comes twice, or late, changes nothing", "TestTwoConfirmTheSameClicksAtOnce", "TestTwoConfirmAtOnce", "a confirm by somebody who is no responder"},
		"15 a change offered where the playbook says wait":        {"TestLeaves", "an action nobody knows"},
		"16 the names on the screens move":                        {"screens that were renamed", "menus without a date"},
		"17 ten requests a second, shared with all other clients": {"TestTheLimitIsShared", "too many requests, with a word on when"},
	}
}

func TestEachTrapHasItsTest(t *testing.T) {
	var all strings.Builder
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "traps_test.go" {
			return err
		}
		data, err := os.ReadFile(file)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(traps()); n != 17 {
		t.Errorf("%d traps, want 17", n)
	}
	for trap, tests := range traps() {
		for _, name := range tests {
			if !strings.Contains(all.String(), name) {
				t.Errorf("trap %s: there is no test %q", trap, name)
			}
		}
	}
}
