package flow

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/change"
	"switchback/bot/incident"
	"switchback/bot/tree"
)

// Where an outage goes on when its home is shared, or when nobody knows now whether it is.
func TestMoveOut(t *testing.T) {
	support, inside := Place{Platform: "slack", Channel: "C1"}, Place{Platform: "slack", Channel: "C2"}
	pat := Place{Platform: "teams", Person: "teams:pat"} // took it over there
	yes := map[string]bool{support.Lane(): true, inside.Lane(): true}
	for name, tt := range map[string]struct {
		outside, unread map[string]bool
		want            Place
		line            string
	}{
		"shared":                            {map[string]bool{support.Lane(): true}, nil, inside, "people of other organisations may read #C1 (Slack); its home is #C2 (Slack) now"},
		"shared, and of the other unknown":  {yes, map[string]bool{inside.Lane(): true}, inside, "people of other organisations may read #C1 (Slack); its home is #C2 (Slack) now"},
		"shared, as the other is":           {yes, nil, pat, "people of other organisations may read #C1 (Slack); its home is @pat (Teams) now"},
		"not known now":                     {map[string]bool{support.Lane(): true}, map[string]bool{support.Lane(): true}, support, ""},
		"not known now, as is of the other": {yes, yes, support, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policy{Channels: []Route{{Slack: "C1"}}, Inside: Route{Slack: "C2"}, Surfaces: []string{"slack", "teams"}}
			o := Outage{ID: "chat-1", Channel: "chat", Home: support, Owner: Person{ID: "pat", Account: "teams:pat"}}
			by := Person{ID: "sam", Name: "@sam", Responder: true}
			got, _, err := StepOutage(p, o, change.Record{}, Event{
				ID: "1", At: time.Unix(0, 0), By: by, What: Press{Action: Action{Verb: "look", Outage: o.ID}}, Desk: Desk{Outside: tt.outside, Unread: tt.unread},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Home); diff != "" {
				t.Errorf("its home (-want +got):\n%s", diff)
			}
			var line Line
			for _, l := range got.Timeline {
				line = l
			}
			plain := strings.NewReplacer("\x02", "", "\x03", "")
			if line.Text = plain.Replace(line.Text); line.Text != tt.line || tt.line != "" && line.By != "the bot" {
				t.Errorf("its timeline ends with %+v, want %q", line, tt.line)
			}
		})
	}
}

// Who begins an outage while nobody knows who reads its channel does not keep it to themself.
func TestHomeOf(t *testing.T) {
	support, inside, direct := Place{Platform: "slack", Channel: "C1"}, Place{Platform: "slack", Channel: "C2"}, Place{Platform: "slack", Channel: "D1"}
	lane := func(all ...Place) map[string]bool {
		out := map[string]bool{}
		for _, p := range all {
			out[p.Lane()] = true
		}
		return out
	}
	for name, tt := range map[string]struct {
		desk Desk
		want Place
		ok   bool
	}{
		"all is known":               {Desk{}, support, true},
		"one is known":               {Desk{Outside: lane(support), Unread: lane(support)}, inside, true},
		"nothing is known":           {Desk{Outside: lane(support, inside), Unread: lane(support, inside)}, support, true},
		"both are shared":            {Desk{Outside: lane(support, inside)}, direct, true},
		"people read along all over": {Desk{Outside: lane(support, inside, direct)}, direct, false},
	} {
		p := Policy{Channels: []Route{{Slack: "C1"}}, Inside: Route{Slack: "C2"}, Surfaces: []string{"slack", "teams"}}
		if got, ok := p.homeOf("chat", direct, tt.desk); got != tt.want || ok != tt.ok {
			t.Errorf("%s: homeOf = %+v, %t, want %+v, %t", name, got, ok, tt.want, tt.ok)
		}
	}
}

// An outage that somebody begins in their direct messages has the channel of another chat platform as its home, and is
// shown to them as well.
func TestBegunInDirectMessages(t *testing.T) {
	direct := Place{Platform: "teams", Channel: "a:pat", In: "1"}
	support := Place{Platform: "slack", Channel: "C1"}
	for name, tt := range map[string]struct {
		desk   Desk
		home   Place
		routed []Place
	}{
		"the channel is ours":   {Desk{}, support, []Place{{Platform: "teams", Channel: "a:pat"}}},
		"the channel is shared": {Desk{Outside: map[string]bool{support.Lane(): true}}, Place{Platform: "teams", Channel: "a:pat"}, []Place{support}},
	} {
		p := Policy{Channels: []Route{{Slack: "C1"}}, Surfaces: []string{"slack", "teams"}}
		w := Walk{By: Person{ID: "pat", Account: "teams:pat"}, Place: direct, Outage: "chat-1"}
		o, _, err := StepOutage(p, Outage{}, change.Record{}, Event{ID: "1", At: time.Unix(0, 0), What: Begun{Walk: w, Leaf: tree.Node{ID: "late", Channel: "chat"}}, Desk: tt.desk})
		if err != nil {
			t.Fatal(err)
		}
		if o.Home != tt.home || !slices.Equal(o.Routed, tt.routed) {
			t.Errorf("%s: at home in %+v, shown in %+v; want %+v and %+v", name, o.Home, o.Routed, tt.home, tt.routed)
		}
	}
}

