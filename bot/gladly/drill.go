package gladly

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"switchback/bot/change"
)

// Drill is the same screens for people who practise: under other keys, so that nothing of a drill is mistaken for the
// real thing, and with the word to read and not to save. It is a change.Platform.
type Drill struct{ screens *Platform }

// NewDrill returns the drill platform of an organisation without problems.
func NewDrill(org Organisation) *Drill { return &Drill{NewPlatform(org)} }

// DrillName is the first word of its keys.
const DrillName = change.DrillPrefix + platformName

func practice(k change.Key) change.Key { return change.DrillPrefix + k }

func actual(k change.Key) change.Key {
	return change.Key(strings.TrimPrefix(string(k), change.DrillPrefix))
}

// Resources lists what can be practised on.
func (d *Drill) Resources(ctx context.Context) ([]change.Resource, error) {
	all, err := d.screens.Resources(ctx)
	for i := range all {
		all[i].Key = practice(all[i].Key)
	}
	return all, err
}

// Plan is that of the real screens.
func (d *Drill) Plan(r change.Request) ([]change.Step, error) {
	r.Resources = slices.Clone(r.Resources)
	for i, one := range r.Resources {
		if one.Key.Platform() == DrillName {
			r.Resources[i].Key = actual(one.Key)
		}
	}
	steps, err := d.screens.Plan(r)
	for i := range steps {
		steps[i].Key = practice(steps[i].Key)
	}
	return steps, err
}

// Read returns ErrNotReadable.
func (d *Drill) Read(_ context.Context, k change.Key) (change.Value, error) {
	return change.Value{}, fmt.Errorf("read %s: %w", k, ErrNotReadable)
}

// Write returns change.ErrRefused.
func (d *Drill) Write(_ context.Context, k change.Key, _, _ change.Value) error {
	return fmt.Errorf("write %s: %w: it is a drill", k, change.ErrRefused)
}

// Guide leads to the screen, and says what would be clicked there. No customer meets anything, so there is nothing to
// look at as one.
func (d *Drill) Guide(k change.Key, want change.Value) change.Guide {
	g := d.screens.Guide(actual(k), want)
	if g.Screen == "" {
		return g
	}
	g.Check, g.Words = "", nil
	g.Warning = strings.TrimSpace("This is a drill: open the screen, read the value, do NOT save. " + g.Warning)
	g.Click = "In an outage: " + g.Click
	return g
}
