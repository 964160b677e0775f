package interop

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the next hop is able to do decides what it gets.

// offering is the reply to EHLO with these extensions, and no others.
func offering(words ...string) func(string, string) string {
	return func(stage, line string) string {
		if stage != "EHLO" {
			return ""
		}
		return "250-" + strings.Join(append([]string{"station.test"}, words...), "\r\n250-") + "\r\n250 HELP"
	}
}

// TestMessageFitsTheNextHop sends what the next hop cannot take: it is
// converted where that is possible, and reported on where it is not, without
// being sent.
func TestMessageFitsTheNextHop(t *testing.T) {
	able := startStation(t, &station{reply: offering("8BITMIME", "SMTPUTF8", "PIPELINING", "SIZE 100000")})
	eight, old := startStation(t, &station{reply: offering("8BITMIME")}), startStation(t, &station{reply: offering()})
	d := relaying(t, ways{"able.test": "smtp:" + able.nextHop(), "eight.test": "smtp:" + eight.nextHop(), "old.test": "smtp:" + old.nextHop()})
	eightBit := "Subject: eight bits\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
	utf8 := "Subject: Grüße\r\n\r\nin UTF-8\r\n"
	for _, host := range []string{"able", "eight", "old"} {
		d.send(t, "<"+alice+"> BODY=8BITMIME", eightBit, "<eight@"+host+".test>")
		d.send(t, "<"+alice+"> SMTPUTF8 BODY=8BITMIME", utf8, "<header@"+host+".test>")
		d.send(t, "<"+alice+"> SMTPUTF8 BODY=8BITMIME", note("address"), "<bücher@"+host+".test>")
	}
	d.send(t, "<"+alice+">", note("large")+strings.Repeat("A line of a message that is too large for some.\r\n", 3000), "<large@able.test>")
	reports := d.awaitReports(t, alice, 5)
	for to, status := range map[string]string{
		"header@eight.test": "5.6.7", "utf-8; b\\x{FC}cher@eight.test": "5.6.7", "header@old.test": "5.6.3", "utf-8; b\\x{FC}cher@old.test": "5.6.3", "large@able.test": "5.3.4",
	} {
		if r := reports[to]; r == nil || r.recipients[0].Get("Status") != status {
			t.Errorf("%s: %+v, want %s", to, r, status)
		}
	}
	d.empty(t)
	for s, want := range map[*station]int{able: 3, eight: 1, old: 1} {
		if mails, _ := s.all(); len(mails) != want {
			t.Errorf("%d messages came, want %d", len(mails), want)
		}
	}
	if !slices.ContainsFunc(able.heard(), func(line string) bool { return strings.HasSuffix(line, " BODY=8BITMIME SMTPUTF8") }) {
		t.Errorf("what is able heard %q", able.heard())
	}
	mails, _ := old.all()
	if text := mails[0].text; !strings.Contains(text, "Content-Transfer-Encoding: quoted-printable\n") || !strings.HasSuffix(text, "\nGr=C3=BC=C3=9Fe\n") {
		t.Errorf("what is old got %q", text)
	}
	for _, line := range old.heard() {
		if strings.Contains(line, "BODY=") || strings.Contains(line, "SMTPUTF8") || strings.Contains(line, "NOTIFY") {
			t.Errorf("what is old heard %q", line)
		}
	}
}

// TestRecipientsOverTheNextHopsLimitGetTheirMailToo: it takes so many in one
// transaction, by announcement or by 452.
func TestRecipientsOverTheNextHopsLimitGetTheirMailToo(t *testing.T) {
	count := 0
	few := startStation(t, &station{reply: func(stage, line string) string {
		switch stage {
		case "MAIL":
			count = 0
		case "RCPT":
			if count++; count > 10 {
				return "452 4.5.3 too many recipients"
			}
		}
		return ""
	}})
	announced := startStation(t, &station{reply: offering("PIPELINING", "LIMITS RCPTMAX=7")})
	d := relaying(t, ways{"few.test": "smtp:" + few.nextHop(), "announced.test": "smtp:" + announced.nextHop()}, "relay.destination-connections-max=1")
	var to []string
	for i := range 45 {
		to = append(to, fmt.Sprintf("<user%d@few.test>", i), fmt.Sprintf("<user%d@announced.test>", i))
	}
	d.send(t, "<"+alice+">", note("for many"), to...)
	for s, most := range map[*station]int{few: 10, announced: 7} {
		if !s.await(func(mails []*sunk) bool { return recipientsOf(mails) == 45 }) {
			t.Error("not all recipients have got it")
		}
		mails, _ := s.all()
		for _, m := range mails {
			if len(m.to) > most {
				t.Errorf("%d recipients at a time, want at most %d", len(m.to), most)
			}
		}
	}
	d.empty(t)
	if n := d.count(alice); n != 0 {
		t.Errorf("%d reports", n)
	}
}

