package gladlytest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"switchback/bot/change"
)

// Admin is an administrator's browser, logged in. Each page it opens or saves needs the login to work still.
type Admin struct{ gladly *Gladly }

// SignIn logs somebody in.
func (g *Gladly) SignIn(name string) (*Admin, error) {
	if !slices.Contains(g.admins, name) {
		return nil, fmt.Errorf("%s: %w", name, ErrNotAdministrator)
	}
	a := &Admin{g}
	return a, a.open(func() error { return nil })
}

// open does something on a page.
func (a *Admin) open(do func() error) error {
	a.gladly.mu.Lock()
	defer a.gladly.mu.Unlock()
	if a.gladly.down {
		return ErrNoLogin
	}
	return do()
}

// Numbers is Settings > Voice.
func (a *Admin) Numbers() (out []Number, err error) {
	err = a.open(func() error {
		out = slices.Clone(a.gladly.numbers)
		return nil
	})
	return out, err
}

// EditNumber opens a number, lets edit change its line, and saves it.
func (a *Admin) EditNumber(number string, edit func(*Number)) error {
	return a.open(func() error {
		i := slices.IndexFunc(a.gladly.numbers, func(n Number) bool { return n.Number == number })
		if i < 0 {
			return fmt.Errorf("%w: the number %s", ErrNotThere, number)
		}
		was := a.gladly.numbers[i]
		now := was
		edit(&now)
		if now.QueueIVR != was.QueueIVR {
			return fmt.Errorf("%s: %w", number, ErrQueueIVR)
		}
		if now.InitialIVR != was.InitialIVR { // what is selected stays selected, published or not
			if err := a.gladly.selectable(now.InitialIVR); err != nil {
				return err
			}
		}
		a.gladly.numbers[i].InitialIVR = now.InitialIVR
		return nil
	})
}

// App is Settings > Glad App > the app > Configure, as it is when the page opens.
func (a *Admin) App(id string) (out App, err error) {
	err = a.open(func() error {
		i, err := a.gladly.app(id)
		if err == nil {
			out = a.gladly.apps[i].clone()
		}
		return err
	})
	return out, err
}

