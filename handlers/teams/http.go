package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/rs/zerolog"
)

const maxBody = 256 << 10 // bytes of an activity

// ServeHTTP takes in what Teams sends, at any path. The token is checked before the body is read; a refusal says
// nothing but its status. What was answered with 200 is not lost.
func (t *Teams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	log := t.config.Log.With().Str("platform", Platform).Logger()
	ctx := log.WithContext(r.Context())
	refuse := func(status int, err error) {
		log.Warn().Err(err).Int("status", status).Msg("refused")
		w.WriteHeader(status)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, errors.New("not a POST"))
		return
	}
	c, err := t.validator.verify(ctx, r.Header.Get("Authorization"))
	switch {
	case errors.Is(err, errKeys): // Teams tries again
		refuse(http.StatusServiceUnavailable, err)
		return
	case err != nil:
		refuse(http.StatusUnauthorized, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(http.StatusRequestEntityTooLarge, errors.New("the body is too large, or ended too early"))
		return
	}
	in, err := t.parse(context.WithValue(ctx, claimsKey{}, c), r, body)
	switch {
	case errors.Is(err, errForbidden):
		refuse(http.StatusForbidden, err)
		return
	case err != nil:
		refuse(http.StatusBadRequest, err)
		return
	}
	t.lastService.Store(in.service)
	answer := t.take(ctx, in)
	if answer == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("an answer did not arrive")
	}
}

// parse reads an activity by the library's adapter, whose validator checks what comes with the token in ctx. The
// library knows only objects as values, and gives out what it has read together with an error.
func (t *Teams) parse(ctx context.Context, r *http.Request, body []byte) (incoming, error) {
	body, more, err := prepared(body)
	if err != nil {
		return incoming{}, err
	}
	r = r.Clone(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	a, err := t.adapter.ParseRequest(ctx, r)
	if err != nil {
		return incoming{}, err
	}
	return decode(a, more)
}
