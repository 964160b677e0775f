package relay

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"barid/dnsres"
	"barid/dnsres/dnstest"
)

// newWay makes the way of a key in a world whose DNS knows the records.
func newWay(t *testing.T, zone, key string, change func(*Options)) *way {
	t.Helper()
	dns := dnstest.Start(t, dnstest.Zone(zone))
	o := Options{Hostname: "relay.example"}
	o.Resolver = dnsres.New(dnsres.Options{Servers: []netip.AddrPort{dns.Addr}, ResolvConf: "/nonexistent", Hosts: "/nonexistent", Attempts: 1})
	if change != nil {
		change(&o)
	}
	k, err := ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r := New(o)
	w := &work{relay: r, site: &site{key: k}}
	w.setWay()
	return &w.way
}

// targets walks the way to its end and lists what there was to try, and the
// failure behind it when there was nothing.
func (w *way) targets() (all []string) {
	for t := w.target(context.Background()); t != nil; t = w.target(context.Background()) {
		all = append(all, t.name)
		w.next()
	}
	if len(all) == 0 {
		all = append(all, fmt.Sprintf("%s %s: %s", w.failure.kind, w.failure.status, w.failure.text))
	}
	return all
}

func TestTheWayLeadsWhereTheDNSSays(t *testing.T) {
	zone := `example.org 300 MX 20 backup.example.org
example.org 300 MX 10 mx.example.org
mx.example.org 300 A 192.0.2.1
backup.example.org 300 A 192.0.2.2
bare.example 300 A 192.0.2.3
null.example 300 MX 0 .
alias.example 300 CNAME example.org
empty.example 300 TXT nothing
lost.example 300 MX 10 gone.example
halflost.example 300 MX 10 gone.example
halflost.example 300 MX 20 mx.example.org
literal.example 300 MX 10 192.0.2.9
here.example 300 MX 10 localhost
here.example 300 MX 20 a.localhost
odd.example 300 MX 10 odd.example
odd.example 300 A 0.0.0.0
odd.example 300 A 224.0.0.1
self.example 300 MX 10 better.example.org
self.example 300 MX 20 us.example.org
self.example 300 MX 20 equal.example.org
self.example 300 MX 30 mx.example.org
better.example.org 300 A 192.0.2.4
equal.example.org 300 A 192.0.2.5
us.example.org 300 A 192.0.2.99
best.example 300 MX 0 us.example.org
best.example 300 MX 10 mx.example.org
selfbare.example 300 A 192.0.2.99
unlisted.example 300 MX 10 unlisted-us.example.org
unlisted.example 300 MX 20 mx.example.org
`
	for key, expected := range map[string]string{
		"smtp:example.org":              "mx.example.org[192.0.2.1]:25 backup.example.org[192.0.2.2]:25",
		"smtp:example.org:2525":         "mx.example.org[192.0.2.1]:2525 backup.example.org[192.0.2.2]:2525",
		"smtp:alias.example":            "mx.example.org[192.0.2.1]:25 backup.example.org[192.0.2.2]:25",
		"smtp:bare.example":             "bare.example[192.0.2.3]:25",
		"smtp:[mx.example.org]:587":     "mx.example.org[192.0.2.1]:587",
		"smtp:[192.0.2.7]":              "192.0.2.7[192.0.2.7]:25",
		"smtp:[2001:db8::7]:26":         "2001:db8::7[2001:db8::7]:26",
		"lmtp:[mx.example.org]":         "mx.example.org[192.0.2.1]:24",
		"lmtp:unix:/run/lmtp":           "/run/lmtp",
		"smtp:null.example":             "failed 5.1.10: the domain null.example takes no mail (null MX)",
		"smtp:gone.example":             "failed 5.1.2: there is no host or domain gone.example *",
		"smtp:empty.example":            "failed 5.1.2: there is no host or domain empty.example *",
		"smtp:lost.example":             "failed 5.4.4: there is no host or domain gone.example *",
		"smtp:halflost.example":         "mx.example.org[192.0.2.1]:25",
		"smtp:literal.example":          "failed 5.4.4: the mail exchanger 192.0.2.9 of literal.example is no host name",
		"smtp:here.example":             "failed 5.4.4: the mail exchanger *localhost of here.example is no host name",
		"smtp:odd.example":              "failed 5.4.4: no mail exchanger of odd.example has an address",
		"smtp:self.example":             "better.example.org[192.0.2.4]:25",
		"smtp:best.example":             "failed 5.4.6: mail for best.example loops back to myself",
		"smtp:selfbare.example":         "failed 5.4.6: mail for selfbare.example loops back to myself",
		"smtp:unlisted.example":         "failed 5.4.6: mail for unlisted.example loops back to myself",
		"smtp:[us.example.org]":         "failed 5.4.6: mail for [us.example.org] loops back to myself",
		"smtp:[us.example.org]:10025":   "us.example.org[192.0.2.99]:10025",
		"smtp:[nowhere.example.org]:25": "deferred 4.3.5: there is no host or domain nowhere.example.org *",
	} {
		w := newWay(t, zone, key, func(o *Options) {
			o.Self = func(host string, at netip.AddrPort) bool {
				return host == "unlisted-us.example.org" || at == netip.MustParseAddrPort("192.0.2.99:25")
			}
		})
		t.Run(key, func(t *testing.T) {
			want(t, []string{strings.Join(w.targets(), " ")}, expected)
		})
	}
}

