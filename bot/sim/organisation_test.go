package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/config"
)

func TestOrganisationDocument(t *testing.T) {
	const good = `organisation:
  numbers:
    - {number: "+16505550101", name: Orders, ivr: Main menu}
  apps:
    - id: web-shop
      name: Web shop
      hours: {monday: 08:00-20:00, sunday: closed}
`
	tests := []struct {
		name     string
		old, new string // replaced in the good document
		want     string
	}{
		{"good", "", "", ""},
		{"a typo in a day", "monday", "munday", `7:15: organisation.apps.0.hours.munday: "munday" is not a weekday; did you mean "monday"?`},
		{"hours that run over midnight", "08:00-20:00", "20:00-02:00", `want hours such as 08:00-20:00, or closed, got "20:00-02:00"`},
		{"a number without a country", "+16505550101", "6505550101", "numbers.0.number: want a number such as +16505550101"},
		{"a number in groups", "+16505550101", "+1 650 555 0101", "numbers.0.number: want a number such as +16505550101"},
		{"a number twice", "  apps:", "    - {number: \"+16505550101\"}\n  apps:", "numbers.1.number: +16505550101 stands here twice"},
		{"noted during an outage", "Main menu", "Voicemail Only", `numbers.0.ivr: "Voicemail Only" is the IVR for an outage`},
		{"an id with a slash", "id: web-shop", "id: web/shop", `apps.0.id: want lower-case letters`},
		{"an app twice", "name: Web shop", "name: Web shop\n    - id: web-shop", `apps.1.id: web-shop stands here twice`},
		{"too long a text", "name: Web shop", "outage: " + strings.Repeat("x", maxMessage+1), "apps.0.outage: the message has 2001 characters, at most 2000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, problems := config.Parse("org.yaml", []byte(strings.Replace(good, test.old, test.new, 1)))
			var whole struct{ Organisation Organisation }
			if doc != nil {
				problems = append(problems, doc.Decode(&whole)...)
			}
			if len(problems) == 0 {
				problems = whole.Organisation.Check(doc, "organisation")
			}
			err := problems.Err()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("problems: %v\nwant: %s", err, test.want)
			}
		})
	}
}

func TestPracticeIsSound(t *testing.T) {
	if err := Practice().err(); err != nil {
		t.Error(err)
	}
	bad := Practice()
	bad.Numbers[1].Number = bad.Numbers[0].Number
	if _, err := NewCompany(bad, time.UTC, ""); err == nil {
		t.Error("a company with one number twice")
	}
}

func TestSpaced(t *testing.T) {
	got := []string{spaced("+16505550101"), spaced("+442079460000"), spaced("+1650555010")}
	if diff := cmp.Diff([]string{"+1 650 555 0101", "+442079460000", "+1650555010"}, got); diff != "" {
		t.Errorf("spaced (-want +got):\n%s", diff)
	}
}
