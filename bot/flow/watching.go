package flow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"switchback/bot/incident"
)

// Pages reads status pages. open are the incidents that were open at the last read. Its error is an incident.Unread, or
// anything else: then only the log says why.
type Pages interface {
	Read(ctx context.Context, page string, open []string) (incident.Reading, error)
}

const readTakeover = 20 * time.Second // a read that a dead process began is begun again: longer than any takes

// Watch begins to read the status pages, and to look once a month whether all is ready. It returns at once; what it has
// begun goes on by timers, and is begun anew by the next Watch where they were lost. Several processes may do it: a page
// is read by one at a time.
func (s *Service) Watch(ctx context.Context) error {
	if err := s.remindMonthly(ctx); err != nil {
		return fmt.Errorf("remind once a month: %w", err)
	}
	if s.pages == nil {
		return nil
	}
	for _, p := range s.routing.Pages {
		e := Event{ID: "look/" + p.ID + "/" + rand.Text()[:8], At: time.Now(), What: Look{Page: p.ID}}
		if _, err := s.Accept(ctx, e); err != nil {
			return fmt.Errorf("watch %s: %w", p.ID, err)
		}
	}
	return nil
}

// Hear takes in what a page's notification said. When it returns without error, that is safe.
func (s *Service) Hear(ctx context.Context, page string, n incident.Notice) error {
	_, err := s.Accept(ctx, Event{ID: "notice/" + page + "/" + rand.Text()[:16], At: time.Now(), What: Noticed{Page: page, Notice: n}})
	return err
}

// readPage reads a page. That it cannot be read is an answer too.
func (s *Service) readPage(ctx context.Context, t Task) PageRead {
	out := PageRead{Page: t.Page, Why: "nobody reads it here"}
	if s.pages == nil {
		return out
	}
	r, err := s.pages.Read(ctx, t.Page, t.Open)
	if err == nil {
		return PageRead{Page: t.Page, Reading: &r}
	}
	zerolog.Ctx(ctx).Warn().Err(err).Str("page", t.Page).Msg("the status page cannot be read")
	out.Why = "it cannot be read"
	if u, ok := errors.AsType[incident.Unread](err); ok {
		out.Why, out.After = u.Why, u.After
	}
	return out
}

// sights are the status pages, as they were read last.
func (s *Service) sights(ctx context.Context) ([]Sight, error) {
	if s.pages == nil || len(s.routing.Pages) == 0 {
		return nil, nil
	}
	var ids []string
	for _, p := range s.routing.Pages {
		ids = append(ids, p.ID)
	}
	watched, err := s.store.Watches(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load the status pages: %w", err)
	}
	out := make([]Sight, len(ids))
	for i, p := range s.routing.Pages {
		out[i] = Sight{Page: p.WithDefaults(), Watch: watched[i].Value}
	}
	return out, nil
}

// onPage decides an event of a status page, one at a time for each page.
func (s *Service) onPage(ctx context.Context, b *batch, id string) error {
	page, ok := s.routing.Find(id)
	if !ok || s.pages == nil {
		b.gone()
		return nil
	}
	watched, err := s.store.Watches(ctx, []string{id})
	if err != nil {
		return fmt.Errorf("load page %s: %w", id, err)
	}
	b.watch = watched[0]
	have, err := s.store.Cases(ctx, id, wanted(b.event.What, b.watch.Value))
	if err != nil {
		return fmt.Errorf("load the incidents of page %s: %w", id, err)
	}
	cases := make(map[string]Case, len(have))
	for id, c := range have {
		cases[id] = c.Value
	}
	b.event.Desk.Outside, b.event.Desk.Unread = s.outsidePage(ctx, page, b.event.What)
	next, changed, effects, err := StepPage(s.policy, page, b.watch.Value, cases, b.event)
	if err != nil {
		return fmt.Errorf("%w: %w", errUndecided, err)
	}
	b.watch.Value = next
	b.save.Watch = &b.watch
	for id, c := range changed {
		b.save.Cases = append(b.save.Cases, Doc[Case]{have[id].Version, c})
	}
	slices.SortFunc(b.save.Cases, func(x, y Doc[Case]) int { return strings.Compare(x.Value.Incident.ID, y.Value.Incident.ID) })
	for _, effect := range effects {
		switch f := effect.(type) {
		case Show:
			b.post(f)
		case Remind:
			b.save.Timers = append(b.save.Timers, Timer{pageTimers + id + "/" + f.Timer, f.At})
		case Audit:
			b.audit = append(b.audit, entry{ofPage: true, what: f})
		case Consult:
			t := Task{Page: id, Open: f.Open}
			b.save.Work = append(b.save.Work, Work{ID: b.id(), Task: &t, After: b.event.At.Add(readTakeover)})
		case Say:
			f.Said.Outage = f.Outage
			b.send(f.Said, b.event.At)
		case Forget:
			if c, ok := have[f.ID]; ok {
				b.save.Forgot = append(b.save.Forgot, c)
			}
		case Enter:
			if err := s.newWalk(ctx, b, nil, f); err != nil {
				return err
			}
		case Form, List, Read, Start, Restore, Resume, Hand, Know, Nudge, Point:
			return fmt.Errorf("%w: page %s: %T is no effect of a page", errUndecided, id, f)
		}
	}
	return nil
}

// outsidePage is outside for the places of a status page.
func (s *Service) outsidePage(ctx context.Context, page incident.Page, what What) (outside, unread map[string]bool) {
	_, due := what.(Due)
	if _, look := what.(Look); due || look { // these show nothing
		return nil, nil
	}
	var places []Place
	for _, platform := range s.policy.Surfaces {
		for _, r := range s.policy.Channels {
			places = append(places, r.on(platform))
		}
		places = append(places, Place{Platform: platform, Channel: page.Channel.On(platform)})
		for _, a := range page.Also {
			places = append(places, Place{Platform: platform, Channel: a.Channel.On(platform)})
		}
	}
	return s.readBy(ctx, places)
}

// wanted are the incidents that an event may touch.
func wanted(what What, w Watch) []string {
	var out []string
	switch what := what.(type) {
	case PageRead:
		for _, b := range w.Briefs {
			out = append(out, b.ID)
		}
		for _, h := range w.Hints {
			out = append(out, h.ID)
		}
		if what.Reading != nil {
			for _, s := range what.Reading.Incidents {
				out = append(out, s.ID)
			}
		}
	case Press:
		_, id, _ := strings.Cut(what.Action.Incident, "/")
		out = append(out, id)
	case Took:
		out = append(out, what.ID)
	case Command, Catalogue, Readings, Due, Begun, Stepped, Noticed, Look, PageSaid, Undelivered, Returned:
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// send makes an event of its own of what another document should know.
func (b *batch) send(what What, at time.Time) {
	e := Event{ID: b.id(), At: at, What: what}
	b.save.Work = append(b.save.Work, Work{ID: e.ID, Event: &e, After: at.Add(takeover)})
}

// freshen reads the pages whose last read is old, for somebody who is about to look.
func (s *Service) freshen(b *batch) {
	for _, sight := range b.event.Desk.Pages {
		if w := sight.Watch; w.Reading == "" && b.event.At.Sub(w.Read) > pollOpen {
			b.send(Look{Page: sight.Page.ID}, b.event.At)
		}
	}
}
