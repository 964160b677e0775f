package smtpd

import (
	"net/netip"
	"strings"
	"testing"

	"barid/auth"
	"barid/smtpd/proto"
)

// at trusts one address.
func at(trusted string) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return a == netip.MustParseAddr(trusted) }
}

// arrived gives the field that a message of the client gets.
func (h *house) arrived(c *client) string {
	h.t.Helper()
	before := len(h.post.all())
	c.envelope("", "alice@example.test", "bob@example.test")
	c.data(note, "250 *")
	field, _ := h.post.all()[before].received()
	return field
}

func TestProxyVerbsAreForTrustedAddressesOnly(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XClient, s.door.XForward = at("192.0.2.1"), at("192.0.2.2") })
	c := h.dial()
	for _, service := range []string{"XCLIENT", "XFORWARD"} {
		if offer := c.offer(service); offer != "" {
			t.Errorf("offered: %q", offer)
		}
		c.say(service+" ADDR=198.51.100.1", "550 5.7.0 *")
	}
	if field := h.arrived(c); !strings.Contains(field, "([127.0.0.1])") {
		t.Errorf("%q", field)
	}
}

func TestXClientBringsAnotherClient(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XClient = at("127.0.0.1") })
	c := h.greet()
	for attributes, want := range map[string]string{
		"ADDR=198.51.100.1":                              "from new.example ([198.51.100.1]) by",
		"ADDR=198.51.100.1 PORT=1234 PROTO=ESMTP":        "from new.example ([198.51.100.1]) by",
		"ADDR=198.51.100.2 NAME=mail.example":            "from new.example (mail.example [198.51.100.2]) by",
		"NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::5":       "from new.example ([IPv6:2001:db8::5]) by",
		"ADDR=ipv6:::ffff:198.51.100.3 HELO=real.exampl": "from real.exampl ([198.51.100.3]) by",
		"ADDR=198.51.100.4 HELO=a+28b+0A NAME=x+29":      "from a?b? (x? [198.51.100.4]) by",
	} {
		c.say("XCLIENT "+attributes, "220 mx.example.test *")
		c.say("MAIL FROM:<>", "503 5.5.1 *")
		c.hello("EHLO new.example")
		if field := h.arrived(c); !strings.HasPrefix(field, "Received: "+want+" ") {
			t.Errorf("%s: %q", attributes, field)
		}
	}
	if !strings.Contains(h.log.String(), "remote=198.51.100.1:1234 ") {
		t.Errorf("the log:\n%s", h.log)
	}
}

func TestXClientKeepsNothingOfTheClientBefore(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		inTheClear(s)
		s.door.XClient = at("127.0.0.1")
		s.door.Engine.ErrorsMax = 3
	})
	c := h.greet()
	c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "235 *")
	c.send("FROB", "FROB")
	c.want("500 *", "500 *")
	c.say("XCLIENT ADDR=198.51.100.1 HELO=first.example NAME=first.example", "220 *")
	c.hello("EHLO client.example")
	c.say("MAIL FROM:<alice@example.test>", "530 *") // the login has gone
	c.say("FROB", "500 *")                           // and so have the errors
	c.say("XCLIENT ADDR=198.51.100.2", "220 *")
	c.hello("EHLO second.example")
	c.say("AUTH PLAIN "+plain("bob@example.test", "builder"), "235 *")
	c.envelope("bob@example.test", "alice@example.test")
	c.data(note, "250 *")
	if field, _ := h.only().received(); !strings.HasPrefix(field, "Received: from second.example ([198.51.100.2]) ") {
		t.Errorf("%q", field)
	}
}

func TestXClientLoginCountsWhenTheAccountExists(t *testing.T) {
	h := newHouse(t, func(s *settings) { submission(s); s.door.XClient = at("127.0.0.1") })
	c := h.greet()
	for login, want := range map[string]string{
		"alice@example.test": "250 *", "nobody@example.test": "530 *", "[UNAVAILABLE]": "530 *",
	} {
		c.say("XCLIENT ADDR=198.51.100.1 LOGIN="+login, "220 *")
		c.hello("EHLO client.example")
		c.say("MAIL FROM:<alice@example.test>", want)
		if want == "250 *" {
			c.say("RSET", "250 *")
			c.say("MAIL FROM:<bob@example.test>", "553 *")
		}
	}
}

