package slack

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Slack's own types judge every golden file: messages, views and manifests.
func TestSlacksOwnTypes(t *testing.T) {
	const checks = "../../.ci/slack"
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node"
	} else if _, err := os.Stat(filepath.Join(checks, "node_modules", "@slack", "types")); err != nil {
		missing = "Slack's packages: cd .ci/slack && npm ci"
	}
	if missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: " + missing)
		}
		t.Skip("not checked, missing: " + missing)
	}
	args := []string{filepath.Join(checks, "types.mjs")}
	for _, pattern := range []string{"testdata/*.json", "testdata/*/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files like %s: %v", pattern, err)
		}
		args = append(args, files...)
	}
	if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