// TestConnectionsComeFromTheAddressesThatAreSet looks where they come from.
func TestConnectionsComeFromTheAddressesThatAreSet(t *testing.T) {
	next := startStation(t, &station{})
	d := relaying(t, ways{"far.test": "smtp:" + next.nextHop()}, "relay.bind=127.0.0.5, 127.0.0.6, ::1", "relay.idle-timeout=0s")
	for i := range 4 {
		d.send(t, "<"+alice+">", note(fmt.Sprint("number ", i)), "<carol@far.test>")
		if !next.await(func(mails []*sunk) bool { return len(mails) == i+1 }) {
			t.Fatal("a message has not arrived")
		}
	}
	from := map[string]int{}
	next.lock.Lock()
	defer next.lock.Unlock()
	for _, addr := range next.clients {
		from[addr]++
	}
	if from["127.0.0.5"] != 2 || from["127.0.0.6"] != 2 || len(from) != 2 {
		t.Errorf("connections came from %v", from)
	}
}

// TestOneServerIsTheSmarthostOfAnother has one demonstration hand its mail to
// the submission port of another, by TLS with a certificate that is verified,
// and with a login.
func TestOneServerIsTheSmarthostOfAnother(t *testing.T) {
	beyond := startStation(t, &station{})
	smart := relaying(t, nil, "relay.host="+beyond.nextHop(), "relay.allow=")
	door := func(name string) string {
		host, port, _ := net.SplitHostPort(smart.addr(t, name))
		return "[" + host + "]:" + port
	}
	site := relaying(t, nil, "hostname=site.test", "domains=site.test", "relay.host="+door("submission"),
		"relay.tls=required", "relay.tls-ca="+filepath.Join(smart.dir, "cert.pem"),
		"relay.passwords="+written(t, "passwords", door("submission")+" "+bob+":"+smart.password[bob]+"\n"))
	site.send(t, "<"+bob+">", note("to the world"), "<carol@far.test>")
	if !beyond.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Fatal("it has not come out at the other end")
	}
	mails, _ := beyond.all()
	if !strings.Contains(mails[0].text, "with ESMTPSA id") {
		t.Errorf("how did it come? %s", mails[0].text)
	}
	// As somebody else than who has logged in: the smarthost refuses that, and
	// takes the report on it.
	site.send(t, "<"+alice+">", note("as somebody else"), "<carol@far.test>")
	r := smart.awaitReports(t, alice, 1)["carol@far.test"]
	if r == nil || r.message.Get("Reporting-MTA") != "dns; site.test" || r.recipients[0].Get("Action") != "failed" {
		t.Errorf("the report: %+v", r)
	}
	site.empty(t)
	smart.empty(t)
}

// TestLargeMessageCostsTheRelayNoMemory sends 40 megabytes, encrypted both
// ways.
func TestLargeMessageCostsTheRelayNoMemory(t *testing.T) {
	certificate, _ := certified(t, "127.0.0.1")
	next := startStation(t, &station{tls: certificate})
	d := relaying(t, ways{"far.test": "smtp:" + next.nextHop()})
	const octets = 40 << 20
	var text strings.Builder
	text.WriteString(note("large"))
	line := base64.StdEncoding.EncodeToString(make([]byte, 54)) + "\r\n"
	for text.Len() < octets {
		text.WriteString(line)
	}
	d.send(t, "<"+alice+">", text.String(), "<carol@far.test>")
	if !next.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Fatal("it has not arrived")
	}
	mails, _ := next.all()
	if !strings.HasSuffix(mails[0].text, lfOnly(text.String())) {
		t.Error("it has changed on its way")
	}
	if peak := d.status(t, "VmHWM"); peak > 64*mega {
		t.Errorf("the server had up to %d MiB of memory", peak/mega)
	} else {
		t.Logf("memory: at most %d MiB", peak/mega)
	}
}

// TestMapsAreFollowedWithoutARestart changes the way of a domain, and the
// account at a smarthost, while the server runs.
func TestMapsAreFollowedWithoutARestart(t *testing.T) {
	certificate, authority := certified(t, "127.0.0.1")
	before, after := startStation(t, &station{tls: certificate}), startStation(t, &station{tls: certificate})
	passwords := written(t, "passwords", before.nextHop()+" old:secret\n")
	w := written(t, "transport", "far.test smtp:"+before.nextHop()+"\n")
	d := relaying(t, nil, "transport.map="+w, "relay.passwords="+passwords, "relay.tls-ca="+authority)
	d.send(t, "<"+alice+">", note("before"), "<carol@far.test>")
	if !before.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Fatal("the first message has not arrived")
	}
	for name, text := range map[string]string{passwords: after.nextHop() + " new:secret\n", w: "far.test smtp:" + after.nextHop() + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	number := 0
	if err := d.await(func() error {
		number++
		d.send(t, "<"+alice+">", note(fmt.Sprint("number ", number)), "<carol@far.test>")
		after.lock.Lock()
		defer after.lock.Unlock()
		if len(after.logins) == 0 || after.logins[0] != "new:secret" {
			return fmt.Errorf("logins at the new place: %q", after.logins)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	d.empty(t)
}
