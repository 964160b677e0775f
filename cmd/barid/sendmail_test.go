package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSendmailFlagsAreReadAsGetoptDoes(t *testing.T) {
	sender := func(s string) *string { return &s }
	for _, c := range []struct {
		line string
		want sendmailArgs
	}{
		{"root", sendmailArgs{mode: 'm', recipients: []string{"root"}}},
		{"-t -i", sendmailArgs{mode: 'm', fromHeaders: true, dotIsText: true}},
		{"-ti", sendmailArgs{mode: 'm', fromHeaders: true, dotIsText: true}},
		{"-oi -oem -odi -f a@b.test c@d.test", sendmailArgs{mode: 'm', dotIsText: true, sender: sender("a@b.test"), recipients: []string{"c@d.test"}}},
		{"-i -FCronDaemon -B8BITMIME -oem root", sendmailArgs{mode: 'm', dotIsText: true, fullName: "CronDaemon", recipients: []string{"root"}}},
		{"-ra@b.test -- -c", sendmailArgs{mode: 'm', sender: sender("a@b.test"), recipients: []string{"-c"}}},
		{"-bs", sendmailArgs{mode: 's'}},
		{"-bp", sendmailArgs{mode: 'p'}},
		{"-bi", sendmailArgs{mode: 'i'}},
		{"-I", sendmailArgs{mode: 'i'}},
		{"-bv x", sendmailArgs{mode: 'v', recipients: []string{"x"}}},
		{"-q", sendmailArgs{mode: 'q'}},
		{"-q30m", sendmailArgs{}},
		{"-qI 0c5wq3k7m9rxa", sendmailArgs{mode: 'q', flush: []string{"--", "0c5wq3k7m9rxa"}}},
		{"-qRexample.org", sendmailArgs{mode: 'q', flush: []string{"-to", "example.org"}}},
		{"-bh", sendmailArgs{}},
		{"-N success,failure -R hdrs -V e -XV -Am -G -v -n -U -O a=b -L tag -h 5 x", sendmailArgs{mode: 'm', notify: "success,failure", ret: "hdrs", envid: "e", verp: "+=", recipients: []string{"x"}}},
		{"-qS example.org -X /tmp/log -XV-. x", sendmailArgs{mode: 'q', flush: []string{"-from", "example.org"}, verp: "-.", recipients: []string{"x"}}},
		{"-h", sendmailArgs{mode: 'h'}},
		{"-C f x", sendmailArgs{mode: 'm', configFile: "f", recipients: []string{"x"}}},
	} {
		got, err := parseSendmail(strings.Fields(c.line))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n%+v instead of\n%+v", c.line, err, got, c.want)
		}
	}
	for _, line := range []string{"-Z", "-f", "-bz", "-bd", "-qI", "-:", "-XVx"} {
		if _, err := parseSendmail(strings.Fields(line)); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
	baridAs("sendmail", "", "-Z").want(t, exitSysUsage, "no flag -Z")
}

func TestSenderOfItsOwnNamesEachRecipient(t *testing.T) {
	m := &submission{sender: "list-owner@example.org", recipients: []string{"a@x.test", `"b c"@y.test`}}
	var got []string
	for _, c := range m.copies("+=") {
		got = append(got, c.sender, strings.Join(c.recipients, " "))
	}
	want := []string{"list-owner+a=x.test@example.org", "a@x.test", `"list-owner+b c=y.test"@example.org`, `"b c"@y.test`}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if m := (&submission{recipients: m.recipients}); len(m.copies("+=")) != 1 {
		t.Error("the null sender is changed")
	}
	if got := m.copies(""); len(got) != 1 || got[0] != m {
		t.Errorf("without -XV: %+v", got)
	}
}

func TestAddressesAreReadAsPeopleWriteThem(t *testing.T) {
	for list, want := range map[string][]string{
		"":                                     nil,
		"root":                                 {"root"},
		"alice@example.test, bob@example.test": {"alice@example.test", "bob@example.test"},
		"Alice <alice@example.test>, root, ,":  {"alice@example.test", "root"},
		`"Doe, John" <john@example.test> (at work)`: {"john@example.test"},
		`"john doe"@example.test`:                   {`"john doe"@example.test`},
		`"a\"b"@example.test`:                       {`"a\"b"@example.test`},
		"friends: a@x.test, B <b@x.test>; c@x.test": {"a@x.test", "b@x.test", "c@x.test"},
		"undisclosed-recipients:;":                  {},
		"<@relay.test,@b.test:alice@example.test>":  {"alice@example.test"},
		"alice @ example.test":                      {"alice@example.test"},
		"(a (nested) comment) alice@example.test":   {"alice@example.test"},
		"alice@[IPv6:::1]":                          {"alice@[IPv6:::1]"},
		"jürgen@exämple.test":                       {"jürgen@exämple.test"},
		`=?UTF-8?Q?J=C3=BCrgen?= <j@x.test>`:        {"j@x.test"},
		"<>":                                        {""},
	} {
		got, err := parseAddresses(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v instead of %q", list, got, err, want)
		}
	}
	for _, list := range []string{"John Doe", `"open`, "<open@x.test", "(open", "a@x.test <b@x.test> <c@x.test>", "a\x01b@x.test", "[open"} {
		if got, err := parseAddresses(list); err == nil {
			t.Errorf("%q: %q", list, got)
		}
	}
}

