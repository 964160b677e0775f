package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"barid/dnsres"
	"barid/internal/bounce"
	"barid/internal/config"
	"barid/internal/relay"
	"barid/internal/route"
	"barid/internal/vfs"
	"barid/spool"
)

// relaying is what hands mail to other servers, and reports on what became of
// mail.
type relaying struct {
	resolver  *dnsres.Resolver
	policies  *relay.Policies
	passwords *relay.Passwords
	agent     *relay.Relay
}

// openRelaying reads the files of relaying. Who is who is asked for each
// message, for it may change.
func openRelaying(cfg *config.Config, who func() *whoIsWho, doors []endpoint, logger *slog.Logger) (*relaying, error) {
	r := &relaying{resolver: dnsres.New(resolverOptions(cfg, logger))}
	level, known := relay.ParseLevel(cfg.Relay.TLS)
	if !known {
		panic("the configuration knows a word for relay.tls that relay does not: " + cfg.Relay.TLS)
	}
	roots, err := tlsRoots(cfg.Relay.TLSRoots)
	if err != nil {
		return nil, err
	}
	if r.policies, err = relay.OpenPolicies(cfg.Relay.Policy, relay.Policy{TLS: level}, logger); err != nil {
		return nil, err
	}
	if r.passwords, err = relay.OpenPasswords(cfg.Relay.Passwords, logger); err != nil {
		return nil, err
	}
	c := cfg.Relay
	r.agent = relay.New(relay.Options{
		Resolver: r.resolver, Hostname: cfg.Hostname, Policy: r.policies.For, Login: r.passwords.For,
		Rewrite: func(sender, original, address []byte) ([]byte, error) {
			return who().router.Rewrite(sender, original, address)
		},
		Self: itself(cfg.Hostname, c.Port, doors), Bind: c.Bind, TLS: &tls.Config{RootCAs: roots}, Port: uint16(min(c.Port, math.MaxUint16)),
		Timeouts: relay.Timeouts{Connect: c.ConnectTimeout}, Idle: orNever(c.IdleTimeout), ConnectionsMax: c.ConnectionsMax, Log: logger,
	})
	return r, nil
}

// tlsRoots reads the authorities that are believed; nil is those of the
// system.
func tlsRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := vfs.ReadFile(vfs.Disk{}, file, 16<<20)
	if err != nil {
		return nil, fmt.Errorf("relay.tls-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("relay.tls-ca: %s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// itself tells whether a server that was found is this one: it has our name and
// the port where servers are, or an address of this host and a port where we take
// mail from others. At another port of ours there may be a filter.
func itself(hostname string, port int, doors []endpoint) func(host string, at netip.AddrPort) bool {
	var ours []netip.AddrPort
	for _, d := range doors {
		if a, ok := d.socket.Addr().(*net.TCPAddr); ok && d.service == "smtp" {
			ours = append(ours, a.AddrPort())
		}
	}
	return func(host string, at netip.AddrPort) bool {
		if int(at.Port()) == port && strings.EqualFold(strings.TrimSuffix(host, "."), hostname) {
			return true
		}
		return slices.ContainsFunc(ours, func(door netip.AddrPort) bool { return door.Port() == at.Port() && answersAt(door.Addr(), at.Addr()) })
	}
}

// answersAt tells whether a door that listens on one address is reached by
// another one.
func answersAt(door, addr netip.Addr) bool {
	if addr = addr.Unmap(); !door.IsUnspecified() {
		return door.Unmap() == addr
	}
	return addr.IsLoopback() || addr.IsUnspecified() || slices.Contains(hostAddresses(), addr)
}

// hostAddresses are those of this host's interfaces as of now.
func hostAddresses() (all []netip.Addr) {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then only names and loopback are known
	}
	for _, a := range interfaces {
		if network, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(network.IP); ok {
				all = append(all, addr.Unmap())
			}
		}
	}
	return all
}

// reporter writes reports; the ways back are the newest router's.
func (s *server) reporter() *bounce.Reporter {
	b := s.cfg.Bounce
	return bounce.New(bounce.Options{
		Hostname: s.cfg.Hostname, ReturnFull: b.Return == "full", SizeMax: b.SizeMax, Postmaster: []byte(b.Postmaster), Log: s.logger,
		Route: func(address []byte) ([]spool.Recipient, error) { return wayBack(s.doors.who.Load().router, address) },
	})
}

// wayBack resolves the address of somebody who is sent a report.
func wayBack(router *route.Router, address []byte) (to []spool.Recipient, err error) {
	var targets route.Targets
	v := router.Resolve(address, route.Sender{MayRelay: true}, &targets)
	switch v.Kind {
	case route.Defer:
		return nil, errors.New(v.Text)
	case route.Reject:
		return nil, nil
	}
	for _, t := range targets.List {
		to = append(to, spool.Recipient{Address: t.Address, Dest: t.Dest})
	}
	return to, nil
}

// limits are how much each agent does at a time. Other servers decide by how
// they answer how much is good for them.
func (s *server) limits() map[string]spool.Limits {
	r := s.cfg.Relay
	remote := spool.Limits{
		Workers: r.ConnectionsMax, Concurrency: r.DestinationConnectionsMax, Recipients: recipientsPerJob, Adaptive: true, Prompt: true,
	}
	return map[string]spool.Limits{"smtp": remote, "lmtp": remote}
}

// recipientsPerJob is how many recipients of a message one connection serves:
// as many as every server must take (RFC 5321 4.5.3.1.8).
const recipientsPerJob = 100

// destinationLimits tells the spool what is special about a destination.
func (s *server) destinationLimits(dest []byte) spool.DestinationLimits {
	key, err := relay.ParseKey(string(dest))
	if err != nil {
		return spool.DestinationLimits{} // one of another agent
	}
	p := s.relaying.policies.For(key.NextHop())
	return spool.DestinationLimits{Concurrency: p.Concurrency, Interval: orElse(p.Interval, s.cfg.Relay.DestinationRate.Interval())}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d != 0 {
		return d
	}
	return otherwise
}
