package slacktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"switchback/handlers/slack/slacktest"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// acme is a workspace that listens, with people, channels and a group.
func acme(t *testing.T, c slacktest.Config) *slacktest.Slack {
	t.Helper()
	s := slacktest.New(c)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.AddUser(slacktest.User{Name: "ana", RealName: "Ana Ruiz", Email: "ana@acme.example", Zone: "America/New_York"})
	s.AddUser(slacktest.User{Name: "ben"})
	s.AddUser(slacktest.User{Name: "gus", Guest: true})
	s.AddUser(slacktest.User{Name: "pat", Team: "T0PARTNER"})
	s.AddChannel(slacktest.Channel{Name: "support", Members: []string{slacktest.BotUser, "U0ANA", "U0BEN", "U0GUS"}})
	s.AddChannel(slacktest.Channel{Name: "general", Members: []string{"U0ANA", "U0BEN"}})
	s.AddChannel(slacktest.Channel{Name: "secret", Private: true, Members: []string{"U0ANA"}})
	s.AddChannel(slacktest.Channel{Name: "partner", Shared: true, Members: []string{slacktest.BotUser, "U0ANA", "U0PAT"}})
	s.AddGroup(slacktest.Group{Handle: "support-oncall", Members: []string{"U0ANA", "U0BEN"}})
	return s
}

func client(s *slacktest.Slack) *slack.Client {
	c := s.Config()
	return slack.New(c.BotToken, slack.OptionAPIURL(s.APIURL()), slack.OptionAppLevelToken(c.AppToken))
}

// code returns Slack's word for what went wrong.
func code(err error) string {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return refused.Err
	}
	return fmt.Sprint(err)
}

func section(text string) *slack.SectionBlock {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, false), nil, nil)
}

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

func button(label, value string) *slack.ActionBlock {
	return slack.NewActionBlock("", slack.NewButtonBlockElement("press", value, plain(label)))
}

func TestMessages(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()

	auth, err := api.AuthTestContext(ctx)
	if err != nil || auth.UserID != slacktest.BotUser || auth.BotID != slacktest.BotID || auth.TeamID != "T0ACME" {
		t.Fatalf("AuthTest = %+v, %v", auth, err)
	}
	bot, err := api.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: auth.BotID})
	if err != nil || bot.AppID != slacktest.AppID {
		t.Errorf("GetBotInfo = %+v, %v", bot, err)
	}

	channel, ts, err := api.PostMessageContext(ctx, "C0SUPPORT", slack.MsgOptionText("Chat is closed & more", true),
		slack.MsgOptionBlocks(section("*Chat* is <!date^1764140400^closed since {time}|closed>"), button("Restore…", "r1")),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "outage", EventPayload: map[string]any{"id": "o-1"}}))
	if err != nil || channel != "C0SUPPORT" {
		t.Fatalf("PostMessage = %q, %v", channel, err)
	}
	_, reply, err := api.PostMessageContext(ctx, "C0SUPPORT", slack.MsgOptionText("first step", false), slack.MsgOptionTS(ts))
	if err != nil || reply <= ts {
		t.Fatalf("reply = %q, %v, want one after %q", reply, err, ts)
	}
	posted, _ := s.Message("C0SUPPORT", ts)
	want := []string{"Chat is closed since 02:00", "[Restore…]"}
	if diff := cmp.Diff(want, s.Lines(posted, "U0ANA")); diff != "" {
		t.Errorf("as @ana sees it in New York (-want +got):\n%s", diff)
	}
	if got := s.TextOf(posted, "U0ANA"); got != "Chat is closed & more" {
		t.Errorf("text = %q, want it without escapes", got)
	}

	link, err := api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: channel, Ts: reply})
	if err != nil || !strings.HasPrefix(link, "https://acme.slack.com/archives/C0SUPPORT/p") || !strings.Contains(link, "thread_ts="+ts) {
		t.Errorf("GetPermalink = %q, %v", link, err)
	}

	if _, _, _, err := api.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText("Chat is open", false)); err != nil {
		t.Fatal(err)
	}
	changed, _ := s.Message(channel, ts)
	if len(changed.Blocks) != 0 || changed.Text != "Chat is open" || changed.Edited.IsZero() || changed.Metadata["event_type"] != "outage" {
		t.Errorf("after an update with text alone: %+v, want no blocks and the old metadata", changed)
	}

	history, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, IncludeAllMetadata: true})
	if err != nil || len(history.Messages) != 1 || history.Messages[0].Metadata.EventPayload["id"] != "o-1" || history.Messages[0].ReplyCount != 1 {
		t.Fatalf("history = %+v, %v, want the one message with its metadata", history, err)
	}
	bare, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel})
	if err != nil || bare.Messages[0].Metadata.EventType != "" {
		t.Errorf("history without asking for metadata = %+v, %v", bare, err)
	}
	thread, _, _, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts})
	if err != nil || len(thread) != 2 || thread[1].Timestamp != reply {
		t.Errorf("replies = %+v, %v, want the message and its reply", thread, err)
	}

	if _, _, err := api.DeleteMessageContext(ctx, channel, ts); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.DeleteMessageContext(ctx, channel, ts); code(err) != "message_not_found" {
		t.Errorf("deleted twice: %v", err)
	}
	if _, _, err := api.PostMessageContext(ctx, channel, slack.MsgOptionText("late", false), slack.MsgOptionTS(ts)); code(err) != "thread_not_found" {
		t.Errorf("a reply to what is deleted: %v", err)
	}

	dm, _, err := api.PostMessageContext(ctx, "U0ANA", slack.MsgOptionText("For you", false))
	if err != nil || !strings.HasPrefix(dm, "D") {
		t.Fatalf("posted to a person = %q, %v", dm, err)
	}
	open, _, _, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0ANA"}})
	if err != nil || open.ID != dm {
		t.Errorf("conversations.open = %+v, %v, want %s", open, err, dm)
	}
}

