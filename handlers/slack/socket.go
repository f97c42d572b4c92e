package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack/socketmode"
)

const (
	reconnectMin = time.Second
	reconnectMax = time.Minute
)

// Connect takes in what Slack sends over Socket Mode, until ctx ends. One connection is kept up: slack-go reconnects by
// itself, and what ends it all the same is begun anew.
func (s *Slack) Connect(ctx context.Context) error {
	log := s.config.Log.With().Str("platform", Platform).Logger()
	for wait := reconnectMin; ; wait = min(2*wait, reconnectMax) {
		began := time.Now()
		err := s.connection(log.WithContext(ctx))
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was to end
		}
		if time.Since(began) > reconnectMax {
			wait = reconnectMin
		}
		log.Error().Err(err).Dur("again_in", wait).Msg("the connection to Slack ended")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// connection is one run of slack-go's client. Each request is acknowledged once it is safe: what is not is sent again,
// or Slack tells the person that it did not work.
func (s *Slack) connection(ctx context.Context) (err error) {
	line, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	client := socketmode.New(s.api)
	ended := make(chan error, 1)
	s.running.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				ended <- fmt.Errorf("panic: %v", p)
			}
		}()
		ended <- client.RunContext(line)
	})
	busy := make(chan struct{}, atOnce)
	for {
		select {
		case <-ctx.Done(): // what was taken in gets its answer before the line goes down
			sure := time.After(takeInFor + formFor)
			for range cap(busy) {
				select {
				case busy <- struct{}{}:
				case <-sure:
					return nil
				}
			}
			time.Sleep(sendFor)
			return nil
		case err := <-ended:
			return errors.Join(errors.New("the connection to Slack is over"), err)
		case e, ok := <-client.Events:
			if !ok {
				return <-ended
			}
			switch e.Type {
			case socketmode.EventTypeConnected:
				zerolog.Ctx(ctx).Info().Msg("connected to Slack")
			case socketmode.EventTypeInvalidAuth:
				zerolog.Ctx(ctx).Error().Msg("Slack does not take the app token (SLACK_APP_TOKEN)")
			default: // the client looks after its connection by itself
			}
			r, ok := request(e)
			if !ok {
				continue
			}
			busy <- struct{}{}
			s.running.Go(func() {
				defer func() { <-busy }()
				s.envelope(ctx, client, r)
			})
		}
	}
}

// sendFor is the time that the client has for sending its last answers: it does not say when it has.
const sendFor = 100 * time.Millisecond

// atOnce is how many requests of one connection are taken in at the same time.
const atOnce = 32

// request is what Slack sent, also where slack-go does not understand it: it knows fewer elements than Slack has, and
// decode wants few of them.
func request(e socketmode.Event) (socketmode.Request, bool) {
	var r socketmode.Request
	bad, ok := e.Data.(*socketmode.ErrorBadMessage)
	switch {
	case e.Request != nil:
		r = *e.Request
	case !ok || json.Unmarshal(bad.Message, &r) != nil:
		return r, false
	}
	return r, r.Type == socketmode.RequestTypeSlashCommands || r.Type == socketmode.RequestTypeInteractive || r.Type == socketmode.RequestTypeEventsAPI
}

func (s *Slack) envelope(ctx context.Context, client *socketmode.Client, r socketmode.Request) {
	defer func() {
		if p := recover(); p != nil {
			zerolog.Ctx(ctx).Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("set aside")
		}
	}()
	in, err := decodeSocket(r.Type, r.Payload)
	var answer any
	if err == nil {
		answer, err = s.take(context.WithoutCancel(ctx), in)
	} else {
		zerolog.Ctx(ctx).Warn().Err(err).Str("type", r.Type).Msg("refused")
		err = nil // it will not become better: Slack need not send it again
	}
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("refused")
		if !errors.Is(err, errOtherTeam) {
			return
		}
	}
	var payload []any
	if answer != nil {
		payload = append(payload, answer)
	}
	if err := client.Ack(r, payload...); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("an answer did not arrive")
	}
}
