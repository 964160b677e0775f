package interop

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// queuedMessage is a line of barid queue list -json.
type queuedMessage struct {
	ID         string `json:"queue_id"`
	Sender     string `json:"sender"`
	Recipients []struct {
		Address     string `json:"address"`
		Destination string `json:"destination"`
		State       string `json:"state"`
		Reason      string `json:"delay_reason"`
		Attempts    int    `json:"attempts"`
	} `json:"recipients"`
}

// queued are the messages in the queue that a filter chooses.
func (d *demo) queued(t *testing.T, filter ...string) (all []queuedMessage) {
	t.Helper()
	for line := range strings.Lines(d.queue(t, append([]string{"list", "-json"}, filter...)...)) {
		var m queuedMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, m)
	}
	return all
}

// awaitDeferred waits until the only message in the queue is put off, and
// returns why.
func (d *demo) awaitDeferred(t *testing.T, filter ...string) (reason string) {
	t.Helper()
	if err := d.await(func() error {
		all := d.queued(t, filter...)
		if len(all) != 1 || len(all[0].Recipients) != 1 || all[0].Recipients[0].Attempts == 0 {
			return fmt.Errorf("the queue holds %+v", all)
		}
		reason = all[0].Recipients[0].Reason
		return nil
	}); err != nil {
		t.Error(err)
	}
	return reason
}

