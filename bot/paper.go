package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"switchback/bot/change"
	"switchback/bot/gladly"
)

// lists writes what bot tree --with-lists prints below the playbook: the organisation's own people, numbers and apps, to
// fill in with a pen on the day on which neither chat nor this bot can be reached.
func lists(ctx context.Context, w io.Writer, org organisation) error {
	platform := gladly.NewPlatform(org.Gladly)
	all, err := platform.Resources(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var admins []string
	for _, p := range org.People {
		if p.GladlyAdmin {
			admins = append(admins, p.Name)
		}
	}
	line("\n\nLISTS OF %s", strings.ToUpper(org.Name))
	line("\nWeekdays and hours are those of %s.", org.Location())
	line("Responders: %s", strings.Join(org.Responders, ", "))
	line("Gladly administrators: %s", strings.Join(admins, ", "))
	line("When nobody can log in: %s", org.SupportFormURL)
	line("Customers can also:")
	for _, way := range org.Ways {
		line("   %s", way.Text)
	}
	screen, target := "", ""
	for _, r := range all {
		g := platform.Guide(r.Key, change.Value{})
		if g.Screen != screen {
			screen, target = g.Screen, ""
			line("\n\n%s\n", strings.ToUpper(screen))
			line("Before you change anything, write down what is there.\n%s", strings.ReplaceAll(g.Warning, ". ", ".\n"))
		}
		if r.Label != target {
			target = r.Label
			line("\n%s", target)
		}
		line("   %-12s now: ____________________   changed at: ______   back at: ______", r.Name)
		if r.Known != nil && len(r.Known.Raw) > 0 {
			line("   %12s in peace time%s: %s", "", asOf(r), strings.Join(strings.Fields(r.Known.Text), " "))
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// asOf says when a known value was looked up.
func asOf(r change.Resource) string {
	if r.AsOf.IsZero() {
		return ""
	}
	return " (" + r.AsOf.Format(time.DateOnly) + ")"
}