func FuzzAddressesNeverPanic(f *testing.F) {
	for _, list := range []string{"a@b", `"x" <a@b>, c:d;(e)`, `\`, "<", "(", `"\`, "[", "@.@"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		found, err := parseAddresses(list)
		for _, a := range found {
			if strings.ContainsAny(a, "\r\n") {
				t.Errorf("%q gives %q (%v), which ends a line", list, a, err)
			}
		}
	})
}

func TestNamesGetTheFirstDomain(t *testing.T) {
	got := qualifiedAll([]string{"root", "a@b.test", `"x@y"`, "root", ""}, "example.test")
	if want := []string{"root@example.test", "a@b.test", `"x@y"@example.test`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDraftIsReadAndCompleted(t *testing.T) {
	for _, c := range []struct {
		in           string
		dotIsText    bool
		header, body string
	}{
		{"Subject: x\n\nbody\n.\nmore\n", false, "Subject: x\n", "body\n"},
		{"Subject: x\n\nbody\n.\nmore\n", true, "Subject: x\n", "body\n.\nmore\n"},
		{"Subject: x\r\n\r\nbody\r\n.\r\nmore", false, "Subject: x\n", "body\n"},
		{"just text, no header\nmore", false, "", "just text, no header\nmore\n"},
		{"Subject: x\nno field\n", false, "Subject: x\n", "no field\n"},
		{"From me Mon Jan  1 00:00:00 2026\nSubject: x\n\ny\n", false, "Subject: x\n", "y\n"},
		{"Subject: x\n folded\n\n\ny\n", false, "Subject: x\n folded\n", "\ny\n"},
		{"\n50%\r100%\r\ndone", false, "", "50%\n100%\ndone\n"},
		{"To: alice\rBcc: mallory\n\ny\n", false, "To: alice Bcc: mallory\n", "y\n"},
		{"", false, "", ""},
		{strings.Repeat("x", 10000) + "\n.\ny\n", false, "", strings.Repeat("x", 10000) + "\n"},
	} {
		d, err := readDraft(strings.NewReader(c.in), c.dotIsText, 0)
		if err != nil || string(d.header) != c.header || string(d.body) != c.body {
			t.Errorf("%.60q: header %q, body %.60q, %v", c.in, d.header, d.body, err)
		}
	}
	if _, err := readDraft(strings.NewReader("0123456789"), true, 9); exitCode(err, 0) != exitUnavailable {
		t.Errorf("a message over the limit: %v", err)
	}
}

func TestRecipientsComeFromTheHeader(t *testing.T) {
	for header, want := range map[string][]string{
		"To: a\nCc: b@x.test,\n C <c@x.test>\nBcc: d\nSubject: e@x.test\n": {"a", "b@x.test", "c@x.test", "d"},
		"To: a\nResent-To: b\nResent-Bcc: c\n":                             {"b", "c"},
		"TO : a\n":                                                         {"a"},
	} {
		got, err := draft{header: []byte(header)}.recipients()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q %v", header, got, err)
		}
	}
	if _, err := (draft{header: []byte("To: <open\n")}).recipients(); exitCode(err, 0) != exitDataErr {
		t.Errorf("a broken To: %v", err)
	}
	d := draft{header: []byte("To: a\nBcc: b,\n c\nbcc: d\nX: y\nReturn-Path: <z>\n")}
	if got := string(d.withoutDropped().header); got != "To: a\nX: y\n" {
		t.Errorf("kept %q", got)
	}
}

func TestSendmailHandsOverAMessage(t *testing.T) {
	operatedSendmail(t, func(t *testing.T, s *scene, delivered func() string) {
		s.sendmail("To: Alice <alice>\nBcc: alice+hidden@example.test\nSubject: =?utf-8?q?h=C3=A4?=\n\nGrüße.\n.\nnot sent\n", "-t", "-f", "cron", "-F", "Cron Daemon").want(t, exitOK)
		text := delivered()
		for _, want := range []string{
			"Return-Path: <cron@example.test>\n", "From: \"Cron Daemon\" <cron@example.test>\n", "Date: ", "Message-ID: <",
			"To: Alice <alice>\n", "\n\nGrüße.\n", "Received: from mx.example.test (uid ", " with ESMTP",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
		if strings.Contains(text, "Bcc") || strings.Contains(text, "not sent") || strings.Contains(text, "SMTPUTF8") {
			t.Errorf("too much in\n%s", text)
		}
	})
}

// operatedSendmail runs a test with a running server, and with one that is
// started after the message was handed over.
func operatedSendmail(t *testing.T, test func(t *testing.T, s *scene, delivered func() string)) {
	t.Run("to the server", func(t *testing.T) {
		s := newScene(t)
		s.start(t)
		test(t, s, func() string {
			await(t, "the message", func() bool { return s.count(t) > 0 })
			return s.retrieve(t, 1)
		})
	})
	t.Run("into the spool", func(t *testing.T) {
		s := newScene(t)
		s.start(t)
		s.stop(t)
		test(t, s, func() string {
			s.start(t)
			await(t, "the message", func() bool { return s.count(t) > 0 })
			return s.retrieve(t, 1)
		})
	})
}

func TestSendmailTellsBySysexits(t *testing.T) {
	for name, running := range map[string]bool{"to the server": true, "into the spool": false} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "message.size-max = 1K", "transport.map = transport")
			writeFile(t, s.dir+"/transport", "elsewhere.test error:5.7.1 nobody writes there\n")
			s.start(t)
			if !running {
				s.stop(t)
			}
			s.sendmail("x").want(t, exitSysUsage, "no recipients")
			s.sendmail("To: <a\n", "-t").want(t, exitDataErr, "To:")
			s.sendmail("x", "nobody@example.test").want(t, exitNoUser, "nobody@example.test", "5.1.1")
			s.sendmail("x", "nobody", "alice").want(t, exitNoUser, "5.1.1")
			s.sendmail("x", "bob@elsewhere.test").want(t, exitUnavailable, "5.7.1", "nobody writes there")
			s.sendmail(strings.Repeat("x", 2000), "alice").want(t, exitUnavailable, "message.size-max")
			s.sendmail("x", "John Doe").want(t, exitSysUsage, "no address")
			s.sendmail("x", "-N", "sometimes", "alice").want(t, exitSysUsage, "-N: ")
			s.sendmail("", "-bv", "alice", "nobody").want(t, exitNoUser, "alice@example.test... deliverable", "nobody@example.test")
			s.sendmail("", "-bh").want(t, exitOK)
			if !running {
				s.start(t)
			}
			s.awaitCount(t, 1) // of "nobody alice"
		})
	}
}

