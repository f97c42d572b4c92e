package teams_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"switchback/bot/card"
	"switchback/bot/flow"
	"switchback/handlers"
	"switchback/handlers/teams/teamstest"
)

func target(ref string) handlers.Target { return handlers.Target{Ref: ref} }

// refOf is the outbox's name of a message.
func refOf(_ *tenant, m teamstest.Message) string {
	if m.Root != "" {
		return m.Group + ";messageid=" + m.Root + "|" + m.ID
	}
	return m.Group + "|" + m.ID
}

func inChannel(message, title string) flow.Post {
	return flow.Post{ID: message, Message: message, Place: flow.Place{Platform: "teams", Channel: support}, Card: card.Card{Title: title, Outside: "CHAT – being worked on"}}
}

// A message of a channel, edits of it, and replies in its thread.
func TestSend(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "support", "@Switchback hi")
	p := inChannel("home:1", "Chat is closed")
	p.Mention = []string{"sam", "support-oncall"}
	ref, err := n.teams.Send(t.Context(), p, target(""))
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.teams.Send(t.Context(), inChannel("home:1", "Chat is open"), target(ref))
	if err != nil || again != ref {
		t.Fatalf("Send = %q, %v, want %q", again, err, ref)
	}
	reply, err := n.teams.Send(t.Context(), inChannel("note", "Extended"), handlers.Target{Thread: ref})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = n.teams.Send(t.Context(), inChannel("note", "Extended to 08:10"), target(reply)); err != nil {
		t.Fatal(err)
	}
	all := n.Messages("support", "")
	if len(all) != 3 || teamstest.TextOf(all[1].Card, "") != "Chat is open" || all[1].Edits != 1 || teamstest.TextOf(all[2].Card, "") != "Extended to 08:10" || all[2].Root != all[1].ID {
		t.Errorf("the channel has %+v", all)
	}
	if all[1].Summary != "Chat is open" {
		t.Errorf("its notification says %q", all[1].Summary)
	}
	if refOf(n, all[1]) != ref {
		t.Errorf("it is called %q, want %q as a thread names its root", ref, refOf(n, all[1]))
	}
	n.Delete(all[1])
	if _, err = n.teams.Send(t.Context(), inChannel("note", "Restored"), handlers.Target{Thread: ref}); !errors.Is(err, handlers.ErrThreadGone) {
		t.Errorf("a reply to what was deleted: %v, want a thread that is gone", err)
	}
	if _, err = n.teams.Send(t.Context(), inChannel("home:1", "Chat is open"), target(ref)); !errors.Is(err, handlers.ErrGone) {
		t.Errorf("an edit of what was deleted: %v, want gone", err)
	}
	// To somebody who never wrote: Teams opens the chat, once.
	for range 2 {
		if _, err := n.teams.Send(t.Context(), post(n.object("sam"), "Restore it?"), target("")); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Messages(n.Chat("sam").ID, "sam"); len(got) != 2 {
		t.Errorf("sam has %d messages, want 2", len(got))
	}
}