// R64: where people of other organisations read a channel, an incident of a status page is worked on in the inside one.
func TestIncidentInASharedChannel(t *testing.T) {
	for name, tt := range map[string]struct {
		platform Directory
		want     []string
	}{
		"shared":        {shared{"C0VOICE": true}, []string{"C0VOICE", "C0INSIDE"}},
		"ours":          {shared{}, []string{"C0VOICE"}},
		"not known now": {hanging{}, []string{"C0VOICE"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPaper(t)
				p.policy.Inside = Route{Slack: "C0INSIDE"}
				s := New(Config{Policy: p.policy, Directories: map[string]Directory{"slack": tt.platform}})
				p.answer(noon, nil)
				p.step(minute(2), Due{Timer: pollTimer})
				what := PageRead{Page: "gladly", Reading: &incident.Reading{At: minute(2), PageID: "pg", Incidents: []incident.Snapshot{incident.Snapshot{
					Page: "gladly", ID: "i1", Name: "Calls fail", Created: minute(1), At: minute(2), Via: incident.ByRead, Status: "investigating", Impact: "major",
					Components: []incident.Component{{ID: "c1", Name: "Voice", Status: "major_outage"}},
				}.Clean()}}}
				e := Event{ID: "1", At: minute(2), What: what}
				e.Desk.Outside, e.Desk.Unread = s.outsidePage(t.Context(), p.page, what)
				_, _, effects, err := StepPage(p.policy, p.page, p.watch, p.cases, e)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, effect := range effects {
					if show, ok := effect.(Show); ok && len(show.Card.Buttons) > 0 && !slices.Contains(got, show.Place.Channel) {
						got = append(got, show.Place.Channel)
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("its buttons are in %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// shared is a chat platform on which people of other organisations read these channels.
type shared map[string]bool

func (shared) Account(context.Context, string) (Account, error) { return Account{}, nil }

func (shared) Groups() bool { return true }

func (s shared) Outside(_ context.Context, channel string) (bool, error) { return s[channel], nil }

// hanging is a chat platform that takes each question and answers none.
type hanging struct{}

func (hanging) Account(ctx context.Context, _ string) (Account, error) {
	<-ctx.Done()
	return Account{}, ctx.Err()
}

func (hanging) Groups() bool { return true }

func (hanging) Outside(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// A chat platform that hangs costs a decision one short wait, however much is asked, and what the other says counts.
func TestAPlatformThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{
			Directories: map[string]Directory{"slack": hanging{}, "teams": leavers{}},
			Policy: Policy{
				Channels: []Route{{Slack: "C1", Teams: "T1"}}, Inside: Route{Slack: "C2"}, Drills: Route{Slack: "C3"},
				Backup: "sam", Responders: []string{"ana"}, People: []Someone{{Name: "sam", Slack: "U1"}, {Name: "ana", Slack: "U2"}},
			},
		})
		o := Outage{Channel: "chat", Home: Place{Platform: "slack", Channel: "C4"}, Owner: Person{ID: "slack:U3", Account: "slack:U3"}}
		began := time.Now()
		outside, unread := s.outside(t.Context(), o, Event{})
		want := map[string]bool{"slack/C1": true, "slack/C2": true, "slack/C3": true, "slack/C4": true, "teams/T1": false}
		if !maps.Equal(outside, want) || !maps.Equal(unread, want) {
			t.Errorf("outside are %v, unread are %v, want %v", outside, unread, want)
		}
		if took := time.Since(began); took != askFor {
			t.Errorf("who reads was asked for %s, want %s", took, askFor)
		}
		began = time.Now()
		r := change.Record{Steps: []change.Step{{Key: "gladly/a", Holder: &change.Holder{ID: "slack:U4"}}, {Key: "gladly/b", Holder: &change.Holder{ID: "slack:U5"}}}}
		if gone := s.gone(t.Context(), o, r); gone["slack:U3"] || gone["slack:U4"] {
			t.Errorf("gone are %v, want nobody", gone)
		}
		if took := time.Since(began); took != askFor {
			t.Errorf("who left was asked for %s, want %s", took, askFor)
		}
	})
}
