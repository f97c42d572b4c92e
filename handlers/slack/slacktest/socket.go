package slacktest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxSockets = 10     // connections of one app
	maxAck     = 20_000 // bytes; Slack drops longer ones without a word
	writeWait  = 2 * time.Second
)

// socketState is all that Socket Mode has.
type socketState struct {
	tickets map[string]bool
	conns   []*socket
	next    int
	waiting map[string]chan string // by envelope id; takes the payload of the ack
}

// socket is one connection of the app.
type socket struct {
	conn    *websocket.Conn
	writing sync.Mutex
	gone    chan struct{}
	leaving bool // was told to go, or cut: gets nothing more
}

func (c *socket) write(v any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
	return c.conn.WriteJSON(v)
}

func (s *Slack) openConnection(args) (map[string]any, *apiError) {
	if s.sockets.tickets == nil {
		s.sockets.tickets = map[string]bool{}
		s.sockets.waiting = map[string]chan string{}
	}
	ticket := random()
	s.sockets.tickets[ticket] = true
	return map[string]any{"url": strings.Replace(s.base, "http", "ws", 1) + "/link/?ticket=" + ticket + "&app_id=" + AppID}, nil
}

// dial takes a connection and serves it until it ends.
func (s *Slack) dial(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	valid := s.sockets.tickets[ticket] && len(s.sockets.conns) < maxSockets
	delete(s.sockets.tickets, ticket)
	s.mu.Unlock()
	if !valid {
		http.Error(w, "no such ticket, or too many connections", http.StatusForbidden)
		return
	}
	anyOrigin := func(*http.Request) bool { return true } // the ticket is the key
	conn, err := (&websocket.Upgrader{CheckOrigin: anyOrigin}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &socket{conn: conn, gone: make(chan struct{})}
	s.mu.Lock()
	s.sockets.conns = append(s.sockets.conns, c)
	n := len(s.sockets.conns)
	s.mu.Unlock()
	hello := map[string]any{
		"type": "hello", "num_connections": n, "connection_info": map[string]any{"app_id": AppID},
		"debug_info": map[string]any{"host": "applink-1", "approximate_connection_time": 18060},
	}
	if c.write(hello) == nil {
		s.mu.Lock()
		s.touch()
		s.mu.Unlock()
		s.running.Go(func() { s.ping(c) })
		s.listenTo(c)
	}
	close(c.gone)
	_ = conn.Close()
	s.mu.Lock()
	s.sockets.conns = slices.DeleteFunc(s.sockets.conns, func(o *socket) bool { return o == c })
	s.touch()
	s.mu.Unlock()
}

// listenTo takes acks until the connection ends.
func (s *Slack) listenTo(c *socket) {
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		a := args{}
		if !decode(b, &a) || len(b) >= maxAck {
			continue
		}
		payload := ""
		if a["payload"] != nil {
			payload = string(encode(a["payload"]))
		}
		s.mu.Lock()
		waiting := s.sockets.waiting[a.str("envelope_id")]
		delete(s.sockets.waiting, a.str("envelope_id"))
		s.mu.Unlock()
		if waiting != nil {
			waiting <- payload
		}
	}
}

func (s *Slack) ping(c *socket) {
	tick := time.NewTicker(s.config.PingEvery)
	defer tick.Stop()
	for {
		_ = c.conn.WriteControl(websocket.PingMessage, []byte("Ping from applink-1"), time.Now().Add(writeWait))
		select {
		case <-tick.C:
		case <-c.gone:
			return
		case <-s.stopped.Done():
			return
		}
	}
}

// envelop sends a packet over one of the connections and waits for the ack.
func (s *Slack) envelop(ctx context.Context, p packet) Delivery {
	ctx, cancel := context.WithTimeout(ctx, s.config.AnswerWithin)
	defer cancel()
	start := time.Now()
	d := Delivery{Kind: p.kind, Body: string(encode(p.body)), At: s.now(), Err: Failed}
	id := random()
	acked := make(chan string, 1)
	s.mu.Lock()
	var c *socket
	for range s.sockets.conns {
		s.sockets.next++
		if o := s.sockets.conns[s.sockets.next%len(s.sockets.conns)]; !o.leaving {
			c = o
			break
		}
	}
	if c != nil {
		s.sockets.waiting[id] = acked
	}
	s.mu.Unlock()
	if c == nil {
		return d
	}
	envelope := map[string]any{
		"envelope_id": id, "type": p.envelope, "payload": p.body, "accepts_response_payload": p.envelope != eventsAPI,
	}
	if p.envelope == eventsAPI {
		envelope["retry_attempt"], envelope["retry_reason"] = p.attempt, p.reason
	}
	if c.write(envelope) == nil {
		select {
		case d.Answer = <-acked:
			d.Status, d.Err = http.StatusOK, ""
			if d.Answer != "" {
				d.Type = jsonType
			}
		case <-ctx.Done():
			d.Err = TimedOut
		case <-c.gone:
		}
	}
	s.mu.Lock()
	delete(s.sockets.waiting, id)
	s.mu.Unlock()
	d.Took = time.Since(start)
	return d
}

// Sockets returns how many connections the app has that are not about to end.
func (s *Slack) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.sockets.conns {
		if !c.leaving {
			n++
		}
	}
	return n
}

// Disconnect asks the app to connect again: reason is warning, refresh_requested or link_disabled.
func (s *Slack) Disconnect(reason string) {
	s.mu.Lock()
	conns := slices.Clone(s.sockets.conns)
	for _, c := range conns {
		c.leaving = true
	}
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.write(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-1"}})
	}
}

// Drop cuts all connections without a word.
func (s *Slack) Drop() { s.closeSockets() }

func (s *Slack) closeSockets() {
	s.mu.Lock()
	conns := slices.Clone(s.sockets.conns)
	for _, c := range conns {
		c.leaving = true
	}
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.conn.Close()
	}
}