func TestXClientIsOfferedWhatItsOwnAddressMay(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		submission(s)
		s.auth.Cleartext = auth.Loopback
		s.door.XClient = at("127.0.0.1")
	})
	c := h.dial()
	if c.offer("AUTH") == "" {
		t.Fatal("loopback is not offered AUTH")
	}
	c.say("XCLIENT ADDR=198.51.100.1", "220 *")
	if offer := c.offer("AUTH"); offer != "" {
		t.Errorf("a client elsewhere is offered %q in the clear", offer)
	}
	c.say("XCLIENT ADDR=127.0.0.1", "220 *") // the proxy is still trusted
	if c.offer("AUTH") == "" {
		t.Error("loopback is not offered AUTH again")
	}
}

func TestXClientWithABadAddressChangesNothing(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XClient = at("127.0.0.1") })
	c := h.greet()
	for _, addr := range []string{"example.com", "1.2.3", "IPV6:x", "IPV6:fe80::1%25eth0", "fe80::1%eth0)", "1.2.3.4:25"} {
		c.say("XCLIENT HELO=evil.example ADDR="+addr, "501 5.5.4 *")
	}
	c.say("XCLIENT ADDR=[UNAVAILABLE] PORT=[UNAVAILABLE]", "220 *")
	c.hello("EHLO client.example")
	if field := h.arrived(c); !strings.HasPrefix(field, "Received: from client.example ([127.0.0.1]) ") {
		t.Errorf("%q", field)
	}
}

func TestXClientUnderTLSStaysUnderTLS(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XClient = at("127.0.0.1") })
	c := h.secure()
	c.hello("EHLO client.example")
	c.say("XCLIENT ADDR=198.51.100.1", "220 *")
	if offer := c.offer("STARTTLS"); offer != "" {
		t.Errorf("offered: %q", offer)
	}
	if field := h.arrived(c); !strings.Contains(field, " with ESMTPS id ") {
		t.Errorf("%q", field)
	}
}

func TestStartTLSForgetsWhatXClientSaid(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XClient = at("127.0.0.1") })
	c := h.greet()
	c.say("XCLIENT ADDR=198.51.100.1 HELO=first.example NAME=first.example", "220 *")
	c.hello("EHLO first.example")
	c.say("STARTTLS", "220 *")
	must(t, c.conn.StartTLS())
	c.hello("EHLO second.example")
	if field := h.arrived(c); !strings.HasPrefix(field, "Received: from second.example ([198.51.100.1]) ") {
		t.Errorf("%q", field)
	}
}

func TestXForwardGoesIntoTheLogOnly(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.XForward = at("127.0.0.1") })
	c := h.greet()
	c.say("XFORWARD NAME=first.example ADDR=198.51.100.9 HELO=helo.example IDENT=4711", "250 2.0.0 *")
	if field := h.arrived(c); !strings.HasPrefix(field, "Received: from client.example ([127.0.0.1]) ") {
		t.Errorf("%q", field)
	}
	for _, fact := range []string{"name=first.example", "addr=198.51.100.9", "forwarded_helo=helo.example", "ident=4711"} {
		if !strings.Contains(h.log.String(), fact) {
			t.Errorf("no %s in the log:\n%s", fact, h.log)
		}
	}
}

func TestTrustIsForTheAddressThatAProxyHeaderGives(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		s.listen.Proxy = func(netip.Addr) bool { return true }
		s.door.XClient = at("192.0.2.1")
		s.door.Engine.Mode = proto.MX
	})
	for from, want := range map[string]string{"192.0.2.1": "220 *", "127.0.0.1": "550 5.7.0 *"} {
		c := h.connect(h.plain)
		c.send("PROXY TCP4 " + from + " 192.0.2.200 50000 25")
		c.want("220 *")
		c.hello("EHLO client.example")
		c.say("XCLIENT ADDR=198.51.100.1", want)
	}
}
