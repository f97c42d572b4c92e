package tree_test

import (
	"testing"

	"switchback/bot/change"
	"switchback/bot/tree"
)

func builtin(t *testing.T) tree.Tree {
	t.Helper()
	p, err := tree.Parse("playbook.yaml", tree.Builtin(), change.Actions())
	if err != nil {
		t.Fatalf("Parse(the built-in playbook):\n%v", err)
	}
	return p
}
