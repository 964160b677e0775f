package dnsres

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"barid/dnsres/dnstest"
	"barid/dnsres/wire"
)

// good is the answer that all tests here wait for; bad is what no test may
// see.
const (
	good = "192.0.2.1"
	bad  = "192.0.2.66"
)

func address(q *dnstest.Query, addr string) *dnstest.Reply {
	return dnstest.ReplyTo(q).Answer(q.Name + " 300 A " + addr)
}

func (s *scene) wantGood(name string) {
	s.Helper()
	a, err := s.Addrs(s.Context(), name, V4)
	s.want(nil, err)
	if fmt.Sprint(a.Records) != "["+good+"]" {
		s.Fatalf("%s: %v, want %s", name, a.Records, good)
	}
}

// TestForgedRepliesAreNeverUsed sends a forgery before the true answer.
func TestForgedRepliesAreNeverUsed(t *testing.T) {
	for name, forge := range map[string]func(q *dnstest.Query, r *dnstest.Reply) []byte{
		"wrong id":        func(q *dnstest.Query, r *dnstest.Reply) []byte { r.ID++; return r.Octets() },
		"wrong name":      func(q *dnstest.Query, r *dnstest.Reply) []byte { r.Question[1] ^= 1; return r.Octets() },
		"wrong type":      func(q *dnstest.Query, r *dnstest.Reply) []byte { r.Question[len(r.Question)-3] = 28; return r.Octets() },
		"wrong class":     func(q *dnstest.Query, r *dnstest.Reply) []byte { r.Question[len(r.Question)-1] = 3; return r.Octets() },
		"no question":     func(q *dnstest.Query, r *dnstest.Reply) []byte { r.Question = nil; return r.Octets() },
		"a question back": func(q *dnstest.Query, r *dnstest.Reply) []byte { return q.Octets },
		"not QUERY":       func(q *dnstest.Query, r *dnstest.Reply) []byte { o := r.Octets(); o[2] |= 0x28; return o },
		"too short":       func(q *dnstest.Query, r *dnstest.Reply) []byte { return r.Octets()[:11] },
		"nothing":         func(q *dnstest.Query, r *dnstest.Reply) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(q *dnstest.Query) {
				q.Send(forge(q, address(q, bad)))
				q.Send(address(q, good).Octets())
			})
			s.wantGood("abcdefgh.example")
			s.wantAsked(1)
			if st := s.Stats(); st.Strays != 1 || st.Streams != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestRepliesFromElsewhereAreNeverUsed(t *testing.T) {
	other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := play(t, func(q *dnstest.Query) {
		if _, err := other.WriteToUDPAddrPort(address(q, bad).Octets(), q.From); err != nil {
			t.Error(err)
		}
		q.Send(address(q, good).Octets())
	})
	s.wantGood("example")
	if s.Stats().Strays != 0 {
		t.Error("the packet from elsewhere came through")
	}
}

// TestGuessingDrivesTheQuestionToTCP: who sends many forgeries may hit in the
// end; over TCP he cannot.
func TestGuessingDrivesTheQuestionToTCP(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		if !q.TCP() {
			for i := range 200 {
				r := address(q, bad)
				r.ID += uint16(1 + i)
				q.Send(r.Octets())
			}
			return
		}
		q.Send(address(q, good).Octets())
	})
	s.wantGood("example")
	if st := s.Stats(); st.Strays != straysMax || st.Streams != 1 {
		t.Errorf("%+v", st)
	}
}

func TestRecordsOfOtherNamesAreNotBelieved(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		if q.Name == "victim.example" {
			q.Send(address(q, good).Octets())
			return
		}
		q.Send(dnstest.ReplyTo(q).Answer("victim.example 300 A "+bad, "a.example 300 A "+good, "victim.example 300 CNAME evil.example", "evil.example 300 A "+bad).Octets())
	})
	s.wantGood("a.example")
	s.wantGood("victim.example")
	s.wantAsked(2)
}

