package dnsres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"barid/dnsres/dnstest"
	"barid/dnsres/wire"
)

func TestRecordsOfEveryTypeAreFound(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	ctx := t.Context()
	mx, err := s.MX(ctx, "Example.org.")
	s.want(nil, err)
	if got := fmt.Sprint(mx.Records); got != "[{10 mx1.example.org} {10 mx0.example.org} {20 mx2.example.org}]" || mx.Canonical != "example.org" {
		t.Errorf("MX: %v %q", got, mx.Canonical)
	}
	if left := mx.Expires.Sub(s.clock.Now()); left != 30*time.Minute {
		t.Errorf("the least TTL is 30 minutes, not %v", left)
	}
	if mx.Authenticated || mx.Stale {
		t.Errorf("nobody has authenticated it: %+v", mx)
	}
	txt, err := s.TXT(ctx, "example.org")
	s.want(nil, err)
	srv, err := s.SRV(ctx, "_submission._tcp.example.org")
	s.want(nil, err)
	tlsa, err := s.TLSA(ctx, "_25._tcp.mx1.example.org")
	s.want(nil, err)
	got := fmt.Sprint(txt.Records, srv.Records, tlsa.Records)
	if want := "[v=spf1 -all] [{0 1 465 mx2.example.org} {5 1 587 mx1.example.org}] [{3 1 1 [0 255 16]}]"; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	for _, addr := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"} {
		ptr, err := s.PTR(ctx, netip.MustParseAddr(addr))
		s.want(nil, err)
		if fmt.Sprint(ptr.Records) != "[mx1.example.org]" {
			t.Errorf("PTR: %v", ptr.Records)
		}
	}
}

func TestAddressesOfBothFamiliesAreOneAnswer(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	for _, c := range []struct {
		name   string
		family Family
		want   string
		err    error
	}{
		{"mx1.example.org", Both, "[2001:db8::1 192.0.2.1 192.0.2.2]", nil},
		{"mx1.example.org", V4, "[192.0.2.1 192.0.2.2]", nil},
		{"mx1.example.org", V6, "[2001:db8::1]", nil},
		{"v4.example.org", Both, "[192.0.2.4]", nil},
		{"v4.example.org", V6, "[]", ErrNoData},
		{"example.org", Both, "[]", ErrNoData},
		{"nobody.example.org", Both, "[]", ErrNotFound},
	} {
		a, err := s.Addrs(t.Context(), c.name, c.family)
		if fmt.Sprint(a.Records) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s %v: %v, %v", c.name, c.family, a.Records, err)
		}
	}
	a, _ := s.Addrs(t.Context(), "mx1.example.org", Both)
	if left := a.Expires.Sub(s.clock.Now()); left != 5*time.Minute {
		t.Errorf("expires with the first of the two, after 5 minutes, not %v", left)
	}
}

func TestOneFamilyThatFailsDoesNotHideTheOther(t *testing.T) {
	known := dnstest.Zone(zone)
	s := play(t, func(q *dnstest.Query) {
		if q.Type == wire.AAAA {
			reply := dnstest.ReplyTo(q)
			reply.RCode = wire.ServFail
			q.Send(reply.Octets())
			return
		}
		known(q)
	})
	a, err := s.Addrs(t.Context(), "mx1.example.org", Both)
	s.want(nil, err)
	if len(a.Records) != 2 {
		t.Errorf("%v", a.Records)
	}
	// Where the other has nothing, it may be that there is something.
	_, err = s.Addrs(t.Context(), "example.org", Both)
	s.want(ErrTemporary, err)
}

