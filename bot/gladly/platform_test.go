package gladly

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
)

var update = flag.Bool("update", false, "rewrite the golden file")

var _ change.Platform = (*Platform)(nil)

func TestResources(t *testing.T) {
	var got []string
	for _, r := range catalogue(t, company()) {
		known := "?"
		if r.Known != nil {
			known = fmt.Sprintf("%q %q", r.Known.Raw, r.Known.Text)
		}
		if r.Way != change.Guided {
			t.Errorf("%s is done %q", r.Key, r.Way)
		}
		if strings.Contains(strings.ToLower(string(r.Key)), "queue") {
			t.Errorf("%s: the Queue IVR is no setting", r.Key)
		}
		line := fmt.Sprintf("%s | %s | %s | %s | %s | %s", r.Key, r.Action, r.Target, r.Label, r.Name, known)
		if r.Instead { // Press and Web shop are done by flag
			line += " | instead"
		}
		got = append(got, line)
	}
	want := []string{
		`gladly/voice/+16505550101/initial-ivr | phones-to-voicemail | +16505550101 | +1 650 555 0101 Orders | Initial IVR | "Main menu" "Main menu"`,
		`gladly/voice/+16505550102/initial-ivr | phones-to-voicemail | +16505550102 | +1 650 555 0102 Returns | Initial IVR | "" "Blank"`,
		`gladly/voice/+442079460103/initial-ivr | phones-to-voicemail | +442079460103 | +442079460103 | Initial IVR | ?`,
		`gladly/voice/+16505550104/initial-ivr | phones-to-voicemail | +16505550104 | +1 650 555 0104 Press | Initial IVR | "Press menu" "Press menu" | instead`,
		`gladly/chat/help-centre/hours/monday | close-chat | help-centre | Help centre | Monday | "08:00-20:00" "08:00–20:00"`,
		`gladly/chat/help-centre/hours/tuesday | close-chat | help-centre | Help centre | Tuesday | "08:00-20:00" "08:00–20:00"`,
		`gladly/chat/help-centre/hours/wednesday | close-chat | help-centre | Help centre | Wednesday | "08:00-20:00" "08:00–20:00"`,
		`gladly/chat/help-centre/hours/thursday | close-chat | help-centre | Help centre | Thursday | "08:00-22:00" "08:00–22:00"`,
		`gladly/chat/help-centre/hours/friday | close-chat | help-centre | Help centre | Friday | ?`,
		`gladly/chat/help-centre/hours/saturday | close-chat | help-centre | Help centre | Saturday | "closed" "Closed"`,
		`gladly/chat/help-centre/hours/sunday | close-chat | help-centre | Help centre | Sunday | "closed" "Closed"`,
		`gladly/chat/help-centre/unavailable-message | close-chat | help-centre | Help centre | message | ` +
			`"We're closed. See <b>help.example.com</b> & more.\n" "We're closed. See <b>help.example.com</b> & more.\n"`,
		`gladly/chat/kiosk/hours/monday | close-chat | kiosk | kiosk | Monday | ?`,
		`gladly/chat/kiosk/hours/tuesday | close-chat | kiosk | kiosk | Tuesday | ?`,
		`gladly/chat/kiosk/hours/wednesday | close-chat | kiosk | kiosk | Wednesday | ?`,
		`gladly/chat/kiosk/hours/thursday | close-chat | kiosk | kiosk | Thursday | ?`,
		`gladly/chat/kiosk/hours/friday | close-chat | kiosk | kiosk | Friday | ?`,
		`gladly/chat/kiosk/hours/saturday | close-chat | kiosk | kiosk | Saturday | ?`,
		`gladly/chat/kiosk/hours/sunday | close-chat | kiosk | kiosk | Sunday | ?`,
		`gladly/chat/kiosk/unavailable-message | close-chat | kiosk | kiosk | message | ?`,
		`gladly/chat/web-shop/hours/monday | close-chat | web-shop | Web shop | Monday | ? | instead`,
		`gladly/chat/web-shop/hours/tuesday | close-chat | web-shop | Web shop | Tuesday | ? | instead`,
		`gladly/chat/web-shop/hours/wednesday | close-chat | web-shop | Web shop | Wednesday | ? | instead`,
		`gladly/chat/web-shop/hours/thursday | close-chat | web-shop | Web shop | Thursday | ? | instead`,
		`gladly/chat/web-shop/hours/friday | close-chat | web-shop | Web shop | Friday | ? | instead`,
		`gladly/chat/web-shop/hours/saturday | close-chat | web-shop | Web shop | Saturday | ? | instead`,
		`gladly/chat/web-shop/hours/sunday | close-chat | web-shop | Web shop | Sunday | ? | instead`,
		`gladly/chat/web-shop/unavailable-message | close-chat | web-shop | Web shop | message | ? | instead`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Resources (-want +got):\n%s", diff)
	}
}

