package slacktest

import (
	"strings"
	"time"
)

func (s *Slack) usersInfo(a args) (map[string]any, *apiError) {
	u := s.user(a.str("user"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	return map[string]any{"user": s.profile(u, a.yes("include_locale"))}, nil
}

func (s *Slack) lookup(a args) (map[string]any, *apiError) {
	for _, u := range s.users {
		if u.Email != "" && strings.EqualFold(u.Email, a.str("email")) && !u.Deactivated && u.Team == s.config.TeamID {
			return map[string]any{"user": s.profile(u, false)}, nil
		}
	}
	return nil, fail("users_not_found")
}

func (s *Slack) profile(u *User, locale bool) map[string]any {
	profile := map[string]any{"real_name": u.RealName, "display_name": u.Name, "team": u.Team}
	if u.Email != "" && u.Team == s.config.TeamID {
		profile["email"] = u.Email
	}
	out := map[string]any{
		"id": u.ID, "team_id": u.Team, "name": u.Name, "real_name": u.RealName, "deleted": u.Deactivated,
		"is_bot": u.Bot, "is_app_user": false, "profile": profile,
	}
	if u.Deactivated { // Slack says little about people who left
		return out
	}
	if zone, err := time.LoadLocation(u.Zone); err == nil {
		name, offset := s.now().In(zone).Zone()
		out["tz"], out["tz_label"], out["tz_offset"] = u.Zone, name, offset
	}
	out["is_restricted"], out["is_ultra_restricted"] = u.Guest || u.SingleGuest, u.SingleGuest
	if u.Team != s.config.TeamID {
		out["is_stranger"] = true
	} else if locale {
		out["locale"] = u.Locale
	}
	return out
}

func (s *Slack) listGroups(a args) (map[string]any, *apiError) {
	out := []any{}
	for _, g := range s.groups {
		if g.Disabled && !a.yes("include_disabled") {
			continue
		}
		shown := map[string]any{
			"id": g.ID, "team_id": s.config.TeamID, "is_usergroup": true, "name": g.Name, "handle": g.Handle,
			"date_delete": 0, "user_count": len(g.Members), "prefs": map[string]any{"channels": []any{}, "groups": []any{}},
		}
		if g.Disabled {
			shown["date_delete"] = s.now().Unix()
		}
		if a.yes("include_users") {
			shown["users"] = append([]string{}, g.Members...)
		}
		out = append(out, shown)
	}
	return map[string]any{"usergroups": out}, nil
}

func (s *Slack) groupMembers(a args) (map[string]any, *apiError) {
	for _, g := range s.groups {
		if g.ID == a.str("usergroup") {
			if g.Disabled && !a.yes("include_disabled") {
				return map[string]any{"users": []string{}}, nil
			}
			return map[string]any{"users": append([]string{}, g.Members...)}, nil
		}
	}
	return nil, fail("no_such_subteam")
}