func TestAliasesAreFollowed(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	a, err := s.Addrs(t.Context(), "www.example.org", V4)
	s.want(nil, err)
	if a.Canonical != "mx1.example.org" || len(a.Records) != 2 || a.Expires.Sub(s.clock.Now()) != 100*time.Second {
		t.Errorf("%+v", a)
	}
	_, err = s.Addrs(t.Context(), "gone.example.org", V4)
	s.want(ErrNotFound, err)
	if !strings.Contains(err.Error(), "nobody.example.org") {
		t.Errorf("%v does not say where the alias leads", err)
	}
	_, err = s.MX(t.Context(), "www.example.org")
	s.want(ErrNoData, err)
	texts, err := s.Text(t.Context(), "www.example.org", wire.CNAME)
	s.want(nil, err)
	if fmt.Sprint(texts.Records) != "[web.example.org]" {
		t.Errorf("the alias itself: %v", texts.Records)
	}
}

// TestAPartOfAChainIsAskedOn is about servers that send one alias at a time.
func TestAPartOfAChainIsAskedOn(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		n, last := 0, 14
		if fmt.Sscanf(q.Name, "a%d.example", &n); n < last {
			q.Send(dnstest.ReplyTo(q).Answer(fmt.Sprintf("%s %d CNAME a%d.example", q.Name, 100-n, n+1)).Octets())
			return
		}
		q.Send(dnstest.ReplyTo(q).Answer(q.Name + " 300 A 192.0.2.1").Octets())
	})
	a, err := s.Addrs(t.Context(), "a0.example", V4)
	s.want(nil, err)
	if a.Canonical != "a14.example" || a.Expires.Sub(s.clock.Now()) != 87*time.Second {
		t.Errorf("%+v", a)
	}
	s.wantAsked(15)
}

func TestNullMXIsSeen(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	mx, err := s.MX(t.Context(), "null.example.org")
	s.want(nil, err)
	if !NullMX(mx.Records) {
		t.Errorf("%v", mx.Records)
	}
	mx, _ = s.MX(t.Context(), "example.org")
	if NullMX(mx.Records) || NullMX(nil) || NullMX([]MX{{0, "."}, {10, "mx"}}) {
		t.Error("others are none")
	}
}

func TestNamesThatCannotBeAreNotAskedFor(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	for _, name := range []string{"", "..", "a..b", strings.Repeat("a", 64) + ".org", strings.Repeat("a.", 200), "x.invalid", "INVALID", "abc.onion."} {
		_, err := s.MX(t.Context(), name)
		s.want(ErrNotFound, err)
		if Temporary(err) {
			t.Errorf("%q: %v is temporary", name, err)
		}
	}
	s.wantAsked(0)
}

func TestLocalhostIsThisHost(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	a, err := s.Addrs(t.Context(), "LocalHost.", Both)
	s.want(nil, err)
	if fmt.Sprint(a.Records) != "[::1 127.0.0.1]" || !a.Expires.IsZero() {
		t.Errorf("%+v", a)
	}
	a, err = s.Addrs(t.Context(), "db.localhost", V4)
	s.want(nil, err)
	if fmt.Sprint(a.Records) != "[127.0.0.1]" {
		t.Errorf("%+v", a)
	}
	_, err = s.MX(t.Context(), "localhost")
	s.want(ErrNoData, err)
	s.wantAsked(0)
}

// TestAuthenticatedNeedsTrustAndEveryLink covers who is believed: AD counts
// from trusted servers alone, is asked of them alone, and every message of a
// chain must have it.
func TestAuthenticatedNeedsTrustAndEveryLink(t *testing.T) {
	h := func(q *dnstest.Query) {
		reply := dnstest.ReplyTo(q)
		reply.Authentic = q.Name != "second.example"
		switch q.Name {
		case "none.example":
			reply.RCode = wire.NXDomain
		case "first.example":
			reply.Answer("first.example 60 CNAME second.example")
		case "second.example":
			reply.Answer("second.example 60 CNAME third.example")
		default:
			reply.Answer(q.Name + " 60 A 192.0.2.1")
		}
		q.Send(reply.Octets())
	}
	for _, c := range []struct {
		name    string
		options []func(*Options)
		want    bool
	}{
		{"example", nil, false},
		{"example", []func(*Options){trusted}, true},
		{"first.example", []func(*Options){trusted}, false},
		{"third.example", []func(*Options){trusted}, true},
		{"none.example", []func(*Options){trusted}, true},
		{"none.example", nil, false},
	} {
		s := play(t, h, c.options...)
		if a, err := s.Addrs(t.Context(), c.name, V4); a.Authenticated != c.want {
			t.Errorf("%s, trusted %v: %+v, %v", c.name, len(c.options) > 0, a, err)
		}
		if q := s.server.Asked()[0]; q.Authentic != (len(c.options) > 0) {
			t.Errorf("AD in the question is %v", q.Authentic)
		}
	}
}

