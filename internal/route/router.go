package route

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"barid/internal/addr"
)

// Router knows the domains and the maps. It may be used by any number of
// goroutines at once.
type Router struct {
	options    Options
	domains    map[string]bool // canonical; true for ours, false for another name of this host
	primary    []byte
	postmaster *element // nil: the first account
	aliases    *watched[table]
	virtual    *watched[table]
	transport  *watched[table]
	senders    *watched[table] // next hops by sender
	recipients *watched[table] // those that exist where we relay
	relayed    map[string]bool // canonical domains, or with a dot before them all within
	smarthost  []byte          // as a destination key; nil for none
	includes   sync.Map        // file name -> *watched[include]
	spare      sync.Pool       // of *Targets, for MaySendAs
}

// New makes a router and reads its maps. It fails when a map cannot be read
// or has an error in it; the error tells file and line.
func New(options Options) (*Router, error) {
	r, err := newRouter(options)
	if err != nil {
		return nil, err
	}
	return r, r.Reload()
}

// newRouter makes a router whose maps are not read yet.
func newRouter(o Options) (*Router, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Router{options: o, domains: map[string]bool{}}
	r.spare.New = func() any { return new(Targets) }
	if err := r.setDomains(); err != nil {
		return nil, err
	}
	if o.Postmaster != "" {
		e, err := parseName(elementAddress, o.Postmaster)
		if err != nil {
			return nil, fmt.Errorf("postmaster: %s: %w", o.Postmaster, err)
		}
		r.postmaster = &e
	}
	if err := r.setRelay(); err != nil {
		return nil, err
	}
	r.aliases = newMap(o.AliasFile, o.Log, aliasKey, listValue)
	r.virtual = newMap(o.VirtualFile, o.Log, virtualKey, listValue)
	r.transport = newMap(o.TransportFile, o.Log, transportKey, wayValue)
	r.senders = newMap(o.SenderFile, o.Log, senderKey, hopValue)
	r.recipients = newMap(o.RelayRecipientFile, o.Log, recipientKey, noValue)
	return r, nil
}

// newMap makes a map that is not read yet; nil when it has no name.
func newMap(name string, log *slog.Logger, divide divider, value func(*parser) valuer) *watched[table] {
	if name == "" {
		return nil
	}
	return newWatched(name, log, func(p *parser, text []byte) *table { return p.parseTable(text, divide, value(p)) })
}

// maps are all there are.
func (r *Router) maps() (all []*watched[table]) {
	for _, m := range []*watched[table]{r.aliases, r.virtual, r.transport, r.senders, r.recipients} {
		if m != nil {
			all = append(all, m)
		}
	}
	return all
}

func (r *Router) setDomains() error {
	names := []string{"localhost", r.options.Hostname}
	if r.options.SRS != nil {
		names = append([]string{r.options.SRS.Domain}, names...)
	}
	for _, name := range names {
		if d, err := addr.AppendDomain(nil, []byte(name)); err == nil {
			r.domains[string(d)] = false
			r.primary = d
		}
	}
	for i, name := range r.options.Domains {
		d, err := addr.AppendDomain(nil, []byte(name))
		if err != nil || addr.IsLiteral(d) {
			return fmt.Errorf("domains: %q is not a domain", name)
		}
		r.domains[string(d)] = true
		if i == 0 {
			r.primary = d
		}
	}
	r.domains[string(r.primary)] = true
	return nil
}

// Reload reads the maps again now, whether they seem to have changed or not.
// A map that has an error keeps its last good content; the error is returned.
func (r *Router) Reload() error {
	var errs []error
	for _, m := range r.maps() {
		errs = append(errs, m.reload())
	}
	for _, w := range r.includes.Range {
		errs = append(errs, w.(*watched[include]).reload())
	}
	return errors.Join(errs...)
}

// include gives an included file as it is now, nil when it cannot be used.
func (r *Router) include(name []byte, now time.Time) *include {
	w, ok := r.includes.Load(string(name))
	if !ok {
		w, _ = r.includes.LoadOrStore(string(name), newWatched(string(name), r.options.Log, (*parser).parseInclude))
	}
	return w.(*watched[include]).get(now)
}

// MaySendAs says whether an account, by its own name, may put the address
// into MAIL FROM: whether the address is the account's own, with or without a
// tag, or mail to it would go to the account and to nobody else.
//
// The null sender is everyone's: notifications are sent with it (RFC 8098 3),
// and it claims to be nobody.
func (r *Router) MaySendAs(account string, address []byte) bool {
	if len(address) == 0 {
		return true
	}
	t := r.spare.Get().(*Targets)
	defer r.spare.Put(t)
	x := r.expansion(t)
	a, ok := x.parse(address)
	if !ok || a.foreign {
		return false
	}
	x.setKeys(a)
	if name, _, own := x.accountOf(a); own && name == account {
		return true
	}
	return x.resolve(a).Kind == Accept && len(t.List) == 1 && string(t.List[0].Account) == account
}
