package story_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"switchback/handlers/slack/slacktest"
	"switchback/handlers/slack/slacktest/story"
)

// bot is a small bot on slack-go that closes chat: as much as a story needs.
type bot struct {
	t      *testing.T
	api    *slack.Client
	secret string

	mu     sync.Mutex
	closed string // by whom
}

func (b *bot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Error(err)
	}
	verifier, err := slack.NewSecretsVerifier(r.Header, b.secret)
	if err == nil {
		_, _ = verifier.Write(body)
		err = verifier.Ensure()
	}
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch r.URL.Path {
	case "/slack/commands":
		b.command(r)
	case "/slack/interactions":
		b.interaction(w, r)
	case "/slack/events":
		b.event(body)
	}
}

func (b *bot) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Error(err)
	}
}

func text(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func section(s string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, s, false, false), nil, nil)
}

func (b *bot) command(r *http.Request) {
	c, err := slack.SlashCommandParse(r)
	b.check(err)
	press := slack.NewButtonBlockElement("close", "w1", text("Close Web shop now")).WithStyle(slack.StyleDanger).
		WithConfirm(slack.NewConfirmationBlockObject(text("Close Web shop?"), text("Customers notice at once."), text("Close it"), text("Cancel")))
	_, err = b.api.PostEphemeral(c.ChannelID, c.UserID, slack.MsgOptionText("Chat arrives late: close chat?", false), slack.MsgOptionBlocks(
		slack.NewHeaderBlock(text("Chat arrives late → close chat")), section("Typed by <@"+c.UserID+">: "+c.Text),
		slack.NewActionBlock("", press, slack.NewButtonBlockElement("note", "", text("Change…"))),
	))
	b.check(err)
}

func (b *bot) interaction(w http.ResponseWriter, r *http.Request) {
	in, err := slack.InteractionCallbackParse(r)
	b.check(err)
	switch {
	case in.Type == slack.InteractionTypeViewSubmission:
		said := in.View.State.Values["text"]["said"].Value
		w.Header().Set("Content-Type", "application/json")
		if !strings.Contains(said, "@") {
			b.check(json.NewEncoder(w).Encode(slack.NewErrorsViewSubmissionResponse(map[string]string{"text": "Name another way to reach you."})))
			return
		}
		_, _, err = b.api.PostMessage("C0SUPPORT", slack.MsgOptionText("Visitors read: "+said, true))
		b.check(err)
	case in.Type == slack.InteractionTypeMessageAction:
		_, _, err = b.api.PostMessage(in.Channel.ID, slack.MsgOptionText("noted", false), slack.MsgOptionTS(in.Message.Timestamp))
		b.check(err)
	case in.ActionCallback.BlockActions[0].ActionID == "note":
		input := slack.NewInputBlock("text", text("What visitors read"), nil, slack.NewPlainTextInputBlockElement(nil, "said").WithInitialValue("Write to help@acme.example"))
		submit, no := text("Save"), text("Cancel")
		_, err = b.api.OpenView(in.TriggerID, slack.ModalViewRequest{Type: slack.VTModal, Title: text("Change"), Submit: submit, Close: no, Blocks: slack.Blocks{BlockSet: []slack.Block{input}}})
		b.check(err)
	default:
		b.press(in)
	}
}

// press closes chat once; whoever comes later is told who did.
func (b *bot) press(in slack.InteractionCallback) {
	b.mu.Lock()
	first := b.closed == ""
	if first {
		b.closed = in.User.ID
	}
	by := b.closed
	b.mu.Unlock()
	said := "Chat is closed already, by <@" + by + ">."
	if first {
		_, ts, err := b.api.PostMessage("C0SUPPORT", slack.MsgOptionText("CHAT – Web shop closing", false))
		b.check(err)
		_, _, _, err = b.api.UpdateMessage("C0SUPPORT", ts, slack.MsgOptionText("CHAT – Web shop CLOSED", false))
		b.check(err)
		said = "Closed, by you."
	}
	b.check(slack.PostWebhook(in.ResponseURL, &slack.WebhookMessage{Text: said, ReplaceOriginal: true}))
}

