package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"barid/dnsres"
	"barid/dnsres/wire"
	"barid/internal/config"
)

const dnsHelp = `
usage: barid dns [-c FILE] [-o key=value]... [TYPE] NAME...

Asks the DNS as the server does, with its resolver and the keys dns.* of its
configuration, and shows what it sees.

TYPE is A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TLSA or TXT. Without one, MX, A
and AAAA are asked for, and for an address PTR. NAME is absolute, with or
without the final dot; the search list of resolv.conf is not applied.

Records are printed as name, seconds left, type and data. A line that begins
with a semicolon tells more: what the name is an alias for, whether the answer
is authenticated by DNSSEC, and who answered.

exit codes: 0 found, 1 there is nothing, 2 wrong use, 75 nobody could say
`

// dnsCommand is a run of barid dns.
type dnsCommand struct {
	*options
	t        terminal
	servers  repeated
	trust    bool
	json     bool
	timeout  time.Duration
	resolver *dnsres.Resolver
}

// dns is the subcommand.
func dns(t terminal, args []string) int {
	d := &dnsCommand{options: newOptions("dns", dnsHelp), t: t}
	d.Var(&d.servers, "server", "ask this `ADDRESS`, with or without a port, instead of those configured; may be repeated")
	d.BoolVar(&d.trust, "trust", false, "believe the servers that an answer is authenticated")
	d.BoolVar(&d.json, "json", false, "print one JSON object per question")
	d.DurationVar(&d.timeout, "timeout", 0, "wait so long for each server (default what is configured)")
	if code, done := d.parse(t, args, -1); done {
		return code
	}
	questions, err := dnsQuestions(d.operands)
	if err != nil {
		return t.fail(err, exitUsage)
	}
	cfg, err := d.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := d.open(cfg); err != nil {
		return t.fail(err, exitUsage)
	}
	code := exitOK
	for _, q := range questions {
		code = max(code, d.ask(q))
	}
	return code
}

// open makes the resolver, as the server has it but for what the flags say.
func (d *dnsCommand) open(cfg *config.Config) error {
	o := resolverOptions(cfg, nil)
	o.Trusted = o.Trusted || d.trust
	if d.timeout != 0 {
		o.Timeout = d.timeout
	}
	if len(d.servers) > 0 {
		o.Servers = nil
	}
	for _, s := range d.servers {
		server, err := parseServer(s)
		if err != nil {
			return err
		}
		o.Servers = append(o.Servers, server)
	}
	d.resolver = dnsres.New(o)
	return nil
}

// resolverOptions turns the configuration's zero, which means none, into that
// of package dnsres, where zero is a default.
func resolverOptions(cfg *config.Config, logger *slog.Logger) dnsres.Options {
	c := cfg.DNS
	return dnsres.Options{
		Servers: c.Servers, Trusted: c.TrustAD, Timeout: c.Timeout,
		CacheBytes: orNever(c.CacheSize), StaleFor: orNever(c.StaleTime), Log: logger,
	}
}

func parseServer(s string) (netip.AddrPort, error) {
	if server, err := netip.ParseAddrPort(s); err == nil {
		return server, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("dns: -server %s: write an address, or address:port", s)
	}
	return netip.AddrPortFrom(addr, 53), nil
}

// dnsQuestion is one thing to look up.
type dnsQuestion struct {
	name string
	wire.Type
}

// dnsQuestions makes questions of the operands.
func dnsQuestions(operands []string) (all []dnsQuestion, err error) {
	types := []wire.Type{wire.MX, wire.A, wire.AAAA}
	explicit := false
	if len(operands) > 1 {
		t, ok := wire.ParseType(operands[0])
		if !ok {
			known := []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TLSA", "TXT"}
			return nil, fmt.Errorf("dns: there is no type %q%s; 'barid dns -h' lists them", operands[0], didYouMean(operands[0], known))
		}
		types, explicit, operands = []wire.Type{t}, true, operands[1:]
	}
	if len(operands) == 0 {
		return nil, errors.New("dns: which name? 'barid dns -h' explains")
	}
	for _, name := range operands {
		if _, err := netip.ParseAddr(name); err == nil && (!explicit || types[0] == wire.PTR) {
			all = append(all, dnsQuestion{name, wire.PTR})
			continue
		}
		for _, t := range types {
			all = append(all, dnsQuestion{name, t})
		}
	}
	return all, nil
}

// dnsResult is what barid dns prints with -json.
type dnsResult struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Canonical     string   `json:"canonical,omitempty"`
	Records       []string `json:"records"`
	TTL           int64    `json:"ttl"`
	Authenticated bool     `json:"authenticated"`
	Server        string   `json:"server,omitempty"`
	Error         string   `json:"error,omitempty"`
	Temporary     bool     `json:"temporary,omitempty"`
}

// ask looks one thing up, prints it, and gives the exit code.
func (d *dnsCommand) ask(q dnsQuestion) int {
	a, err := d.lookup(q)
	result := dnsResult{
		Name: q.name, Type: q.String(), Canonical: a.Canonical, Records: a.Records, Authenticated: a.Authenticated,
		Temporary: dnsres.Temporary(err),
	}
	if a.Server.IsValid() {
		result.Server = a.Server.String()
	}
	if left := time.Until(a.Expires); left > 0 {
		result.TTL = int64((left + time.Second - 1) / time.Second)
	}
	if err != nil {
		result.Records, result.Error = []string{}, err.Error()
	}
	if d.json {
		_ = json.NewEncoder(d.t.out).Encode(result)
	} else {
		result.print(d.t)
	}
	switch {
	case err == nil:
		return exitOK
	case result.Temporary:
		return exitTempFail
	}
	return exitFailure
}

func (d *dnsCommand) lookup(q dnsQuestion) (dnsres.Answer[string], error) {
	if addr, err := netip.ParseAddr(q.name); err == nil && q.Type == wire.PTR {
		return d.resolver.PTR(context.Background(), addr)
	}
	return d.resolver.Text(context.Background(), q.name, q.Type)
}

// print shows a result to people.
func (r *dnsResult) print(t terminal) {
	for _, record := range r.Records {
		fmt.Fprintf(t.out, "%s %d %s %s\n", r.Canonical, r.TTL, r.Type, record)
	}
	if r.Error != "" {
		fmt.Fprintf(t.out, "; %s\n", r.Error)
		return
	}
	if asked, _ := dnsres.Canonical(r.Name); asked != r.Canonical && asked != "" && r.Type != "PTR" {
		fmt.Fprintf(t.out, "; %s is an alias for %s\n", asked, r.Canonical)
	}
	fmt.Fprintf(t.out, "; %s\n", r.origin())
}

// origin tells where the answer is from.
func (r *dnsResult) origin() string {
	switch {
	case r.Server == "":
		return "known here, from the hosts file or by the rules for such names"
	case r.Authenticated:
		return "authenticated, from " + r.Server
	}
	return "not authenticated, from " + r.Server
}
