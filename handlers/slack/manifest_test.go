package slack

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestManifest(t *testing.T) {
	for name, tt := range map[string]struct {
		address string
		socket  bool
	}{
		"manifest-http": {"https://bot.example.com/", false}, "manifest-socket": {"", true},
	} {
		got, err := Manifest(tt.address, tt.socket)
		if err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + name + ".json"
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// Slack says of these, https://docs.slack.dev/reference/app-manifest, what its types do not.
func TestManifestKeepsSlacksLimits(t *testing.T) {
	data, err := Manifest("https://bot.example.com", false)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		s           string
		least, most int
	}{
		"name": {m.Display.Name, 1, 35}, "description": {m.Display.Description, 1, 140}, "long description": {m.Display.Long, 174, 4000},
		"bot": {m.Features.Bot.Name, 1, 80}, "command": {m.Features.Commands[0].Command, 2, 32}, "hint": {m.Features.Commands[0].Hint, 1, 1000},
	} {
		if n := width(tt.s); n < tt.least || n > tt.most {
			t.Errorf("%s has %d characters, wanted are %d to %d", what, n, tt.least, tt.most)
		}
	}
	for _, s := range m.Features.Shortcuts {
		if width(s.Name) > 24 || width(s.Description) > 150 {
			t.Errorf("shortcut %q is too long", s.Name)
		}
	}
	for _, all := range [][]Reason{Scopes(), Events()} {
		if !slices.IsSortedFunc(all, func(a, b Reason) int { return strings.Compare(a.What, b.What) }) {
			t.Errorf("not in order: %v", all)
		}
		for _, r := range all {
			if r.Why == "" {
				t.Errorf("%s is not explained", r.What)
			}
		}
	}
}

// Every event of the manifest is one that decode knows, and the address is one that Slack can reach.
func TestManifestAndDecoderAgree(t *testing.T) {
	for _, r := range Events() {
		body, err := json.Marshal(map[string]any{"type": "event_callback", "team_id": "T1", "event": map[string]string{
			"type": strings.Split(r.What, ".")[0], "channel_type": "im", "user": "U1", "text": "x",
		}})
		if err != nil {
			t.Fatal(err)
		}
		if in, err := told(t, string(body)); err != nil || in.kind == kindIgnored {
			t.Errorf("%s gives %v, %v", r.What, in, err)
		}
	}
	for _, address := range []string{"", "bot.example.com", "http://bot.example.com", "https://", "https://u:p@bot.example.com", "https://bot.example.com/?a=b", "https://bot.example.com/#x", "%"} {
		if got, err := Manifest(address, false); err == nil {
			t.Errorf("Manifest(%q) = %s, want an error", address, got)
		}
	}
	if _, err := Manifest("https://bot.example.com", true); err == nil {
		t.Error("both an address and Socket Mode are taken")
	}
}