func (b *bot) event(body []byte) {
	e, err := slackevents.ParseEvent(body, slackevents.OptionNoVerifyToken())
	b.check(err)
	switch in := e.InnerEvent.Data.(type) {
	case *slackevents.AppMentionEvent:
		_, _, err = b.api.PostMessage(in.Channel, slack.MsgOptionText("Web shop is closed.", false), slack.MsgOptionTS(in.ThreadTimeStamp))
	case *slackevents.AppHomeOpenedEvent:
		_, err = b.api.PublishView(in.User, slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{section("*Open:* chat")}}}, "")
	}
	b.check(err)
}

func world(t *testing.T) (*slacktest.Slack, *story.World) {
	t.Helper()
	s := slacktest.New(slacktest.Config{})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, name := range []string{"ana", "ben"} {
		s.AddUser(slacktest.User{Name: name})
	}
	s.AddChannel(slacktest.Channel{Name: "support", Members: []string{slacktest.BotUser, "U0ANA", "U0BEN"}})
	b := &bot{t: t, secret: s.Config().SigningSecret, api: slack.New(s.Config().BotToken, slack.OptionAPIURL(s.APIURL()))}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return s, story.New(t, s, server.URL)
}

func TestStory(t *testing.T) {
	s, w := world(t)
	ana, ben, support := w.Person("ana"), w.Person("ben"), w.Channel("#support")

	ana.Types("#support", "/outage chat late, says @ben")
	card := ana.Alone("Chat arrives late", "Typed by @ana: chat late, says", "[Close Web shop now]  [Change…]")
	ben.SeesNothing()
	support.Hides("Chat arrives late")
	if got := card.Notice(); got != "Chat arrives late: close chat?" {
		t.Errorf("the notice says %q", got)
	}

	card.Press("Change…")
	form := ana.Form("Change", "What visitors read: Write to help@acme.example", "[Save]")
	if diff := cmp.Diff(map[string]string{"What visitors read": "Please complete this required field."}, form.Fill("What visitors read", "").Submit()); diff != "" {
		t.Errorf("sent empty (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"What visitors read": "Name another way to reach you."}, form.Fill("What visitors read", "Sorry").Submit()); diff != "" {
		t.Errorf("sent without a way (-want +got):\n%s", diff)
	}
	typed := "Write to <help@acme.example> & \"wait\"\n*please* 🙏"
	if errs := form.Fill("What visitors read", typed).Submit(); len(errs) > 0 {
		t.Errorf("refused: %v", errs)
	}
	ana.NoForm()
	support.Shows("Visitors read: Write to <help@acme.example> & \"wait\"", "please")

	if got, want := card.Dismiss("Close Web shop now"), (slacktest.Dialog{Title: "Close Web shop?", Text: "Customers notice at once.", Yes: "Close it", No: "Cancel"}); got != want {
		t.Errorf("the dialog asks %+v, want %+v", got, want)
	}
	if support.Count("CLOSED") != 0 {
		t.Error("dismissed, and yet it was closed")
	}
	card.PressTwice("Close Web shop now")
	closed := support.Shows("CHAT – Web shop CLOSED")
	card.Press("Close Web shop now") // from a device that still shows the button
	ana.Sees("Chat is closed already, by @ana")
	if n := support.Count("CHAT – Web shop"); n != 1 {
		t.Errorf("closed %d times, want once", n)
	}

	ben.Mentions("#support", closed, "outage status")
	closed.Thread().Shows("Web shop is closed.")
	support.Hides("Web shop is closed.")
	closed.As(ben).Shortcut("note")
	support.Thread("CHAT – Web shop CLOSED").Shows("noted")
	ana.Home("Open: chat")

	ana.Reloads()
	ana.Hides("Chat is closed already")

	d := ana.TryTypes("#support", "/nonsense")
	if d.Kind != "" {
		t.Errorf("an unknown command reached the bot: %+v", d)
	}
	ana.Sees("/nonsense is not a valid command.")
	ana.Replies(closed, "/outage")
	ana.Sees("/outage is not supported in threads.")
	s.Send(t.Context(), slacktest.Request{URL: "http://127.0.0.1:1/"}) // nobody there
	if got := s.Deliveries(); got[len(got)-1].Err != slacktest.Failed {
		t.Errorf("sent to nobody: %+v", got[len(got)-1])
	}
}
