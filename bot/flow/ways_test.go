package flow_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"switchback/bot/card"
	"switchback/bot/change"
	"switchback/bot/flow"
	"switchback/handlers/flags"
	"switchback/store"
)

// way is a whole night as somebody's presses, from the confirm to the restored end.
type way struct {
	name   string
	byHand string // the app that only a person can set
	page   bool   // a page asks the bot
	acts   []act
	stride int // of the short run
}

// act is a press of the first button with this label. Clicks is what a person has set by hand just before it, says what
// they type for shop two into the form that it opens.
type act struct{ who, label, clicks, says string }

const pageFlag = change.Key("flag/chat/page")

// ways are the nights of the crash sweep.
func ways() []way {
	back := []act{{who: "sam", label: "Restore…"}, {who: "sam", label: "Put everything back"}}
	unclick := []act{{who: "sam", label: "I click"}, {who: "sam", label: "Saved", clicks: "09:00-17:00"}}
	return []way{
		{
			name: "all by the bot", stride: 3,
			acts: append([]act{{who: "ana", label: "Close"}}, back...),
		},
		{
			name: "the bot, a page and a person", byHand: "two", page: true, stride: 11,
			acts: slices.Concat([]act{
				{who: "ana", label: "Close"},
				{who: "ana", label: "I click"},
				{who: "ana", label: "All as listed"},
				{who: "ana", label: "Saved", clicks: "closed"},
			}, back, unclick),
		},
		{
			name: "a person mistypes what is there, and it is asked about", byHand: "two", stride: 13,
			acts: slices.Concat([]act{
				{who: "ana", label: "Close"},
				{who: "ana", label: "I click"},
				{who: "ana", label: "Some differ", says: "Snow dya"},
				{who: "sam", label: "09:00-17:00"}, // should come back
				{who: "ana", label: "Saved", clicks: "closed"},
			}, back, unclick),
		},
		{
			name: "a person leaves after the click and before Saved", byHand: "two", stride: 11,
			acts: slices.Concat([]act{
				{who: "ana", label: "Close"},
				{who: "ana", label: "I click"},
				{who: "ana", label: "All as listed"},
				{who: "ana", label: "Give mine back", clicks: "closed"},
				{who: "sam", label: "I click"},
				{who: "sam", label: "Closed"}, // looks first
			}, back, unclick),
		},
	}
}

// before are the true values from before the outage.
func (n *night) before(k change.Key) string {
	if k == pageFlag {
		return "open"
	}
	return newShop(nil).settings[k]
}

// note keeps one line of what happened to a setting.
func (n *night) note(to *[]string, format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*to = append(*to, fmt.Sprintf(format, args...))
}

// watch looks into the store at each call to a platform, and notes the call. A write needs the true value from before, and
// what is about to be done, on record; and the copy of it on its way, or sent.
func (n *night) watch(what string, k change.Key) {
	n.note(&n.trace, "%s %s", k, what)
	if what != "write" {
		return
	}
	i := slices.IndexFunc(n.steps(), func(st change.Step) bool { return st.Key == k })
	if i < 0 {
		n.note(&n.breach, "%s is written, and nothing is on record", k)
		return
	}
	st := n.steps()[i]
	n.wantBefore(st, "is written")
	if st.State != change.Intent && st.State != change.RestoreIntent {
		n.note(&n.breach, "%s is written in state %s", k, st.State)
	}
}

// watchCard wants the value before on record when a person is shown the clicks.
func (n *night) watchCard(c card.Card) {
	if !slices.ContainsFunc(c.Buttons, func(b card.Button) bool { return b.Label == "Saved" }) {
		return
	}
	for _, st := range n.steps() {
		if st.Way == change.Guided && st.Open() {
			n.wantBefore(st, "is clicked")
		}
	}
}

