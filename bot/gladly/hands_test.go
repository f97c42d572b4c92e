package gladly_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/gladly"
	"switchback/bot/gladly/gladlytest"
)

// oldMessage has what gets lost on the way: HTML, quotes of both kinds, a link, an emoji, line breaks, a space at the end.
const oldMessage = "We're “closed”. See <a href=\"https://help.example.com/faq?a=1&b=2\">help</a> &amp; more ☎️\r\n<form>…</form> \n"

const help = "gladly/chat/help-centre/"

func number(n int) change.Key {
	return change.Key(fmt.Sprintf("gladly/voice/+1650555010%d/initial-ivr", n))
}

// crew are people who follow the bot's guides on a Gladly in memory. They are as careful as the guide, and no more.
type crew struct {
	t        *testing.T
	gladly   *gladlytest.Gladly
	platform *gladly.Platform
	zone     *time.Location
	record   change.Record
	peace    map[change.Key]string
	keys     []change.Key
	now      time.Time
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	day := gladlytest.Day{From: "08:00", To: "20:00"}
	off := gladlytest.Day{Closed: true, From: "09:00", To: "17:00"}
	c := &crew{t: t, zone: zone(t, "America/Los_Angeles"), peace: map[change.Key]string{}, now: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)}
	setup := gladlytest.Setup{
		Zone: c.zone, Administrators: []string{"ana", "sam"},
		IVRs: []gladlytest.IVR{
			{Name: "Main menu", Published: true, Says: "Press 1."},
			{Name: "Repairs menu", Published: true, Says: "Press 2."},
			{Name: "Voicemail Only", Published: true, Says: "Leave a message.", Voicemail: true},
			{Name: "Queue music", Published: true},
		},
		Apps: []gladlytest.App{{
			ID: "help-centre", Name: "Help centre", Unavailable: oldMessage,
			Hours: map[change.Weekday]gladlytest.Day{
				"monday": day, "tuesday": day, "wednesday": day, "thursday": {From: "08:00", To: "22:00"}, "friday": day, "saturday": off, "sunday": off,
			},
		}},
	}
	org := gladly.Organisation{Apps: []gladly.App{{ID: "help-centre", Name: "Help centre", Outage: "Chat is down. Write to <help@acme.example>."}}}
	for i, ivr := range []string{"Main menu", "", "Repairs menu", "Main menu", "Main menu"} { // 2 is blank
		n := fmt.Sprintf("+1650555010%d", i+1)
		setup.Numbers = append(setup.Numbers, gladlytest.Number{Number: n, InitialIVR: ivr, QueueIVR: "Queue music"})
		org.Numbers = append(org.Numbers, gladly.Number{Number: n})
	}
	c.gladly, c.platform = gladlytest.New(setup), gladly.NewPlatform(org)
	all, err := c.platform.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		c.keys = append(c.keys, r.Key)
		c.peace[r.Key] = c.see(r.Key)
	}
	return c
}

