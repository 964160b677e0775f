package main

import (
	"crypto/tls"
	"os"
	"strings"
	"syscall"
	"testing"

	"barid/internal/config"
	"barid/internal/tlsconf"
)

const letter = "From: sender@client.test\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nA letter."

func TestMessageComesOutAfterARestart(t *testing.T) {
	s := newScene(t)
	s.start(t)
	s.send(t, "alice@example.test", letter)
	s.awaitCount(t, 1)
	s.stop(t)
	s.start(t)
	text := s.retrieve(t, 1)
	for _, want := range []string{"Return-Path: <sender@client.test>\n", "Delivered-To: alice@example.test\n", "\nSubject: hello\n\nA letter.\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	c := s.login(t)
	say(t, c, "DELE 1", "+OK")
	say(t, c, "QUIT", "+OK")
	if n := s.count(t); n != 0 {
		t.Errorf("%d messages after the only one was deleted", n)
	}
}

func TestQueueOutlivesARestart(t *testing.T) {
	s := newScene(t)
	s.start(t)
	unblock := s.block(t)
	s.send(t, "alice@example.test", letter)
	await(t, "a deferral", func() bool { return strings.Contains(s.queue("list", "-state", "deferred").out, "alice@example.test") })
	s.stop(t)
	s.start(t)
	s.queue("list", "-state", "deferred").want(t, exitOK, "sender@client.test -> alice@example.test (4.")
	unblock()
	s.queue("flush").want(t, exitOK, "flush: 1 message\n")
	s.awaitCount(t, 1)
	await(t, "an empty queue", func() bool { return s.queue("list").out == "no messages\n" })
}

func TestStopLetsATransactionEndAndOthersNot(t *testing.T) {
	s := newScene(t)
	s.start(t)
	idle := s.dial(t, "smtp")
	busy := s.dial(t, "smtp")
	say(t, busy, "HELO client.test", "250")
	say(t, busy, "MAIL FROM:<>", "250")
	say(t, busy, "RCPT TO:<alice@example.test>", "250")
	say(t, busy, "DATA", "354")
	s.signal(syscall.SIGTERM)
	hear(t, idle, "421 4.3.2")
	say(t, busy, letter+"\r\n.", "250 2.0.0")
	(<-s.ended).want(t, exitOK)
	s.start(t)
	s.awaitCount(t, 1)
}

func TestReloadAppliesWhatItCanAndNamesTheRest(t *testing.T) {
	s := newScene(t, "alias.map = aliases")
	writeFile(t, s.dir+"/aliases", "")
	s.start(t)
	c := s.dial(t, "smtp")
	say(t, c, "HELO client.test", "250")
	say(t, c, "MAIL FROM:<>", "250")
	say(t, c, "RCPT TO:<info@example.test>", "550")

	writeFile(t, s.dir+"/aliases", "info: alice@example.test\n")
	conf := strings.Replace(readFile(t, s.conf), "auth.cleartext = loopback", "auth.cleartext = never\nspool.reserve = 1M", 1)
	writeFile(t, s.conf, conf)
	s.reload(t)
	s.awaitLog(t, `msg="a changed key needs a restart" key=spool.reserve`)
	s.awaitLog(t, `msg="configuration reread" changed="[auth.cleartext spool.reserve]"`)
	d := s.dial(t, "smtp")
	say(t, d, "HELO client.test", "250")
	say(t, d, "MAIL FROM:<>", "250")
	say(t, d, "RCPT TO:<info@example.test>", "250")
	p := s.dial(t, "pop3")
	say(t, p, "USER alice@example.test", "-ERR")
	say(t, c, "RSET", "250") // the old connection is still there
}

func TestBrokenReloadKeepsWhatWasInForce(t *testing.T) {
	for name, line := range map[string]string{
		"a mistyped key":               "hostnam = x",
		"an error between keys":        "spool.spill-size = 60M",
		"a file that is missing":       "alias.map = missing",
		"an account file with no name": "auth.file = broken",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			writeFile(t, s.dir+"/broken", "alice/bob:x\n")
			s.start(t)
			old := readFile(t, s.conf)
			if strings.HasPrefix(line, "auth.file") {
				old = strings.Replace(old, "auth.file = users\n", "", 1)
			}
			writeFile(t, s.conf, old+line+"\n")
			s.reload(t)
			s.awaitLog(t, "the old one stays in force")
			s.send(t, "alice@example.test", letter)
			s.awaitCount(t, 1)
		})
	}
}

func TestEveryKeyIsEitherFollowedOrNeedsARestart(t *testing.T) {
	follows := strings.Fields(`hostname domains postmaster
		message.size-max message.recipients-max message.received-max
		smtp.greet-delay smtp.errors-max smtp.commands-max
		pop3.login-delay pop3.expire pop3.mark-seen imap.separator
		auth.file auth.cleartext auth.default-domain auth.cache-time auth.delay-max auth.failures-max
		auth.forget-interval auth.lockout-time auth.lockout-exempt
		xclient.trusted xforward.trusted
		relay.allow relay.domains relay.recipients relay.host relay.sender-map
		srs.domain srs.secret
		alias.map virtual.map transport.map subaddress.separator mailbox.dir quota.default log.level`)
	followed := map[string]bool{}
	for _, key := range follows {
		followed[key] = true
	}
	cfg, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range configKeys(cfg) {
		if needs := needsRestart(key) != ""; needs == followed[key] {
			t.Errorf("%s: followed %v, needs a restart %v", key, followed[key], needs)
		}
	}
}

