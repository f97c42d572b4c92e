package slack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
	"switchback/bot/sim"
	"switchback/handlers"
	"switchback/handlers/slack"
	"switchback/handlers/slack/slacktest"
	"switchback/store"
)

// sending is an outbox in front of a workspace that limits what it is sent, in fake time.
type sending struct {
	*slacktest.Slack
	t      *testing.T
	kept   store.Flow
	worker *handlers.Worker
	posts  int
}

func inBubble(t *testing.T, story func(s *sending)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		file, err := store.OpenVolatile(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		s := &sending{t: t, kept: store.Flow{Store: file}}
		s.Slack = slacktest.New(slacktest.Config{BaseURL: "http://127.0.0.1:1"})
		defer s.Close()
		s.AddUser(slacktest.User{ID: ana, Name: "ana"})
		s.AddChannel(slacktest.Channel{ID: support, Name: "support", Members: []string{ana, slacktest.BotUser}})
		adapter, err := slack.New(slack.Config{
			SigningSecrets: []config.Secret{"x"}, Token: config.Secret(s.Config().BotToken), API: "http://127.0.0.1:1/api/", Client: s.client(), Flow: &desk{},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.worker = &handlers.Worker{Timers: s.kept, Outbox: handlers.NewOutbox(s.kept, map[string]handlers.Sender{slack.Platform: adapter})}
		story(s)
		adapter.Wait()
	})
}

func (s *sending) client() *http.Client { return sim.Local(s.Slack) }

func (s *sending) post(message, title, thread string) {
	s.t.Helper()
	s.posts++
	p := flow.Post{
		ID: fmt.Sprintf("p%03d", s.posts), Message: message, Card: card.Card{Title: title},
		Place: flow.Place{Platform: slack.Platform, Channel: support, Thread: thread},
	}
	if err := s.kept.Save(s.t.Context(), flow.Save{Posts: []flow.Post{p}}); err != nil {
		s.t.Fatal(err)
	}
}

// passes lets time pass.
func (s *sending) passes(d time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(time.Second) {
		if _, err := s.worker.Step(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

// wantShown wants these messages in the channel, and what is in a thread indented under what it is a thread of.
func (s *sending) wantShown(want ...string) {
	s.t.Helper()
	var got []string
	all := s.Messages(support)
	for _, m := range all {
		if m.Thread != "" {
			continue
		}
		got = append(got, title(m))
		for _, reply := range all {
			if reply.Thread == m.TS {
				got = append(got, "  "+title(reply))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("in the channel (-want +got):\n%s", diff)
	}
	if settled, err := s.kept.Settled(s.t.Context()); !settled || err != nil {
		s.t.Errorf("Settled = %v, %v, want nothing left to send", settled, err)
	}
}

func title(m slacktest.Message) string {
	first, _, _ := strings.Cut(m.Text, "\n")
	return strings.TrimSuffix(first, ".")
}

// remove deletes a message, as the workspace's administrators may.
func (s *sending) remove(text string) {
	s.t.Helper()
	api := slackgo.New(s.Config().BotToken, slackgo.OptionAPIURL("http://127.0.0.1:1/api/"), slackgo.OptionHTTPClient(s.client()))
	for _, m := range s.Messages(support) {
		if title(m) == text {
			if _, _, err := api.DeleteMessageContext(s.t.Context(), support, m.TS); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// Whatever Slack does with a message and however it answers, the message is there once.
func TestOutboxPostsOnceWhateverSlackAnswers(t *testing.T) {
	for _, f := range []slacktest.Fault{
		{Kind: slacktest.Cut},
		{Kind: slacktest.Lost},
		{Kind: slacktest.Silent},
		{Kind: slacktest.Broken},
		{Kind: slacktest.TooMany, Delay: 70 * time.Second},
		{Kind: slacktest.Cut, Times: 3},
		{Kind: slacktest.Broken, Times: 3},
	} {
		t.Run(fmt.Sprintf("%s %d", f.Kind, f.Times), func(t *testing.T) {
			inBubble(t, func(s *sending) {
				f.Method = "chat.postMessage"
				s.Fail(f)
				s.post("home:chat-1", "CLOSED", "")
				s.post("chat-1/note", "since 02:10", "home:chat-1")
				s.post("chat-1/other", "elsewhere", "")
				s.passes(5 * time.Minute)
				s.wantShown("CLOSED", "  since 02:10", "elsewhere")
			})
		})
	}
}

// Nothing is sent faster than Slack takes it: no 429 comes.
func TestOutboxKeepsSlacksPace(t *testing.T) {
	inBubble(t, func(s *sending) {
		var want []string
		for i := range 30 {
			s.post(fmt.Sprint("chat-1/", i), fmt.Sprint("line ", i), "")
			want = append(want, fmt.Sprint("line ", i))
		}
		s.passes(40 * time.Second)
		s.wantShown(want...)
		if got := len(s.Calls("chat.postMessage")); got != 30 {
			t.Errorf("%d calls for 30 messages", got)
		}
	})
}

// Somebody deletes the outage's message: its thread goes on under a new one, and an edit posts it anew.
func TestOutboxAfterADeletedMessage(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("home:chat-1", "CLOSED", "")
		s.passes(time.Second)
		s.remove("CLOSED")
		s.post("chat-1/note", "since 02:10", "home:chat-1")
		s.passes(10 * time.Second)
		s.wantShown("CLOSED", "  since 02:10")
		s.remove("since 02:10")
		s.remove("CLOSED")
		s.post("home:chat-1", "open again", "")
		s.passes(10 * time.Second)
		s.wantShown("open again")
	})
}

// Of a channel that was archived the outage is told, with Slack's own word.
func TestOutboxInAnArchivedChannel(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("home:chat-1", "CLOSED", "")
		s.passes(time.Second)
		s.ChangeChannel(support, func(c *slacktest.Channel) { c.Archived = true })
		s.post("home:chat-1", "open again", "")
		s.passes(10 * time.Second)
		ids, err := s.kept.Pending(t.Context())
		if err != nil || len(ids) != 1 {
			t.Fatalf("pending = %v, %v, want one event", ids, err)
		}
		w, err := s.kept.Work(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		want := flow.Undelivered{Outage: "chat-1", Message: "home:chat-1", Place: flow.Place{Platform: slack.Platform, Channel: support}, Why: "is_archived"}
		if diff := cmp.Diff(flow.What(want), w.Value.Event.What); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	})
}

// told are the cards of which outages were told that they did not arrive.
func (s *sending) told() []string {
	s.t.Helper()
	ids, err := s.kept.Pending(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, id := range ids {
		w, err := s.kept.Work(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if u, ok := w.Value.Event.What.(flow.Undelivered); ok {
			out = append(out, u.Message)
		}
	}
	return out
}

// In a public channel the bot may write without being a member, and cannot look whether a post arrived. It is never
// sent twice: its outage is told, whatever comes after it goes on, and its next version is a new post.
func TestOutboxWhereItCannotLook(t *testing.T) {
	for kind, there := range map[slacktest.FaultKind][]string{slacktest.Cut: {"CLOSED", "elsewhere", "open again"}, slacktest.Silent: {"elsewhere", "open again"}} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, func(s *sending) {
				s.ChangeChannel(support, func(c *slacktest.Channel) { c.Members = []string{ana} })
				s.Fail(slacktest.Fault{Kind: kind, Method: "chat.postMessage"})
				s.post("home:chat-1", "CLOSED", "")
				s.post("chat-1/other", "elsewhere", "")
				s.passes(2 * time.Minute)
				if got := s.told(); !slices.Equal(got, []string{"home:chat-1"}) {
					t.Errorf("told of %q", got)
				}
				s.post("home:chat-1", "open again", "")
				s.passes(10 * time.Second)
				var got []string
				for _, m := range s.Messages(support) {
					got = append(got, title(m))
				}
				if diff := cmp.Diff(there, got); diff != "" {
					t.Errorf("in the channel (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// While the bot's token does not work, everything waits, and comes once when it works again.
func TestOutboxWithoutAToken(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.ChangeChannel(support, func(c *slacktest.Channel) { c.Members = []string{ana} })
		s.SetToken("token_revoked")
		s.post("home:chat-1", "CLOSED", "")
		s.post("chat-1/other", "elsewhere", "")
		s.passes(10 * time.Minute)
		s.SetToken("")
		s.passes(time.Minute)
		s.wantShown("CLOSED", "elsewhere")
	})
}

// A card that Slack refuses for a reason that nobody thought of does not hold up what comes after it; one where Slack
// says that it may be done is looked for.
func TestOutboxAfterARefusal(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.Fail(slacktest.Fault{Kind: slacktest.Refused, Method: "chat.postMessage", Error: "a_new_error"})
		s.post("chat-1/first", "first", "")
		s.post("chat-1/second", "second", "")
		s.passes(10 * time.Second)
		s.Fail(slacktest.Fault{Kind: slacktest.Refused, Method: "chat.postMessage", Error: "internal_error"})
		s.post("chat-1/third", "third", "")
		s.passes(time.Minute)
		if got := s.told(); !slices.Equal(got, []string{"chat-1/first"}) {
			t.Errorf("told of %q", got)
		}
		var got []string
		for _, m := range s.Messages(support) {
			got = append(got, title(m))
		}
		if diff := cmp.Diff([]string{"second", "third"}, got); diff != "" {
			t.Errorf("in the channel (-want +got):\n%s", diff)
		}
	})
}

// While Slack does not say who reads a channel, what it said within the hour counts; after that nobody reads a word more.
func TestOutboxWhileNobodyKnowsWhoReads(t *testing.T) {
	inBubble(t, func(s *sending) {
		s.post("chat-1/deadline", "I ask", "")
		s.passes(time.Second)
		s.Fail(slacktest.Fault{Kind: slacktest.Broken, Method: "conversations.info", Times: -1})
		s.passes(10 * time.Minute)
		s.post("chat-1/deadline/2", "I ask again", "")
		s.passes(time.Second)
		s.wantShown("I ask", "I ask again")
		time.Sleep(time.Hour)
		s.post("chat-1/deadline/3", "and again", "")
		s.passes(time.Second)
		if got := s.Messages(support); len(got) != 2 {
			t.Errorf("%d messages are shown, want 2", len(got))
		}
	})
}
