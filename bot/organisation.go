package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/gladly"
	"switchback/bot/incident"
	"switchback/bot/sim"
	"switchback/bot/tree"
	"switchback/handlers/flags"
	"switchback/handlers/slack"
	"switchback/handlers/teams"
)

// document is the organisation document: every package declares its own part.
type document struct {
	Organisation organisation `yaml:"organisation" jsonschema_description:"Who you are, what you have, who may do what."`
}

type organisation struct {
	flow.Policy `yaml:",inline"`
	Gladly      gladly.Organisation `yaml:",inline"`
	Slack       slack.Organisation  `yaml:"slack" jsonschema_description:"Your Slack workspace."`
	Pages       incident.Routing    `yaml:",inline"`
	Flags       flags.Settings      `yaml:"flags" jsonschema_description:"How the bot answers pages and phone menus that ask it."`
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
	problems = append(problems, o.Check(d, "organisation")...)
	problems = append(problems, o.Warnings(d, "organisation")...)
	problems = append(problems, o.Gladly.Check(d, "organisation")...)
	problems = append(problems, o.Flags.Check(d, "organisation.flags")...)
	problems = append(problems, o.Slack.Check(d, "organisation.slack")...)
	problems = append(problems, o.Pages.Check(d, "organisation", flow.Channels())...)
	problems = append(problems, o.checkTeams(d)...)
	return o, problems
}

// checkTeams reports ids that are none of Teams', and writes those of people as Teams does.
func (o organisation) checkTeams(d *config.Document) config.Problems {
	var out config.Problems
	for i, p := range o.People {
		if o.People[i].Teams = strings.ToLower(p.Teams); p.Teams != "" && !teams.IsID(p.Teams) {
			out = append(out, d.Problem(fmt.Sprintf("organisation.people.%d.teams", i), "%q is not an object id, such as 12345678-90ab-cdef-1234-567890abcdef", p.Teams))
		}
	}
	channel := func(path, id string) {
		if id != "" && !teams.IsChannel(id) {
			out = append(out, d.Problem("organisation."+path+".teams", "%q is not the id of a channel, such as 19:0a1b2c…@thread.tacv2; it stands in the link to the channel", id))
		}
	}
	for i, r := range o.Channels {
		channel(fmt.Sprintf("channels.%d", i), r.Teams)
	}
	channel("inside", o.Inside.Teams)
	return out
}

// loadOrganisation reads the document of a file; without one, CONFIG_YAML, or else the example that `bot config example`
// prints.
func loadOrganisation(file string) (organisation, error) {
	e, err := readEnvironment()
	if err != nil {
		return organisation{}, err
	}
	if e.ConfigFile = file; file != "" {
		e.ConfigYAML = ""
	} else if e.ConfigYAML == "" {
		e.ConfigYAML = string(example)
	}
	o, _, err := e.organisation()
	return o, err
}

// unnamed is the organisation of a bot that was given no document: everybody may walk and look, and nobody may confirm.
const unnamed = "organisation: {name: your company, zone: UTC}"

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

// practice is the company to practise on: the organisation's own numbers and apps, where everything can be set by the
// bot. What the document does not know is as most companies have it.
func (o organisation) practice() sim.Organisation {
	var out sim.Organisation
	for _, n := range o.Gladly.Numbers {
		ivr := "Main menu"
		if n.IVR != nil {
			ivr = *n.IVR
		}
		out.Numbers = append(out.Numbers, sim.Number{Number: n.Number, Name: n.Name, IVR: ivr, Voicemail: n.Voicemail})
	}
	for _, a := range o.Gladly.Apps {
		app := sim.App{ID: a.ID, Name: a.Name, Site: a.Site, Outage: a.Outage, Message: "We are closed right now.", Hours: a.Hours}
		if a.Message != nil {
			app.Message = *a.Message
		}
		out.Apps = append(out.Apps, app)
	}
	return out
}

// targets are the numbers and apps that ask the bot.
func (o organisation) targets() []flags.Target {
	var out []flags.Target
	for _, a := range o.Gladly.Apps {
		if a.Way == change.Flag {
			out = append(out, flags.Target{Kind: flags.Chat, ID: a.ID, Label: a.Label(), Message: a.Outage, Origins: a.PageOrigins()})
		}
	}
	for _, n := range o.Gladly.Numbers {
		if n.Way == change.Flag {
			out = append(out, flags.Target{Kind: flags.Voice, ID: n.Number, Label: n.Label()})
		}
	}
	return out
}