func TestEphemeralMessagesAreOutOfReach(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	ts, err := api.PostEphemeralContext(ctx, "C0SUPPORT", "U0ANA", slack.MsgOptionText("only you", false))
	if err != nil || ts == "" {
		t.Fatalf("PostEphemeral = %q, %v", ts, err)
	}
	if _, _, _, err := api.UpdateMessageContext(ctx, "C0SUPPORT", ts, slack.MsgOptionText("x", false)); code(err) != "message_not_found" {
		t.Errorf("chat.update: %v", err)
	}
	if _, _, err := api.DeleteMessageContext(ctx, "C0SUPPORT", ts); code(err) != "message_not_found" {
		t.Errorf("chat.delete: %v", err)
	}
	if got, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: "C0SUPPORT"}); err != nil || len(got.Messages) != 0 {
		t.Errorf("history = %+v, %v, want nothing", got, err)
	}
	if got := len(s.Visible("U0ANA")); got != 1 {
		t.Errorf("@ana sees %d messages, want 1", got)
	}
	if got := len(s.Visible("U0BEN")); got != 0 {
		t.Errorf("@ben sees %d messages, want none", got)
	}
	if _, err := api.PostEphemeralContext(ctx, "C0GENERAL", "U0GUS", slack.MsgOptionText("x", false)); code(err) != "user_not_in_channel" {
		t.Errorf("to somebody who is not in the channel: %v", err)
	}
	s.Forget("U0ANA")
	if got := len(s.Visible("U0ANA")); got != 0 {
		t.Errorf("after a reload @ana sees %d messages, want none", got)
	}
}

