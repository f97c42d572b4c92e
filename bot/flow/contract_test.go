package flow_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// contract names, for each rule of the safety contract, the tests that turn red when it is broken: a function, or the
// words of one of its cases.
func contract() map[string][]string {
	return map[string][]string{
		"1 write ahead":                      {"TestCrashSweep", "TestPlantedBugsTurnTheSweepRed", "no write-ahead", "TestOrderOfCommits", "the value before recorded after the click", "TestACopyArrivesBeforeAnythingIsSet"},
		"2 first baseline wins":              {"TestBegin", "the first baseline wins", "the outage's value is never the value before", "R21 the value before is said during the outage", "baseline recorded twice"},
		"3 once":                             {"TestCrashSweepOverTheWholeWay", "TestPressesThatDoNotCount", "TestManyConfirmsAtThreeProcesses", "TestAThousandConfirms", "TestTwoOutagesWantTheSame", "TestPausedInTheMiddle", "TestTwoConfirmAtOnce", "TestTwoConfirmTheSameClicksAtOnce", "TestTwoAgreeAtOnce", "TestAnOldYesFromTheInbox", "a press counted twice", "a late press on an old state accepted", "the lock not taken"},
		"4 no silent overwrite":              {"somebody edits by hand during the outage", "current value trusted", "TestTell"},
		"5 hard to change, easy to put back": {"TestStoreUnsafe", "TestStoreAway", "TestTheStoreIsBack", "TestNoResponders", "TestWhatCannotBeDecidedIsSetAside"},
		"6 nothing forgotten":                {"R11 the ladder, in opening hours", "R12 what was missed is one line, not a burst", "TestR12AReminderThatDoesNotArrive", "R42 an outage that changed something never ends so", "R21 find out later is an answer", "contract 6: no midnight is forgotten because a step failed", "the timers of reminders lost at the commit"},
		"7 readable without the bot":         {"TestASecondProcessOnOneFolder", "FuzzReadCapsule", "TestCommandsOnRedis", "the copy of the values from before not posted", "TestACopyArrivesBeforeAnythingIsSet", "R13 the old text stands in a field"},
		"8 honest":                           {"contract 8: after midnight the headline is true", "contract 8: nothing is called restored that was left", "R1 each step has a state of its own", "R28 not before a caller can hear it"},
		"9 people decide":                    {"R10 the deadline asks and does nothing"},
		"10 untouchables":                    {"queue"},
		"11 only those who may":              {"a confirm by somebody who is no responder", "a stranger", "contract 11: who waits has no rights over settings", "TestWhoMay", "TestSharedChannels", "TestFourEyes", "not the same e-mail address under another name", "the role not checked at the press"},
		"12 secrets stay in":                 {"TestSecret", "a capability is in the log", "a secret is in"},
	}
}

func TestEachRuleOfTheContractHasItsTest(t *testing.T) {
	var all strings.Builder
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "contract_test.go") && strings.Contains(file, "flow") {
			return err
		}
		data, err := os.ReadFile(file)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for rule, tests := range contract() {
		for _, name := range tests {
			if !strings.Contains(all.String(), name) {
				t.Errorf("rule %s: there is no test %q", rule, name)
			}
		}
	}
}
