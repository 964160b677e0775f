package main

import (
	"net/textproto"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestForwardedMailIsSignedAndItsReportFindsTheSender(t *testing.T) {
	far := newScene(t, "hostname = mx.remote.test", "domains = remote.test, client.test, example.test", "alias.map = aliases")
	writeFile(t, far.dir+"/aliases", "friend: alice@example.test\nsender: alice@example.test\n")
	far.start(t)
	near := newScene(t, "hostname = mx.near.test", "domains = near.test", "relay.allow =", "alias.map = aliases", "transport.map = transport")
	writeFile(t, near.dir+"/aliases", "away: friend@remote.test\n")
	_, port, _ := strings.Cut(far.addr(t, "smtp"), ":")
	writeFile(t, near.dir+"/transport", "remote.test smtp:[127.0.0.1]:"+port+"\nclient.test smtp:[127.0.0.1]:"+port+"\n")
	near.start(t)

	near.send(t, "away@near.test", "Subject: forwarded")
	far.awaitCount(t, 1)
	signed := regexp.MustCompile("SRS0=[^@]*=client.test=sender@near.test").FindString(far.retrieve(t, 1))
	if signed == "" {
		t.Fatalf("the sender is not rewritten:\n%s", far.retrieve(t, 1))
	}

	c := near.dial(t, "smtp")
	say(t, c, "HELO mx.remote.test", "250")
	say(t, c, "MAIL FROM:<>", "250")
	say(t, c, "RCPT TO:<friend@remote.test>", "550 5.7.1")
	say(t, c, "RCPT TO:<"+strings.Replace(signed, "sender", "other", 1)+">", "550 5.1.1")
	say(t, c, "RCPT TO:<"+strings.ToUpper(signed)+">", "250")
	say(t, c, "DATA", "354")
	say(t, c, "Subject: report\r\n.", "250")
	far.awaitCount(t, 2)
}

func TestProxyThatDoesNotKnowItsClientLetsNobodyRelay(t *testing.T) {
	s := newScene(t, "proxy.trusted = 127.0.0.1", "relay.allow = 127.0.0.0/8, 192.0.2.1")
	s.start(t)
	for header, want := range map[string]string{
		"PROXY UNKNOWN": "550 5.7.1",
		"PROXY TCP4 198.51.100.1 192.0.2.25 1234 25": "550 5.7.1",
		"PROXY TCP4 192.0.2.1 192.0.2.25 1234 25":    "250",
		"PROXY TCP4 127.0.0.2 192.0.2.25 1234 25":    "250",
	} {
		c, err := textproto.Dial("tcp", s.addr(t, "smtp"))
		if err != nil {
			t.Fatal(err)
		}
		say(t, c, header, "220")
		say(t, c, "HELO client.test", "250")
		say(t, c, "MAIL FROM:<>", "250")
		say(t, c, "RCPT TO:<friend@remote.test>", want)
		c.Close()
	}
}

func TestProgramsOfThisHostMayWriteToAnybody(t *testing.T) {
	s := newScene(t, "relay.allow =", "queue.retry = 1h")
	s.start(t)
	s.sendmail("Subject: out\n\n", "friend@remote.test").want(t, exitOK)
	await(t, "the message in the queue", func() bool { return strings.Contains(s.queue("list").out, "friend@remote.test") })
	if _, err := os.Stat(s.dir + "/data/srs.secret"); err != nil {
		t.Error(err)
	}
}