func TestWhereTheBotMayPost(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	post := func(channel string) string {
		_, _, err := api.PostMessageContext(ctx, channel, slack.MsgOptionText("x", false))
		return code(err)
	}
	for channel, want := range map[string]string{
		"C0GENERAL": "<nil>", // chat:write.public
		"C0SECRET":  "channel_not_found", "C0NONE": "channel_not_found", "U0PAT": "channel_not_found",
	} {
		if got := post(channel); got != want {
			t.Errorf("post to %s: %s, want %s", channel, got, want)
		}
	}
	s.SetScopes("chat:write")
	if got := post("C0GENERAL"); got != "not_in_channel" {
		t.Errorf("without chat:write.public: %s, want not_in_channel", got)
	}
	s.Connect(slacktest.App{})
	s.Archive(ctx, "U0ANA", "C0SUPPORT")
	if got := post("C0SUPPORT"); got != "is_archived" {
		t.Errorf("into an archived channel: %s, want is_archived", got)
	}
	s.Deactivate(ctx, "U0BEN")
	if got := post("U0BEN"); got != "channel_not_found" {
		t.Errorf("to a deactivated person: %s, want channel_not_found", got)
	}
	s.SetScopes("commands")
	_, err := api.PostEphemeralContext(ctx, "C0GENERAL", "U0ANA", slack.MsgOptionText("x", false))
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); !ok || refused.Needed != "chat:write" || refused.Provided != "commands" {
		t.Errorf("without the scope: %+v, want it named", err)
	}
	for _, trouble := range []string{"token_expired", "token_revoked", "account_inactive"} {
		s.SetToken(trouble)
		if got := post("C0GENERAL"); got != trouble {
			t.Errorf("post = %s, want %s", got, trouble)
		}
	}
	if _, err := slack.New("xoxb-wrong", slack.OptionAPIURL(s.APIURL())).AuthTestContext(ctx); code(err) != "invalid_auth" {
		t.Errorf("with a wrong token: %v", err)
	}
}

func TestPeopleAndChannels(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	ana, err := api.GetUserInfoContext(ctx, "U0ANA")
	if err != nil || ana.TZ != "America/New_York" || ana.Locale != "en-US" || ana.Profile.Email != "ana@acme.example" || ana.IsRestricted || ana.TeamID != "T0ACME" {
		t.Errorf("users.info = %+v, %v", ana, err)
	}
	if gus, err := api.GetUserInfoContext(ctx, "U0GUS"); err != nil || !gus.IsRestricted {
		t.Errorf("a guest = %+v, %v", gus, err)
	}
	if pat, err := api.GetUserInfoContext(ctx, "U0PAT"); err != nil || !pat.IsStranger || pat.TeamID != "T0PARTNER" || pat.Locale != "" {
		t.Errorf("an external person = %+v, %v", pat, err)
	}
	if u, err := api.GetUserByEmailContext(ctx, "Ana@acme.example"); err != nil || u.ID != "U0ANA" {
		t.Errorf("users.lookupByEmail = %+v, %v", u, err)
	}
	if _, err := api.GetUserByEmailContext(ctx, "nobody@acme.example"); code(err) != "users_not_found" {
		t.Errorf("users.lookupByEmail of nobody: %v", err)
	}
	groups, err := api.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	if err != nil || len(groups) != 1 || groups[0].Handle != "support-oncall" || len(groups[0].Users) != 2 {
		t.Errorf("usergroups.list = %+v, %v", groups, err)
	}
	members, err := api.GetUserGroupMembersContext(ctx, groups[0].ID)
	if err != nil || !slices.Equal(members, []string{"U0ANA", "U0BEN"}) {
		t.Errorf("usergroups.users.list = %v, %v", members, err)
	}
	shared, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: "C0PARTNER"})
	if err != nil || !shared.IsExtShared || !shared.IsMember || shared.Name != "partner" {
		t.Errorf("conversations.info = %+v, %v", shared, err)
	}
	if _, err := api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: "C0SECRET"}); code(err) != "channel_not_found" {
		t.Errorf("conversations.info of a private channel: %v", err)
	}
	in, next, err := api.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: "C0SUPPORT", Limit: 3})
	if err != nil || len(in) != 3 || next == "" {
		t.Fatalf("conversations.members = %v, %q, %v", in, next, err)
	}
	rest, next, err := api.GetUsersInConversationContext(ctx, &slack.GetUsersInConversationParameters{ChannelID: "C0SUPPORT", Limit: 3, Cursor: next})
	if err != nil || !slices.Equal(rest, []string{"U0GUS"}) || next != "" {
		t.Errorf("the second page = %v, %q, %v", rest, next, err)
	}
}