func (c *crew) admin(name string) *gladlytest.Admin {
	c.t.Helper()
	a, err := c.gladly.SignIn(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *crew) see(k change.Key) string {
	c.t.Helper()
	raw, err := c.admin("ana").See(k)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

// change confirms a plan for so long from now on.
func (c *crew) change(action string, until time.Duration) {
	c.t.Helper()
	catalogue, err := c.platform.Resources(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	steps, err := c.platform.Plan(change.Request{Action: action, From: c.now, Until: c.now.Add(until), Zone: c.zone, Resources: catalogue})
	if err != nil {
		c.t.Fatal(err)
	}
	if c.record, err = c.record.Begin(steps, c.now); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crew) restore() { c.record = c.record.PutBack(nil, "ana", c.now) }

// with applies f to a step.
func (c *crew) with(k change.Key, f func(change.Step) (change.Step, error)) error {
	next, err := c.record.With(k, f)
	if err == nil {
		c.record = next
	}
	return err
}

// take and the others are what a person does and says about one step, in the order of its life.
func (c *crew) take(who string, k change.Key) error {
	return c.with(k, func(s change.Step) (change.Step, error) {
		return change.Take(s, change.Holder{ID: who, Name: who, Since: c.now})
	})
}

func (c *crew) look(who string, k change.Key) error {
	v := value(c.see(k))
	return c.with(k, func(s change.Step) (change.Step, error) {
		switch s.State {
		case change.Planned:
			return change.NoteBefore(s, v, who, c.now)
		case change.Unknown:
			return change.Seen(s, v, who, c.now)
		default:
			return s, nil
		}
	})
}

// click does what the guide says.
func (c *crew) click(who string, k change.Key) error {
	err := c.with(k, func(s change.Step) (change.Step, error) { return change.Clicking(s, c.now) })
	if err != nil {
		return err
	}
	s, _ := c.record.Step(k)
	to := s.Want
	if s.Back {
		to = s.Before.Value
	}
	guide := c.platform.Guide(k, to)
	if strings.Contains(string(k), "/voice/") && !strings.Contains(guide.Warning, "DO NOT change the Queue IVR") {
		c.t.Errorf("the guide of %s does not warn of the Queue IVR", k)
	}
	raw := string(to.Raw)
	if len(guide.Words) > 0 {
		raw = guide.Words[0] // what is to be copied is all that people have
	}
	return c.admin(who).Do(k, raw)
}

func (c *crew) saved(who string, k change.Key) error {
	return c.with(k, func(s change.Step) (change.Step, error) { return change.Saved(s, who, c.now) })
}

// work does all that is left, at most n steps.
func (c *crew) work(who string, n int) {
	c.t.Helper()
	for _, task := range change.Next(c.record) {
		if n == 0 {
			return
		}
		k := task.Key
		if s, _ := c.record.Step(k); s.Holder != nil && s.Holder.ID != who {
			continue
		}
		n--
		if err := c.take(who, k); err != nil {
			continue // a question, not a click
		}
		if err := c.look(who, k); err != nil {
			c.t.Fatalf("look at %s: %v", k, err)
		}
		if s, _ := c.record.Step(k); !slices.Contains(change.Next(c.record), change.Task{Key: k, Do: task.Do}) && s.State != change.IsSet && s.State != change.Recorded {
			continue // what was seen has settled it
		}
		if err := c.click(who, k); errors.Is(err, change.ErrMoved) {
			continue
		} else if err != nil {
			c.t.Fatalf("click %s: %v", k, err)
		}
		if err := c.saved(who, k); err != nil {
			c.t.Fatalf("saved %s: %v", k, err)
		}
	}
}

// all checks that all steps are in one state.
func (c *crew) all(want change.State) {
	c.t.Helper()
	for _, s := range c.record.Steps {
		if s.State != want {
			c.t.Errorf("%s is %s, want %s", s.Key, s.State, want)
		}
	}
}

// asBefore checks every setting of Gladly, those nobody touched too; except holds what should be otherwise.
func (c *crew) asBefore(except map[change.Key]string) {
	c.t.Helper()
	want, got := maps.Clone(c.peace), map[change.Key]string{}
	maps.Copy(want, except)
	for _, k := range c.keys {
		got[k] = c.see(k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("Gladly (-want +got):\n%s", diff)
	}
	numbers, err := c.admin("ana").Numbers()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range numbers {
		if n.QueueIVR != "Queue music" {
			c.t.Errorf("the Queue IVR of %s is %q", n.Number, n.QueueIVR)
		}
	}
}

func value(raw string) change.Value {
	text := raw
	if text == "" {
		text = "Blank"
	}
	return change.Value{Raw: []byte(raw), Text: text}
}

func TestHands(t *testing.T) {
	const wednesday, thursday, saturday = change.Key(help + "hours/wednesday"), change.Key(help + "hours/thursday"), change.Key(help + "hours/saturday")
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("trap 1: tomorrow in UTC is today in Gladly", func(t *testing.T) {
		c := newCrew(t)
		c.now = time.Date(2026, 11, 26, 2, 30, 0, 0, time.UTC) // Wednesday 18:30 there, the next day in UTC and New York is near
		c.change(change.CloseChat, time.Hour)
		c.work("ana", -1)
		if seen, err := c.gladly.Visit("help-centre", c.now); err != nil || seen.Chat {
			t.Errorf("a visitor sees %+v, %v, want no chat", seen, err)
		}
		if got := c.see(thursday); got != "08:00-22:00" {
			t.Errorf("Thursday is %s", got)
		}
		c.restore()
		c.work("ana", -1)
		c.asBefore(nil)
	})
	t.Run("trap 2: each weekday that an outage touched comes back", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.CloseChat, time.Hour)
		c.work("ana", -1)
		c.now = c.now.Add(13 * time.Hour) // 23:00 there: extended over midnight
		c.change(change.CloseChat, 10*time.Hour)
		c.work("sam", -1)
		if got := []string{c.see(wednesday), c.see(thursday)}; !slices.Equal(got, []string{"closed", "closed"}) {
			t.Errorf("Wednesday and Thursday are %q", got)
		}
		c.now = c.now.Add(12 * time.Hour) // Thursday there
		c.restore()
		c.work("sam", -1)
		c.asBefore(nil)
		c.all(change.Restored)
	})
	t.Run("trap 3: a day that was closed before stays closed", func(t *testing.T) {
		c := newCrew(t)
		c.now = time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC) // a Saturday; nobody wrote its hours down
		c.change(change.CloseChat, time.Hour)
		c.work("ana", -1)
		if s, _ := c.record.Step(saturday); s.State != change.Adopted || s.Before != nil {
			t.Errorf("Saturday is %s, want adopted: it was closed before us", s.State)
		}
		c.restore()
		var err error
		c.record, err = c.record.Tell(saturday, change.Adopted, change.Leave, change.Value{}, "ana", "it is a weekend", c.now)
		must(t, err)
		c.work("ana", -1)
		c.asBefore(nil)
		if phase := c.record.Phase(); phase != change.Ended {
			t.Errorf("it is %s, want ended", phase)
		}
	})
	t.Run("trap 4: the same weekday a week later is not noted again", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.CloseChat, time.Hour)
		c.work("ana", -1)
		for range 8 {
			c.now = c.now.AddDate(0, 0, 1)
			c.change(change.CloseChat, 3*time.Hour)
			c.work("sam", -1)
		}
		if s, _ := c.record.Step(wednesday); string(s.Before.Value.Raw) != "08:00-20:00" || len(c.record.Steps) != 8 {
			t.Errorf("Wednesday before: %q, in %d steps; want 08:00-20:00, and 7 days and a message", s.Before.Value.Raw, len(c.record.Steps))
		}
		c.restore()
		for _, k := range []change.Key{saturday, help + "hours/sunday"} {
			var err error
			c.record, err = c.record.Tell(k, change.Adopted, change.Leave, change.Value{}, "ana", "it is a weekend", c.now)
			must(t, err)
		}
		c.work("ana", -1)
		c.asBefore(nil)
	})
	t.Run("trap 5: what the outage itself set is never the value before", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", 2)
		c.change(change.PhonesToVoicemail, time.Hour) // a second one, while two of five are set
		c.work("sam", -1)
		c.all(change.IsSet)
		c.restore()
		c.work("sam", -1)
		c.asBefore(nil)
	})
	t.Run("trap 6: somebody clicked before us, and the true value is asked for", func(t *testing.T) {
		c := newCrew(t)
		must(t, c.admin("sam").Do(number(3), "Voicemail Only"))
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", -1)
		c.restore()
		c.work("ana", -1)
		c.asBefore(map[change.Key]string{number(3): "Voicemail Only"}) // nobody said yet what should come back
		var err error
		c.record, err = c.record.Tell(number(3), change.Adopted, change.Name, value("Repairs menu"), "sam", "", c.now)
		must(t, err)
		c.work("ana", -1)
		c.asBefore(nil)
	})
	t.Run("trap 7: somebody else goes on where one stopped after the click", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", 3)
		must(t, c.take("ana", number(4)))
		must(t, c.look("ana", number(4)))
		must(t, c.click("ana", number(4))) // and leaves, without a word
		must(t, c.with(number(4), func(s change.Step) (change.Step, error) { return change.GiveBack(s, c.now) }))
		if s, _ := c.record.Step(number(4)); s.State != change.Unknown {
			t.Errorf("it is %s, want unknown", s.State)
		}
		must(t, c.take("sam", number(4)))
		must(t, c.look("sam", number(4))) // Gladly shows Voicemail Only: nothing to click
		c.work("sam", -1)
		c.all(change.IsSet)
		c.restore()
		c.work("sam", -1)
		c.asBefore(nil)
	})
	t.Run("trap 8: what somebody changed meanwhile is not overwritten", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", -1)
		must(t, c.admin("sam").Do(number(1), "Repairs menu"))
		c.restore()
		must(t, c.take("ana", number(1)))
		must(t, c.with(number(1), func(s change.Step) (change.Step, error) { return change.Clicking(s, c.now) }))
		must(t, c.with(number(1), func(s change.Step) (change.Step, error) { // "it shows something else"
			return change.Seen(s, value(c.see(number(1))), "ana", c.now)
		}))
		s, _ := c.record.Step(number(1))
		if s.State != change.Conflict || string(s.Before.Value.Raw) != "Main menu" || string(s.Now.Raw) != "Repairs menu" {
			t.Errorf("the step is %+v, want a question with before, set and now", s)
		}
		c.work("ana", -1)
		c.asBefore(map[change.Key]string{number(1): "Repairs menu"})
		var err error
		c.record, err = c.record.Tell(number(1), change.Conflict, change.Overwrite, change.Value{}, "ana", "", c.now)
		must(t, err)
		c.work("ana", -1)
		c.asBefore(nil)
	})
	t.Run("trap 9: a number that had no IVR is blank again", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", -1)
		if s, _ := c.record.Step(number(2)); s.Before == nil || len(s.Before.Value.Raw) != 0 || s.Before.Value.Text != "Blank" {
			t.Errorf("before: %+v, want blank", s.Before)
		}
		c.restore()
		if g := c.platform.Guide(number(2), value("")); !strings.Contains(g.Click, "Clear Initial IVR") {
			t.Errorf("the guide says %q", g.Click)
		}
		c.work("ana", -1)
		c.asBefore(nil)
	})
	t.Run("trap 9: an IVR that is gone is left by name, and the rest comes back", func(t *testing.T) {
		for what, gone := range map[string]func(*gladlytest.Admin) error{
			"deleted":     func(a *gladlytest.Admin) error { return a.DeleteIVR("Repairs menu") },
			"unpublished": func(a *gladlytest.Admin) error { return a.UnpublishIVR("Repairs menu") },
			"renamed":     func(a *gladlytest.Admin) error { return a.RenameIVR("Repairs menu", "Repairs") },
		} {
			t.Run(what, func(t *testing.T) {
				c := newCrew(t)
				c.change(change.PhonesToVoicemail, time.Hour)
				c.work("ana", -1)
				must(t, gone(c.admin("sam")))
				c.restore()
				must(t, c.take("ana", number(3)))
				if err := c.click("ana", number(3)); !errors.Is(err, gladlytest.ErrNotThere) {
					t.Fatalf("click = %v, want that Gladly does not offer it", err)
				}
				must(t, c.admin("ana").Do(number(3), "Main menu")) // chosen instead
				var err error
				c.record, err = c.record.Tell(number(3), change.RestoreIntent, change.Leave, change.Value{}, "ana", "Repairs menu is gone; set to Main menu", c.now)
				must(t, err)
				c.work("ana", -1)
				c.asBefore(map[change.Key]string{number(3): "Main menu"})
				if phase := c.record.Phase(); phase != change.Ended {
					t.Errorf("it is %s, want ended", phase)
				}
			})
		}
	})
	t.Run("trap 9: of two IVRs with one name the name comes back", func(t *testing.T) {
		c := newCrew(t)
		must(t, c.admin("sam").CreateIVR(gladlytest.IVR{Name: "Main menu", Says: "The new one."}))
		must(t, c.admin("sam").PublishIVR("Main menu", "again"))
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", -1)
		c.restore()
		c.work("ana", -1)
		c.asBefore(nil)
		// Which of them is what only a call tells, and so it is asked for.
		if g := c.platform.Guide(number(1), value("Main menu")); !strings.Contains(g.Check, `do you hear what "Main menu" says?`) {
			t.Errorf("nobody is asked to call: %q", g.Check)
		}
	})
	t.Run("trap 10: the Queue IVR cannot be asked for, and changing it fails", func(t *testing.T) {
		c := newCrew(t)
		for _, k := range c.keys {
			if strings.Contains(strings.ToLower(string(k)), "queue") {
				t.Errorf("%s is a setting", k)
			}
		}
		err := c.admin("ana").EditNumber("+16505550101", func(n *gladlytest.Number) { n.InitialIVR, n.QueueIVR = "Voicemail Only", "Voicemail Only" })
		if !errors.Is(err, gladlytest.ErrQueueIVR) {
			t.Errorf("changing the Queue IVR = %v, want ErrQueueIVR", err)
		}
		c.asBefore(nil)
	})
	t.Run("trap 11: the old message comes back byte for byte", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.CloseChat, time.Hour)
		c.work("ana", -1)
		if seen, err := c.gladly.Visit("help-centre", c.now); err != nil || seen.Message != "Chat is down. Write to <help@acme.example>." {
			t.Errorf("a visitor reads %q, %v", seen.Message, err)
		}
		c.restore()
		c.work("sam", -1)
		if got := c.see(help + "unavailable-message"); got != oldMessage {
			t.Errorf("the message is %q, want %q", got, oldMessage)
		}
	})
	t.Run("trap 14: a press that comes twice, or late, changes nothing", func(t *testing.T) {
		c := newCrew(t)
		c.change(change.PhonesToVoicemail, time.Hour)
		c.work("ana", 1)
		before := c.record
		for what, err := range map[string]error{
			"saved again":                  c.saved("ana", number(1)),
			"saved by somebody else":       c.saved("sam", number(1)),
			"taken when it is done":        c.take("sam", number(1)),
			"saved what nobody clicked":    c.saved("sam", number(2)),
			"clicks before the old value":  c.with(number(2), func(s change.Step) (change.Step, error) { return change.Clicking(s, c.now) }),
			"the old value after the fact": c.with(number(1), func(s change.Step) (change.Step, error) { return change.NoteBefore(s, value("x"), "sam", c.now) }),
		} {
			if !errors.Is(err, change.ErrMoved) {
				t.Errorf("%s = %v, want ErrMoved", what, err)
			}
		}
		must(t, c.take("ana", number(2)))
		if err := c.take("sam", number(2)); !errors.Is(err, change.ErrMoved) {
			t.Errorf("taken from somebody = %v, want ErrMoved", err)
		}
		must(t, c.with(number(2), func(s change.Step) (change.Step, error) { return change.GiveBack(s, c.now) }))
		if diff := cmp.Diff(before.Steps[0], c.record.Steps[0]); diff != "" {
			t.Errorf("the step (-want +got):\n%s", diff)
		}
	})
}

// While nobody can log in nothing can be clicked, callers hear Gladly's own words, and nothing that was said of the
// settings changes.
func TestNobodyCanLogIn(t *testing.T) {
	c := newCrew(t)
	admin := c.admin("ana")
	c.gladly.NobodyCanLogIn(true)
	if err := admin.Do(number(1), "Voicemail Only"); !errors.Is(err, gladlytest.ErrNoLogin) {
		t.Errorf("a click = %v, want ErrNoLogin", err)
	}
	if heard, err := c.gladly.Call(t.Context(), "+16505550101"); err != nil || heard.Says != gladlytest.Fixed || heard.Voicemail || heard.Agent {
		t.Errorf("a caller hears %+v, %v", heard, err)
	}
	c.gladly.NobodyCanLogIn(false)
	c.asBefore(nil)
}