func TestAFailingDNSDefersAndNeverReturnsMail(t *testing.T) {
	w := newWay(t, "", "smtp:example.org", func(o *Options) {
		dns := dnstest.Start(t, func(q *dnstest.Query) {
			r := dnstest.ReplyTo(q)
			r.RCode = 2
			q.Send(r.Octets())
		})
		o.Resolver = dnsres.New(dnsres.Options{Servers: []netip.AddrPort{dns.Addr}, ResolvConf: "/nonexistent", Hosts: "/nonexistent", Attempts: 1})
	})
	want(t, w.targets(), "deferred 4.4.3: cannot look up example.org: *")
}

// TestAHostThatCannotBeLookedUpKeepsTheMail holds that a temporary failure of
// one host counts for more than the permanent ones of the others.
func TestAHostThatCannotBeLookedUpKeepsTheMail(t *testing.T) {
	zone := dnstest.Zone("example.org 300 MX 10 broken.example.org\nexample.org 300 MX 20 gone.example.org\n")
	w := newWay(t, "", "smtp:example.org", func(o *Options) {
		dns := dnstest.Start(t, func(q *dnstest.Query) {
			if q.Name != "broken.example.org" {
				zone(q)
				return
			}
			r := dnstest.ReplyTo(q)
			r.RCode = 2
			q.Send(r.Octets())
		})
		o.Resolver = dnsres.New(dnsres.Options{Servers: []netip.AddrPort{dns.Addr}, ResolvConf: "/nonexistent", Hosts: "/nonexistent", Attempts: 1})
	})
	want(t, w.targets(), "deferred 4.4.3: cannot look up broken.example.org: *")
}

func TestHostsOfOnePreferenceTakeTurnsAndPreferencesDoNot(t *testing.T) {
	zone := "example.org 300 MX 10 a.example.org\nexample.org 300 MX 10 b.example.org\nexample.org 300 MX 20 c.example.org\n" +
		"a.example.org 300 A 192.0.2.1\nb.example.org 300 A 192.0.2.2\nc.example.org 300 A 192.0.2.3\n"
	first := map[string]bool{}
	w := newWay(t, zone, "smtp:example.org", nil)
	for range 100 {
		again := way{relay: w.relay, key: w.key, port: w.port}
		all := again.targets()
		first[all[0]] = true
		if len(all) != 3 || all[2] != "c.example.org[192.0.2.3]:25" {
			t.Fatal(all)
		}
	}
	if len(first) != 2 {
		t.Errorf("always the same first: %v", first)
	}
}

func TestFamiliesTakeTurns(t *testing.T) {
	zone := "example.org 300 A 192.0.2.1\nexample.org 300 A 192.0.2.2\nexample.org 300 A 192.0.2.3\nexample.org 300 AAAA 2001:db8::1\nexample.org 300 AAAA 2001:db8::2\n"
	families := ""
	for _, name := range newWay(t, zone, "smtp:example.org", nil).targets() {
		family := "4"
		if strings.Contains(name, "2001:") {
			family = "6"
		}
		families += family
	}
	if families != "64644" {
		t.Errorf("the order is %s", families)
	}
}

func TestTheNumberOfAttemptsIsLimited(t *testing.T) {
	var zone strings.Builder
	for host := range 8 {
		fmt.Fprintf(&zone, "example.org 300 MX %d mx%d.example.org\n", host, host)
		for address := range 8 {
			fmt.Fprintf(&zone, "mx%d.example.org 300 A 192.0.%d.%d\n", host, host, address)
			fmt.Fprintf(&zone, "one.example.org 300 A 198.51.%d.%d\n", host, address)
		}
	}
	all := newWay(t, zone.String(), "smtp:example.org", nil).targets()
	hosts := map[string]bool{}
	for _, name := range all {
		hosts[name[:strings.IndexByte(name, '[')]] = true
	}
	if len(all) != addressesMax || len(hosts) != hostsMax {
		t.Errorf("%d addresses of %d hosts", len(all), len(hosts))
	}
	if all := newWay(t, zone.String(), "smtp:one.example.org", nil).targets(); len(all) != addressesMax {
		t.Errorf("%d addresses of one host", len(all))
	}
}

func TestWhatWasOutOfReachIsTriedLast(t *testing.T) {
	zone := "example.org 300 MX 10 a.example.org\nexample.org 300 MX 20 b.example.org\na.example.org 300 A 192.0.2.1\nb.example.org 300 A 192.0.2.2\n"
	w := newWay(t, zone, "smtp:example.org", nil)
	w.relay.unreachable.add(netip.MustParseAddrPort("192.0.2.1:25"))
	if got := w.targets(); !slices.Equal(got, []string{"b.example.org[192.0.2.2]:25", "a.example.org[192.0.2.1]:25"}) {
		t.Error(got)
	}
}

func TestTheAddressBookIsBounded(t *testing.T) {
	var b addressBook
	for i := range 3 * unreachableMax {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 25)
		b.add(at)
		if !b.has(at) {
			t.Fatal("forgotten at once")
		}
	}
	if len(b.until) > unreachableMax {
		t.Errorf("%d addresses", len(b.until))
	}
}