func TestIdsPortsAndCasesAreRandom(t *testing.T) {
	s := play(t, func(q *dnstest.Query) { q.Send(address(q, good).Octets()) })
	const n = 64
	for i := range n {
		s.wantGood(fmt.Sprintf("%02d.abcdefghijklmnopqrstuvwxyz.example", i))
	}
	ids, ports, cases := map[uint16]bool{}, map[uint16]bool{}, map[string]bool{}
	upper, low := 0, 0
	for _, q := range s.server.Asked() {
		name := q.Octets[wire.HeaderSize+4 : wire.HeaderSize+4+26]
		ids[q.ID], ports[q.From.Port()], cases[string(name)] = true, true, true
		for _, c := range name {
			if c < 'a' {
				upper++
			}
		}
		if q.From.Port() < portMin {
			t.Errorf("from port %d", q.From.Port())
		}
		if q.From.Port() < 2*portMin {
			low++
		}
	}
	// Three of 64 alike happen once in ten million runs.
	if len(ids) < n-2 || len(ports) < n-2 || len(cases) < n-2 {
		t.Errorf("of %d: %d ids, %d ports, %d cases", n, len(ids), len(ports), len(cases))
	}
	if low == 0 {
		t.Error("the ports are those that Linux gives by itself")
	}
	if share := float64(upper) / (n * 26); share < 0.4 || share > 0.6 {
		t.Errorf("%.2f of the letters are upper case", share)
	}
}

func TestTruncatedAnswersAreAskedForOverTCP(t *testing.T) {
	for name, cut := range map[string]func(r *dnstest.Reply) []byte{
		"with TC":              func(r *dnstest.Reply) []byte { r.Truncated = true; return r.Octets() },
		"with TC, in a record": func(r *dnstest.Reply) []byte { r.Truncated = true; o := r.Octets(); return o[:len(o)-14] },
		"without TC":           func(r *dnstest.Reply) []byte { o := r.Octets(); return o[:len(o)-3] },
		"garbage behind":       func(r *dnstest.Reply) []byte { return append(r.Octets(), "garbage"...) },
		"larger than 4096": func(r *dnstest.Reply) []byte {
			return r.Answer("x.example 1 TXT " + strings.Repeat("x", 5000)).Octets()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(q *dnstest.Query) {
				if q.TCP() {
					q.Send(address(q, good).Octets())
				} else {
					q.Send(cut(address(q, bad)))
				}
			})
			s.wantGood("example")
			s.wantAsked(2)
		})
	}
}

func TestAnswersOf64KiBComeOverTCP(t *testing.T) {
	text := strings.Repeat("x", 20000)
	s := play(t, func(q *dnstest.Query) {
		r := dnstest.ReplyTo(q).Answer(q.Name+" 1 TXT "+text, q.Name+" 1 TXT "+text, q.Name+" 1 TXT "+text)
		if r.Truncated = !q.TCP(); r.Truncated {
			q.Send(r.Octets()[:512])
			return
		}
		q.Send(r.Octets())
	})
	a, err := s.TXT(t.Context(), "example")
	s.want(nil, err)
	if len(a.Records) != 3 || a.Records[2] != text {
		t.Errorf("%d records", len(a.Records))
	}
}

// TestFaultsOverTCPAreTemporary: the server sends TC, and then something goes
// wrong with its TCP.
func TestFaultsOverTCPAreTemporary(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(q *dnstest.Query, o []byte)
		class error
	}{
		"closed at once":           {func(q *dnstest.Query, o []byte) { q.Stream.Close() }, ErrTemporary},
		"closed in the length":     {func(q *dnstest.Query, o []byte) { q.Stream.Write([]byte{0}); q.Stream.Close() }, ErrTemporary},
		"closed in the message":    {func(q *dnstest.Query, o []byte) { q.Stream.Write([]byte{0, 100, 1, 2}); q.Stream.Close() }, ErrTemporary},
		"a message of no length":   {func(q *dnstest.Query, o []byte) { q.Send(nil) }, ErrMalformed},
		"a message of 64 KiB":      {func(q *dnstest.Query, o []byte) { q.Send(append(o, make([]byte, 65535-len(o))...)) }, ErrMalformed},
		"another id":               {func(q *dnstest.Query, o []byte) { o[0]++; q.Send(o) }, ErrMalformed},
		"another question":         {func(q *dnstest.Query, o []byte) { o[13] ^= 1; q.Send(o) }, ErrMalformed},
		"truncated again":          {func(q *dnstest.Query, o []byte) { o[2] |= truncated; q.Send(o) }, ErrMalformed},
		"garbage":                  {func(q *dnstest.Query, o []byte) { q.Send([]byte("220 mail.example.org ESMTP\r\n")) }, ErrMalformed},
		"an answer that is broken": {func(q *dnstest.Query, o []byte) { o[len(o)-5]++; q.Send(o) }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(q *dnstest.Query) {
				reply := dnstest.ReplyTo(q)
				reply.EDNS = false
				if reply.Answer(q.Name + " 300 A " + bad); !q.TCP() {
					reply.Truncated = true
					q.Send(reply.Octets())
					return
				}
				c.fault(q, reply.Octets())
			})
			_, err := s.Addrs(t.Context(), "example", V4)
			s.want(c.class, err)
			if !Temporary(err) {
				t.Errorf("%v is permanent", err)
			}
			// What was broken and is mended is found again.
			s.server.Handle(func(q *dnstest.Query) { q.Send(address(q, good).Octets()) })
			s.clock.pass(failureFor)
			s.wantGood("example")
		})
	}
}

