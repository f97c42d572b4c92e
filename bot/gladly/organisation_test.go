package gladly

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/config"
)

const good = `organisation:
  numbers:
    - {number: "+16505550101", name: Orders, ivr: Main menu}
    - {number: "+16505550102", ivr: "", way: flag}
  apps:
    - id: web-shop
      name: Web shop
      hours: {monday: 08:00–20:00, sunday: Closed}
      message: Hello!
      outage: Chat is down.
  menus: {as_of: 2027-01-01, glad_app: Settings > Chat}
`

func parse(data string) (Organisation, error) {
	doc, problems := config.Parse("org.yaml", []byte(data))
	var whole struct{ Organisation Organisation }
	if doc != nil {
		problems = append(problems, doc.Decode(&whole)...)
		problems = append(problems, whole.Organisation.Check(doc, "organisation")...)
	}
	return whole.Organisation, problems.Err()
}

func TestDocument(t *testing.T) {
	got, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	want := Organisation{
		Numbers: []Number{
			{Number: "+16505550101", Name: "Orders", IVR: new("Main menu")},
			{Number: "+16505550102", IVR: new(""), Way: change.Flag},
		},
		Apps: []App{{
			ID: "web-shop", Name: "Web shop", Hours: map[change.Weekday]change.Hours{"monday": "08:00-20:00", "sunday": change.Closed},
			Message: new("Hello!"), Outage: "Chat is down.",
		}},
		Menus: Menus{AsOf: "2027-01-01", GladApp: "Settings > Chat"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // replaced in the good document
		want     string
	}{
		{"a typo in a day", "monday", "munday", `organisation.apps.0.hours.munday: "munday" is not a weekday; did you mean "monday"?`},
		{"hours that run over midnight", "08:00–20:00", "20:00-02:00", `want hours such as 08:00-20:00, or closed, got "20:00-02:00"`},
		{"a number without a country", "+16505550101", "6505550101", "org.yaml:3:16: organisation.numbers.0.number: want a number such as +16505550101"},
		{"a number that would be a path", "+16505550101", "+16505550101/queue-ivr", "numbers.0.number: want a number such as +16505550101"},
		{"a number twice", "+16505550102", "+16505550101", "numbers.1.number: +16505550101 stands here twice"},
		{"noted during an outage", "ivr: Main menu", "ivr: Voicemail Only", `numbers.0.ivr: "Voicemail Only" is the IVR for an outage`},
		{"noted during an outage, with an IVR of its own", "ivr: Main menu", "ivr: Away, voicemail: Away", `numbers.0.ivr: "Away" is the IVR for an outage`},
		{"blank in words", "ivr: Main menu", "ivr: blank", `numbers.0.ivr: where Gladly shows no Initial IVR, write ""`},
		{"a way nobody knows", "way: flag", "way: flga", `numbers.1.way: want guided or flag, got "flga"; did you mean "flag"?`},
		{"a way that Gladly does not have", "id: web-shop", "id: web-shop\n      way: auto", `apps.0.way: want guided or flag, got "auto"`},
		{"an id with a slash", "id: web-shop", "id: web/shop", "apps.0.id: want lower-case letters"},
		{"an app twice", "  menus:", "    - {id: web-shop, name: Other}\n  menus:", "apps.1.id: web-shop stands here twice"},
		{"two apps of one name", "  menus:", "    - {id: other, name: Web shop}\n  menus:", `apps.1.name: two Glad Apps are called "Web shop"`},
		{"a message noted during an outage", "Hello!", "Chat is down.", "apps.0.message: this is the message for an outage"},
		{"a page nobody named", "outage: Chat is down.", "way: flag", "apps.0.origins: its page asks the bot; say where that is"},
		{"a page's whole address", "outage: Chat is down.", "origins: [https://shop.example.com/chat]", `apps.0.origins.0: want an origin such as https://shop.example.com, got "https://shop.example.com/chat"`},
		{"an origin no browser sends", "outage: Chat is down.", `origins: ["*", "https://Shop.example.com/"]`, `apps.0.origins.1: want it as browsers send it: https://shop.example.com`},
		{"half an asterisk", "outage: Chat is down.", `origins: ["https://*.example.com"]`, "apps.0.origins.0: want each host by itself, or * alone"},
		{"a page without encryption", "outage: Chat is down.", `origins: ["http://shop.example.com"]`, "apps.0.origins.0: want an origin such as"},
		{"menus without a date", "as_of: 2027-01-01, ", "", "organisation.menus: say with as_of on which day"},
		{"menus with half a date", "2027-01-01", "January 2027", `menus.as_of: want a date such as 2026-11-23, got "January 2027"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data := strings.Replace(good, test.old, test.new, 1)
			if data == good {
				t.Fatalf("%q is not in the document", test.old)
			}
			_, err := parse(data)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("problems: %v\nwant only: %s", err, test.want)
			}
		})
	}
}

// An app whose own site may not ask stays open there in an outage, which nobody sees on another page.
func TestOriginsWithoutTheSite(t *testing.T) {
	for origins, want := range map[string]string{
		"https://m.shop.example.com":                           "organisation.apps.0.origins: warning: https://shop.example.com, its site, is not among them",
		"https://m.shop.example.com, https://shop.example.com": "",
		`"*"`: "",
	} {
		doc, problems := config.Parse("org.yaml", []byte("organisation:\n  apps: [{id: web-shop, site: shop.example.com, way: flag, origins: ["+origins+"]}]\n"))
		var whole struct{ Organisation Organisation }
		problems = append(problems, doc.Decode(&whole)...)
		problems = append(problems, whole.Organisation.Check(doc, "organisation")...)
		if got := fmt.Sprint(problems); problems.Err() != nil || len(problems) > 1 || (want != "") != (len(problems) == 1) || !strings.Contains(got, want) {
			t.Errorf("origins %s: %s; want the warning %q", origins, got, want)
		}
	}
}

func TestPageOrigins(t *testing.T) {
	for _, test := range []struct {
		app  App
		want []string
	}{
		{App{Site: "shop.example.com"}, []string{"https://shop.example.com"}},
		{App{Site: "shop.example.com", Origins: []string{"https://m.example.com"}}, []string{"https://m.example.com"}},
		{App{Site: "the shop in town"}, nil},
		{App{}, nil},
	} {
		if diff := cmp.Diff(test.want, test.app.PageOrigins()); diff != "" {
			t.Errorf("PageOrigins of %+v (-want +got):\n%s", test.app, diff)
		}
	}
}