func TestServerRefusesToStart(t *testing.T) {
	for name, c := range map[string]struct {
		setting string
		text    string
	}{
		"with an error between keys": {"spool.spill-size = 60M", "spool.segment-size"},
		"without its certificate":    {"tls.cert = missing.pem", "missing.pem"},
		"with a broken account file": {"", "users:1"},
		"where another file is":      {"control.socket = taken", "control.socket"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.setting)
			if err := os.MkdirAll(s.dir+"/data/taken", 0o700); err != nil {
				t.Fatal(err)
			}
			if c.setting == "" {
				writeFile(t, s.dir+"/users", "alice/bob:x\n")
			}
			s.refuses(t, c.text)
		})
	}
}

func TestZeroMeansNoneAlsoWherePartsTakeItForADefault(t *testing.T) {
	cfg, err := config.Load("", []string{"spool.reserve=0", "auth.cache-time=0", "auth.failures-max=0", "auth.delay-max=0", "queue.workers=0"})
	if err != nil {
		t.Fatal(err)
	}
	if o := spoolOptions(cfg); o.ReserveBytes != 1 || o.Workers < 1 {
		t.Errorf("spool: reserve %d, workers %d", o.ReserveBytes, o.Workers)
	}
	if o := authOptions(cfg, nil); o.CacheTTL >= 0 || o.Lockout.FailuresMax >= 0 || o.Lockout.DelayMax >= 0 {
		t.Errorf("auth: %+v", o)
	}
}

func TestLeastTLSVersionIsThatOfTheConfiguration(t *testing.T) {
	s := newScene(t, "tls.cert = mx.pem", "tls.min-version = 1.3", "pop3s.listen = 127.0.0.1:0")
	certPEM, keyPEM, err := tlsconf.SelfSigned("mx.example.test")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.dir+"/mx.pem", string(certPEM)+string(keyPEM))
	s.start(t)
	for version, ok := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", s.addr(t, "pop3s"), &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestHeadersAreShownAsTheyCame(t *testing.T) {
	s := newScene(t)
	s.start(t)
	s.send(t, "alice@example.test", "Subject: Gr\xfc\xdfe, grüße\r\n\r\nx")
	s.awaitCount(t, 1)
	if text := s.retrieve(t, 1); !strings.Contains(text, "\nSubject: Gr\xfc\xdfe, grüße\n") {
		t.Errorf("%q", text)
	}
}

func TestSecondServerIsToldOfTheFirst(t *testing.T) {
	s := newScene(t)
	s.start(t)
	port := s.addr(t, "smtp")
	barid("", "serve", "-c", s.conf, "-o", "control.socket=c2", "-o", "sendmail.socket=").want(t, exitFailure, "another barid has it open")
	barid("", "serve", "-c", s.conf).want(t, exitFailure, "another barid serves it")
	barid("", "serve", "-c", s.conf, "-o", "smtp.listen="+port, "-o", "data.dir="+tempDir(t)).want(t, exitFailure, "smtp.listen: "+port+" is in use")
	s.send(t, "alice@example.test", letter)
	s.awaitCount(t, 1)
}

func TestServerWaitsForWhoNeedsTheSpoolForAMoment(t *testing.T) {
	s := newScene(t)
	s.start(t)
	s.stop(t)
	q, err := openIdleSpool(s.config(t))
	if err != nil {
		t.Fatal(err)
	}
	s.launch(t)
	await(t, "the server to be at its spool", func() bool {
		_, err := os.Stat(s.dir + "/data/run/control") // made just before
		return err == nil
	})
	if err := closeIdleSpool(q); err != nil {
		t.Fatal(err)
	}
	if state := s.notice(t); state != "READY=1" {
		t.Errorf("it says %q", state)
	}
}

func TestSocketOfACrashedServerIsReplaced(t *testing.T) {
	s := newScene(t)
	if err := os.MkdirAll(s.dir+"/data/run", 0o700); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: s.dir + "/data/run/control"}); err != nil {
		t.Fatal(err)
	}
	syscall.Close(fd)
	s.start(t)
	s.queue("list").want(t, exitOK, "no messages")
}

func TestLogFileIsReopened(t *testing.T) {
	s := newScene(t, "log.file = log")
	s.launch(t)
	if state := s.notice(t); state != "READY=1" {
		t.Fatal(state)
	}
	log := s.dir + "/data/log"
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	s.reload(t)
	s.stop(t)
	if text := readFile(t, log+".1"); !strings.Contains(text, "msg=started") {
		t.Errorf("the old file: %s", text)
	}
	if text := readFile(t, log); !strings.Contains(text, "msg=stopped") || strings.Contains(text, "msg=started") {
		t.Errorf("the new file: %s", text)
	}
}