// TestWaysOfTheTransportMap has each kind of way.
func TestWaysOfTheTransportMap(t *testing.T) {
	far, near := startStation(t, &station{}), filepath.Join(t.TempDir(), "lmtp")
	mailbox := startStationAt(t, "unix", near, &station{lmtp: true, reply: func(stage, line string) string {
		switch {
		case stage == "offer":
			return "no DSN"
		case stage == "RCPT" && strings.Contains(line, "nobody"):
			return "550 5.1.1 nobody lives here"
		}
		return ""
	}})
	d := relaying(t, ways{
		"far.test": "smtp:" + far.nextHop(), ".far.test": "smtp:" + far.nextHop(), "carol@mixed.test": "lmtp:unix:" + near, "mixed.test": "smtp:" + far.nextHop(),
		"near.test": "lmtp:unix:" + near, "gone.test": "error:5.1.2 we do not write there", "later.test": "retry:4.4.1 not today", "void.test": "discard: who needs it",
	})
	c, err := dialFrom(d.addr(t, "smtp"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.want(t, "220", "")
	c.want(t, "250", "EHLO client.test\r\n")
	c.want(t, "250", "MAIL FROM:<"+alice+">\r\n")
	c.want(t, "550 5.1.2 ", "RCPT TO:<carol@gone.test>\r\n")
	c.want(t, "450 4.4.1 ", "RCPT TO:<carol@later.test>\r\n")
	c.want(t, "250", "RSET\r\n")
	c.transaction(t, "<"+alice+">", note("all ways"), "<carol@far.test>", "<carol@deep.below.far.test>", "<dave@mixed.test>",
		"<carol@mixed.test>", "<carol@near.test>", "<dave@near.test> NOTIFY=SUCCESS", "<nobody@near.test>", "<carol@void.test>", "<"+bob+">")
	if !far.await(func(mails []*sunk) bool { return recipientsOf(mails) == 3 }) {
		t.Error("not all have arrived far away")
	}
	if !mailbox.await(func(mails []*sunk) bool { return recipientsOf(mails) == 3 }) {
		t.Error("not all have arrived by LMTP")
	}
	wantLine(t, mailbox, "LHLO mx.example.test")
	if err := d.await(func() error { return d.wantCount(bob, 1) }); err != nil {
		t.Error(err)
	}
	d.empty(t)
	all := map[string]string{}
	for _, r := range d.reports(t, alice) {
		for _, f := range r.recipients {
			all[finalRecipient(f)] = f.Get("Action")
		}
	}
	if len(all) != 2 || all["nobody@near.test"] != "failed" || all["dave@near.test"] != "delivered" {
		t.Errorf("reports: %v", all)
	}
}

func recipientsOf(mails []*sunk) (n int) {
	for _, m := range mails {
		n += len(m.to)
	}
	return n
}

// TestPasswordGoesToItsSmarthostOverTLSOnly hands mail to a smarthost with the
// account that fits the sender.
func TestPasswordGoesToItsSmarthostOverTLSOnly(t *testing.T) {
	certificate, authority := certified(t, "127.0.0.1")
	smart := startStation(t, &station{tls: certificate})
	passwords := smart.nextHop() + " site:secret:with:colons\n" + bob + " " + smart.nextHop() + " bob:builder\n"
	d := relaying(t, nil, "relay.host="+smart.nextHop(), "relay.passwords="+written(t, "passwords", passwords), "relay.tls-ca="+authority)
	for i, from := range []string{alice, bob, ""} {
		d.send(t, "<"+from+">", note(fmt.Sprint("number ", i)), "<carol@far.test>")
		if !smart.await(func(mails []*sunk) bool { return len(mails) == i+1 }) {
			t.Fatalf("message %d has not arrived", i)
		}
	}
	heard := smart.heard()
	if i := slices.Index(heard, "STARTTLS"); i != 1 || !strings.HasPrefix(heard[0], "EHLO") || !strings.HasPrefix(heard[2], "EHLO") {
		t.Errorf("what came first: %.200q", heard)
	}
	smart.lock.Lock()
	defer smart.lock.Unlock()
	slices.Sort(smart.logins)
	if got := slices.Compact(smart.logins); !slices.Equal(got, []string{"bob:builder", "site:secret:with:colons"}) {
		t.Errorf("logins: %q", got)
	}
}

// TestNothingIsSentToWhomTheCertificateDoesNotProve has every way in which
// TLS can be less than what is required: mail waits, and neither addresses nor
// passwords have been seen by anybody.
func TestNothingIsSentToWhomTheCertificateDoesNotProve(t *testing.T) {
	right, authority := certified(t, "127.0.0.1")
	otherName, otherAuthority := certified(t, "mx.elsewhere.test")
	bundle := written(t, "bundle.pem", readText(t, authority)+readText(t, otherAuthority))
	unknown, _ := certified(t, "127.0.0.1")
	for name, c := range map[string]struct {
		station *station
		status  string
	}{
		"another name":       {&station{tls: otherName}, "4.7.5"},
		"unknown authority":  {&station{tls: unknown}, "4.7.5"},
		"STARTTLS stripped":  {&station{}, "4.7.4"},
		"STARTTLS refused":   {&station{tls: right, reply: saying("STARTTLS", "454 4.7.0 not now")}, "4.7.0"},
		"STARTTLS not known": {&station{tls: right, reply: saying("STARTTLS", "502 5.5.1 what?")}, "4.5.1"},
		"words before TLS":   {&station{tls: right, reply: saying("STARTTLS", "220 2.0.0 go ahead\r\n250-injected\r\n250 AUTH PLAIN")}, "4.7.0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startStation(t, c.station)
			d := relaying(t, nil, "relay.host="+s.nextHop(), "relay.tls-ca="+bundle, "relay.passwords="+written(t, "passwords", s.nextHop()+" site:secret\n"),
				"relay.policy="+written(t, "policy", s.nextHop()+" tls=required\n"))
			d.send(t, "<"+alice+">", note("a secret"), "<carol@far.test>")
			if reason := d.awaitDeferred(t); !strings.HasPrefix(reason, c.status+" ") {
				t.Errorf("the reason is %q, want %s", reason, c.status)
			}
			for _, line := range s.heard() {
				if verb, _, _ := strings.Cut(line, " "); verb != "EHLO" && verb != "STARTTLS" && verb != "QUIT" {
					t.Errorf("it heard %q", line)
				}
			}
		})
	}
}

// TestOpportunisticTLSTakesAnyCertificate: where nothing is required, mail goes
// encrypted to whoever it is, and in the clear where the handshake fails.
func TestOpportunisticTLSTakesAnyCertificate(t *testing.T) {
	certificate, _ := certified(t, "who.knows.test")
	encrypted := startStation(t, &station{tls: certificate})
	broken := startStation(t, &station{tls: certificate.Clone()})
	broken.tls.Certificates = nil // no handshake can succeed
	d := relaying(t, ways{"encrypted.test": "smtp:" + encrypted.nextHop(), "broken.test": "smtp:" + broken.nextHop()})
	d.send(t, "<"+alice+">", note("one"), "<carol@encrypted.test>")
	d.send(t, "<"+alice+">", note("two"), "<carol@broken.test>")
	for _, s := range []*station{encrypted, broken} {
		if !s.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
			t.Error("the message has not arrived")
		}
		wantLine(t, s, "STARTTLS")
	}
	if n := broken.connections(); n != 2 {
		t.Errorf("%d connections where the handshake fails, want one with and one without", n)
	}
}

// TestWayDependsOnTheSender has smarthosts for a sender, for a domain, and for
// everybody.
func TestWayDependsOnTheSender(t *testing.T) {
	general, domain, single, mapped := startStation(t, &station{}), startStation(t, &station{}), startStation(t, &station{}), startStation(t, &station{})
	senders := alice + " " + single.nextHop() + "\n@other.test " + domain.nextHop() + "\n"
	d := relaying(t, ways{"mapped.test": "smtp:" + mapped.nextHop()}, "relay.host="+general.nextHop(), "relay.sender-map="+written(t, "senders", senders))
	for from, s := range map[string]*station{alice: single, bob: general, "frank@other.test": domain, "": general} {
		before, _ := s.all()
		d.send(t, "<"+from+">", note("from "+from), "<carol@far.test>")
		if !s.await(func(mails []*sunk) bool { return len(mails) == len(before)+1 }) {
			t.Errorf("mail from %s did not go where it should", from)
		}
	}
	d.send(t, "<"+alice+">", note("to a way of its own"), "<carol@mapped.test>")
	if !mapped.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Error("the transport map does not go before the sender's smarthost")
	}
	d.empty(t)
}