func TestFiles(t *testing.T) {
	s := acme(t, slacktest.Config{})
	api, ctx := client(s), t.Context()
	const content = "<p>Chat is “down” & out</p>\n"
	_, err := api.UploadFileContext(ctx, slack.UploadFileParameters{
		Filename: "before.html", Title: "Before", Content: content, FileSize: len(content), Channel: "C0SUPPORT",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Messages("C0SUPPORT")
	if len(got) != 1 || len(got[0].Files) != 1 || string(got[0].Files[0].Content) != content {
		t.Errorf("the channel has %+v, want the file", got)
	}
}

func TestRateLimits(t *testing.T) {
	c := &clock{t: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)}
	s := acme(t, slacktest.Config{Now: c.now, Burst: 2})
	api, ctx := client(s), t.Context()
	post := func(channel string) error {
		_, _, err := api.PostMessageContext(ctx, channel, slack.MsgOptionText("x", false))
		return err
	}
	for range 2 {
		if err := post("C0SUPPORT"); err != nil {
			t.Fatalf("within the burst: %v", err)
		}
	}
	if limited, ok := errors.AsType[*slack.RateLimitedError](post("C0SUPPORT")); !ok || limited.RetryAfter != time.Second {
		t.Errorf("after the burst: %v, want Retry-After 1 s", limited)
	}
	if err := post("C0GENERAL"); err != nil {
		t.Errorf("into another channel: %v", err)
	}
	c.pass(time.Second)
	if err := post("C0SUPPORT"); err != nil {
		t.Errorf("a second later: %v", err)
	}
	s.Limit(false)
	for range 5 {
		if err := post("C0SUPPORT"); err != nil {
			t.Fatalf("without limits: %v", err)
		}
	}
	s.Limit(true)
	for range 20 {
		if _, err := api.GetUserGroupsContext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := errors.AsType[*slack.RateLimitedError](second(api.GetUserGroupsContext(ctx))); !ok {
		t.Error("the 21st usergroups.list in a minute was not refused")
	}
}

func second[T any](_ T, err error) error { return err }

func TestFaults(t *testing.T) {
	s := acme(t, slacktest.Config{NoRateLimits: true})
	api := client(s)
	post := func(text string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, _, err := api.PostMessageContext(ctx, "C0SUPPORT", slack.MsgOptionText(text, false))
		return err
	}
	for _, row := range []struct {
		fault  slacktest.Fault
		wants  string // in the error
		stored bool
	}{
		{slacktest.Fault{Kind: slacktest.Broken}, "500", false},
		{slacktest.Fault{Kind: slacktest.TooMany, Delay: 7 * time.Second}, "retry after 7s", false},
		{slacktest.Fault{Kind: slacktest.Refused, Error: "fatal_error"}, "fatal_error", false},
		{slacktest.Fault{Kind: slacktest.Silent}, "deadline exceeded", false},
		{slacktest.Fault{Kind: slacktest.Lost}, "deadline exceeded", true},
		{slacktest.Fault{Kind: slacktest.Cut}, "EOF", true},
		{slacktest.Fault{Kind: slacktest.Slow, Delay: 10 * time.Millisecond}, "<nil>", true},
	} {
		row.fault.Method = "chat."
		s.Fail(row.fault)
		text := string(row.fault.Kind)
		if err := post(text); !strings.Contains(fmt.Sprint(err), row.wants) {
			t.Errorf("%s: %v, want %s in it", text, err, row.wants)
		}
		stored := slices.ContainsFunc(s.Messages(""), func(m slacktest.Message) bool { return m.Text == text })
		if stored != row.stored {
			t.Errorf("%s: stored %v, want %v", text, stored, row.stored)
		}
		if err := post("after " + text); err != nil {
			t.Errorf("the call after %s: %v", text, err)
		}
	}
	s.Away()
	if err := post("on the old connection"); err == nil {
		t.Error("while Slack is away: no error")
	}
	if err := post("away"); !strings.Contains(fmt.Sprint(err), "refused") {
		t.Errorf("while Slack is away: %v, want refused", err)
	}
	if err := s.Back(); err != nil {
		t.Fatal(err)
	}
	if err := post("back"); err != nil {
		t.Errorf("when Slack is back: %v", err)
	}
	s.Fail(slacktest.Fault{Kind: slacktest.Broken, Times: -1})
	for range 3 {
		if err := post("x"); err == nil {
			t.Error("a fault that stays was gone")
		}
	}
	s.Heal()
	if err := post("healed"); err != nil {
		t.Errorf("after Heal: %v", err)
	}
}

func TestEveryTimestampIsItsOwn(t *testing.T) {
	c := &clock{t: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)}
	s := acme(t, slacktest.Config{Now: c.now, NoRateLimits: true})
	api := client(s)
	seen := sync.Map{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, ts, err := api.PostMessageContext(t.Context(), "C0SUPPORT", slack.MsgOptionText("x", false))
			if _, twice := seen.LoadOrStore(ts, true); twice || err != nil {
				t.Errorf("ts %q twice, or %v", ts, err)
			}
		})
	}
	all.Wait()
}

