package smtpd

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"barid/auth"
	"barid/internal/loop"
	"barid/smtpd/proto"
)

// plain is the response of AUTH PLAIN (RFC 4616).
func plain(user, password string) string {
	return encode("\x00" + user + "\x00" + password)
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// login connects with TLS and logs in.
func (h *house) login(user, password string) *client {
	h.t.Helper()
	c := h.secure()
	c.hello("EHLO client.example")
	c.say("AUTH PLAIN "+plain(user, password), "235 2.7.0 *")
	return c
}

func submission(s *settings) { s.door.Engine.Mode = proto.Submission }

func inTheClear(s *settings) {
	submission(s)
	s.auth.Cleartext = auth.Always
}

// offer is what EHLO says about a service; "" when it says nothing.
func (c *client) offer(service string) string {
	c.t.Helper()
	for _, line := range c.hello("EHLO client.example") {
		if line == service || strings.HasPrefix(line, service+" ") {
			return line
		}
	}
	return ""
}

func TestSubmissionNeedsALogin(t *testing.T) {
	h := newHouse(t, submission)
	c := h.secure()
	c.hello("EHLO client.example")
	c.say("MAIL FROM:<alice@example.test>", "530 5.7.0 *")
	c.say("MAIL FROM:<>", "530 5.7.0 *")
	c.say("RCPT TO:<bob@example.test>", "503 *")
	c.say("DATA", "503 *")
	c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "235 2.7.0 *")
	c.envelope("alice@example.test", "bob@example.test")
	c.data(note, "250 *")
	if l := h.only(); l.account != "alice@example.test" || l.from != "alice@example.test" {
		t.Errorf("%+v", l)
	}
}

func TestLoginIsNotOfferedInTheClear(t *testing.T) {
	for policy, offered := range map[auth.Cleartext]bool{auth.Never: false, auth.Loopback: true, auth.Always: true} {
		h := newHouse(t, func(s *settings) { submission(s); s.auth.Cleartext = policy })
		c := h.dial()
		if offer := c.offer("AUTH"); (offer != "") != offered || strings.Contains(offer, "PLUS") {
			t.Errorf("with policy %d: %q", policy, offer)
		}
		if !offered {
			c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "538 5.7.11 *")
		}
		c.say("STARTTLS", "220 *")
		must(t, c.conn.StartTLS())
		if offer := c.offer("AUTH"); offer != "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" {
			t.Errorf("under TLS: %q", offer)
		}
	}
	if offer := newHouse(t, nil).dial().offer("AUTH"); offer != "" {
		t.Errorf("port 25 offers %q", offer)
	}
}

func TestPlainAndLogin(t *testing.T) {
	h := newHouse(t, submission)
	for name, dialogue := range map[string][]string{
		"plain at once":  {"AUTH PLAIN " + plain("bob@example.test", "builder")},
		"plain":          {"AUTH PLAIN", "334 ", plain("bob@example.test", "builder")},
		"login":          {"AUTH LOGIN", "334 " + encode("Username:"), encode("bob@example.test"), "334 " + encode("Password:"), encode("builder")},
		"login at once":  {"AUTH LOGIN " + encode("bob@example.test"), "334 " + encode("Password:"), encode("builder")},
		"any case":       {"auth plain " + plain("Bob@Example.Test", "builder")},
		"for themselves": {"AUTH PLAIN " + encode("bob@example.test\x00bob@example.test\x00builder")},
	} {
		c := h.secure()
		c.hello("EHLO client.example")
		for i, line := range append(dialogue, "235 2.7.0 *") {
			if i%2 == 0 {
				c.send(line)
			} else {
				c.want(line)
			}
		}
		c.envelope("bob@example.test", "alice@example.test")
		before := len(h.post.all())
		c.data(note, "250 *")
		if l := h.post.all()[before]; l.account != "bob@example.test" {
			t.Errorf("%s: sent by %q", name, l.account)
		}
	}
}

func TestRefusedLoginsAllSoundTheSame(t *testing.T) {
	h := newHouse(t, submission)
	c := h.secure()
	c.hello("EHLO client.example")
	for _, response := range []string{
		plain("alice@example.test", "builder"), plain("nobody@example.test", "wonderland"), encode("bob@example.test\x00alice@example.test\x00wonderland"),
	} {
		c.say("AUTH PLAIN "+response, "535 5.7.8 Authentication credentials invalid")
	}
	c.say("MAIL FROM:<alice@example.test>", "530 *")
	c.send("AUTH LOGIN", "*")
	c.want("334 *", "501 5.7.0 *")
	c.send("AUTH SCRAM-SHA-256 "+encode("n,,n=alice@example.test,r=nonce"), "*")
	c.want("334 *", "501 5.7.0 *")
	c.say("AUTH SCRAM-SHA-256 "+encode("nonsense"), "501 5.5.2 *")
	c.say("AUTH PLAIN =", "501 5.5.2 *")
	c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "235 *")
	log := h.log.String()
	for _, secret := range []string{"wonderland", "builder"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log knows %q:\n%s", secret, log)
		}
	}
	for _, fact := range []string{"smtp login refused", "user=nobody@example.test", `msg="smtp login"`, "account=alice@example.test", "mechanism=PLAIN"} {
		if !strings.Contains(log, fact) {
			t.Errorf("the log does not say %s:\n%s", fact, log)
		}
	}
}

