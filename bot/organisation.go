package main

import (
	_ "embed"
	"os"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/bot/tree"
)

// document is the organisation document: every package declares its own part.
type document struct {
	Organisation organisation `yaml:"organisation" jsonschema_description:"Who you are, what you have, who may do what."`
}

type organisation struct {
	flow.Policy      `yaml:",inline"`
	sim.Organisation `yaml:",inline"`
}

//go:embed example.yaml
var example []byte

// parseOrganisation reads an organisation document and checks it; the problems are all there are.
func parseOrganisation(file string, data []byte) (organisation, config.Problems) {
	d, problems := config.Parse(file, data)
	if len(problems) > 0 {
		return organisation{}, problems
	}
	var doc document
	problems = d.Decode(&doc)
	o := doc.Organisation
	problems = append(problems, o.Policy.Check(d, "organisation")...)
	problems = append(problems, o.Policy.Warnings(d, "organisation")...)
	problems = append(problems, o.Organisation.Check(d, "organisation")...)
	return o, problems
}

// loadOrganisation reads the document of a file; without one, the example that `bot config example` prints.
func loadOrganisation(file string) (organisation, error) {
	data := example
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil { //nolint:gosec // the operator names the file
			return organisation{}, err
		}
	} else {
		file = "example.yaml"
	}
	o, problems := parseOrganisation(file, data)
	return o, problems.Err()
}

// loadPlaybook reads a playbook file; without one, the built-in playbook.
func loadPlaybook(file string) (tree.Tree, []byte, error) {
	data, name := tree.Builtin(), "playbook.yaml"
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil { //nolint:gosec // the operator names the file
			return tree.Tree{}, nil, err
		}
		name = file
	}
	t, err := tree.Parse(name, data, change.Actions())
	return t, data, err
}
