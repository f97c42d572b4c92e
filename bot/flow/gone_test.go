package flow

import (
	"context"
	"maps"
	"slices"
	"testing"

	"switchback/bot/change"
)

// leavers is a chat platform on which these accounts are deactivated. Only "plain" is no responder.
type leavers map[string]bool

func (l leavers) Account(_ context.Context, id string) (Account, error) {
	return Account{Member: !l[id], Responder: !l[id] && id != "plain"}, nil
}

func (leavers) Groups() bool { return true }

func (leavers) Outside(context.Context, string) (bool, error) { return false, nil }

// R65: whoever has a part in an outage is looked up: its owner, who holds clicks, and who makes a phone menu.
func TestGone(t *testing.T) {
	of := func(id string) *Person { return &Person{ID: "chat:" + id, Account: "chat:" + id} }
	o := Outage{Owner: *of("owner"), IVRs: []IVR{{Name: "Voicemail Only", Maker: of("maker")}, {Name: "Buzón"}}}
	r := change.Record{Steps: []change.Step{{Key: "gladly/a", Holder: &change.Holder{ID: "chat:holder"}}, {Key: "gladly/b"}}}
	for _, who := range []string{"owner", "maker", "holder", "somebody else"} {
		s := New(Config{Directories: map[string]Directory{"chat": leavers{who: true}}})
		got := s.gone(t.Context(), o, r)
		want := map[string]bool{"chat:owner": who == "owner", "chat:maker": who == "maker", "chat:holder": who == "holder"}
		if !maps.Equal(got, want) {
			t.Errorf("%s left: gone are %v, want %v", who, got, want)
		}
	}
}

// Any member may drill, and holds the clicks of their own until they leave. A real outage is looked after by a responder.
func TestGoneFromADrill(t *testing.T) {
	const id = "chat:plain"
	r := change.Record{Steps: []change.Step{{Key: "gladly/a", Holder: &change.Holder{ID: id}}}}
	for _, tt := range []struct{ drill, left, want bool }{{true, false, false}, {true, true, true}, {false, false, true}} {
		s := New(Config{Directories: map[string]Directory{"chat": leavers{"plain": tt.left}}})
		got := s.gone(t.Context(), Outage{Drill: tt.drill, Owner: Person{ID: id, Account: id}}, r)
		if got[id] != tt.want {
			t.Errorf("drill %v, left %v: gone is %v, want %v", tt.drill, tt.left, got[id], tt.want)
		}
	}
}

// An owner who began in one chat platform is a responder by a group of another: they are gone when they left that group.
func TestGoneByAnyAccount(t *testing.T) {
	p := Policy{People: []Someone{{Name: "plain", Slack: "U1", Teams: "plain"}}}
	o := Outage{Owner: Person{ID: "plain", Account: "teams:plain"}}
	r := change.Record{Steps: []change.Step{{Key: "gladly/a", Holder: &change.Holder{ID: "plain"}}}}
	for _, left := range []bool{false, true} {
		s := New(Config{Policy: p, Directories: map[string]Directory{"teams": leavers{}, "slack": leavers{"U1": left}}})
		if got := s.gone(t.Context(), o, r)["plain"]; got != left {
			t.Errorf("left the group: %v; gone is %v", left, got)
		}
	}
}

// Whoever left is not reminded: the one who is next is.
func TestStandingOfThoseWhoAreThere(t *testing.T) {
	p := Policy{
		Surfaces: []string{"chat", "slack"}, Backup: "ana", Responders: []string{"ana", "sam"},
		People: []Someone{{Name: "ana", Slack: "ANA"}, {Name: "sam", Slack: "SAM"}},
	}
	for left, want := range map[string][]string{"": {"slack:ANA", "slack:SAM"}, "ANA": {"slack:SAM"}} {
		s := New(Config{Policy: p, Directories: map[string]Directory{"slack": leavers{left: true}}})
		var got []string
		for _, at := range s.standing(t.Context()) {
			got = append(got, at.Person)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q left: told are %q, want %q", left, got, want)
		}
	}
}