func TestNoTCPAtAllIsTemporary(t *testing.T) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	defer func() { socket.Close(); <-done }()
	go func() {
		defer close(done)
		for {
			var b [512]byte
			n, from, err := socket.ReadFromUDPAddrPort(b[:])
			if err != nil {
				return
			}
			b[2] |= 0x80 | truncated
			socket.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	s := play(t, nil, func(o *Options) {
		o.Servers = []netip.AddrPort{socket.LocalAddr().(*net.UDPAddr).AddrPort()}
	})
	_, err = s.Addrs(t.Context(), "example", V4)
	s.want(ErrTemporary, err)
}

func TestServersWithoutEDNSAreAskedWithoutIt(t *testing.T) {
	for name, refuse := range map[string]func(r *dnstest.Reply){
		"FORMERR":                  func(r *dnstest.Reply) { r.RCode, r.EDNS = wire.FormErr, false },
		"FORMERR without question": func(r *dnstest.Reply) { r.RCode, r.EDNS, r.Question = wire.FormErr, false, nil },
		"NOTIMP":                   func(r *dnstest.Reply) { r.RCode, r.EDNS = wire.NotImp, false },
		"BADVERS":                  func(r *dnstest.Reply) { r.RCode = wire.BadVers },
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(q *dnstest.Query) {
				r := address(q, good)
				if q.HasEDNS {
					r = dnstest.ReplyTo(q)
					refuse(r)
				}
				q.Send(r.Octets())
			})
			s.wantGood("a.example")
			s.wantGood("b.example")
			s.wantAsked(3) // it is remembered
			if !s.Servers()[0].NoEDNS {
				t.Error("not shown")
			}
			s.clock.pass(quirkFor)
			s.wantGood("c.example")
			s.wantAsked(5)
			if q := s.server.Asked()[0]; q.UDPSize != udpSize {
				t.Errorf("%d octets announced", q.UDPSize)
			}
		})
	}
}

func TestServersThatFoldCaseAreBelievedOverTCP(t *testing.T) {
	fold := func(q *dnstest.Query) *dnstest.Reply {
		r := address(q, good)
		r.Question = bytes.ToLower(r.Question)
		return r
	}
	s := play(t, func(q *dnstest.Query) { q.Send(fold(q).Octets()) })
	const long = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.example"
	s.wantGood(long)
	s.wantAsked(2)
	if !s.server.Asked()[1].TCP() || !s.Servers()[0].FoldsCase {
		t.Errorf("%+v", s.Servers())
	}
	s.wantGood("another." + long)
	s.wantAsked(3) // it is remembered
}

func TestAForgeryInOtherCaseIsNotTheServersWay(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		if !q.TCP() {
			r := address(q, bad)
			r.Question = bytes.ToLower(r.Question)
			q.Send(r.Octets())
			return
		}
		q.Send(address(q, good).Octets())
	})
	s.wantGood("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.example")
	if s.Servers()[0].FoldsCase {
		t.Error("a forgery has switched off the mixing of cases")
	}
}

