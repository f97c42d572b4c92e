package try

import (
	"context"
	"net/http"
	"sync"
	"time"

	"switchback/bot/gladly/gladlytest"
)

// comeEvery is how often a customer calls each number and opens each page.
const comeEvery = 3 * time.Second

// people are the customers: they call and they open pages, all the time, and what they meet is kept.
type people struct {
	world  *world
	client *http.Client
	again  chan struct{} // somebody comes at once

	mu  sync.Mutex
	met met
}

// met is what customers meet now.
type met struct {
	Calls  []call  `json:"calls"`
	Visits []visit `json:"visits"`
}

type call struct {
	Number    string `json:"number"`
	Name      string `json:"name"`
	Asks      bool   `json:"asks"` // its menu asks the bot
	Says      string `json:"says"`
	IVR       string `json:"ivr"`
	Agent     bool   `json:"agent"`     // somebody will answer
	Voicemail bool   `json:"voicemail"` // the caller may leave a message
}

type visit struct {
	App     string `json:"app"`
	Name    string `json:"name"`
	Site    string `json:"site"`
	Asks    bool   `json:"asks"` // its page asks the bot
	Chat    bool   `json:"chat"`
	Icon    bool   `json:"icon"`
	Message string `json:"message"`
}

func numbers() []call {
	return []call{
		{Number: "+16505550101", Name: "Orders", Asks: true}, {Number: "+16505550102", Name: "Returns"}, {Number: "+16505550103", Name: "Repairs"},
	}
}

func apps() []visit {
	return []visit{
		{App: "web-shop", Name: "Web shop", Site: "shop.example.com", Asks: true}, {App: "help-centre", Name: "Help centre", Site: "help.example.com"},
	}
}

// run lets customers come until ctx ends.
func (p *people) run(ctx context.Context) {
	every := time.NewTicker(comeEvery)
	defer every.Stop()
	for {
		p.come(ctx)
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-p.again:
		}
	}
}

// hurry lets the next customers come at once.
func (p *people) hurry() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

func (p *people) come(ctx context.Context) {
	now := met{Calls: []call{}, Visits: []visit{}}
	for _, c := range numbers() {
		heard, err := p.world.gladly.Call(ctx, c.Number)
		if err != nil {
			continue // Gladly takes no number away
		}
		c.Says, c.IVR, c.Agent, c.Voicemail = heard.Says, heard.IVR, heard.Agent, heard.Voicemail
		now.Calls = append(now.Calls, c)
	}
	for _, v := range apps() {
		see := func() (gladlytest.Seen, error) { return p.world.gladly.Visit(v.App, time.Now()) }
		if v.Asks {
			page := gladlytest.Page{App: v.App, Flag: botURL + "/flags/chat/" + v.App, Origin: "https://" + v.Site, Client: p.client}
			see = func() (gladlytest.Seen, error) { return p.world.gladly.VisitPage(ctx, page, time.Now()) }
		}
		seen, err := see()
		if err != nil {
			continue
		}
		v.Chat, v.Icon, v.Message = seen.Chat, seen.Icon, seen.Message
		now.Visits = append(now.Visits, v)
	}
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	p.met = now
	p.mu.Unlock()
	p.world.touch()
}

func (p *people) look() met {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}
