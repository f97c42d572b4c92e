package teams

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPackage(t *testing.T) {
	data, err := Package("B07B07B0-0000-4000-8000-000000000b07", "https://bot.example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join("testdata", "manifest.json")
	if *update {
		if err := os.WriteFile(file, files[manifestFile], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(files[manifestFile])); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	for name, size := range map[string]int{colorFile: 192, outlineFile: 32} {
		img, err := png.Decode(bytes.NewReader(files[name]))
		if err != nil || img.Bounds().Dx() != size || img.Bounds().Dy() != size {
			t.Fatalf("%s: %v, want %d pixels: %v", name, img.Bounds(), size, err)
		}
		seen := map[bool]bool{}
		for y := range size {
			for x := range size {
				r, g, b, a := img.At(x, y).RGBA()
				seen[a == 0] = true
				if name == outlineFile && a != 0 && (r != a || g != a || b != a) || name == colorFile && a != 0xffff {
					t.Fatalf("%s: at %d,%d it is %v", name, x, y, img.At(x, y))
				}
			}
		}
		if name == outlineFile && len(seen) != 2 {
			t.Error("the outline has no hole or no line")
		}
	}
	var m manifest
	if err := json.Unmarshal(files[manifestFile], &m); err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Bots[0].Commands[0].Commands {
		if len(c.Title) > 32 || len(c.Description) > 128 {
			t.Errorf("the command %q is too long", c.Title)
		}
	}
}

func TestPackageRefuses(t *testing.T) {
	for _, tt := range []struct{ app, url string }{
		{"", "https://bot.example.com"},
		{"my bot", "https://bot.example.com"},
		{"b07b07b0-0000-4000-8000-000000000b07", "http://bot.example.com"},
		{"b07b07b0-0000-4000-8000-000000000b07", "bot.example.com"},
		{"b07b07b0-0000-4000-8000-000000000b07", "https://user:secret@bot.example.com"},
	} {
		if _, err := Package(tt.app, tt.url); err == nil {
			t.Errorf("Package(%q, %q) gives no error", tt.app, tt.url)
		}
	}
}