func TestAliasesInACircleAreAnError(t *testing.T) {
	for name, records := range map[string]string{
		"to itself":        "a.example 1 CNAME a.example",
		"of two":           "a.example 1 CNAME b.example\nb.example 1 CNAME a.example",
		"not at the start": "a.example 1 CNAME b.example\nb.example 1 CNAME c.example\nc.example 1 CNAME b.example",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, dnstest.Zone(records))
			_, err := s.Addrs(t.Context(), "a.example", V4)
			s.want(ErrMalformed, err)
			// The same, one alias a reply.
			one := play(t, func(q *dnstest.Query) {
				r := dnstest.ReplyTo(q)
				for line := range strings.Lines(records) {
					if strings.HasPrefix(line, q.Name) {
						r.Answer(line)
					}
				}
				q.Send(r.Octets())
			})
			_, err = one.Addrs(t.Context(), "a.example", V4)
			one.want(ErrMalformed, err)
			most := strings.Count(records, "CNAME")
			if strings.HasPrefix(name, "not") {
				most = chainMax + 1
			}
			if n := len(one.server.Asked()); n > most {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestEndlessAliasesAreAnError(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		q.Send(dnstest.ReplyTo(q).Answer(q.Name + " 300 CNAME x." + q.Name).Octets())
	})
	_, err := s.Addrs(t.Context(), "example", V4)
	s.want(ErrMalformed, err)
	s.wantAsked(chainMax + 1)
}

func TestAServerThatCannotAnswerIsPassedOver(t *testing.T) {
	refer := func(r *dnstest.Reply) { r.Authority("example 300 NS ns.example") }
	for name, c := range map[string]struct {
		change func(r *dnstest.Reply)
		words  string
	}{
		"SERVFAIL":                 {func(r *dnstest.Reply) { r.RCode = wire.ServFail }, "SERVFAIL"},
		"SERVFAIL with its reason": {func(r *dnstest.Reply) { r.RCode, r.Options = wire.ServFail, dnstest.Extended(6, "no\x1bsig") }, "SERVFAIL, DNSSEC bogus: no?sig"},
		"REFUSED":                  {func(r *dnstest.Reply) { r.RCode = wire.Refused }, "REFUSED"},
		"REFUSED, no question":     {func(r *dnstest.Reply) { r.RCode, r.Question = wire.Refused, nil }, "REFUSED"},
		"an unknown code":          {func(r *dnstest.Reply) { r.RCode = 11 }, "RCODE11"},
		"a referral":               {refer, "refers to other servers"},
	} {
		t.Run(name, func(t *testing.T) {
			first := dnstest.Start(t, func(q *dnstest.Query) {
				r := dnstest.ReplyTo(q)
				c.change(r)
				q.Send(r.Octets())
			})
			s := play(t, func(q *dnstest.Query) { q.Send(address(q, good).Octets()) }, func(o *Options) {
				o.Servers = append([]netip.AddrPort{first.Addr}, o.Servers...)
			})
			s.wantGood("example")
			s.wantAsked(1)
			if n := len(first.Asked()); n != 1 {
				t.Errorf("asked %d times", n)
			}
			// All servers alike: each is asked once, not in every round.
			s.server.Handle(func(q *dnstest.Query) {
				r := dnstest.ReplyTo(q)
				c.change(r)
				q.Send(r.Octets())
			})
			_, err := s.Addrs(t.Context(), "other.example", V4)
			s.want(ErrTemporary, err)
			s.wantAsked(2)
			if !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), s.server.Addr.String()) {
				t.Errorf("%v does not say what happened", err)
			}
		})
	}
}

func TestAnythingInAReplyIsAnErrorAtWorst(t *testing.T) {
	s := play(t, nil)
	for i, octets := range []string{"", "x", strings.Repeat("\xff", 600), strings.Repeat("\xc0", 1232), strings.Repeat("\x00", 4096)} {
		s.server.Handle(func(q *dnstest.Query) {
			if head := append(q.Octets[:2:2], 0x80, 0); !q.TCP() {
				q.Send(append(head, octets...))
				q.Send(append(append(head, q.Octets[4:len(q.Octets)-11]...), octets...))
			}
			q.Send(address(q, good).Octets())
		})
		s.wantGood(fmt.Sprintf("a%d.example", i))
	}
}
