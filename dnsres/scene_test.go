package dnsres

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"barid/dnsres/dnstest"
)

// scene is a resolver with a server to ask and a clock that stands still.
type scene struct {
	*testing.T
	*Resolver
	server *dnstest.Server
	clock  *clock
	dir    string // resolv.conf and hosts are here, if at all
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// play sets a scene whose server answers with h. Of the options, those that
// tests have in common are filled in.
func play(t *testing.T, h dnstest.Handler, options ...func(*Options)) *scene {
	t.Helper()
	s := &scene{T: t, server: dnstest.Start(t, h), clock: &clock{now: time.Now()}, dir: t.TempDir()}
	o := Options{
		ResolvConf: filepath.Join(s.dir, "resolv.conf"), Hosts: filepath.Join(s.dir, "hosts"),
		Servers: []netip.AddrPort{s.server.Addr}, Timeout: 30 * time.Second, Now: s.clock.Now,
	}
	for _, set := range options {
		set(&o)
	}
	s.Resolver = New(o)
	return s
}

func trusted(o *Options) { o.Trusted = true }

// write writes resolv.conf or hosts, as another file than before.
func (s *scene) write(name, text string) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.Fatal(err)
	}
}

// want demands an error's class, or none when class is nil.
func (s *scene) want(class, err error) {
	s.Helper()
	if class == nil && err != nil || !errors.Is(err, class) {
		s.Fatalf("the error is %v; want %v", err, class)
	}
}

// wantAsked demands how many queries the server has seen.
func (s *scene) wantAsked(n int) {
	s.Helper()
	if got := len(s.server.Asked()); got != n {
		s.Fatalf("the server was asked %d times, want %d", got, n)
	}
}

// silent is a connection to a server that never says a word; waiting for it
// takes no time.
type silent struct{ net.Conn }

func (silent) Read([]byte) (int, error)    { return 0, os.ErrDeadlineExceeded }
func (silent) Write(p []byte) (int, error) { return len(p), nil }
func (silent) SetDeadline(time.Time) error { return nil }
func (silent) Close() error                { return nil }

// silentServer is an address at which nobody answers, by mute.
var silentServer = netip.MustParseAddrPort("127.0.0.99:53")

// mute makes silentServer silent, over TCP too, and calls asked for each
// question that it gets.
func mute(asked func()) func(*Options) {
	return func(o *Options) {
		dial := new(Resolver)
		o.Dial = func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
			if server == silentServer {
				asked()
				return silent{}, nil
			}
			dial.o.Random = o.Random
			if dial.o.Random == nil {
				dial.o.setDefaults()
			}
			return dial.dial(ctx, network, server)
		}
	}
}

const zone = `
	example.org    3600 SOA   ns.example.org hostmaster.example.org 1 3600 900 604800 300
	example.org    3600 MX    20 mx2.example.org
	example.org    1800 MX    10 MX1.Example.ORG
	example.org    3600 MX    10 mx0.example.org
	example.org    3600 TXT   v=spf1 -all
	example.org    3600 NS    ns.example.org
	mx1.example.org 300 A     192.0.2.1
	mx1.example.org 300 A     192.0.2.2
	mx1.example.org 600 AAAA  2001:db8::1
	v4.example.org  300 A     192.0.2.4
	www.example.org 100 CNAME web.example.org
	web.example.org 200 CNAME mx1.example.org
	gone.example.org 50 CNAME nobody.example.org
	null.example.org 300 MX   0 .
	_submission._tcp.example.org 300 SRV 5 1 587 mx1.example.org
	_submission._tcp.example.org 300 SRV 0 1 465 mx2.example.org
	_25._tcp.mx1.example.org     300 TLSA 3 1 1 00ff10
	1.2.0.192.in-addr.arpa       300 PTR mx1.example.org
	1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa 300 PTR mx1.example.org
`