func TestSendmailWithoutServerOrSpoolSaysTryAgain(t *testing.T) {
	s := newScene(t)
	s.sendmail("x", "alice").want(t, exitTempFail, "start it with 'barid serve'")
	writeFile(t, s.conf, "nonsense\n")
	s.sendmail("x", "alice").want(t, exitConfig, s.conf+":1")
}

func TestSendmailSpeaksSMTP(t *testing.T) {
	operatedSendmail(t, func(t *testing.T, s *scene, delivered func() string) {
		dialogue := "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n"
		r := s.sendmail(dialogue, "-bs").want(t, exitOK, "220 mx.example.test", "354 ", "250 2.0.0 Ok: queued as", "221 ")
		if strings.Contains(r.out, "AUTH") {
			t.Errorf("local programs are asked for a password:\n%s", r.out)
		}
		if text := delivered(); !strings.HasSuffix(text, "\nSubject: x\n\ny\n") {
			t.Errorf("delivered\n%s", text)
		}
	})
}

func TestDSNWishesTravelWithTheMessage(t *testing.T) {
	s := newScene(t)
	s.start(t)
	s.sendmail("x", "-N", "never", "-R", "hdrs", "-V", "id=1+2", "alice").want(t, exitOK)
	if got := xtext("id=1+2 ü"); got != "id+3D1+2B2+20+C3+BC" {
		t.Errorf("xtext %q", got)
	}
	s.awaitCount(t, 1)
}

func TestManyRecipientsTakeSeveralTransactions(t *testing.T) {
	s := newScene(t, "message.recipients-max = 100")
	s.start(t)
	var many []string
	for i := range 250 {
		many = append(many, fmt.Sprintf("alice+%d", i))
	}
	for i := range 30 { // more errors than a stranger may make
		many = append(many, fmt.Sprintf("nobody%d", i))
	}
	s.sendmail("x", many...).want(t, exitNoUser, "nobody29@example.test")
	s.awaitCount(t, 250)
}

func TestNewaliasesChecksTheMaps(t *testing.T) {
	s := newScene(t, "alias.map = aliases")
	writeFile(t, s.dir+"/aliases", "info: alice\n")
	baridAs("newaliases", "", "-C", s.conf).want(t, exitOK, "in order")
	writeFile(t, s.dir+"/aliases", "info: alice\n\"open: x\n")
	baridAs("newaliases", "", "-C", s.conf).want(t, exitDataErr, s.dir+"/aliases:2")
}

func TestSenderIsWhoRunsTheProgram(t *testing.T) {
	s := newScene(t)
	env := map[string]string{"NAME": "Full Name"}
	who := self(terminal{getenv: func(name string) string { return env[name] }}, s.config(t), "")
	if !strings.HasSuffix(who.Address, "@example.test") || who.Name == "" {
		t.Errorf("%+v", who)
	}
	if os.Getuid() == 0 && who.Address != "root@example.test" {
		t.Errorf("root is %s", who.Address)
	}
}
