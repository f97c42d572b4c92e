package handlers

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"switchback/bot/card"
	"switchback/bot/config"
	"switchback/bot/flow"
)

const pagerWait = 10 * time.Second

// Pager sends reminders to a web address, so that a pager can ring: signed JSON, from the third rung of the ladder on.
//
// The key is the password in the address (https://switchback:KEY@pager.example.com/hook); it is not sent. The header
// X-Switchback-Signature is v1= and the hex HMAC-SHA256 of the header X-Switchback-Timestamp (Unix seconds), a dot,
// and the body.
type Pager struct {
	url    string
	key    []byte
	client *http.Client
}

// NewPager reads the address. It wants https, but for loopback, and a key. Its errors do not show the address.
func NewPager(address config.Secret) (*Pager, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return nil, errors.New("the pager's address is not a URL")
	}
	local, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !local.IsLoopback()) {
		return nil, errors.New("the pager's address must begin with https://")
	}
	key, _ := u.User.Password()
	if key == "" {
		return nil, errors.New("the pager's address has no key: https://switchback:KEY@host/path")
	}
	u.User = nil
	client := &http.Client{Timeout: pagerWait, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // followed, most redirects ask for a page and leave the reminder behind
	}}
	return &Pager{url: u.String(), key: []byte(key), client: client}, nil
}

// page is what the pager gets.
type page struct {
	ID    string   `json:"id"` // the same for each repeat
	Title string   `json:"title"`
	Text  []string `json:"text"` // times are in UTC
}

// Send posts one reminder.
func (p *Pager) Send(ctx context.Context, post flow.Post, _ Target) (string, error) {
	out := page{ID: post.ID, Title: card.In(post.Card.Title, time.UTC)}
	for _, t := range post.Card.Text {
		out.Text = append(out.Text, card.In(t, time.UTC))
	}
	body, err := json.Marshal(out)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return "", errors.New("the pager's address cannot be called")
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(now + "."))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Switchback-Timestamp", now)
	req.Header.Set("X-Switchback-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := p.client.Do(req)
	if err != nil {
		return "", errors.New("the pager does not answer") // the cause would show the address
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < http.StatusMultipleChoices:
		return post.ID, nil
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		return "", Later{After: 30 * time.Second}
	}
	return "", fmt.Errorf("the pager said %d: %w", resp.StatusCode, ErrGone)
}