func TestEmptyResponseIsAResponse(t *testing.T) {
	for _, end := range []string{"AUTH PLAIN =", "AUTH LOGIN ="} {
		c := newHouse(t, inTheClear).greet() // in memory that was never used
		c.say(end, "501 5.5.2 *")
	}
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		c := newHouse(t, inTheClear).greet()
		c.send("AUTH "+mechanism, "")
		c.want("334 *", "501 5.5.2 *")
	}
}

func TestSenderMustBeTheAccounts(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		submission(s)
		s.route.AliasFile = aliases(t, "ally: alice\nteam: alice, bob\nrobert: bob\n")
	})
	c := h.login("alice@example.test", "wonderland")
	for from, want := range map[string]string{
		"alice@example.test":            "250 *",
		"Alice@Example.Test":            "250 *",
		"alice+shop@example.test":       "250 *",
		`"alice"@example.test`:          "250 *",
		"ally@example.test":             "250 *",
		"postmaster@example.test":       "250 *", // she is
		"":                              "250 *",
		"bob@example.test":              "553 5.7.1 *bob@example.test",
		"robert@example.test":           "553 5.7.1 *",
		"team@example.test":             "553 5.7.1 *",
		"nobody@example.test":           "553 5.7.1 *",
		"alice@other.example":           "553 5.7.1 *",
		"alice%other.example@mx.other":  "553 5.7.1 *",
		`"bob@example.test alice"@x.yz`: "553 5.7.1 *",
	} {
		c.say("MAIL FROM:<"+from+">", want)
		if want == "250 *" {
			c.say("RSET", "250 *")
		}
	}
	c.envelope("alice+shop@example.test", "bob@example.test")
	c.data(note, "250 *")
	if l := h.only(); l.from != "alice+shop@example.test" || l.account != "alice@example.test" {
		t.Errorf("%+v", l)
	}
}

func TestLoginInTheClearIsForgottenAfterStartTLS(t *testing.T) {
	h := newHouse(t, inTheClear)
	c := h.greet()
	c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "235 *")
	c.say("STARTTLS", "220 *")
	must(t, c.conn.StartTLS())
	c.say("AUTH PLAIN "+plain("bob@example.test", "builder"), "503 *") // and so is the EHLO
	c.hello("EHLO client.example")
	c.say("MAIL FROM:<alice@example.test>", "530 *")
	c.say("AUTH PLAIN "+plain("bob@example.test", "builder"), "235 *")
	c.envelope("bob@example.test", "alice@example.test")
	c.data(note, "250 *")
	if l := h.only(); l.account != "bob@example.test" {
		t.Errorf("%+v", l)
	}
}

func TestAddressThatGuessesIsLockedOut(t *testing.T) {
	h := newHouse(t, func(s *settings) {
		inTheClear(s)
		s.auth.Lockout = auth.Lockout{FailuresMax: 3, DelayMax: -1}
	})
	c := h.greet()
	for _, guess := range []string{"a", "b", "c"} {
		c.say("AUTH PLAIN "+plain("alice@example.test", guess), "535 5.7.8 *")
	}
	c.say("AUTH PLAIN "+plain("alice@example.test", "wonderland"), "454 4.7.0 Too many failed logins*")
	c.say("MAIL FROM:<alice@example.test>", "530 *")
}

func TestFailedLoginsWaitWithoutHoldingAnything(t *testing.T) {
	clock := make(chan time.Time)
	h := newHouse(t, func(s *settings) {
		inTheClear(s)
		s.clock, s.loop = clock, loop.Options{Workers: 1, WorkersMax: 2, Log: s.loop.Log}
		s.auth.Lockout = auth.Lockout{FailuresMax: -1, DelayMax: 5 * time.Second}
		s.door.Engine.ErrorsMax = 2
	})
	start := time.Now()
	const guessers = 20
	var all [guessers]*client
	for i := range all {
		all[i] = h.greet()
		all[i].send("AUTH PLAIN "+plain("alice@example.test", "guess"+itoa(i)), "NOOP")
		if state := h.guests.wait(i, func(s guestState) bool { return s.wait == loop.WaitPause }); state.lent {
			t.Fatalf("while it waits, session %d holds memory", i)
		}
	}
	// Each would need a goroutine of which there are two: but another is served.
	other := h.greet()
	other.say("AUTH PLAIN "+plain("bob@example.test", "builder"), "235 *")
	clock <- start.Add(time.Hour)
	for _, c := range all {
		c.want("535 5.7.8 *", "250 2.0.0 *")
	}
	all[0].send("AUTH PLAIN " + plain("alice@example.test", "guess"))
	h.guests.wait(0, func(s guestState) bool { return s.wait == loop.WaitPause })
	clock <- start.Add(2 * time.Hour)
	all[0].want("421 4.7.0 *")
	all[0].wantEnd()
}
