package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Reports from end to end: a message goes in, something becomes of it at the
// next hop, and its sender's mailbox has a report on it, or has none.

// written writes a file that only its owner may read, and returns its name.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ways is a transport map: domain -> way.
type ways map[string]string

func (w ways) file(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for domain, way := range w {
		fmt.Fprintf(&text, "%s %s\n", domain, way)
	}
	return written(t, "transport", text.String())
}

// relaying runs a demo that hands mail on by ways, tries again soon, and ends
// with the test.
func relaying(t *testing.T, w ways, settings ...string) *demo {
	t.Helper()
	dir := t.TempDir()
	knownAccounts(t, dir)
	return relayingIn(t, dir, w, settings...)
}

// relayingIn is relaying with the data in a directory.
func relayingIn(t *testing.T, dir string, w ways, settings ...string) *demo {
	t.Helper()
	all := append([]string{"log.level=info", "queue.retry=1s", "transport.map=" + w.file(t)}, settings...)
	d := runDemo(t, dir, all...)
	t.Cleanup(func() {
		d.stop(t)
		if strings.Contains(d.log.String(), "panic") {
			t.Error("the server panicked")
		}
		if t.Failed() {
			t.Logf("the server's log:\n%.20000s", d.log)
		}
	})
	return d
}

// send hands in a message. from and to are what stands behind MAIL FROM: and
// RCPT TO:, with parameters.
func (d *demo) send(t *testing.T, from, text string, to ...string) {
	t.Helper()
	c, err := dialFrom(d.addr(t, "smtp"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.want(t, "220", "")
	c.want(t, "250", "EHLO client.test\r\n")
	c.transaction(t, from, text, to...)
}

// transaction hands in a message on a connection that has been greeted.
func (c *caller) transaction(t *testing.T, from, text string, to ...string) {
	t.Helper()
	c.want(t, "250", "MAIL FROM:"+from+"\r\n")
	for _, rcpt := range to {
		c.want(t, "250", "RCPT TO:"+rcpt+"\r\n")
	}
	c.want(t, "354", "DATA\r\n")
	c.want(t, "250", text+".\r\n")
}

// note is a short message with a subject.
func note(subject string) string {
	return "From: <" + alice + ">\r\nSubject: " + subject + "\r\n\r\nWhat is to be said about " + subject + ".\r\n"
}

// report is a delivery status notification, taken apart.
type report struct {
	header     mail.Header
	message    textproto.MIMEHeader   // the fields about the message
	recipients []textproto.MIMEHeader // and about its recipients
	returned   string                 // the message, or its header
	returnType string
}

// readReport takes a stored message apart; ok is false when it is no report.
func readReport(text string) (r *report, ok bool, err error) {
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		return nil, false, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		return nil, false, nil
	}
	r = &report{header: m.Header}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for number := 0; ; number++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) && number == 3 {
			return r, true, nil
		}
		if err != nil || number == 3 {
			return nil, true, fmt.Errorf("part %d: %w", number, err)
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return nil, true, err
		}
		switch number {
		case 1:
			err = r.readStatus(string(body))
		case 2:
			r.returned, r.returnType = string(body), part.Header.Get("Content-Type")
		}
		if err != nil {
			return nil, true, err
		}
	}
}