func TestTextsAreWrittenAsInAZoneFile(t *testing.T) {
	s := play(t, dnstest.Zone(zone+"esc.example.org 60 TXT a\"b\\c\x07é"))
	for _, c := range []struct {
		name string
		t    wire.Type
		want string
	}{
		{"example.org", wire.MX, "10 mx1.example.org|10 mx0.example.org|20 mx2.example.org"},
		{"mx1.example.org", wire.AAAA, "2001:db8::1"},
		{"example.org", wire.TXT, `"v=spf1 -all"`},
		{"esc.example.org", wire.TXT, `"a\"b\\c\007\195\169"`},
		{"example.org", wire.NS, "ns.example.org"},
		{"example.org", wire.SOA, "ns.example.org hostmaster.example.org 1 3600 900 604800 300"},
		{"_submission._tcp.example.org", wire.SRV, "0 1 465 mx2.example.org|5 1 587 mx1.example.org"},
		{"_25._tcp.mx1.example.org", wire.TLSA, "3 1 1 00ff10"},
		{"1.2.0.192.in-addr.arpa", wire.PTR, "mx1.example.org"},
	} {
		a, err := s.Text(t.Context(), c.name, c.t)
		s.want(nil, err)
		if got := strings.Join(a.Records, "|"); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.name, c.t, got, c.want)
		}
	}
	_, err := s.Text(t.Context(), "nobody.example.org", wire.MX)
	s.want(ErrNotFound, err)
}

// TestAnAskerWhoGivesUpLeavesTheOthers: the one who leads gives up, and
// another leads; the one who waits gives up, and nobody notices.
func TestAnAskerWhoGivesUpLeavesTheOthers(t *testing.T) {
	for _, first := range []bool{true, false} {
		asked, answer := make(chan bool, 2), make(chan bool)
		s := play(t, func(q *dnstest.Query) {
			asked <- true
			<-answer
			q.Send(address(q, good).Octets())
		})
		ask := func(ctx context.Context) chan error {
			err := make(chan error)
			joined := s.Stats().Misses
			go func() {
				_, e := s.Addrs(ctx, "example", V4)
				err <- e
			}()
			for s.Stats().Misses == joined {
				runtime.Gosched()
			}
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := ctx, t.Context()
		if !first {
			gone, stays = stays, gone
		}
		one := ask(gone)
		<-asked
		two := ask(stays)
		if !first {
			one, two = two, one
		}
		cancel()
		err := <-one
		s.want(ErrTemporary, err)
		s.want(context.Canceled, err)
		close(answer)
		s.want(nil, <-two)
		s.wantAsked(map[bool]int{true: 2, false: 1}[first])
		if h := s.Servers()[0]; h.Failures != 0 {
			t.Errorf("the server is blamed: %+v", h)
		}
	}
}

func TestAnAskersDeadlineIsKept(t *testing.T) {
	for _, conf := range []string{"", "options use-vc\n"} {
		s := play(t, func(q *dnstest.Query) {})
		s.write("resolv.conf", conf)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err := s.MX(ctx, "example")
		cancel()
		s.want(ErrTemporary, err)
		s.want(context.DeadlineExceeded, err)
		if h := s.Servers()[0]; h.Failures != 0 {
			t.Errorf("the server is blamed: %+v", h)
		}
	}
}