// wantBefore wants the true value from before in the store, or the question whether it is that one, and a copy on its
// way, or sent.
func (n *night) wantBefore(st change.Step, what string) {
	asked := st.Doubt && st.Known != nil && string(st.Known.Raw) == n.before(st.Key)
	if st.Before == nil || string(st.Before.Value.Raw) != n.before(st.Key) && !asked {
		n.note(&n.breach, "%s %s, and the value before is not on record", st.Key, what)
	}
	names, err := n.file.List(context.Background(), "")
	if err != nil {
		n.note(&n.breach, "%v", err)
		return
	}
	for _, name := range names {
		docs, err := n.file.Get(context.Background(), name)
		out := strings.HasPrefix(name, "out:") && err == nil && strings.Contains(string(docs[0].Data), "/before/")
		if out || strings.HasPrefix(name, "sent:") && strings.Contains(name, "/before/") {
			return
		}
	}
	n.note(&n.breach, "%s %s, and no copy of the value before is on its way", st.Key, what)
}

// steps are what is on record now.
func (n *night) steps() []change.Step {
	kept := store.Flow{Store: n.file}
	open, err := kept.Open(context.Background())
	if err != nil {
		n.note(&n.breach, "%v", err)
	}
	var out []change.Step
	for _, o := range open {
		_, r, err := kept.Outage(context.Background(), o.ID)
		if err != nil {
			n.note(&n.breach, "%v", err)
		}
		out = append(out, r.Value.Steps...)
	}
	return out
}

// watchedFlags are the page's flags, looked at like the shop.
type watchedFlags struct {
	*flags.Platform
	n *night
}

func (w watchedFlags) Read(ctx context.Context, k change.Key) (change.Value, error) {
	w.n.shop.trace("read", k)
	return w.Platform.Read(ctx, k)
}

func (w watchedFlags) Write(ctx context.Context, k change.Key, want, was change.Value) error {
	w.n.shop.trace("write", k)
	return w.Platform.Write(ctx, k, want, was)
}

// tracing notes, for each setting, in which state a commit left it.
type tracing struct {
	flow.Store
	n *night
}

func (s tracing) Near(ctx context.Context, a flow.Ahead, open []string) (flow.Store, []string, error) {
	near, open, err := s.Store.Near(ctx, a, open)
	return tracing{near, s.n}, open, err
}

func (s tracing) Save(ctx context.Context, what flow.Save) error {
	err := s.Store.Save(ctx, what)
	if err != nil || what.Record == nil {
		return err
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	for _, st := range what.Record.Value.Steps {
		state := string(st.State)
		if st.Back && (st.State == change.IsSet) {
			state = "asked-back"
		}
		if s.n.last[st.Key] != state {
			s.n.last[st.Key] = state
			s.n.trace = append(s.n.trace, string(st.Key)+" "+state)
		}
	}
	return nil
}

// of is what happened to one setting, in its order.
func (n *night) of(k change.Key) string {
	var out []string
	for _, line := range n.trace {
		if what, ok := strings.CutPrefix(line, string(k)+" "); ok {
			out = append(out, what)
		}
	}
	return strings.Join(out, " ")
}

// Contract 1, for each way of setting something: what is on record before what is done, and each commit once.
func TestOrderOfCommits(t *testing.T) {
	const machine = "read read recorded intent read write read set read asked-back restore-intent read write read restored"
	const person = "planned intent set asked-back restore-intent restored"
	for name, want := range map[string]map[change.Key]string{
		"all by the bot":               {"shop/one/hours": machine, "shop/one/message": machine, "shop/two/hours": machine},
		"the bot, a page and a person": {"shop/one/hours": machine, pageFlag: machine, "shop/two/hours": person},
		"a person leaves after the click and before Saved": {
			"shop/one/hours": machine, "shop/two/hours": "planned intent unknown set asked-back restore-intent restored",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, &stops{at: -1})
				defer n.end()
				all := ways()
				w := all[slices.IndexFunc(all, func(w way) bool { return w.name == name })]
				if err := n.outage(w, false); err != nil {
					t.Fatal(err)
				}
				for k, want := range want {
					if diff := cmp.Diff(want, n.of(k)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", k, diff)
					}
				}
			})
		})
	}
}
