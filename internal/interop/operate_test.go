package interop

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// What postmasters do to the queue, of the running server and of the one on the
// disk, and programs with sendmail.

// configured writes the configuration of a demonstration's data into a file,
// for commands beside it.
func configured(t *testing.T, dir string, more ...string) string {
	t.Helper()
	lines := append([]string{"hostname=mx.example.test", "domains=example.test", "user=", "data.dir=" + dir, "auth.file=" + filepath.Join(dir, "users")}, more...)
	return written(t, "barid.conf", strings.Join(lines, "\n")+"\n")
}

// barid runs a command with input and returns what it prints, and its exit
// code.
func barid(t *testing.T, input string, words ...string) (string, int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, words...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// wantBarid is barid for a command that ends with 0.
func wantBarid(t *testing.T, input string, words ...string) string {
	t.Helper()
	out, code := barid(t, input, words...)
	if code != 0 {
		t.Errorf("barid %q: exit code %d\n%s", words, code, out)
	}
	return out
}

// recipientsInQueue are all recipients with their states, but for those that
// are done.
func recipientsInQueue(t *testing.T, conf string) (all []string) {
	t.Helper()
	for line := range strings.Lines(wantBarid(t, "", "queue", "-c", conf, "list", "-json")) {
		var m queuedMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, r := range m.Recipients {
			if r.State != "done" {
				all = append(all, r.Address+" "+r.State)
			}
		}
	}
	slices.Sort(all)
	return all
}

// wantQueue demands that the queue holds these recipients in these states, or
// soon will.
func wantQueue(t *testing.T, d *demo, conf string, want ...string) {
	t.Helper()
	if err := d.await(func() error {
		if got := recipientsInQueue(t, conf); !slices.Equal(got, want) {
			return fmt.Errorf("the queue holds %q, want %q", got, want)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestOperatorSteersTheQueueWithAndWithoutTheServer does everything to a
// running server's queue, stops the server, goes on, and starts it again.
func TestOperatorSteersTheQueueWithAndWithoutTheServer(t *testing.T) {
	var open atomic.Bool
	next := startStation(t, &station{reply: func(stage, _ string) string {
		if stage == "RCPT" && !open.Load() {
			return "450 4.2.1 come back later"
		}
		return ""
	}})
	other := startStation(t, &station{})
	way := written(t, "transport", "far.test smtp:"+next.nextHop()+"\n")
	dir := t.TempDir()
	knownAccounts(t, dir)
	settings := []string{"queue.retry=1h", "transport.map=" + way}
	conf := configured(t, dir, settings...)
	d := relayingIn(t, dir, nil, settings...)
	for _, to := range []string{"carol", "dave", "erin", "frank", "grace"} {
		d.send(t, "<"+alice+">", note("for "+to), "<"+to+"@far.test>")
	}
	d.send(t, "<>", note("a report"), "<heidi@far.test>", "<ivan@far.test>")
	wantQueue(t, d, conf, "carol@far.test deferred", "dave@far.test deferred", "erin@far.test deferred", "frank@far.test deferred",
		"grace@far.test deferred", "heidi@far.test deferred", "ivan@far.test deferred")
	q := func(words ...string) string {
		return wantBarid(t, "", append([]string{"queue", "-c", conf}, words...)...)
	}
	wantDestination(t, q("destinations", "-json"), "smtp:"+next.nextHop(), 7)
	q("hold", "-to", "carol@")
	q("delete", "-to", "dave", "-yes")
	q("hold", "-from", "<>")
	q("release", "-to", "heidi@far.test")
	wantQueue(t, d, conf, "carol@far.test held", "erin@far.test deferred", "frank@far.test deferred", "grace@far.test deferred",
		"heidi@far.test deferred", "ivan@far.test held")
	d.stop(t)

	wantQueue(t, d, conf, "carol@far.test held", "erin@far.test deferred", "frank@far.test deferred", "grace@far.test deferred",
		"heidi@far.test deferred", "ivan@far.test held")
	wantDestination(t, q("destinations", "-json", "-dest", "smtp"), "smtp:"+next.nextHop(), 6)
	if text := q("cat", onlyID(t, q("list", "-json", "-to", "erin"))); !strings.HasSuffix(text, lfOnly(note("for erin"))) {
		t.Errorf("cat: %s", text)
	}
	if text := q("show", onlyID(t, q("list", "-json", "-to", "erin"))); !strings.Contains(text, "450 4.2.1 come back later (in reply to RCPT)") {
		t.Errorf("show: %s", text)
	}
	q("delete", onlyID(t, q("list", "-json", "-to", "frank")))
	q("hold", "-to", "erin")
	q("release", "-to", "carol")
	// A new way for what is sent anew, and for what is told to take it.
	requeued := configured(t, dir, "queue.retry=1h", "transport.map="+written(t, "transport", "far.test smtp:"+other.nextHop()+"\n"))
	wantBarid(t, "", "queue", "-c", requeued, "requeue", "-to", "grace")
	if out, code := barid(t, "", "queue", "-c", conf, "flush"); code != 69 {
		t.Errorf("flush without a server: exit code %d, %s", code, out)
	}

	open.Store(true)
	d = relayingIn(t, dir, nil, settings...)
	flushUntil(t, d, func() bool {
		mails, _ := next.all()
		return recipientsOf(mails) == 2
	})
	if !other.await(func(mails []*sunk) bool { return len(mails) == 1 }) {
		t.Error("what was requeued has not gone the new way")
	}
	wantQueue(t, d, conf, "erin@far.test held", "ivan@far.test held")
	q("release", "-all")
	d.empty(t)
	var came []string
	mails, _ := next.all()
	for _, m := range mails {
		for _, to := range m.to {
			came = append(came, strings.Fields(to)[0])
		}
	}
	slices.Sort(came)
	if want := []string{"<carol@far.test>", "<erin@far.test>", "<heidi@far.test>", "<ivan@far.test>"}; !slices.Equal(came, want) {
		t.Errorf("came %q, want %q", came, want)
	}
}

// wantDestination looks for what is deferred or held for a destination.
func wantDestination(t *testing.T, text, key string, want int) {
	t.Helper()
	var d struct {
		Destination    string
		Deferred, Held int
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.Destination != key || d.Deferred+d.Held != want {
		t.Errorf("%v; want %d for %s: %s", err, want, key, text)
	}
}

// onlyID is the id of the only message in a list.
func onlyID(t *testing.T, list string) string {
	t.Helper()
	var m queuedMessage
	if err := json.Unmarshal([]byte(list), &m); err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	return m.ID
}

// readMailq reads what mailq prints as scripts do: paragraphs, of which the
// first line has the id and the sender, and those with an address alone a
// recipient.
func readMailq(t *testing.T, text string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	head, rest, _ := strings.Cut(text, "\n")
	if !strings.HasPrefix(head, "-") {
		t.Fatalf("no line of titles: %s", text)
	}
	paragraphs := strings.Split(rest, "\n\n")
	for _, paragraph := range paragraphs[:len(paragraphs)-1] {
		lines := strings.Split(paragraph, "\n")
		words := strings.Fields(lines[0])
		if len(words) != 7 {
			t.Fatalf("not ID SIZE DAY MONTH DATE TIME SENDER: %q", lines[0])
		}
		message := []string{words[6]}
		for _, line := range lines[1:] {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "(") {
				message = append(message, line)
			}
		}
		all[words[0]] = message
	}
	if want := fmt.Sprintf("in %d Requests.\n", len(all)); !strings.HasSuffix(paragraphs[len(paragraphs)-1], want) {
		t.Errorf("%q does not end in %q", paragraphs[len(paragraphs)-1], want)
	}
	return all
}

// TestSendmailWithAndWithoutTheServer hands in mail by the program named
// sendmail, for us and for others, while no server runs, and while one does; and
// looks at it with mailq.
func TestSendmailWithAndWithoutTheServer(t *testing.T) {
	next, dir := startStation(t, &station{}), t.TempDir()
	knownAccounts(t, dir)
	settings := []string{"relay.host=" + next.nextHop()}
	conf := configured(t, dir, settings...)
	if out, code := barid(t, "", "sendmail", "-C", conf, "-bp"); code != 69 {
		t.Errorf("mailq where no server has ever run: %d, %s", code, out)
	}
	d := relayingIn(t, dir, nil, settings...)
	d.stop(t)
	wantBarid(t, "Subject: one\n\nWithout a server.\n.\nMore.\n", "sendmail", "-C", conf, "-i", "-f", alice, bob, "carol@far.test")
	wantBarid(t, "To: bob\nBcc: dave@far.test\nSubject: two\n\nWithout a server.\n", "sendmail", "-C", conf, "-t", "-f", "<>")
	all := readMailq(t, wantBarid(t, "", "sendmail", "-C", conf, "-bp"))
	var messages []string
	for _, m := range all {
		messages = append(messages, strings.Join(m, " "))
	}
	slices.Sort(messages)
	if want := []string{"MAILER-DAEMON " + bob + " dave@far.test", alice + " " + bob + " carol@far.test"}; !slices.Equal(messages, want) {
		t.Errorf("mailq: %q, want %q", messages, want)
	}
	d = relayingIn(t, dir, nil, settings...)
	wantBarid(t, "Subject: three\n\nWith a server.\n", "sendmail", "-C", conf, "-f", alice, "-N", "success", bob, "erin@far.test")
	if !next.await(func(mails []*sunk) bool { return len(mails) == 3 }) {
		t.Error("not all have come to others")
	}
	if err := d.await(func() error { return d.wantCount(bob, 3) }); err != nil {
		t.Error(err)
	}
	d.empty(t)
	wantLine(t, next, "RCPT TO:<erin@far.test> NOTIFY=SUCCESS")
	mails, _ := next.all()
	if text := mails[0].text; len(mails) > 0 && strings.Contains(text, "Subject: one") && !strings.HasSuffix(text, "Without a server.\n.\nMore.\n") {
		t.Errorf("came %q", text)
	}
	if out := wantBarid(t, "", "sendmail", "-C", conf, "-bp"); out != "Mail queue is empty\n" {
		t.Errorf("mailq of nothing: %q", out)
	}
}

// TestTraceTellsWhatTheServerDoes asks for the way of several addresses, and
// sends to them.
func TestTraceTellsWhatTheServerDoes(t *testing.T) {
	next, dir := startStation(t, &station{}), t.TempDir()
	knownAccounts(t, dir)
	settings := []string{"relay.host=" + next.nextHop(), "relay.allow=127.0.0.1/32", "alias.map=" + written(t, "aliases", "crew: bob, carol@far.test\n"),
		"transport.map=" + written(t, "transport", "void.test discard:\ngone.test error:5.1.2 gone\nlater.test retry:4.4.1 later\n")}
	conf := configured(t, dir, settings...)
	d := relayingIn(t, dir, nil, settings...)
	c := d.greetedFrom(t, "127.0.0.2")
	for address, want := range map[string]struct {
		exit         int
		code         string
		destinations []string
	}{
		"crew@example.test":   {0, "250", []string{"local:" + bob, "smtp:" + next.nextHop()}},
		"carol@far.test":      {1, "550 5.7.1", nil},
		"nobody@example.test": {1, "550 5.1.1", nil},
		"carol@void.test":     {1, "550 5.7.1", nil},
		"postmaster":          {0, "250", []string{"local:" + alice}},
	} {
		text, exit := barid(t, "", "trace", "-c", conf, "-n", "-json", "-client", "127.0.0.2", address)
		var traced struct {
			Code    int
			Status  string
			Targets []struct{ Destination string }
		}
		if err := json.Unmarshal([]byte(text), &traced); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var got []string
		for _, to := range traced.Targets {
			got = append(got, to.Destination)
		}
		if exit != want.exit || !slices.Equal(got, want.destinations) || !strings.HasPrefix(fmt.Sprint(traced.Code, " ", traced.Status), want.code) {
			t.Errorf("%s: exit code %d, %s", address, exit, text)
		}
		c.want(t, "250", "MAIL FROM:<frank@home.test>\r\n")
		c.want(t, want.code, "RCPT TO:<"+address+">\r\n")
		c.want(t, "250", "RSET\r\n")
	}
	for address, code := range map[string]int{"carol@gone.test": 1, "carol@later.test": 75, "carol@void.test": 0, "carol@far.test": 0} {
		if text, exit := barid(t, "", "trace", "-c", conf, "-n", address); exit != code {
			t.Errorf("%s: exit code %d, want %d: %s", address, exit, code, text)
		}
	}
}