// What the outbox hears of each thing that goes wrong, and what is sent then.
func TestSendGoesWrong(t *testing.T) {
	later := func(err error) bool { _, ok := errors.AsType[handlers.Later](err); return ok }
	gone := func(err error) bool { return errors.Is(err, handlers.ErrGone) }
	unknown := func(err error) bool {
		return err != nil && !later(err) && !gone(err) && !errors.Is(err, handlers.ErrRefused)
	}
	fine := func(err error) bool { return err == nil }
	refused := func(err error) bool { return errors.Is(err, handlers.ErrRefused) }
	for _, tt := range []struct {
		name  string
		fault teamstest.Fault
		edit  bool
		want  func(error) bool
		posts int // of the bot's in the channel afterwards, beside the one that is edited
	}{
		{"too much", teamstest.Fault{Status: 429, After: 3}, false, later, 0},
		{"too much, without saying until when", teamstest.Fault{Status: 429}, false, later, 0},
		{"a precondition", teamstest.Fault{Status: 412}, false, later, 0},
		{"away", teamstest.Fault{Status: 503}, false, later, 0},
		{"unclear: it was taken", teamstest.Fault{Status: 502, Done: true}, false, refused, 1},
		{"unclear: it was not taken", teamstest.Fault{Status: 504}, false, refused, 0},
		{"cut after it was taken", teamstest.Fault{Drop: true, Done: true}, false, refused, 1},
		{"an edit, unclear", teamstest.Fault{Status: 502}, true, unknown, 0},
		{"an edit, cut", teamstest.Fault{Drop: true, Done: true}, true, unknown, 0},
		{"too big, once", teamstest.Fault{Status: 413, Code: "MessageSizeTooBig"}, false, fine, 1},
		{"too big, even in few words", teamstest.Fault{Status: 413, Code: "MessageSizeTooBig", Times: 2}, false, refused, 0},
		{"refused", teamstest.Fault{Status: 403, Code: "MessageWritesBlocked"}, false, gone, 0},
		{"an edit of what was deleted", teamstest.Fault{Status: 404, Code: "ActivityNotFoundInConversation"}, true, gone, 0},
		{"the token is refused once", teamstest.Fault{Status: 401}, false, fine, 1},
		{"the token is refused", teamstest.Fault{Status: 401, Times: 2}, false, later, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newTenant(t, teamstest.Config{})
			n.says("ana", "support", "@Switchback hi")
			to := target("")
			if tt.edit {
				ref, err := n.teams.Send(t.Context(), inChannel("home:1", "first"), to)
				if err != nil {
					t.Fatal(err)
				}
				to = target(ref)
			} else if _, err := n.teams.Send(t.Context(), inChannel("other", "warm"), to); err != nil { // the channel has been looked at
				t.Fatal(err)
			}
			before := len(n.Messages("support", ""))
			n.Fail(tt.fault)
			_, err := n.teams.Send(t.Context(), inChannel("home:1", "Chat is closed"), to)
			if !tt.want(err) {
				t.Errorf("Send = %v", err)
			}
			if got := len(n.Messages("support", "")) - before; got != tt.posts {
				t.Errorf("%d messages more, want %d", got, tt.posts)
			}
			for _, token := range n.Tokens() {
				if strings.Contains(n.logs.String()+errText(err), token) {
					t.Error("a token is in a log or an error")
				}
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A message that may be there already says so, if it is posted once more: because its sender died, or because its next
// version comes as a new one.
func TestDoubt(t *testing.T) {
	const note = "If it stands here twice, this one counts."
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "support", "@Switchback hi")
	n.says("ana", "", "hi")
	alone := post(n.object("ana"), "Close it?")
	for name, p := range map[string]flow.Post{support: inChannel("home:1", "Chat is closed"), n.Chat("ana").ID: alone} {
		last := func() string {
			all := n.Messages(name, "")
			return teamstest.TextOf(all[len(all)-1].Card, "")
		}
		if _, found, err := n.teams.Find(t.Context(), p, target("")); found || err != nil {
			t.Fatalf("Find = %v, %v", found, err)
		}
		n.Fail(teamstest.Fault{Method: "POST", Path: "/conversations", Status: 429})
		if _, err := n.teams.Send(t.Context(), p, target("")); err == nil {
			t.Fatal("it was taken")
		}
		ref, err := n.teams.Send(t.Context(), p, target(""))
		if err != nil || !strings.Contains(last(), note) {
			t.Errorf("after its sender died: %v, %q", err, last())
		}
		if _, err := n.teams.Send(t.Context(), p, target(ref)); err != nil || strings.Contains(last(), note) {
			t.Errorf("edited, which both are not: %v, %q", err, last())
		}
		n.Fail(teamstest.Fault{Method: "POST", Path: "/conversations", Status: 502, Done: true})
		if _, err := n.teams.Send(t.Context(), p, target("")); !errors.Is(err, handlers.ErrRefused) || strings.Contains(last(), note) {
			t.Errorf("the first time: %v, %q", err, last())
		}
		for i, want := range []bool{true, false} {
			if _, err := n.teams.Send(t.Context(), p, target("")); err != nil || strings.Contains(last(), note) != want {
				t.Errorf("%d sends later: %v, %q", i+1, err, last())
			}
		}
	}
}

// Conversations that take nothing are left alone until something comes from them, and those that the bot was removed
// from are forgotten.
func TestGoneConversations(t *testing.T) {
	c := &clock{}
	n := newTenant(t, teamstest.Config{Now: c.now})
	n.says("ana", "support", "@Switchback hi")
	if _, err := n.teams.Send(t.Context(), inChannel("a", "one"), target("")); err != nil {
		t.Fatal(err)
	}
	n.SetGroup("support", func(g *teamstest.Group) { g.Blocked = true })
	for range 3 {
		if _, err := n.teams.Send(t.Context(), inChannel("b", "two"), target("")); !errors.Is(err, handlers.ErrGone) {
			t.Errorf("Send = %v, want gone", err)
		}
	}
	posts := 0
	for _, call := range n.Calls() {
		if call.Status == 403 {
			posts++
		}
	}
	dead, err := n.teams.Dead(t.Context())
	if posts != 1 || len(dead) != 1 || !strings.Contains(dead[support], "MessageWritesBlocked") || err != nil {
		t.Errorf("asked %d times, and Dead = %v, %v", posts, dead, err)
	}
	n.SetGroup("support", func(g *teamstest.Group) { g.Blocked = false })
	c.move(time.Hour)
	if _, err := n.teams.Send(t.Context(), inChannel("b", "two"), target("")); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	if dead, _ := n.teams.Dead(t.Context()); len(dead) != 0 {
		t.Errorf("Dead = %v, want none", dead)
	}
	n.Uninstall(t.Context(), "ana", "general")
	keys, err := n.kept.AllLearnt(t.Context(), "conversation/")
	if len(keys) != 0 || err != nil {
		t.Errorf("after the bot was removed it keeps %q, %v", keys, err)
	}
}

// Of a channel that is only configured the team is not known. That the bot was removed from another team says nothing of
// it: it is shown what people of other organisations may see.
func TestAnotherTeamThatIsGone(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	gone := `{"id":"19:old@thread.tacv2","kind":"channel","service":"` + n.ServiceURL() + `","tenant":"` + n.Config().Tenant + `","team":"19:old@thread.tacv2"}`
	if err := n.kept.Learn(t.Context(), "conversation/19:old@thread.tacv2", 0, []byte(gone)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.teams.Send(t.Context(), inChannel("home", "Web shop: 08:00 → Closed"), target("")); err != nil {
		t.Fatal(err)
	}
	all := n.Messages("support", "")
	if got := teamstest.TextOf(all[len(all)-1].Card, ""); got != "CHAT – being worked on" {
		t.Errorf("it shows %q", got)
	}
	if dead, err := n.teams.Dead(t.Context()); len(dead) != 0 || err != nil {
		t.Errorf("Dead = %v, %v, want none", dead, err)
	}
}

// A place that was tampered with gets nothing, above all no token.
func TestTamperedPlaces(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "support", "@Switchback hi")
	evil := `{"id":"19:x@thread.tacv2","kind":"channel","service":"http://127.0.0.1:1/","tenant":"` + n.Config().Tenant + `","team":"` + general + `"}`
	if err := n.kept.Learn(t.Context(), "conversation/19:x@thread.tacv2", 0, []byte(evil)); err != nil {
		t.Fatal(err)
	}
	p := inChannel("a", "one")
	p.Place.Channel = "19:x@thread.tacv2"
	if _, err := n.teams.Send(t.Context(), p, target("")); !errors.Is(err, handlers.ErrGone) { // it went to the tenant's own service
		t.Errorf("Send = %v", err)
	}
	p.Place.Channel = "../../x?y#z"
	if _, err := n.teams.Send(t.Context(), p, target("")); !errors.Is(err, handlers.ErrGone) {
		t.Errorf("Send = %v", err)
	}
	for _, call := range n.Calls() {
		if !strings.HasPrefix(call.Path, "/emea/v3/") {
			t.Errorf("called %s", call.Path)
		}
	}
}

func TestRate(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	n.says("ana", "support", "@Switchback hi")
	held := 0
	for range 12 {
		if _, err := n.teams.Send(t.Context(), inChannel("a", "one"), target("")); err != nil {
			if _, ok := errors.AsType[handlers.Later](err); !ok {
				t.Fatal(err)
			}
			held++
		}
	}
	for _, call := range n.Calls() {
		if call.Status == 429 {
			t.Error("Teams refused one")
		}
	}
	if held == 0 {
		t.Error("nothing was held back")
	}
}

// More people at once than Microsoft takes calls in a second: everybody is looked up, some after a moment.
func TestManyAtOnce(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	var asking sync.WaitGroup
	for i := range 80 {
		u := n.AddUser(teamstest.User{Name: fmt.Sprint("agent", i)})
		n.says(u.Name, "", "hi")
		asking.Go(func() {
			if a, err := n.teams.Directory().Account(t.Context(), u.Object); !a.Member || err != nil {
				t.Errorf("%s: %+v, %v", u.Name, a, err)
			}
		})
	}
	asking.Wait()
}

func TestTokensOfTheBot(t *testing.T) {
	n := newTenant(t, teamstest.Config{TokenLife: 6 * time.Minute})
	n.says("ana", "support", "@Switchback hi")
	for range 3 {
		if _, err := n.teams.Send(t.Context(), inChannel("a", "one"), target("")); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Count("token"); got != 1 {
		t.Errorf("%d tokens for three messages, want one", got)
	}
	n.RevokeTokens()
	if _, err := n.teams.Send(t.Context(), inChannel("a", "one"), target("")); err != nil || n.Count("token") != 2 {
		t.Errorf("after its token was revoked: %v with %d tokens", err, n.Count("token"))
	}
	n.RevokeTokens()
	n.Fail(teamstest.Fault{Path: "/oauth2/", Status: 401})
	_, err := n.teams.Send(t.Context(), inChannel("a", "one"), target(""))
	if err == nil || strings.Contains(err.Error(), n.Config().Password) {
		t.Errorf("without a token: %v", err)
	}
}

// Somebody is one of the organisation's people by their object id alone. Who is given a free login name, or writes a
// colleague's address into their own account, is nobody's colleague for that, and no guest is a member.
func TestDirectoryTrustsNoName(t *testing.T) {
	n := newTenant(t, teamstest.Config{})
	for name, u := range map[string]teamstest.User{
		"who came after ana":                    {Name: "new", UPN: "ana@acme.example"},
		"a guest with ana's address":            {Name: "guest", UPN: "ana@acme.example", Guest: true},
		"a member of another organisation":      {Name: "other", UPN: "ana@acme.example", Tenant: "0the40e0-0000-4000-8000-000000000001"},
		"one whose account was made for guests": {Name: "ext", UPN: "ana_acme.example#EXT#@acme.example"},
	} {
		u = n.AddUser(u)
		n.says(u.Name, "", "hi")
		a, err := n.teams.Directory().Account(t.Context(), u.Object)
		if a.Email != "" || a.Member != (u.Name == "new") || err != nil {
			t.Errorf("%s is %+v, %v", name, a, err)
		}
	}
}

func TestDirectory(t *testing.T) {
	c := &clock{}
	n := newTenant(t, teamstest.Config{Now: c.now})
	d := n.teams.Directory()
	gus, _ := n.User("gus")
	if _, err := d.Account(t.Context(), n.object("ana")); err == nil {
		t.Error("somebody who was never seen is known")
	}
	n.says("ana", "", "hi")
	c.move(time.Minute)
	a, err := d.Account(t.Context(), n.object("ana"))
	if want := (flow.Account{Name: "ana", Zone: "America/New_York", Member: true}); a != want || err != nil {
		t.Errorf("Account = %+v, %v, want %+v", a, err, want)
	}
	n.says("ana", "general", "@Switchback hi") // so its team is known
	if outside, err := d.Outside(t.Context(), support); outside || err != nil {
		t.Errorf("Outside = %t, %v for a channel of the own people", outside, err)
	}
	for name, set := range map[string]func(*teamstest.Group){
		"a guest":   func(g *teamstest.Group) { g.Members = append(g.Members, gus.ID) },
		"shared":    func(g *teamstest.Group) { g.Type = "shared" },
		"no roster": func(g *teamstest.Group) { g.Members = nil },
		"removed":   func(g *teamstest.Group) { g.Bot = false },
	} {
		was, _ := n.Group("support")
		n.SetGroup("support", set)
		c.move(10 * time.Minute)
		if outside, err := d.Outside(t.Context(), support); !outside || err != nil {
			t.Errorf("%s: Outside = %t, %v", name, outside, err)
		}
		n.SetGroup("support", func(g *teamstest.Group) { *g = was })
	}
	n.SetGroup("support", func(g *teamstest.Group) { g.Members = append(g.Members, gus.ID) })
	n.says("gus", "support", "@Switchback hi")
	if a, err := d.Account(t.Context(), gus.Object); a.Member || err != nil {
		t.Errorf("a guest: %+v, %v", a, err)
	}
	// All that a channel with a guest sees is that, whatever stands on the card.
	c.move(10 * time.Minute)
	if _, err := n.teams.Send(t.Context(), inChannel("home", "Web shop: 08:00 → Closed"), target("")); err != nil {
		t.Fatal(err)
	}
	all := n.Messages("support", "")
	if got := teamstest.TextOf(all[len(all)-1].Card, ""); got != "CHAT – being worked on" {
		t.Errorf("it shows %q", got)
	}
	n.SetUser("ana", func(u *teamstest.User) { u.Gone = true })
	c.move(10 * time.Minute)
	if a, err := d.Account(t.Context(), n.object("ana")); a.Member || err != nil {
		t.Errorf("who left: %+v, %v", a, err)
	}
}

// Teams is asked who reads a channel, and does not answer: its last word counts for an hour, and after that a message
// waits. It is neither shown to anybody on a guess, nor lost, nor does its outage leave its home for that.
func TestNobodyKnowsWhoReads(t *testing.T) {
	c := &clock{}
	n := newTenant(t, teamstest.Config{Now: c.now})
	n.says("ana", "general", "@Switchback hi")
	d := n.teams.Directory()
	sends := func(want string) {
		t.Helper()
		before := len(n.Messages("support", ""))
		_, err := n.teams.Send(t.Context(), inChannel("home", "Web shop: 08:00 → Closed"), target(""))
		if later, ok := errors.AsType[handlers.Later](err); want == "" && (!ok || !later.Away) || want != "" && err != nil {
			t.Fatalf("Send = %v", err)
		}
		got := ""
		for _, m := range n.Messages("support", "")[before:] {
			got += teamstest.TextOf(m.Card, "")
		}
		if got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
	}
	away := func(f teamstest.Fault) {
		t.Helper()
		f.Path, f.Times = "/pagedmembers", 1
		n.Fail(f)
	}
	away(teamstest.Fault{Status: 503}) // before the first word
	if outside, err := d.Outside(t.Context(), support); err == nil {
		t.Errorf("what was never known is known: Outside = %t", outside)
	}
	sends("")
	c.move(time.Minute)
	if outside, err := d.Outside(t.Context(), support); outside || err != nil {
		t.Errorf("Teams answers, and Outside = %t, %v", outside, err)
	}
	sends("Web shop: 08:00 → Closed")
	for _, f := range []teamstest.Fault{{Status: 500}, {Status: 429, After: 30}, {Status: 504}} {
		c.move(10 * time.Minute)
		away(f)
		if outside, err := d.Outside(t.Context(), support); outside || err != nil {
			t.Errorf("%+v: Outside = %t, %v", f, outside, err)
		}
		sends("Web shop: 08:00 → Closed")
	}
	c.move(31 * time.Minute)
	away(teamstest.Fault{Status: 503})
	if outside, err := d.Outside(t.Context(), support); err == nil {
		t.Errorf("the last word counts for more than an hour: Outside = %t", outside)
	}
	sends("")
	// Somebody came, says Teams, and then nothing more: the last word is none.
	c.move(time.Minute)
	sends("Web shop: 08:00 → Closed")
	n.Send(t.Context(), n.Activity("conversationUpdate", "ana", "general", func(a map[string]any) { a["membersAdded"] = []any{map[string]any{"id": "29:x"}} }), teamstest.Token{})
	away(teamstest.Fault{Status: 503})
	sends("")
	// The bot was removed: that is no silence.
	c.move(10 * time.Minute)
	n.SetGroup("support", func(g *teamstest.Group) { g.Bot = false })
	if outside, err := d.Outside(t.Context(), support); !outside || err != nil {
		t.Errorf("Outside = %t, %v where the bot was removed", outside, err)
	}
	if _, err := n.teams.Send(t.Context(), inChannel("home", "Closed"), target("")); !errors.Is(err, handlers.ErrGone) {
		t.Errorf("Send = %v, want gone", err)
	}
}
