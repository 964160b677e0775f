package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"strings"
	"text/tabwriter"

	"barid/dnsres"
	"barid/internal/config"
	"barid/internal/relay"
	"barid/internal/route"
)

const traceHelp = `
usage: barid trace [-c FILE] [-o key=value]... [-from SENDER] [-client IP] [-n] [-json] ADDRESS...

Tells where mail for an address would go, and why: what was asked, in which
file and line the answer stands, and which destinations come out of it. For
those that are reached by SMTP or LMTP over the network it asks the DNS for
their hosts, as the server would.

Without -client the sender is one who may send to anywhere, as who has logged
in and the programs of this host may. With it he is a client at that address:
relay.allow says what he may.

exit codes: 0 accepted, 1 refused, 2 wrong use, 75 put off for later
`

// traceCommand is a run of barid trace.
type traceCommand struct {
	*options
	t            terminal
	from, client string
	noDNS, json  bool
	sender       route.Sender
	router       *route.Router
	resolver     *dnsres.Resolver
}

// trace is the subcommand.
func trace(t terminal, args []string) int {
	c := &traceCommand{options: newOptions("trace", traceHelp), t: t}
	c.StringVar(&c.from, "from", "", "the `SENDER` of the mail (default the null sender)")
	c.StringVar(&c.client, "client", "", "the `IP` address that the mail comes from")
	c.BoolVar(&c.noDNS, "n", false, "do not ask the DNS")
	c.BoolVar(&c.json, "json", false, "print one JSON object per address")
	if code, done := c.parse(t, args, -1); done {
		return code
	}
	if len(c.operands) == 0 {
		return t.fail(errors.New("trace: which address? 'barid trace -h' explains"), exitUsage)
	}
	if err := c.open(); err != nil {
		return t.fail(err, exitFailure)
	}
	code := exitOK
	for _, address := range c.operands {
		code = max(code, c.trace(address))
	}
	return code
}

// open reads what the server reads.
func (c *traceCommand) open() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := c.identify(cfg); err != nil {
		return err
	}
	who, err := newWhoIsWho(cfg, slog.New(slog.DiscardHandler))
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("trace: %w: run it as root, or as user %s", err, cfg.User)
	}
	if err != nil {
		return err
	}
	c.router = who.router
	if !c.noDNS {
		c.resolver = dnsres.New(resolverOptions(cfg, nil))
	}
	return nil
}

// identify finds out what the sender may.
func (c *traceCommand) identify(cfg *config.Config) error {
	c.sender = route.Sender{Address: []byte(strings.TrimSuffix(strings.TrimPrefix(c.from, "<"), ">")), MayRelay: true}
	if c.client == "" {
		return nil
	}
	ip, err := netip.ParseAddr(c.client)
	if err != nil {
		return exitWith(exitUsage, "trace: -client %s: write an address", c.client)
	}
	c.sender.MayRelay = cfg.Relay.Allow.Contains(ip)
	return nil
}

// traced is what barid trace prints with -json.
type traced struct {
	Address  string         `json:"address"`
	Verdict  string         `json:"verdict"` // accepted, refused or deferred
	Code     int            `json:"code"`
	Status   string         `json:"status"`
	Text     string         `json:"text"`
	Reason   string         `json:"reason,omitempty"`
	MayRelay bool           `json:"may_relay"`
	Steps    []tracedStep   `json:"steps"`
	Targets  []tracedTarget `json:"targets"`
}

type tracedStep struct {
	What  string `json:"what"`
	Where string `json:"where,omitempty"`
	From  string `json:"from"`
	To    string `json:"to,omitempty"`
	Depth int    `json:"depth"`
}

type tracedTarget struct {
	Destination string       `json:"destination"`
	Address     string       `json:"address"`
	Account     string       `json:"account,omitempty"`
	Hosts       []tracedHost `json:"hosts,omitempty"`
	Error       string       `json:"error,omitempty"` // of the look-up of hosts
}

type tracedHost struct {
	Name       string       `json:"name"`
	Preference *uint16      `json:"preference,omitempty"` // of an MX
	Addresses  []netip.Addr `json:"addresses"`
	Error      string       `json:"error,omitempty"`
}

