// Package ops is for those who run the bot: its metrics, and the page of what is open for nights without chat.
//
// Labels are names of the bot's own: chat platforms, kinds of requests. Never people, outages or free text.
package ops

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"switchback/bot/flow"
)

// Sources are where the metrics come from, asked at each scrape. What cannot be found out is left out.
type Sources struct {
	Open    func(ctx context.Context) ([]flow.Outage, error)
	Healthy func(ctx context.Context) (bool, string)
	Waiting func(ctx context.Context) (map[string]flow.Queue, error) // by chat platform
	Flags   func(each func(name, help string, n uint64))             // counters since the start
	Pages   func(ctx context.Context) (map[string]time.Time, error)  // when each status page was read last
}

const scrapeIn = 5 * time.Second

// Metrics counts what comes in, and asks the sources for the rest.
type Metrics struct {
	sources  Sources
	registry *prometheus.Registry
	answers  *prometheus.HistogramVec
}

// New returns the metrics of one process.
func New(s Sources) *Metrics {
	m := &Metrics{sources: s, registry: prometheus.NewRegistry(), answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "switchback_request_seconds", Help: "From a request to its answer: the event is safe by then.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3},
	}, []string{"from", "code"})}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.answers, collector{s})
	return m
}

// Measure times the requests of one source. A nil handler stays nil.
func (m *Metrics) Measure(from string, h http.Handler) http.Handler {
	if h == nil {
		return nil
	}
	return promhttp.InstrumentHandlerDuration(m.answers.MustCurryWith(prometheus.Labels{"from": from}), h)
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// collector asks the sources at each scrape.
type collector struct{ sources Sources }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("switchback_"+name, help, labels, nil)
}

// Describe says nothing: which metrics there are depends on what can be found out.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the sources.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeIn)
	defer cancel()
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	if open, err := c.sources.Open(ctx); err == nil {
		late := 0
		for _, o := range open {
			if !o.Deadline.IsZero() && o.Deadline.Before(now) {
				late++
			}
		}
		set(desc("outages_open", "Open outages."), float64(len(open)))
		set(desc("outages_overdue", "Open outages whose time ran out, and nobody decided."), float64(late))
	}
	healthy, _ := c.sources.Healthy(ctx)
	set(desc("store_changes_allowed", "1 while the store is safe enough for changes."), number(healthy))
	if waiting, err := c.sources.Waiting(ctx); err == nil {
		cards, age := desc("cards_waiting", "Cards on their way.", "platform"), desc("cards_waiting_seconds", "Age of the oldest card on its way.", "platform")
		for platform, q := range waiting {
			set(cards, float64(q.Cards), platform)
			set(age, now.Sub(q.Oldest).Seconds(), platform)
		}
	}
	c.sources.Flags(func(name, help string, n uint64) {
		out <- prometheus.MustNewConstMetric(desc(name, help), prometheus.CounterValue, float64(n))
	})
	if pages, err := c.sources.Pages(ctx); err == nil {
		lag := desc("page_read_seconds", "Since a status page was read.", "page")
		for page, at := range pages {
			set(lag, now.Sub(at).Seconds(), page)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
