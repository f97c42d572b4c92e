// Package statuspage reads status pages that speak the v2 API of Atlassian Statuspage, and takes their notifications.
//
// Everything is read from the configured address, and nothing from an address that stands in a body. A notification is
// not signed: it is a hint that makes the next read come sooner. The bot is complete without them.
package statuspage

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchback/bot/incident"
)

const (
	maxID         = 128 // bytes of an id that is not ours
	maxName       = 255 // characters of an incident's name on Statuspage
	maxUpdates    = 300
	maxComponents = 500
)

// The wire structs have the fields that are used. Vendors differ in the rest, and in the types of these: what cannot be
// read counts as missing. meta.unsubscribe is not among them; whoever has it can take the subscription away.
type (
	wirePage struct {
		ID   text `json:"id"`
		Name text `json:"name"`
	}
	wireIncident struct {
		ID             text                `json:"id"`
		Name           text                `json:"name"`
		Status         text                `json:"status"`
		Impact         text                `json:"impact"`
		Shortlink      text                `json:"shortlink"`
		CreatedAt      moment              `json:"created_at"`
		StartedAt      moment              `json:"started_at"`
		UpdatedAt      moment              `json:"updated_at"`
		ResolvedAt     moment              `json:"resolved_at"`
		ScheduledFor   moment              `json:"scheduled_for"`
		ScheduledUntil moment              `json:"scheduled_until"`
		PostmortemAt   moment              `json:"postmortem_published_at"`
		Backfilled     flag                `json:"backfilled"`
		Updates        list[wireUpdate]    `json:"incident_updates"`
		Components     list[wireComponent] `json:"components"`
	}
	wireUpdate struct {
		ID        text           `json:"id"`
		Status    text           `json:"status"`
		Body      text           `json:"body"`
		CreatedAt moment         `json:"created_at"`
		UpdatedAt moment         `json:"updated_at"`
		DisplayAt moment         `json:"display_at"`
		Deliver   *flag          `json:"deliver_notifications"`
		Affected  list[affected] `json:"affected_components"`
	}
	affected struct {
		Code text `json:"code"` // the component's id
		Name text `json:"name"`
		Old  text `json:"old_status"`
		New  text `json:"new_status"`
	}
	wireComponent struct {
		ID      text `json:"id"`
		Name    text `json:"name"`
		Status  text `json:"status"`
		GroupID text `json:"group_id"`
		Group   flag `json:"group"` // it is a group itself
	}
	wireStatus struct {
		Description text `json:"description"`
	}
	// summary is /api/v2/summary.json; incidents.json and scheduled-maintenances.json have parts of it.
	summary struct {
		Page         maybe[wirePage]     `json:"page"`
		Status       maybe[wireStatus]   `json:"status"`
		Components   list[wireComponent] `json:"components"`
		Incidents    list[wireIncident]  `json:"incidents"`
		Maintenances list[wireIncident]  `json:"scheduled_maintenances"`
	}
	// notification is the body of a webhook. There is no type field: the kinds are told apart by their keys
	// (https://support.atlassian.com/statuspage/docs/enable-webhook-notifications).
	notification struct {
		Page      maybe[wirePage]      `json:"page"`
		Incident  maybe[wireIncident]  `json:"incident"`
		Component maybe[wireComponent] `json:"component"`
		Change    maybe[wireChange]    `json:"component_update"`
	}
	wireChange struct {
		ComponentID text `json:"component_id"`
		Old         text `json:"old_status"`
		New         text `json:"new_status"`
	}
)

var errNotJSON = errors.New("the body is not a JSON object")

// decodeNotice reads the body of a notification. It returns an error only for what is no JSON object.
func decodeNotice(p incident.Page, body []byte, at time.Time) (incident.Notice, error) {
	var n notification
	if err := object(body, &n); err != nil {
		return incident.Notice{}, err
	}
	out := incident.Notice{At: at, PageID: id(n.Page.is.ID)}
	switch {
	case n.Incident.is.ID != "":
		s := snapshot(p, n.Incident.is, nil)
		s.Via, s.At = incident.ByHook, at
		s = s.Clean()
		out.Incident = &s
	case n.Change.ok:
		c := incident.Change{
			ID: id(n.Change.is.ComponentID), Name: name(n.Component.is.Name),
			From: line(n.Change.is.Old), To: line(n.Change.is.New),
		}
		if c.ID == "" {
			c.ID = id(n.Component.is.ID)
		}
		if c.ID != "" || c.Name != "" {
			out.Change = &c
		}
	}
	return out, nil
}

// decodeSummary reads summary.json.
func decodeSummary(body []byte) (summary, error) {
	var s summary
	if err := object(body, &s); err != nil {
		return s, err
	}
	if s.Page.is.ID == "" {
		return s, errors.New("the answer names no page")
	}
	return s, nil
}

// components are the page's components with the names of their groups. Groups themselves are none.
func components(wire []wireComponent) []incident.Component {
	groups := map[text]string{}
	for _, c := range wire {
		if c.Group {
			groups[c.ID] = name(c.Name)
		}
	}
	var out []incident.Component
	for _, c := range wire {
		if !c.Group && len(out) < maxComponents {
			out = append(out, incident.Component{ID: id(c.ID), Name: name(c.Name), Group: groups[c.GroupID], Status: strings.ToLower(string(c.Status))})
		}
	}
	return out
}

