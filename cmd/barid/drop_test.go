package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// left is a file as sendmail leaves it.
func left(sender, text string, recipients ...string) *submission {
	return &submission{sender: sender, recipients: recipients, text: []byte(text)}
}

// leave puts a message into the drop directory of a scene whose server has
// run once.
func (s *scene) leave(t *testing.T, m *submission) {
	t.Helper()
	if err := dropMessage(s.config(t), m); err != nil {
		t.Fatal(err)
	}
}

// dropFiles are the names in the drop directory.
func (s *scene) dropFiles(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir + "/data/drop")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "bad" {
			names = append(names, e.Name())
		}
	}
	return names
}

// onceRun is a scene whose server has run, and ended.
func onceRun(t *testing.T, settings ...string) *scene {
	t.Helper()
	s := newScene(t, settings...)
	s.start(t)
	s.stop(t)
	return s
}

func TestWhatWasLeftWhileNoServerRanIsDelivered(t *testing.T) {
	s := onceRun(t)
	s.leave(t, left("cron@example.test", "Subject: x\n\nGrüße\rund mehr\n", "alice@example.test"))
	if names := s.dropFiles(t); len(names) != 1 || mode(t, s.dir+"/data/drop/"+names[0]) != 0o644 {
		t.Fatalf("left: %q", names)
	}
	s.start(t)
	s.awaitCount(t, 1)
	text := s.retrieve(t, 1)
	for _, want := range []string{
		"Return-Path: <cron@example.test>\n", fmt.Sprintf("Received: by mx.example.test (barid, from uid %d) id ", os.Getuid()),
		"\n\nGrüße\nund mehr\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	await(t, "an empty directory", func() bool { return len(s.dropFiles(t)) == 0 })
}

func TestWhatIsLeftWhileAServerRunsIsNoticedAtOnce(t *testing.T) {
	s := newScene(t, "sendmail.socket =")
	s.start(t)
	s.sendmail("x", "alice").want(t, exitOK)
	s.awaitCount(t, 1)
	s.sendmail("", "-bs").want(t, exitTempFail, "the mail server does not run")
	s.sendmail("", "-bv", "alice").want(t, exitTempFail)
}

func TestEverybodyMayLeaveMailAndNobodyListIt(t *testing.T) {
	s := onceRun(t)
	info, err := os.Stat(s.dir + "/data/drop")
	if err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o733 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if perm := mode(t, s.dir+"/data/drop/bad"); perm != 0o700 {
		t.Errorf("bad: %o", perm)
	}
}

// TestSendmailOfAnybodyWorksWithoutAServer is one of another user when the
// tests run as root.
func TestSendmailOfAnybodyWorksWithoutAServer(t *testing.T) {
	u := ordinary(t)
	s := onceRun(t)
	program := s.dir + "/sendmail"
	copyFile(t, os.Args[0], program)
	if err := os.Chmod(s.conf, 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-C", s.conf, "alice@example.test")
	c.Env = []string{selfVariable + "=sendmail"}
	c.Dir = "/"
	c.Stdin = strings.NewReader("Subject: from anybody\n\nx\n")
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(atoi(t, u.Uid)), Gid: uint32(atoi(t, u.Gid))}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.start(t)
	s.awaitCount(t, 1)
	if text := s.retrieve(t, 1); !strings.Contains(text, "uid "+u.Uid+")") || !strings.Contains(text, u.Username+"@example.test") {
		t.Errorf("nothing of uid %s in\n%s", u.Uid, text)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedWhenNobodyWaitsIsAFailureInTheQueue(t *testing.T) {
	s := onceRun(t)
	s.leave(t, left("", "Subject: x\n\ny\n", "nobody@example.test", "alice@example.test"))
	s.leave(t, left("alice@example.test", "Subject: lost\n\ny\n", "nobody@example.test"))
	s.start(t)
	s.awaitLog(t, "msg=refused to=nobody@example.test from=alice@example.test status=5.1.1")
	await(t, "the message, and the report on the other", func() bool { return s.count(t) == 2 })
	if texts := s.retrieve(t, 1) + s.retrieve(t, 2); !strings.Contains(texts, "Final-Recipient: rfc822; nobody@example.test") || !strings.Contains(texts, "5.1.1") {
		t.Errorf("no report in\n%s", texts)
	}
}

func TestWhatIsNoMessageIsSetAside(t *testing.T) {
	s := onceRun(t)
	drop := s.dir + "/data/drop/"
	for name, text := range map[string]string{
		"garbage":     "From: x\n\ny\n",
		"empty":       "",
		"no-line":     `{"version":1}`,
		"version":     `{"version":2,"octets":0,"sender":"","recipients":["alice@example.test"]}` + "\n",
		"cut":         `{"version":1,"octets":5,"sender":"","recipients":["alice@example.test"]}` + "\ntext",
		"nobody":      `{"version":1,"octets":0,"sender":"","recipients":[]}` + "\n",
		"line-end":    `{"version":1,"octets":0,"sender":"","recipients":["alice@example.test\nX: y"]}` + "\n",
		"sender":      `{"version":1,"octets":0,"sender":"a b@c","recipients":["alice@example.test"]}` + "\n",
		"notify":      `{"version":1,"octets":0,"sender":"","recipients":["alice@example.test"],"notify":"never,success"}` + "\n",
		"ret":         `{"version":1,"octets":0,"sender":"","recipients":["alice@example.test"],"ret":"some"}` + "\n",
		"envelope-id": `{"version":1,"octets":0,"sender":"","recipients":["alice@example.test"],"envelope_id":"a\u0000"}` + "\n",
	} {
		writeFile(t, drop+name, text)
	}
	if err := os.Truncate(drop+"garbage", 1<<40); err != nil { // and huge, though it takes no room
		t.Fatal(err)
	}
	good := `{"version":1,"octets":1,"sender":"","recipients":["alice@example.test"]}` + "\nx"
	writeFile(t, s.dir+"/secret", good)
	for _, err := range []error{
		os.Symlink(s.dir+"/secret", drop+"symlink"), os.Link(s.dir+"/secret", drop+"link"),
		syscall.Mkfifo(drop+"fifo", 0o666), os.Mkdir(drop+"directory", 0o700), os.Mkdir(drop+".hidden", 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.start(t)
	await(t, "an empty directory", func() bool { return len(s.dropFiles(t)) == 0 })
	bad, err := os.ReadDir(drop + "bad")
	if err != nil || len(bad) != 16 {
		t.Errorf("%d things are set aside: %v %v", len(bad), bad, err)
	}
	s.leave(t, left("", "Subject: x\n\ny\n", "alice@example.test"))
	s.awaitCount(t, 1) // and nothing before it
}

func TestMailThatCannotBeTakenNowIsTakenLater(t *testing.T) {
	s := onceRun(t)
	s.leave(t, left("", "Subject: x\n\ny\n", "alice@example.test"))
	conf := readFile(t, s.conf)
	writeFile(t, s.conf, conf+"spool.reserve = 1000T\n")
	s.start(t)
	s.awaitLog(t, "messages wait in the drop directory")
	s.stop(t)
	if names := s.dropFiles(t); len(names) != 1 {
		t.Fatalf("left: %q", names)
	}
	writeFile(t, s.conf, conf)
	s.start(t)
	s.awaitCount(t, 1)
}

func TestUnfinishedFilesAreLeftAlone(t *testing.T) {
	s := onceRun(t)
	drop := s.dir + "/data/drop/"
	writeFile(t, drop+".young", "x")
	writeFile(t, drop+".old", "x")
	then := time.Now().Add(-2 * abandonedAfter)
	if err := os.Chtimes(drop+".old", then, then); err != nil {
		t.Fatal(err)
	}
	s.leave(t, left("", "Subject: x\n\ny\n", "alice@example.test"))
	s.start(t)
	s.awaitCount(t, 1)
	if names := s.dropFiles(t); len(names) != 1 || names[0] != ".young" {
		t.Errorf("left: %q", names)
	}
}

func TestNoRoomForADropIsNoLoss(t *testing.T) {
	s := newScene(t)
	err := dropMessage(s.config(t), left("", "x", "alice@example.test"))
	if exitCode(err, 0) != exitTempFail {
		t.Errorf("without a directory: %v", err)
	}
	s.start(t)
	s.stop(t)
	if err := os.RemoveAll(s.dir + "/data/drop"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.dir+"/data/drop", "in the way")
	if err := dropMessage(s.config(t), left("", "x", "alice@example.test")); exitCode(err, 0) != exitCantCreate {
		t.Errorf("a file in the way: %v", err)
	}
}

func TestDSNWishesOfTheCommandLine(t *testing.T) {
	for in, ok := range map[string]bool{
		"": true, "never": true, "NEVER": true, "success,Failure,delay": true,
		"never,delay": false, "sometimes": false, "success,": false, ",": false,
	} {
		if _, err := parseNotify(in); (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
	}
	for in, ok := range map[string]bool{"": true, "full": true, "HDRS": true, "headers": false} {
		if _, err := parseRet(in); (err == nil) != ok {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzParseDropped(f *testing.F) {
	f.Add([]byte(`{"version":1,"octets":4,"sender":"a@b.test","recipients":["c@d.test"],"notify":"never","ret":"hdrs","envelope_id":"x"}` + "\ntext"))
	f.Add([]byte(`{"version":1,"octets":0,"sender":"","recipients":["x"]}` + "\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		d, err := parseDropped(file)
		if err != nil {
			return
		}
		for _, s := range append([]string{d.Sender, d.EnvelopeID}, d.Recipients...) {
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("%q is in the envelope", s)
			}
		}
		if len(d.Recipients) == 0 {
			t.Errorf("%+v", d)
		}
	})
}
