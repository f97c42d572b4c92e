package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrganisationProblems(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a typo in a key": {
			"organisation:\n  name: acme\n  zone: UTC\n  respondres: [ana]\n",
			`o.yaml:4:3: organisation.respondres: unknown key; did you mean "responders"?`,
		},
		"no name and no zone": {
			"organisation:\n  backup: \"\"\n",
			"o.yaml:1:1: organisation.name: the organisation needs a name\n" +
				`o.yaml:1:1: organisation.zone: "" is not a time zone such as America/Los_Angeles`,
		},
		"a responder who is nobody": {
			"organisation:\n  name: acme\n  zone: UTC\n  people: [{name: ana}]\n  responders: [anna]\n",
			`o.yaml:5:16: organisation.responders.0: "anna" is not in people; did you mean "ana"?`,
		},
		"one account of two people": {
			"organisation:\n  name: acme\n  zone: UTC\n  people: [{name: ana, slack: U1}, {name: sam, slack: U1}]\n",
			`o.yaml:4:36: organisation.people.1: slack:U1 belongs to "ana" already`,
		},
		"a ladder that goes down": {
			"organisation:\n  name: acme\n  zone: UTC\n  ladder: [{after: 1h, to: [owner]}, {after: 9m, to: [everybody]}]\n",
			"o.yaml:4:38: organisation.ladder.1: each rung comes after the one before it\n" +
				`o.yaml:4:55: organisation.ladder.1.to.0: "everybody" is not one of owner, thread, channel, group`,
		},
		"hours that end before they begin": {
			"organisation:\n  name: acme\n  zone: UTC\n  opening: {monday: 18:00-08:00}\n",
			`o.yaml:4:21: organisation.opening.monday: "18:00-08:00" does not end after it begins`,
		},
		"a flag that counts for a week without the store": {
			"organisation:\n  name: acme\n  zone: UTC\n  flags: {keep: 7d}\n",
			"o.yaml:4:17: organisation.flags.keep: 7d is too long: customers would be shut out while nobody knows why; a day at most",
		},
		"a number twice": {
			"organisation:\n  name: acme\n  zone: UTC\n  numbers:\n    - number: +16505550101\n    - number: +16505550101\n",
			`o.yaml:6:15: organisation.numbers.1.number: +16505550101 stands here twice`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := parseOrganisation("o.yaml", []byte(tc.text))
			if diff := cmp.Diff(tc.want, problems.Err().Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExamplePasses(t *testing.T) {
	if problems := checkFile("example.yaml", example); len(problems) > 0 {
		t.Errorf("bot config example:\n%v", problems)
	}
}

// The text in CONFIG_YAML is the document of the commands, too, unless a file is named.
func TestCommandsTakeTheDocumentFromTheEnvironment(t *testing.T) {
	t.Setenv("CONFIG_YAML", "organisation: {name: Night Ltd, zone: UTC}")
	for file, want := range map[string]string{"": "Night Ltd", "example.yaml": "acme"} {
		if o, err := loadOrganisation(file); err != nil || o.Name != want {
			t.Errorf("loadOrganisation(%q) = %q, %v, want %q", file, o.Name, err, want)
		}
	}
}

// Whatever stands in an organisation document, reading it ends, and each problem has its place in the file.
func FuzzOrganisation(f *testing.F) {
	f.Add(string(example))
	f.Add("organisation:\n  name: a\n  ladder: [{before: 1h, after: 2h}]\n")
	f.Add("organisation: {people: [{name: &x ana}], responders: [*x]}")
	f.Fuzz(func(t *testing.T, text string) {
		_, problems := parseOrganisation("o.yaml", []byte(text))
		for _, p := range problems {
			if p.File != "o.yaml" || p.Line < 1 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("a problem without its place: %v", p)
			}
		}
	})
}