var clock = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$|^24:00$`)

// SaveApp saves the page: the hours and the message at once. Whoever saves last wins: an assumption.
func (a *Admin) SaveApp(page App) error {
	return a.open(func() error {
		i, err := a.gladly.app(page.ID)
		if err != nil {
			return err
		}
		for d, h := range page.Hours {
			if !h.Closed && (!clock.MatchString(h.From) || !clock.MatchString(h.To) || h.From >= h.To) {
				return fmt.Errorf("%w: %s from %q to %q", ErrNotThere, d, h.From, h.To)
			}
		}
		a.gladly.apps[i].Hours, a.gladly.apps[i].Unavailable = page.clone().Hours, page.Unavailable
		return nil
	})
}

// Throttle is Control incoming chats: the percentage of chats that are let in.
func (a *Admin) Throttle(id string, percent int) error {
	return a.open(func() error {
		i, err := a.gladly.app(id)
		if err == nil {
			a.gladly.apps[i].Throttle = percent
		}
		return err
	})
}

func (g *Gladly) app(id string) (int, error) {
	i := slices.IndexFunc(g.apps, func(a App) bool { return a.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("%w: the Glad App %s", ErrNotThere, id)
	}
	return i, nil
}

// IVRs is Settings > IVR.
func (a *Admin) IVRs() (out []IVR, err error) {
	err = a.open(func() error {
		out = slices.Clone(a.gladly.ivrs)
		return nil
	})
	return out, err
}

// CreateIVR is Create New IVR, up to Publish. Names need not be unique.
func (a *Admin) CreateIVR(v IVR) error {
	v.Published, v.Note = false, ""
	return a.open(func() error {
		a.gladly.ivrs = append(a.gladly.ivrs, v)
		return nil
	})
}

// PublishIVR publishes the first IVR of that name, with a note.
func (a *Admin) PublishIVR(name, note string) error {
	return a.editIVR(name, func(v *IVR) { v.Published, v.Note = true, note })
}

// UnpublishIVR takes it back. Numbers that have it keep it, and callers go on without a menu: an assumption.
func (a *Admin) UnpublishIVR(name string) error {
	return a.editIVR(name, func(v *IVR) { v.Published = false })
}

// RenameIVR renames it, on the numbers that have it too.
func (a *Admin) RenameIVR(name, to string) error {
	return a.open(func() error {
		i := slices.IndexFunc(a.gladly.ivrs, func(v IVR) bool { return v.Name == name })
		if i < 0 {
			return fmt.Errorf("%w: the IVR %q", ErrNotThere, name)
		}
		a.gladly.ivrs[i].Name = to
		for i := range a.gladly.numbers {
			if a.gladly.numbers[i].InitialIVR == name {
				a.gladly.numbers[i].InitialIVR = to
			}
		}
		return nil
	})
}

// DeleteIVR deletes it, unless a number has it: an assumption.
func (a *Admin) DeleteIVR(name string) error {
	return a.open(func() error {
		for _, n := range a.gladly.numbers {
			if n.InitialIVR == name || n.QueueIVR == name {
				return fmt.Errorf("gladly: %s uses %q", n.Number, name)
			}
		}
		before := len(a.gladly.ivrs)
		a.gladly.ivrs = slices.DeleteFunc(a.gladly.ivrs, func(v IVR) bool { return v.Name == name })
		if len(a.gladly.ivrs) == before {
			return fmt.Errorf("%w: the IVR %q", ErrNotThere, name)
		}
		return nil
	})
}

func (a *Admin) editIVR(name string, edit func(*IVR)) error {
	return a.open(func() error {
		i := slices.IndexFunc(a.gladly.ivrs, func(v IVR) bool { return v.Name == name })
		if i < 0 {
			return fmt.Errorf("%w: the IVR %q", ErrNotThere, name)
		}
		edit(&a.gladly.ivrs[i])
		return nil
	})
}

// See looks at what the bot's key names, and returns it as the bot writes it down.
func (a *Admin) See(k change.Key) (string, error) {
	words := strings.Split(string(k), "/")
	switch {
	case len(words) == 4 && words[1] == "voice" && words[3] == "initial-ivr":
		all, err := a.Numbers()
		i := slices.IndexFunc(all, func(n Number) bool { return n.Number == words[2] })
		if err != nil || i < 0 {
			return "", fmt.Errorf("see %s: %w", k, orNotThere(err))
		}
		return all[i].InitialIVR, nil
	case len(words) == 4 && words[1] == "chat" && words[3] == "unavailable-message":
		page, err := a.App(words[2])
		return page.Unavailable, err
	case len(words) == 5 && words[1] == "chat" && words[3] == "hours":
		page, err := a.App(words[2])
		return string(page.Hours[change.Weekday(words[4])].hours()), err
	}
	return "", fmt.Errorf("see %s: %w", k, ErrNotThere)
}

// Do clicks what the bot's key names to a value, as the bot writes it down, and saves.
func (a *Admin) Do(k change.Key, raw string) error {
	words := strings.Split(string(k), "/")
	if len(words) > 3 && words[1] == "voice" && words[3] == "initial-ivr" {
		return a.EditNumber(words[2], func(n *Number) { n.InitialIVR = raw })
	}
	if len(words) < 4 || words[1] != "chat" {
		return fmt.Errorf("do %s: %w", k, ErrNotThere)
	}
	page, err := a.App(words[2])
	if err != nil {
		return err
	}
	switch {
	case words[3] == "unavailable-message":
		page.Unavailable = raw
	case words[3] == "hours" && len(words) == 5:
		day := change.Weekday(words[4])
		h := page.Hours[day]
		if h.Closed = raw == string(change.Closed); !h.Closed {
			h.From, h.To, _ = strings.Cut(raw, "-")
		}
		page.Hours[day] = h
	default:
		return fmt.Errorf("do %s: %w", k, ErrNotThere)
	}
	return a.SaveApp(page)
}

func orNotThere(err error) error {
	if err != nil {
		return err
	}
	return ErrNotThere
}

func (d Day) hours() change.Hours {
	if d.Closed || d.From == "" {
		return change.Closed
	}
	return change.Hours(d.From + "-" + d.To)
}
