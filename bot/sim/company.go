package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"switchback/bot/change"
)

// Company is a company's customer-service platform: its settings, and what customers meet. It is safe for concurrent
// use. As an http.Handler it serves
//
//	GET    /v1/settings        what can be set, and to what it is set
//	GET    /v1/settings/KEY    {"key", "value"}
//	PUT    /v1/settings/KEY    {"value"}; answered with what it became. 4xx: refused, nothing written
//	GET    /sim/world?at=TIME  what customers meet at that time (RFC 3339; without it, now); plain text if accepted
//	POST   /sim/edit           {"key", "value", "by"}: somebody changes a setting by hand
//	POST   /sim/faults         a Fault, which waits for its call; DELETE takes all faults away
//	GET    /sim/log            the Entries, oldest first
//
// An answer of 400 and above is {"error": "in words"}.
type Company struct {
	org      Organisation
	zone     *time.Location
	file     string
	settings []setting
	ivrs     []string
	routes   *http.ServeMux

	mu     sync.Mutex
	values map[change.Key]string
	faults []Fault
	log    []Entry
}

// Entry is one line of the company's log: somebody read or wrote a setting, or tried to.
type Entry struct {
	At    time.Time  `json:"at"`
	What  string     `json:"what"` // Read, Write or Edit
	Key   change.Key `json:"key"`
	Value string     `json:"value"`           // what was read, or to be written
	Was   string     `json:"was,omitempty"`   // before a write
	Who   string     `json:"who"`             // "api", or who edited by hand
	Error string     `json:"error,omitempty"` // why it had no effect; empty: it had
	Fault FaultKind  `json:"fault,omitempty"` // the fault that it met
}

// What an Entry tells of.
const (
	Read  = "read"
	Write = "write"
	Edit  = "edit" // by hand
)

const maxLog = 10_000 // entries; older ones are dropped

var (
	errUnknown = errors.New("no such setting")
	errInvalid = errors.New("invalid value")
)

// NewCompany returns the company as org describes it in peace time. If file is not empty, its settings are kept there,
// and taken from there if the file exists; what no longer fits the organisation is as in peace time.
func NewCompany(org Organisation, zone *time.Location, file string) (*Company, error) {
	if err := org.err(); err != nil {
		return nil, fmt.Errorf("the organisation: %w", err)
	}
	c := &Company{org: org, zone: zone, file: file, settings: org.settings(), ivrs: org.ivrs(), values: map[change.Key]string{}}
	for _, s := range c.settings {
		c.values[s.resource.Key] = s.usual
	}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("the company's settings: %w", err)
	}
	c.routes = c.handler()
	return c, nil
}

// state is the file. Old files must stay readable.
type state struct {
	Schema   int                   `json:"schema"`
	Settings map[change.Key]string `json:"settings"`
}

const stateSchema = 1

func (c *Company) load() error {
	if c.file == "" {
		return nil
	}
	data, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	if s.Schema != stateSchema {
		return fmt.Errorf("%s: schema %d, want %d", c.file, s.Schema, stateSchema)
	}
	for k, v := range s.Settings {
		if v, err := c.valid(k, v); err == nil {
			c.values[k] = v
		}
	}
	return nil
}

// save replaces the file as a whole, durably.
func (c *Company) save(values map[change.Key]string) error {
	if c.file == "" {
		return nil
	}
	data, err := json.MarshalIndent(state{stateSchema, values}, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(c.file)
	f, err := os.CreateTemp(dir, filepath.Base(c.file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir) //nolint:gosec // the folder of the file that the operator named
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// valid returns the value as the platform keeps it.
func (c *Company) valid(k change.Key, v string) (string, error) {
	if _, ok := c.values[k]; !ok {
		return "", fmt.Errorf("%w: %s", errUnknown, k)
	}
	switch kind, _ := kindOf(k); kind {
	case hoursKind:
		h, err := change.ParseHours(v)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errInvalid, err)
		}
		return string(h), nil
	case messageKind:
		if err := checkMessage(v); err != nil {
			return "", fmt.Errorf("%w: %w", errInvalid, err)
		}
	case ivrKind:
		if v != "" && !slices.Contains(c.ivrs, v) {
			return "", fmt.Errorf("%w: no IVR named %q is published", errInvalid, v)
		}
	}
	return v, nil
}

// get reads one setting. The fault is the one that the call met.
func (c *Company) get(k change.Key, fault FaultKind) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.values[k]
	var err error
	switch {
	case fault.before():
		v, err = "", fault.err()
	case !ok:
		err = fmt.Errorf("%w: %s", errUnknown, k)
	}
	c.note(Entry{What: Read, Key: k, Value: v, Who: "api", Fault: fault}, err)
	return v, err
}

// set writes one setting and returns what it became.
func (c *Company) set(what string, k change.Key, v, who string, fault FaultKind) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := Entry{What: what, Key: k, Value: v, Was: c.values[k], Who: who, Fault: fault}
	v, err := c.valid(k, v)
	if fault.before() {
		err = fault.err()
	}
	if err == nil {
		after := maps.Clone(c.values)
		after[k] = v
		if err = c.save(after); err == nil {
			c.values = after
			entry.Value = v
		}
	}
	c.note(entry, err)
	return v, err
}

// note is called with mu held.
func (c *Company) note(e Entry, err error) {
	e.At = time.Now()
	if err != nil {
		e.Error = err.Error()
	}
	if len(c.log) >= maxLog {
		c.log = slices.Delete(c.log, 0, len(c.log)-maxLog+1)
	}
	c.log = append(c.log, e)
}

// Edit changes a setting by hand, as somebody would on the platform's own screens.
func (c *Company) Edit(k change.Key, v, by string) error {
	_, err := c.set(Edit, k, v, by, "")
	return err
}

// Log returns what happened to the settings, oldest first; the last 10,000 entries at most.
func (c *Company) Log() []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log)
}