func TestOnlyPeopleReadAndWrite(t *testing.T) {
	p, k := NewPlatform(company()), ivrKey("+16505550101")
	if v, err := p.Read(t.Context(), k); !errors.Is(err, ErrNotReadable) || v.Raw != nil {
		t.Errorf("Read = %v, %v, want ErrNotReadable", v, err)
	}
	if err := p.Write(t.Context(), k, written("Voicemail Only"), written("")); !errors.Is(err, change.ErrRefused) {
		t.Errorf("Write = %v, want ErrRefused", err)
	}
}

// TestGuides: what people are told for each kind of key, in an outage and back again. The diff is the review.
func TestGuides(t *testing.T) {
	org := company()
	renamed := company()
	renamed.Menus = Menus{AsOf: "2027-01-01", GladApp: "Settings > Chat", Hours: "Chat Hours"}
	tests := []struct {
		name string
		org  Organisation
		key  change.Key
		want change.Value
	}{
		{"a number in an outage", org, ivrKey("+16505550101"), written("Voicemail Only")},
		{"a number back", org, ivrKey("+16505550101"), written("Main menu")},
		{"a number back to blank", org, ivrKey("+16505550102"), written("")},
		{"a number whose IVR nobody wrote down", org, ivrKey("+442079460103"), written("Voicemail English")},
		{"a day in an outage", org, hoursKey("help-centre", "thursday"), change.Closed.Value()},
		{"a day back", org, hoursKey("help-centre", "thursday"), change.Hours("08:00-22:00").Value()},
		{"a day whose hours nobody wrote down", org, hoursKey("kiosk", "thursday"), change.Closed.Value()},
		{"a message in an outage", org, messageKey("help-centre"), written("Chat is down. Write to help@example.com.")},
		{"a message back", org, messageKey("help-centre"), *known(org.Apps[0].Message)},
		{"a message back to blank", org, messageKey("kiosk"), written("")},
		{"screens that were renamed", renamed, hoursKey("help-centre", "monday"), change.Closed.Value()},
	}
	var b bytes.Buffer
	for _, test := range tests {
		g := NewPlatform(test.org).Guide(test.key, test.want)
		var choices []string
		for _, c := range g.Choices {
			choices = append(choices, fmt.Sprintf("%q", c.Text))
		}
		fmt.Fprintf(&b, "%s: %s → %q\n", test.name, test.key, test.want.Text)
		fmt.Fprintf(&b, "  screen    %s\n  path      %s\n  question  %s\n  choices   %s\n", g.Screen, g.Path, g.Question, strings.Join(choices, ", "))
		fmt.Fprintf(&b, "  click     %s\n", g.Click)
		for _, w := range g.Words {
			fmt.Fprintf(&b, "  words     %q\n", w)
		}
		fmt.Fprintf(&b, "  warning   %s\n  check     %s\n\n", g.Warning, g.Check)
	}
	const file = "testdata/guides.txt"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("Guide (-want +got); -update rewrites %s:\n%s", file, diff)
	}
}

func TestNoGuideForWhatIsNotOurs(t *testing.T) {
	p := NewPlatform(company())
	for _, k := range []change.Key{ivrKey("+16505550105"), messageKey("web"), "gladly/voice/+16505550101/queue-ivr", "flag/chat/web-shop", ""} {
		if g := p.Guide(k, written("Voicemail Only")); g.Screen != "" || g.Click != "" {
			t.Errorf("Guide(%q) = %+v, want none", k, g)
		}
	}
}