// trace follows one address, prints its way, and gives the exit code.
func (c *traceCommand) trace(address string) int {
	var to route.Targets
	v, steps := c.router.Trace([]byte(address), c.sender, &to)
	result := traced{
		Address: address, Code: v.Code, Status: v.Status, Text: v.Text, Reason: v.Reason, MayRelay: c.sender.MayRelay,
		Steps: []tracedStep{}, Targets: []tracedTarget{},
	}
	for _, s := range steps {
		result.Steps = append(result.Steps, tracedStep{s.What, s.Where, s.From, s.To, s.Depth})
	}
	for i := range to.List {
		result.Targets = append(result.Targets, c.target(&to.List[i]))
	}
	code := exitOK
	switch v.Kind {
	case route.Accept:
		result.Verdict = "accepted"
	case route.Defer:
		result.Verdict, code = "deferred", exitTempFail
	default:
		result.Verdict, code = "refused", exitFailure
	}
	if c.json {
		_ = json.NewEncoder(c.t.out).Encode(result)
	} else {
		result.print(c.t)
	}
	return code
}

// target looks up the hosts of a destination.
func (c *traceCommand) target(t *route.Target) tracedTarget {
	to := tracedTarget{Destination: string(t.Dest), Address: string(t.Address), Account: string(t.Account)}
	key, err := relay.ParseKey(to.Destination)
	if err != nil || c.resolver == nil || key.Path != "" || key.Addr.IsValid() {
		return to // it is not over the network, or says all
	}
	if !key.Lookup {
		host := tracedHost{Name: key.Host}
		answer, err := c.resolver.Host(context.Background(), key.Host, dnsres.Both)
		host.take(answer, err)
		to.Hosts = []tracedHost{host}
		return to
	}
	answer, err := c.resolver.MX(context.Background(), key.Host)
	switch {
	case errors.Is(err, dnsres.ErrNoData): // the domain is its own host (RFC 5321 5.1)
		to.Hosts = []tracedHost{c.host(key.Host)}
	case err != nil:
		to.Error = err.Error()
	case dnsres.NullMX(answer.Records):
		to.Error = "the domain takes no mail (null MX)"
	default:
		for _, mx := range answer.Records {
			host := c.host(mx.Host)
			host.Preference = &mx.Preference
			to.Hosts = append(to.Hosts, host)
		}
	}
	return to
}

func (c *traceCommand) host(name string) tracedHost {
	host := tracedHost{Name: name}
	answer, err := c.resolver.Addrs(context.Background(), name, dnsres.Both)
	host.take(answer, err)
	return host
}

func (h *tracedHost) take(answer dnsres.Answer[netip.Addr], err error) {
	h.Addresses = append([]netip.Addr{}, answer.Records...)
	if err != nil {
		h.Error = err.Error()
	}
}

// print shows a result to people: the steps as a table, then what comes of
// them.
func (r *traced) print(t terminal) {
	fmt.Fprintf(t.out, "%s\n", r.Address)
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	for _, s := range r.Steps {
		to := s.To
		if to == "" {
			to = "nothing"
		}
		where := ""
		if s.Where != "" {
			where = "\t" + s.Where
		}
		fmt.Fprintf(w, "  %s%s\t%s -> %s%s\n", strings.Repeat("  ", s.Depth), s.What, s.From, to, where)
	}
	_ = w.Flush()
	fmt.Fprintf(t.out, "  %s: %d %s %s\n", r.Verdict, r.Code, r.Status, r.Text)
	if r.Reason != "" {
		fmt.Fprintf(t.out, "  because %s\n", r.Reason)
	}
	for _, to := range r.Targets {
		fmt.Fprintf(t.out, "  => %s for %s\n", to.Destination, to.Address)
		to.printHosts(t)
	}
}

func (to *tracedTarget) printHosts(t terminal) {
	if to.Error != "" {
		fmt.Fprintf(t.out, "       %s\n", to.Error)
	}
	for _, h := range to.Hosts {
		preference := ""
		if h.Preference != nil {
			preference = fmt.Sprintf("MX %d ", *h.Preference)
		}
		var addresses []string
		for _, a := range h.Addresses {
			addresses = append(addresses, a.String())
		}
		if h.Error != "" {
			addresses = append(addresses, h.Error)
		}
		fmt.Fprintf(t.out, "       %s%s: %s\n", preference, h.Name, strings.Join(addresses, ", "))
	}
}