// readStatus reads the groups of fields.
func (r *report) readStatus(text string) error {
	fields := textproto.NewReader(bufio.NewReader(strings.NewReader(text)))
	for {
		group, err := fields.ReadMIMEHeader()
		switch {
		case len(group) == 0:
		case r.message == nil:
			r.message = group
		default:
			r.recipients = append(r.recipients, group)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reports are those in a mailbox, by the first recipient that they are about.
func (d *demo) reports(t *testing.T, account string) map[string]*report {
	t.Helper()
	all := map[string]*report{}
	for name, text := range d.stored(t, account) {
		r, ok, err := readReport(text)
		if err != nil {
			t.Fatalf("%s: %v:\n%s", name, err, text)
		}
		if !ok {
			continue
		}
		if len(r.recipients) == 0 {
			t.Fatalf("a report about nobody:\n%s", text)
		}
		about := finalRecipient(r.recipients[0])
		if all[about] != nil {
			t.Errorf("two reports about %s", about)
		}
		if !strings.HasPrefix(text, "Return-Path: <>\n") {
			t.Errorf("a report that could be answered by another one:\n%s", text)
		}
		all[about] = r
	}
	return all
}

func finalRecipient(fields textproto.MIMEHeader) string {
	return strings.TrimPrefix(fields.Get("Final-Recipient"), "rfc822; ")
}

// verdict is what a report has to say about a recipient.
type verdict struct{ to, action, status, remote, words string }

func (v verdict) check(t *testing.T, fields textproto.MIMEHeader) {
	t.Helper()
	if fields == nil {
		t.Errorf("no report about %s", v.to)
		return
	}
	for name, want := range map[string]string{
		"Final-Recipient": "rfc822; " + v.to, "Action": v.action, "Status": v.status,
		"Remote-MTA": v.remote, "Diagnostic-Code": v.words,
	} {
		if got := fields.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", v.to, name, got, want)
		}
	}
}

// awaitReports waits for a number of reports.
func (d *demo) awaitReports(t *testing.T, account string, number int) map[string]*report {
	t.Helper()
	if err := d.await(func() error {
		if got := d.count(account); got < number {
			return fmt.Errorf("%s has %d messages, want %d", account, got, number)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	all := d.reports(t, account)
	if len(all) != number {
		t.Errorf("%s has %d reports, want %d", account, len(all), number)
	}
	return all
}

// stationMTA is what a report calls a station.
const stationMTA = "dns; [127.0.0.1]"

// TestRefusedMailIsReportedWithTheServersWords refuses at each stage.
func TestRefusedMailIsReportedWithTheServersWords(t *testing.T) {
	refusals := map[string]string{
		"greeting": "554 5.7.1 no mail from you", "EHLO": "550 5.7.0 go away", "MAIL": "550 5.7.27 we do not know that domain",
		"RCPT": "550 5.1.1 no such user", "DATA": "554 5.5.1 nobody is left", "END": "550 5.7.1 it looks like spam",
	}
	w := ways{}
	for stage, words := range refusals {
		w[strings.ToLower(stage)+".test"] = "smtp:" + startStation(t, &station{reply: saying(stage, words)}).nextHop()
	}
	d := relaying(t, w)
	for domain := range w {
		d.send(t, "<"+alice+">", note("a message for "+domain), "<carol@"+domain+">")
	}
	all := d.awaitReports(t, alice, len(w))
	for stage, words := range refusals {
		to := "carol@" + strings.ToLower(stage) + ".test"
		r := all[to]
		if r == nil {
			t.Errorf("no report about %s", to)
			continue
		}
		v := verdict{to: to, action: "failed", status: strings.Fields(words)[1], remote: stationMTA, words: "smtp; " + words}
		v.check(t, r.recipients[0])
		if !strings.Contains(r.returned, "Subject: a message for "+strings.ToLower(stage)+".test") || strings.Contains(r.returned, "What is to be said") {
			t.Errorf("%s: not the header that was sent: %q", stage, r.returned)
		}
	}
	d.empty(t)
}

// empty demands that the queue becomes so.
func (d *demo) empty(t *testing.T) {
	t.Helper()
	if err := d.await(func() error {
		if left := d.queue(t, "list"); !strings.Contains(left, "no messages") {
			return fmt.Errorf("the queue holds\n%s", left)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestWishesOfTheSenderAreKept has each kind of NOTIFY, and next hops with and
// without DSN.
func TestWishesOfTheSenderAreKept(t *testing.T) {
	knows, knowsNot := startStation(t, &station{}), startStation(t, &station{reply: saying("offer", "no DSN")})
	refuses := startStation(t, &station{reply: saying("RCPT", "550 5.1.1 no such user")})
	d := relaying(t, ways{"knows.test": "smtp:" + knows.nextHop(), "knows-not.test": "smtp:" + knowsNot.nextHop(), "refuses.test": "smtp:" + refuses.nextHop()})
	for _, to := range []string{
		"<carol@knows.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Carol@knows.test",
		"<dave@knows-not.test> NOTIFY=SUCCESS ORCPT=rfc822;Dave@first.test",
		"<erin@refuses.test> NOTIFY=NEVER", "<frank@refuses.test> NOTIFY=SUCCESS,DELAY", "<grace@refuses.test> NOTIFY=FAILURE",
		"<" + bob + "> NOTIFY=SUCCESS",
	} {
		d.send(t, "<"+alice+"> RET=FULL ENVID=QQ314159", note("one"), to)
	}
	told := map[string]*report{}
	fields := map[string]textproto.MIMEHeader{}
	if err := d.await(func() error {
		for _, r := range d.reports(t, alice) {
			for _, f := range r.recipients {
				told[finalRecipient(f)], fields[finalRecipient(f)] = r, f
			}
		}
		if len(fields) < 3 {
			return fmt.Errorf("reports on %d recipients", len(fields))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	d.empty(t)
	if len(fields) != 3 {
		t.Errorf("reports on %d recipients, want 3", len(fields))
	}
	verdict{"dave@knows-not.test", "relayed", "2.0.0", stationMTA, "smtp; 250 taken"}.check(t, fields["dave@knows-not.test"])
	verdict{"grace@refuses.test", "failed", "5.1.1", stationMTA, "smtp; 550 5.1.1 no such user"}.check(t, fields["grace@refuses.test"])
	if f := fields[bob]; f == nil || f.Get("Action") != "delivered" {
		t.Errorf("bob: %v", f)
	}
	if f := fields["dave@knows-not.test"]; f.Get("Original-Recipient") != "rfc822; Dave@first.test" {
		t.Errorf("dave: %v", f)
	}
	for to, r := range told {
		if got := r.message.Get("Original-Envelope-Id"); got != "QQ314159" {
			t.Errorf("%s: envelope %q", to, got)
		}
	}
	if r := told["grace@refuses.test"]; r != nil && !strings.Contains(r.returned, "What is to be said about one.") {
		t.Errorf("not the whole message, as RET=FULL asks: %q", r.returned)
	}
	wantLine(t, knows, "MAIL FROM:<"+alice+"> RET=FULL ENVID=QQ314159")
	wantLine(t, knows, "RCPT TO:<carol@knows.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Carol@knows.test")
	wantLine(t, knowsNot, "RCPT TO:<dave@knows-not.test>")
}

// wantLine demands that a station has got a command that begins so.
func wantLine(t *testing.T, s *station, begins string) {
	t.Helper()
	if !slices.ContainsFunc(s.heard(), func(line string) bool { return strings.HasPrefix(line, begins) }) {
		t.Errorf("no %q among %q", begins, s.heard())
	}
}

// TestListTellsOfSuccessOnce sends to an alias with members here and
// elsewhere.
func TestListTellsOfSuccessOnce(t *testing.T) {
	far := startStation(t, &station{reply: saying("offer", "no DSN")})
	d := relaying(t, ways{"far.test": "smtp:" + far.nextHop()}, "alias.map="+written(t, "aliases", "crew: bob, carol@far.test, dave@far.test\n"))
	d.send(t, "<"+alice+">", note("for the crew"), "<crew@example.test> NOTIFY=SUCCESS,FAILURE")
	r := d.awaitReports(t, alice, 1)["crew@example.test"]
	d.empty(t)
	if r == nil {
		t.Fatal("no report on the list")
	}
	v := verdict{to: "crew@example.test", action: "expanded", status: "2.0.0"}
	v.check(t, r.recipients[0])
	if n := d.count(alice); n != 1 {
		t.Errorf("alice has %d messages, want 1", n)
	}
	if mails, _ := far.all(); d.count(bob) != 1 || len(mails) != 1 || len(mails[0].to) != 2 {
		t.Errorf("bob has %d messages, far away are %d", d.count(bob), len(mails))
	}
}

// TestReportOnForwardedMailFindsItsSender: an alias leads to a host that takes
// the message and refuses it afterwards, by a report of its own to the sender
// that it was told, which is one of ours; from there it goes to the sender.
func TestReportOnForwardedMailFindsItsSender(t *testing.T) {
	far, home := startStation(t, &station{}), startStation(t, &station{})
	refuses := startStation(t, &station{reply: saying("RCPT", "550 5.1.1 moved away")})
	d := relaying(t, ways{"far.test": "smtp:" + far.nextHop(), "home.test": "smtp:" + home.nextHop(), "refuses.test": "smtp:" + refuses.nextHop()},
		"alias.map="+written(t, "aliases", "carol: carol@far.test\ndave: dave@refuses.test\n"))
	d.send(t, "<frank@home.test>", note("forwarded"), "<carol@example.test>")
	if !far.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Fatal("nothing was forwarded")
	}
	mails, _ := far.all()
	from, _, _ := strings.Cut(mails[0].from, " ")
	if !strings.HasPrefix(from, "<SRS0=") || !strings.HasSuffix(from, "=home.test=frank@example.test>") {
		t.Fatalf("the sender of the forwarded message is %s", from)
	}
	// Its report comes from outside: from there nobody may relay.
	c, err := dialFrom(d.addr(t, "smtp"), "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.want(t, "220", "")
	c.want(t, "250", "EHLO far.test\r\n")
	c.transaction(t, "<>", note("their report"), from)
	forged := strings.Replace(from, "=home.test=", "=hone.test=", 1)
	c.want(t, "250", "MAIL FROM:<>\r\n")
	c.want(t, "550", "RCPT TO:"+forged+"\r\n")
	if !home.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Fatal("the report has not come home")
	}
	mails, _ = home.all()
	if m := mails[0]; !strings.HasPrefix(m.from, "<>") || !strings.HasPrefix(m.to[0], "<frank@home.test>") || !strings.Contains(m.text, "Subject: their report") {
		t.Errorf("home came %+v", m)
	}
	// And one of ours, about what is refused at once, is for the sender too.
	d.send(t, "<frank@home.test>", note("refused"), "<dave@example.test>")
	if !home.await(func(mails []*sunk) bool { return len(mails) == 2 }) {
		t.Fatal("our report has not come home")
	}
	mails, _ = home.all()
	r, ok, err := readReport(mails[1].text)
	if !ok || err != nil {
		t.Fatalf("%v: %s", err, mails[1].text)
	}
	v := verdict{to: "dave@example.test", action: "failed", status: "5.1.1", remote: stationMTA, words: "smtp; 550 5.1.1 moved away"}
	v.check(t, r.recipients[0])
	d.empty(t)
}

// TestNobodyIsToldOfReportsThatFail: the null sender never gets a report, and
// a report that cannot be delivered ends in the log.
func TestNobodyIsToldOfReportsThatFail(t *testing.T) {
	refuses := startStation(t, &station{reply: saying("RCPT", "550 5.1.1 no such user")})
	d := relaying(t, ways{"refuses.test": "smtp:" + refuses.nextHop()})
	d.send(t, "<>", note("from nobody"), "<carol@refuses.test> NOTIFY=SUCCESS,FAILURE,DELAY")
	d.send(t, "<frank@refuses.test>", note("to nobody, from nobody"), "<carol@refuses.test>")
	if err := d.await(func() error {
		// Each message once, and the report on the second.
		if n := refuses.connections(); len(refused(refuses)) < 3 {
			return fmt.Errorf("only %d connections, %q", n, refused(refuses))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	d.empty(t)
	want := []string{"RCPT TO:<carol@refuses.test>", "RCPT TO:<carol@refuses.test>", "RCPT TO:<frank@refuses.test>"}
	got := refused(refuses)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " NOTIFY")
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the next hop heard %q, want %q", got, want)
	}
	if n := d.count(alice) + d.count(bob); n != 0 {
		t.Errorf("%d messages in mailboxes of people who have nothing to do with it", n)
	}
}

func refused(s *station) []string {
	return slices.DeleteFunc(s.heard(), func(line string) bool { return !strings.HasPrefix(line, "RCPT") })
}

// TestLateMailIsAnnouncedOnce puts a message off until it is late, and lets it
// go on then.
func TestLateMailIsAnnouncedOnce(t *testing.T) {
	var open atomic.Bool
	busy := startStation(t, &station{reply: func(stage, _ string) string {
		if stage == "RCPT" && !open.Load() {
			return "450 4.2.1 come back later"
		}
		return ""
	}})
	d := relaying(t, ways{"busy.test": "smtp:" + busy.nextHop()}, "queue.warn-after=1s")
	d.send(t, "<"+alice+">", note("late"), "<carol@busy.test>")
	d.send(t, "<>", note("late but nobody's"), "<carol@busy.test>")
	d.send(t, "<"+bob+">", note("late, and do not tell me"), "<carol@busy.test> NOTIFY=FAILURE")
	r := d.awaitReports(t, alice, 1)["carol@busy.test"]
	if r == nil {
		t.Fatal("no report")
	}
	v := verdict{to: "carol@busy.test", action: "delayed", status: "4.2.1", remote: stationMTA, words: "smtp; 450 4.2.1 come back later"}
	v.check(t, r.recipients[0])
	if r.recipients[0].Get("Will-Retry-Until") == "" {
		t.Error("until when?")
	}
	open.Store(true)
	if !busy.await(func(mails []*sunk) bool { return len(mails) == 3 }) {
		t.Error("what was late has not arrived")
	}
	d.empty(t)
	if n := d.count(alice) + d.count(bob); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
}