func TestResponseURL(t *testing.T) {
	c := &clock{t: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)}
	s := acme(t, slacktest.Config{Now: c.now})
	ctx := t.Context()
	var commandURL, pressURL string
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		commandURL = r.PostForm.Get("response_url")
		if p := r.PostForm.Get("payload"); p != "" {
			var in struct {
				URL string `json:"response_url"`
			}
			if err := json.Unmarshal([]byte(p), &in); err != nil {
				t.Error(err)
			}
			pressURL = in.URL
		}
	}))
	defer bot.Close()
	s.Connect(slacktest.At(bot.URL))
	post := func(url string, m slack.WebhookMessage) string {
		t.Helper()
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url, "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", resp.StatusCode, answer)
	}
	expect := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
	texts := func(user string) []string {
		var out []string
		for _, m := range s.Visible(user) {
			out = append(out, m.Text)
		}
		return out
	}

	if _, err := s.Command(ctx, "U0ANA", "C0SUPPORT", "/outage"); err != nil {
		t.Fatal(err)
	}
	blocks := &slack.Blocks{BlockSet: []slack.Block{button("Go", "1")}}
	expect(post(commandURL, slack.WebhookMessage{Text: "one", Blocks: blocks}), "200 ok")
	expect(post(commandURL, slack.WebhookMessage{Text: "two", ReplaceOriginal: true}), "200 ok")
	expect(post(commandURL, slack.WebhookMessage{}), "400 no_text")
	expect(post(commandURL, slack.WebhookMessage{Text: "three", ResponseType: "in_channel"}), "200 ok")
	if got, want := texts("U0ANA"), []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("@ana sees %q, want %q: an answer to a command replaces nothing", got, want)
	}
	if got := texts("U0BEN"); !slices.Equal(got, []string{"three"}) {
		t.Errorf("@ben sees %q, want only what went to the channel", got)
	}
	expect(post(commandURL, slack.WebhookMessage{Text: "four"}), "200 ok")
	expect(post(commandURL, slack.WebhookMessage{Text: "five"}), "404 used_url")

	one := s.Visible("U0ANA")[0]
	if _, err := s.Press(ctx, "U0ANA", one, "Go"); err != nil {
		t.Fatal(err)
	}
	expect(post(pressURL, slack.WebhookMessage{Text: "one, pressed", ReplaceOriginal: true, ResponseType: "in_channel"}), "200 ok")
	if got := s.Visible("U0ANA")[0]; got.Text != "one, pressed" || got.Only != "U0ANA" || got.TS != one.TS || len(got.Blocks) != 0 {
		t.Errorf("the pressed message is %+v, want it replaced and still for @ana alone", got)
	}
	expect(post(pressURL, slack.WebhookMessage{DeleteOriginal: true}), "200 ok")
	if got := texts("U0ANA"); slices.Contains(got, "one, pressed") {
		t.Errorf("@ana sees %q, want the pressed message gone", got)
	}
	if _, err := s.Press(ctx, "U0ANA", one, "Go"); err != nil { // on a device that does not know yet
		t.Fatal(err)
	}
	c.pass(30*time.Minute + time.Second)
	expect(post(pressURL, slack.WebhookMessage{Text: "late"}), "404 expired_url")
}
