package teams

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/url"
	"strings"
)

// manifest is the app as Teams is told of it.
// https://learn.microsoft.com/microsoftteams/platform/resources/schema/manifest-schema
type manifest struct {
	Schema      string         `json:"$schema"`
	Manifest    string         `json:"manifestVersion"`
	Version     string         `json:"version"`
	ID          string         `json:"id"`
	Developer   developer      `json:"developer"`
	Name        shortAndFull   `json:"name"`
	Description shortAndFull   `json:"description"`
	Icons       icons          `json:"icons"`
	Accent      string         `json:"accentColor"`
	Bots        []manifestBot  `json:"bots"`
	Permissions []string       `json:"permissions"`
	Domains     []string       `json:"validDomains"`
	Install     string         `json:"defaultInstallScope"`
	Group       map[string]any `json:"defaultGroupCapability"`
}

type developer struct {
	Name    string `json:"name"`
	Website string `json:"websiteUrl"`
	Privacy string `json:"privacyUrl"`
	Terms   string `json:"termsOfUseUrl"`
}

type shortAndFull struct {
	Short string `json:"short"`
	Full  string `json:"full"`
}

type icons struct {
	Color   string `json:"color"`
	Outline string `json:"outline"`
}

type manifestBot struct {
	ID       string        `json:"botId"`
	Scopes   []string      `json:"scopes"`
	Files    bool          `json:"supportsFiles"`
	Calling  bool          `json:"supportsCalling"`
	Video    bool          `json:"supportsVideo"`
	Notice   bool          `json:"isNotificationOnly"`
	Commands []commandList `json:"commandLists"`
}

type commandList struct {
	Scopes   []string      `json:"scopes"`
	Commands []commandLine `json:"commands"`
}

type commandLine struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Files of the package.
const (
	manifestFile = "manifest.json"
	colorFile    = "color.png"
	outlineFile  = "outline.png"

	manifestVersion = "1.25"
	packageVersion  = "1.0.0"
)

func commandLines() []commandLine {
	return []commandLine{
		{"outage", "What is affected? Answer, look, confirm."},
		{"outage chat", "Chat: customers or agents cannot use it"},
		{"outage voice", "Phones: calls do not come in or get lost"},
		{"outage status", "What is open, and until when"},
		{"outage restore", "Put back what was there before"},
		{"outage extend", "Ask me later to restore"},
		{"outage note", "Add a line to the timeline"},
		{"outage handover", "Somebody else looks after it"},
		{"outage history", "What happened on a day"},
		{"help", "What I can do"},
	}
}

// Package is the app for Teams, as a zip file that an administrator uploads. It returns an error that says what is wrong
// with the application's id, or with the address at which people read who runs the bot.
func Package(app, address string) ([]byte, error) {
	if !IsID(app) {
		return nil, errors.New("the application's id is like 12345678-90ab-cdef-1234-567890abcdef; it stands on the Overview of the app registration")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("the bot's address begins with https://")
	}
	home := "https://" + u.Host
	all := []string{"team", "personal", "groupChat"}
	m := manifest{
		Schema:   "https://developer.microsoft.com/json-schemas/teams/v" + manifestVersion + "/MicrosoftTeams.schema.json",
		Manifest: manifestVersion, Version: packageVersion, ID: strings.ToLower(app),
		Developer: developer{"Switchback", home, home, home},
		Name:      shortAndFull{"Switchback", "Switchback, for outages of customer service"},
		Description: shortAndFull{
			"Closes channels in an outage, and puts them back.",
			"Type outage chat: Switchback walks you through the playbook, shows what will change, asks, makes the change, remembers what was there before, and puts exactly that back.",
		},
		Icons: icons{colorFile, outlineFile}, Accent: fmt.Sprintf("#%02X%02X%02X", ground.R, ground.G, ground.B),
		Bots:        []manifestBot{{ID: strings.ToLower(app), Scopes: all, Commands: []commandList{{all, commandLines()}}}},
		Permissions: []string{"identity", "messageTeamMembers"}, Domains: []string{}, Install: "team",
		Group: map[string]any{"team": "bot", "groupchat": "bot"},
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range []struct {
		name string
		data []byte
	}{{manifestFile, data}, {colorFile, icon(192, false)}, {outlineFile, icon(32, true)}} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ground is the colour that the icon stands on.
var ground = color.NRGBA{R: 0x1b, G: 0x4d, B: 0x6b, A: 0xff} //nolint:gochecknoglobals // a constant that Go has no form for

// icon draws an arrow that turns back, on colour, or as an outline: white, on nothing. Teams wants 192 and 32 pixels.
func icon(size int, outline bool) []byte {
	const fine = 4 // points across a pixel, for smooth edges
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			hit := 0
			for i := range fine * fine {
				if arrow((float64(x)+(float64(i%fine)+.5)/fine)/float64(size), (float64(y)+(float64(i/fine)+.5)/fine)/float64(size)) {
					hit++
				}
			}
			share := float64(hit) / (fine * fine)
			if outline {
				img.SetNRGBA(x, y, color.NRGBA{255, 255, 255, uint8(255 * share)})
				continue
			}
			mix := func(under uint8) uint8 { return uint8(float64(under)*(1-share) + 255*share) }
			img.SetNRGBA(x, y, color.NRGBA{mix(ground.R), mix(ground.G), mix(ground.B), 255})
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, img) // into memory, with a size that is one
	return out.Bytes()
}

// arrow reports whether a point of the unit square is part of the arrow: a line to the right, a bend, and back to the
// left with a head.
func arrow(x, y float64) bool {
	const (
		left, right   = 0.28, 0.60
		top, bottom   = 0.36, 0.66
		middle, thick = (top + bottom) / 2, 0.055
	)
	radius := (bottom - top) / 2
	onLine := x >= left && x <= right && math.Abs(y-top) <= thick || x >= left+0.08 && x <= right && math.Abs(y-bottom) <= thick
	onBend := x >= right && math.Abs(math.Hypot(x-right, y-middle)-radius) <= thick
	onHead := x >= left-0.06 && x <= left+0.10 && math.Abs(y-bottom) <= (x-(left-0.06))*0.85
	return onLine || onBend || onHead
}
