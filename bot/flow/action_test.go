package flow

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"switchback/bot/card"
)

func FuzzAction(f *testing.F) {
	f.Add("w1", "", "", "go", "", "3", "1")
	f.Add("", "", "", "begin", "", "", "chat late")
	f.Add("", "chat-abc", "", "overwrite", "sim/chat/web-shop/hours/monday", "conflict/true", "x")
	f.Add("", "", "gladly/x1", "start", "", "0", "voice")
	f.Fuzz(func(t *testing.T, walk, outage, incident, verb, key, state, arg string) {
		a := Action{Walk: walk, Outage: outage, Incident: incident, Verb: verb, Key: key, State: state, Arg: arg}
		s := a.Encode()
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q is not printable ASCII", s)
		}
		got, err := DecodeAction(s)
		of := strings.Count(fmt.Sprint(walk != "", outage != "", incident != ""), "true")
		valid := verb != "" && of == 1
		if verb == "begin" {
			valid = of == 0
		}
		if valid != (err == nil) {
			t.Fatalf("DecodeAction(%q) = %v", s, err)
		}
		if err == nil && got != a {
			t.Fatalf("DecodeAction(Encode(%+v)) = %+v", a, got)
		}
	})
}

func FuzzDecodeAction(f *testing.F) {
	f.Add(Action{Walk: "w1", Verb: "go", State: "3"}.Encode())
	f.Add("1......")
	f.Add("2.a.b.c.d.e.f")
	f.Add(Action{Incident: "gladly/x1", Verb: "start", State: "3"}.Encode())
	f.Add("2.......")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := DecodeAction(s)
		if err != nil {
			if !errors.Is(err, ErrAction) {
				t.Fatalf("DecodeAction(%q) = %v, want %v", s, err, ErrAction)
			}
			return
		}
		if a.Encode() != s { // one action has one form: nobody can dress an old press up as a new one
			t.Fatalf("%q decodes to %+v, which encodes to %q", s, a, a.Encode())
		}
	})
}

func TestActionsFit(t *testing.T) {
	a := Action{Outage: "social-0123456789", Verb: "overwrite", Key: "gladly/chat/" + strings.Repeat("x", 100) + "/unavailable-message", State: "restore-intent/true", Arg: "0123456789"}
	if n := len(a.Encode()); n > card.MaxAction {
		t.Errorf("a long action has %d bytes, at most %d", n, card.MaxAction)
	}
}
