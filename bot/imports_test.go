package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports says which packages of ours each package may use. Deciding packages know no chat platform and no store; an
// adapter knows flow and the cards. The command may use everything.
func imports() map[string][]string {
	return map[string][]string{
		"bot/config":        {},
		"bot/card":          {"bot/config"},
		"bot/change":        {"bot/config"},
		"bot/tree":          {"bot/card", "bot/config"},
		"bot/flow":          {"bot/tree", "bot/card", "bot/change", "bot/incident", "bot/config"},
		"bot/sim":           {"bot/change", "bot/config"},
		"bot/gladly":        {"bot/change", "bot/config"},
		"bot/incident":      {"bot/config"},
		"store":             {"bot/flow", "bot/change", "bot/config"},
		"store/storetest":   {"store"},
		"handlers":          {"bot/flow", "bot/card", "bot/config"},
		"handlers/ops":      {"bot/flow", "bot/change", "bot/incident", "bot/tree", "bot/config"},
		"handlers/flags":    {"bot/change", "bot/config"},
		"handlers/slack":    {"bot/flow", "bot/card", "bot/config", "handlers"},
		"handlers/teams":    {"bot/flow", "bot/card", "bot/config", "handlers"},
		"handlers/terminal": {"bot/flow", "bot/card", "bot/config", "handlers"},

		"bot/try": {"bot/gladly/gladlytest", "handlers/slack/slacktest", "handlers/statuspage/statuspagetest", "handlers/teams/teamstest"},

		// Stand-ins for the outside world, and what only tests use of them.
		"handlers/slack/slacktest":       {},
		"handlers/slack/slacktest/story": {"handlers/slack/slacktest"},
		"handlers/teams/teamstest":       {},
		"handlers/teams/teamstest/story": {"handlers/teams/teamstest"},

		"handlers/teams/teamstest/forward": {"handlers/teams/teamstest"},

		"handlers/statuspage":                {"bot/incident", "bot/flow", "bot/config"},
		"bot/gladly/gladlytest":              {"bot/change"},
		"handlers/statuspage/statuspagetest": {},
	}
}

func TestImports(t *testing.T) {
	allowed := imports()
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		pkg := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "../")
		if pkg == "bot" {
			return nil
		}
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is not in the table", pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(name, "switchback/"); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which %s may not", file, ours, pkg)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
