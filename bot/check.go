package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"switchback/bot/change"
	"switchback/bot/config"
	"switchback/bot/tree"
)

type checkCommand struct {
	Files []string `arg:"" optional:"" help:"Playbooks (nodes:) or organisation documents (organisation:)." type:"path"`
	JSON  bool     `help:"Print the problems as JSON."`
}

// Run checks every file and reports all problems.
func (c checkCommand) Run(s streams) error {
	problems := config.Problems{} // not nil: --json prints a list
	for _, file := range c.Files {
		data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return err
		}
		problems = append(problems, checkFile(file, data)...)
	}
	if len(c.Files) == 0 {
		problems = append(problems, checkFile("built-in playbook", tree.Builtin())...)
	}
	problems = problems.Sorted()
	if c.JSON {
		if err := json.NewEncoder(s.out).Encode(problems); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(s.out, p)
		}
	}
	if problems.Err() != nil {
		return errProblems
	}
	if !c.JSON {
		fmt.Fprintln(s.out, "ok")
	}
	return nil
}

// checkFile tells a playbook from an organisation document by its top-level key.
func checkFile(file string, data []byte) config.Problems {
	d, problems := config.Parse(file, data)
	switch {
	case len(problems) > 0:
		return problems
	case d.Has("organisation"):
		_, problems = parseOrganisation(file, data)
		return problems
	case d.Has("nodes"):
		_, err := tree.Parse(file, data, change.Actions())
		errors.As(err, &problems)
		return problems
	}
	return config.Problems{d.Problem("", "neither a playbook (nodes:) nor an organisation document (organisation:)")}
}

type treeCommand struct {
	File    string `arg:"" optional:"" help:"A playbook; without one, the built-in." type:"path"`
	Text    bool   `xor:"form" help:"As text to read or print (default)."`
	Mermaid bool   `xor:"form" help:"As a Mermaid diagram."`
	Dot     bool   `xor:"form" help:"As a Graphviz graph."`

	WithLists bool   `help:"With lists of your people, numbers and apps to fill in: the paper version."`
	Config    string `help:"Organisation document that has them." default:"${config_file}" type:"path"`
}

// Run prints the playbook.
func (c treeCommand) Run(ctx context.Context, s streams) error {
	t, _, err := loadPlaybook(c.File)
	if err != nil {
		return err
	}
	if c.WithLists && (c.Mermaid || c.Dot) {
		return errors.New("--with-lists goes with --text")
	}
	switch {
	case c.Mermaid:
		return t.Mermaid(s.out)
	case c.Dot:
		return t.Dot(s.out)
	}
	if err := t.Text(s.out, t.Start()); err != nil || !c.WithLists {
		return err
	}
	org, err := loadOrganisation(c.Config)
	if err != nil {
		return err
	}
	return lists(ctx, s.out, org)
}

type configCommand struct {
	Example exampleCommand `cmd:"" help:"A complete, commented organisation document that passes check."`
	Schema  schemaCommand  `cmd:"" help:"The JSON schema of the organisation document."`
}

type exampleCommand struct{}

// Run prints the example.
func (exampleCommand) Run(s streams) error {
	_, err := s.out.Write(example)
	return err
}

type schemaCommand struct{}

// Run prints the schema.
func (schemaCommand) Run(s streams) error {
	data, err := config.Schema(document{}, "Switchback: organisation document")
	if err != nil {
		return err
	}
	_, err = s.out.Write(data)
	return err
}
