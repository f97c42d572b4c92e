package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"
)

const maxBody = 1 << 20 // bytes of a request

// ServeHTTP takes in what Slack sends: slash commands, interactivity and events, at any path. What was answered with
// 200 is not lost.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	log := s.config.Log.With().Str("platform", Platform).Logger()
	ctx := log.WithContext(r.Context())
	refuse := func(status int, err error) {
		log.Warn().Err(err).Int("status", status).Str("path", r.URL.Path).Msg("refused")
		http.Error(w, http.StatusText(status), status)
	}
	defer func() {
		if p := recover(); p != nil {
			log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("set aside")
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}
	}()
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, errors.New("not a POST"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(http.StatusRequestEntityTooLarge, errors.New("the body is too large, or ended too early"))
		return
	}
	if err := s.verify(r.Header, body); err != nil {
		refuse(http.StatusUnauthorized, err)
		return
	}
	in, err := decode(r.Header, r.URL.RawQuery, body)
	switch {
	case errors.Is(err, errContentType):
		refuse(http.StatusUnsupportedMediaType, err)
		return
	case err != nil:
		refuse(http.StatusBadRequest, err)
		return
	case in.kind == kindChallenge:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, in.challenge)
		return
	}
	answer, err := s.take(ctx, in)
	switch {
	case errors.Is(err, errOtherTeam):
		refuse(http.StatusForbidden, err)
	case err != nil: // Slack repeats events; people are told by Slack that it did not work
		refuse(http.StatusServiceUnavailable, err)
	default:
		s.answer(w, r, answer)
	}
}

// verify checks the signature over the raw body, by any of the secrets that are valid now.
func (s *Slack) verify(header http.Header, body []byte) error {
	err := errors.New("there is no signing secret")
	for _, secret := range s.config.SigningSecrets {
		var v slackgo.SecretsVerifier
		if v, err = slackgo.NewSecretsVerifier(header, secret.Reveal()); err != nil {
			continue
		}
		if _, err = v.Write(body); err == nil {
			err = v.Ensure()
		}
		if err == nil {
			return nil
		}
	}
	return err
}

func (s *Slack) answer(w http.ResponseWriter, r *http.Request, answer any) {
	if answer == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		zerolog.Ctx(r.Context()).Warn().Err(err).Msg("an answer did not arrive")
	}
}