// snapshot brings one incident or maintenance into the form of all vendors. all are the page's components; nil: they
// are not known.
func snapshot(p incident.Page, w wireIncident, all []incident.Component) incident.Snapshot {
	s := incident.Snapshot{
		Page: p.ID, ID: id(w.ID), Name: name(w.Name), Status: line(w.Status), Impact: line(w.Impact), Link: linkOf(p, w),
		Created: w.CreatedAt.Time, Started: w.StartedAt.Time, Edited: w.UpdatedAt.Time, Resolved: w.ResolvedAt.Time,
		From: w.ScheduledFor.Time, Until: w.ScheduledUntil.Time, Backfilled: bool(w.Backfilled), Report: w.PostmortemAt.Time,
	}
	for _, c := range components(w.Components) {
		if i := slices.IndexFunc(all, func(have incident.Component) bool { return have.ID == c.ID }); i >= 0 && c.Group == "" {
			c.Group = all[i].Group
		}
		s.Components = append(s.Components, c)
	}
	updates := w.Updates
	if len(updates) > maxUpdates {
		updates = updates[:maxUpdates]
	}
	for _, u := range slices.Backward(updates) { // the newest comes first
		out := incident.Update{
			ID: id(u.ID), Status: line(u.Status), Text: incident.Plain(string(u.Body)),
			Created: u.CreatedAt.Time, Edited: u.UpdatedAt.Time, Silent: u.Deliver != nil && !bool(*u.Deliver),
		}
		if d := u.DisplayAt.Time; !d.Equal(out.Created) {
			out.Shown = d
		}
		if out.Created.IsZero() {
			out.Created, out.Shown = u.DisplayAt.Time, time.Time{}
		}
		for _, a := range u.Affected {
			if a.Code == "" && a.New == "" { // "No components were affected by this update."
				continue
			}
			out.Changes = append(out.Changes, incident.Change{ID: id(a.Code), Name: name(a.Name), From: line(a.Old), To: line(a.New)})
		}
		s.Updates = append(s.Updates, out)
	}
	return s
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// linkOf is where people read about an incident: the page's own short link, without what it says of its subscriber, or
// the place on the page where Statuspage has it. Never another host.
func linkOf(p incident.Page, w wireIncident) string {
	if u, err := url.Parse(string(w.Shortlink)); err == nil && u.Scheme == "https" && u.User == nil && u.Port() == "" {
		page, _ := url.Parse(p.URL)
		link, _ := url.Parse(p.Link)
		if h := u.Hostname(); h == "stspg.io" || page != nil && h == page.Hostname() || link != nil && h == link.Hostname() {
			return (&url.URL{Scheme: "https", Host: h, Path: u.Path}).String()
		}
	}
	if plainID.MatchString(string(w.ID)) {
		return strings.TrimRight(p.Link, "/") + "/incidents/" + string(w.ID)
	}
	return p.Link
}

// id is an id of any form, of a length that can be kept. A name that is cut would be another's, so it is not cut.
func id(t text) string {
	s := strings.TrimSpace(string(t))
	if len(s) > maxID || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "#" + hash(s)
	}
	return s
}

func name(t text) string {
	s := []rune(incident.Line(string(t)))
	return string(s[:min(len(s), maxName)])
}

func line(t text) string {
	s := []rune(incident.Line(string(t)))
	return string(s[:min(len(s), 40)])
}

// object reads a JSON object, and nothing after it.
func object(body []byte, into any) error {
	if body = bytes.TrimSpace(body); !bytes.HasPrefix(body, []byte("{")) {
		return errNotJSON
	}
	if err := json.Unmarshal(body, into); err != nil { // the cause may quote the body
		return errNotJSON
	}
	return nil
}

// text is a string; a number or a bool is one too.
type text string

// UnmarshalJSON takes anything.
func (t *text) UnmarshalJSON(data []byte) error {
	switch {
	case data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(strings.ToValidUTF8(s, ""))
	case data[0] != '{' && data[0] != '[' && !bytes.Equal(data, []byte("null")):
		*t = text(data)
	}
	return nil
}

// moment is a time. What is no time is none.
type moment struct{ time.Time }

// UnmarshalJSON takes anything.
func (m *moment) UnmarshalJSON(data []byte) error {
	s, err := strconv.Unquote(string(data))
	if err != nil {
		return nil //nolint:nilerr // no text, no time
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999Z0700", "2006-01-02 15:04:05 MST", time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1990 && t.Year() < 2200 {
			m.Time = t.UTC().Truncate(time.Millisecond)
			return nil
		}
	}
	return nil
}

// flag is true or not.
type flag bool

// UnmarshalJSON takes anything.
func (f *flag) UnmarshalJSON(data []byte) error {
	*f = flag(bytes.Equal(data, []byte("true")))
	return nil
}

// maybe is an object; what is none is missing.
type maybe[T any] struct {
	is T
	ok bool
}

// UnmarshalJSON takes anything.
func (m *maybe[T]) UnmarshalJSON(data []byte) error {
	if data[0] == '{' {
		m.ok = json.Unmarshal(data, &m.is) == nil
	}
	return nil
}

// list is a list; what is none is an empty one, and so are entries that are no objects.
type list[T any] []T

// UnmarshalJSON takes anything.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if data[0] != '[' {
		return nil
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*l = nil
	for _, r := range raw {
		var v T
		if r[0] == '{' && json.Unmarshal(r, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}
