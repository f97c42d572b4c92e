package slacktest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What a response_url is good for. https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
const (
	answerUses  = 5
	answerLives = 30 * time.Minute
)

// answerURL is the right to answer a command or press.
type answerURL struct {
	user    string
	channel string
	ts      string // of the message that was pressed; empty: a command, whose answers are new messages
	at      time.Time
	uses    int
}

// answerURL makes a response_url; s.mu is held.
func (s *Slack) answerURL(kind string, a answerURL) string {
	a.at = s.now()
	path := "/" + kind + "/" + s.config.TeamID + "/" + s.id("7") + "/" + random()
	s.answers[path] = &a
	return s.base + path
}

func (s *Slack) respond(w http.ResponseWriter, r *http.Request) {
	const name = "response_url"
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	a := args{}
	valid := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && decode(body, &a)
	fault := s.meet(name)
	if s.before(w, r, name, a, fault) {
		return
	}
	status, code := http.StatusBadRequest, "invalid_payload"
	s.mu.Lock()
	answer := s.answers[r.URL.Path]
	switch {
	case answer == nil || s.now().Sub(answer.at) > answerLives:
		status, code = http.StatusNotFound, "expired_url"
	case answer.uses >= answerUses:
		status, code = http.StatusNotFound, "used_url"
	case valid:
		answer.uses++
		status, code = s.answerWith(answer, a)
	default:
		answer.uses++
	}
	s.mu.Unlock()
	s.after(w, r, name, a, fault)
	s.note(name, a, status, code)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	if code == "" {
		code = "ok"
	}
	_, _ = io.WriteString(w, code)
}

// answerWith does what a response asks for.
func (s *Slack) answerWith(answer *answerURL, a args) (int, string) {
	original := s.message(answer.channel, answer.ts)
	pressed := answer.ts != ""
	if a.yes("delete_original") {
		if original != nil {
			s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m == original })
			s.touch()
		}
		return http.StatusOK, ""
	}
	m, err := s.content(a, false)
	if err != nil {
		return http.StatusBadRequest, err.code
	}
	if a.yes("replace_original") && pressed {
		// Nobody can see whether an ephemeral message is still there, not even Slack.
		if original != nil {
			s.edit(original, m)
		}
		return http.StatusOK, ""
	}
	c := s.channel(answer.channel)
	if c == nil || c.Archived {
		return http.StatusGone, "channel_is_archived"
	}
	s.said(a, m, answer.user, c.ID)
	return http.StatusOK, ""
}

// said puts an answer into the channel, for the person alone unless it says otherwise.
func (s *Slack) said(a args, m Message, user, channel string) {
	m.Channel, m.User, m.Only, m.Thread = channel, BotUser, user, a.str("thread_ts")
	if a.str("response_type") == "in_channel" {
		m.Only = ""
	}
	s.put(m)
}
