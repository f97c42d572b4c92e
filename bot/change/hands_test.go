package change

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func value(s string) Value { return Value{Raw: []byte(s), Text: s} }

// R16: what a guided step teaches about peace time: what a person put back, or corrected. What the bot reads itself, and
// what nobody has put back, teaches nothing.
func TestTaught(t *testing.T) {
	at, back := time.Unix(1000, 0), time.Unix(2000, 0)
	noted := Step{Way: Guided, State: IsSet, Known: new(value("Main menu")), Want: value("Voicemail"), Set: new(value("Voicemail")), Before: &Baseline{Value: value("Snow day"), By: "@ana", At: at}, By: "@sam", At: back}
	with := func(change func(*Step)) Step {
		s := noted
		change(&s)
		return s
	}
	for name, tt := range map[string]struct {
		was, now Step
		want     *Word
	}{
		"put back": {noted, with(func(s *Step) { s.State = Restored }), &Word{value("Snow day"), "@sam", back, new(value("Main menu"))}},
		"noted, and never touched": {
			with(func(s *Step) { s.State, s.Set = Recorded, nil }), with(func(s *Step) { s.State, s.Set = Restored, nil }),
			&Word{value("Snow day"), "@ana", at, new(value("Main menu"))},
		},
		"corrected": {
			noted, with(func(s *Step) {
				s.Noted, s.Before = []Baseline{*noted.Before}, &Baseline{Value: value("Main"), By: "@kim", At: back}
			}),
			&Word{value("Main"), "@kim", back, new(value("Main menu"))},
		},
		"the document's value is the one beside the last word": {
			noted, with(func(s *Step) { s.State, s.Source = Restored, &Word{Listed: new(value("Listed"))} }),
			&Word{value("Snow day"), "@sam", back, new(value("Listed"))},
		},
		"still set":            {with(func(s *Step) { s.State = Intent }), noted, nil},
		"put back before":      {with(func(s *Step) { s.State = Restored }), with(func(s *Step) { s.State = Restored }), nil},
		"left as it is":        {noted, with(func(s *Step) { s.State = Left }), nil},
		"read by the bot":      {with(func(s *Step) { s.Way = Auto }), with(func(s *Step) { s.Way, s.State = Auto, Restored }), nil},
		"nobody said anything": {with(func(s *Step) { s.Before = nil }), with(func(s *Step) { s.Before, s.State = nil, Restored }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, ok := Taught(tt.was, tt.now)
			if ok != (tt.want != nil) {
				t.Fatalf("Taught = %+v, %v; want %+v", w, ok, tt.want)
			}
			if tt.want != nil {
				if diff := cmp.Diff(*tt.want, w); diff != "" {
					t.Errorf("Taught (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A word counts until the organisation document is edited.
func TestNewer(t *testing.T) {
	menu, day := new(value("Main menu")), new(value("Snow day"))
	for _, tt := range []struct {
		then, now *Value
		want      bool
	}{{menu, new(value("Main menu")), true}, {nil, nil, true}, {menu, day, false}, {nil, day, false}, {menu, nil, false}} {
		if got := (Word{Listed: tt.then}).Newer(tt.now); got != tt.want {
			t.Errorf("listed %v then and %v now: Newer = %v, want %v", tt.then, tt.now, got, tt.want)
		}
	}
}

// R21: the outage's own value is never taken for the value before, and "find out later" is an answer.
func TestWhatWasThereBeforeUs(t *testing.T) {
	at := time.Unix(1000, 0)
	planned := Step{Way: Guided, State: Planned, Want: value("Voicemail")}
	for name, before := range map[string]*Value{"later": nil, "the outage's own": new(value("Voicemail"))} {
		s, err := TakenOver(planned, before, "@ana", at)
		if err != nil || s.State != Adopted || s.Before != nil {
			t.Errorf("taken over, %s: %+v, %v; want it adopted", name, s, err)
		}
		if _, err := NameBefore(s, planned.Want, "@ana", at); !errors.Is(err, ErrMoved) {
			t.Errorf("named the outage's own value: %v, want ErrMoved", err)
		}
		s, err = NameBefore(s, value("Main menu"), "@kim", at)
		if err != nil || s.State != IsSet || s.Before == nil || s.Before.By != "@kim" || !s.Set.Equal(planned.Want) {
			t.Errorf("named: %+v, %v; want it set, with @kim's word", s, err)
		}
	}
	s, err := TakenOver(planned, new(value("Main menu")), "@ana", at)
	if err != nil || s.State != IsSet || s.Before == nil || s.Before.Value.Text != "Main menu" {
		t.Errorf("taken over with its value before: %+v, %v", s, err)
	}
	for name, busy := range map[string]Step{
		"somebody is at it":  {Way: Guided, State: Planned, Holder: &Holder{ID: "sam"}},
		"noted already":      {Way: Guided, State: Recorded},
		"the bot's own step": {Way: Auto, State: Planned},
	} {
		if _, err := TakenOver(busy, nil, "@ana", at); !errors.Is(err, ErrMoved) {
			t.Errorf("%s: %v, want ErrMoved", name, err)
		}
	}
}

// R21: where the noted value is not the known one, somebody says which of the two should come back; both words stay. It
// is asked only where there is a choice, and answered once.
func TestWhichShouldComeBack(t *testing.T) {
	at := time.Unix(1000, 0)
	noted := func(known *Value, v string) Step {
		s, err := NoteBefore(Step{Way: Guided, State: Planned, Want: value("Voicemail"), Known: known}, value(v), "@ana", at)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, s := range map[string]Step{
		"nothing was known":             noted(nil, "Snow day"),
		"it is the known one":           noted(new(value("Main menu")), "Main menu"),
		"known is the outage's own":     noted(new(value("Voicemail")), "Snow day"),
		"it is the outage's own: adopt": noted(new(value("Main menu")), "Voicemail"),
	} {
		if s.Doubt {
			t.Errorf("%s: asked all the same: %+v", name, s)
		}
	}
	s := noted(new(value("Main menu")), "Snow day")
	if !s.Doubt {
		t.Fatalf("not asked: %+v", s)
	}
	if _, err := Choose(s, value("Night menu"), "@kim", at); !errors.Is(err, ErrMoved) {
		t.Errorf("a third value: %v, want ErrMoved", err)
	}
	known, err := Choose(s, value("Main menu"), "@kim", at)
	if err != nil || known.Doubt || known.Before.Value.Text != "Main menu" || known.Before.By != "@kim" || len(known.Noted) != 1 {
		t.Errorf("the known one: %+v, %v", known, err)
	}
	kept, err := Choose(s, value("Snow day"), "@kim", at)
	if err != nil || kept.Doubt || kept.Before.Value.Text != "Snow day" || kept.Before.By != "@ana" || len(kept.Noted) != 0 {
		t.Errorf("the noted one: %+v, %v", kept, err)
	}
	if _, err := Choose(kept, value("Main menu"), "@sam", at); !errors.Is(err, ErrMoved) {
		t.Errorf("a second answer: %v, want ErrMoved", err)
	}
	if mended, err := Correct(s, value("Rain day"), "@kim", at); err != nil || mended.Doubt {
		t.Errorf("mended: %+v, %v; want no question left", mended, err)
	}
}

// R22: what the platform will not clear is left with what was chosen instead, and only while it is being put back.
func TestInstead(t *testing.T) {
	at := time.Unix(1000, 0)
	back := Step{Way: Guided, State: RestoreIntent, Back: true, Want: value("Voicemail"), Before: &Baseline{By: "@ana"}, Holder: &Holder{ID: "sam"}}
	s, err := Instead(back, value("Main menu"), "@sam", "would not clear", at)
	if err != nil || s.State != Left || s.Now.Text != "Main menu" || s.By != "@sam" || s.Holder != nil {
		t.Errorf("Instead = %+v, %v", s, err)
	}
	if _, err := Instead(back, back.Want, "@sam", "", at); !errors.Is(err, ErrMoved) {
		t.Errorf("the outage's own value: %v, want ErrMoved", err)
	}
	back.State = IsSet
	if _, err := Instead(back, value("Main menu"), "@sam", "", at); !errors.Is(err, ErrMoved) {
		t.Errorf("nobody was shown the clicks: %v, want ErrMoved", err)
	}
}
