package slack

import (
	"context"

	"github.com/rs/zerolog"
	slackgo "github.com/slack-go/slack"

	"switchback/bot/flow"
)

// showHome draws the Home tab for somebody who opened it.
func (s *Slack) showHome(ctx context.Context, w workspace, in incoming) {
	by := flow.Person{Account: Platform + ":" + in.user, Member: s.belongs(ctx, w, in)}
	view := home(s.config.Flow.Overview(ctx, by))
	if _, err := s.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: in.user, View: view}); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Strs("why", why(err)).Msg("the Home tab could not be drawn")
	}
}
