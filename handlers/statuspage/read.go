package statuspage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchback/bot/incident"
)

const (
	readIn   = 15 * time.Second // all of one read
	maxBody  = 8 << 20          // bytes of one answer of a page
	plannedH = time.Hour        // how often planned work is read in full
	maxAfter = time.Hour        // a page may ask to be left alone for so long
)

// Reader reads pages. It asks conditionally: what has not changed is not sent again.
type Reader struct {
	routing incident.Routing
	client  *http.Client

	mu      sync.Mutex
	kept    map[string]kept      // by address
	planned map[string]time.Time // when a page's planned work was read in full
}

// kept is an answer that can be asked about again.
type kept struct {
	etag, modified string
	answer         summary
}

// NewReader returns a Reader. The transport may be nil.
func NewReader(r incident.Routing, transport http.RoundTripper) *Reader {
	client := &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 3 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
			return errElsewhere
		}
		return nil
	}}
	return &Reader{routing: r, client: client, kept: map[string]kept{}, planned: map[string]time.Time{}}
}

var errElsewhere = errors.New("it leads to another address")

// Read reads a page: what is open, the latest fifty, and the components. open are the incidents that were open when it
// was read last: where one is missing, planned work is read in full too. The error is an incident.Unread.
func (r *Reader) Read(ctx context.Context, page string, open []string) (incident.Reading, error) {
	p, ok := r.routing.Find(page)
	if !ok {
		return incident.Reading{}, incident.Unread{Why: "it is not configured"}
	}
	ctx, cancel := context.WithTimeout(ctx, readIn)
	defer cancel()
	began := time.Now() // what happens from here on may not be in it
	now, err := r.get(ctx, p, "summary.json", false)
	if err != nil {
		return incident.Reading{}, err
	}
	latest, err := r.get(ctx, p, "incidents.json", true)
	if err != nil {
		return incident.Reading{}, err
	}
	all := components(now.Components)
	out := incident.Reading{PageID: id(now.Page.is.ID), Name: name(now.Page.is.Name), Headline: name(now.Status.is.Description), Components: all}
	add := func(wire []wireIncident) {
		for _, w := range wire {
			if w.ID == "" {
				continue
			}
			s := snapshot(p, w, all)
			s.Via = incident.ByRead
			out.Incidents = append(out.Incidents, s.Clean())
		}
	}
	add(now.Incidents)
	add(now.Maintenances)
	add(latest.Incidents)
	missing := slices.ContainsFunc(open, func(id string) bool {
		return !slices.ContainsFunc(out.Incidents, func(s incident.Snapshot) bool { return s.ID == id })
	})
	if missing || r.wantsPlanned(page) {
		planned, err := r.get(ctx, p, "scheduled-maintenances.json", true)
		if err != nil {
			return incident.Reading{}, err
		}
		add(planned.Maintenances)
		r.mu.Lock()
		r.planned[page] = began
		r.mu.Unlock()
	}
	out.At = began
	out.Incidents = incident.Newest(out.Incidents)
	for i := range out.Incidents {
		out.Incidents[i].At = out.At
	}
	return out, nil
}

func (r *Reader) wantsPlanned(page string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.planned[page]) >= plannedH
}

// get asks for one file of the API. Where it is optional, a page that does not have it has nothing in it.
func (r *Reader) get(ctx context.Context, p incident.Page, file string, optional bool) (summary, error) {
	address := p.URL + "/api/v2/" + file
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return summary{}, incident.Unread{Why: "its address cannot be asked"}
	}
	r.mu.Lock()
	have, again := r.kept[address]
	r.mu.Unlock()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Switchback (reads status pages)")
	if again && have.etag != "" {
		req.Header.Set("If-None-Match", have.etag)
	}
	if again && have.modified != "" {
		req.Header.Set("If-Modified-Since", have.modified)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return summary{}, unanswered(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && again:
		return have.answer, nil
	case resp.StatusCode == http.StatusNotFound && optional:
		return summary{}, nil
	case resp.StatusCode == http.StatusOK:
	default:
		return summary{}, incident.Unread{Why: fmt.Sprintf("it answers %d", resp.StatusCode), After: after(resp.Header.Get("Retry-After"))}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return summary{}, incident.Unread{Why: "its answer was cut off"}
	case len(body) > maxBody:
		return summary{}, incident.Unread{Why: "its answer is too large"}
	}
	var got summary
	if file == "summary.json" {
		got, err = decodeSummary(body)
	} else {
		err = object(body, &got)
	}
	if err != nil {
		why := "its answer is not what a status page says"
		if strings.Contains(resp.Header.Get("Content-Type"), "html") {
			why = "it answers with a web page; perhaps a wall against programs"
		}
		return summary{}, incident.Unread{Why: why}
	}
	k := kept{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), got}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept[address] = k; k.etag == "" && k.modified == "" {
		delete(r.kept, address)
	}
	return got, nil
}

// unanswered says in words why there was no answer; the cause would show addresses of the inside.
func unanswered(err error) incident.Unread {
	switch e, ok := errors.AsType[*url.Error](err); {
	case errors.Is(err, errElsewhere):
		return incident.Unread{Why: errElsewhere.Error()}
	case ok && e.Timeout():
		return incident.Unread{Why: "it does not answer in time"}
	}
	return incident.Unread{Why: "it does not answer"}
}

// after reads a Retry-After header: seconds or a date.
func after(v string) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(max(n, 0), 1<<20)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), maxAfter)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
