package interop

import (
	"encoding/base64"
	"fmt"
	"os"
	"testing"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestStrangersCannotRelay tries what open relays are found with. Nothing of it
// may reach the next hop.
func TestStrangersCannotRelay(t *testing.T) {
	next := startStation(t, &station{})
	d := relaying(t, nil, "relay.host="+next.nextHop(), "relay.allow=127.0.0.1/32", "xclient.trusted=127.0.0.3/32",
		"relay.domains=backup.test", "relay.recipients="+written(t, "recipients", "carol@backup.test\n@whole.test\n"),
		"smtp.errors-max=1000", "alias.map="+written(t, "aliases", "far: carol@far.test\n"))
	stranger := d.greetedFrom(t, "127.0.0.2")
	for _, from := range []string{"<>", "<frank@home.test>", "<" + alice + ">", "<postmaster@mx.example.test>", "<root@[127.0.0.1]>"} {
		for _, to := range []string{
			"carol@far.test", "carol%far.test@example.test", "carol%far.test@mx.example.test", "far.test!carol@example.test", `"carol@far.test"@example.test`,
			"@example.test:carol@far.test", "@mx.example.test,@example.test:carol@far.test", "carol@[127.0.0.1]", "carol@[192.0.2.1]", "carol@far.test.", "carol@FAR.test",
			"nobody@backup.test", "SRS0=AAAA=BB=far.test=carol@example.test", "SRS1=AAAA=far.test==AAAA=BB=far.test=carol@example.test",
			"prvs=0123456789=carol@far.test", "carol@sub.example.test", "carol@sub.backup.test", "carol@far.test@example.test", "carol%far.test", `carol@far.test\0@example.test`,
		} {
			stranger.want(t, "250", "MAIL FROM:"+from+"\r\n")
			stranger.want(t, "5", "RCPT TO:<"+to+">\r\n")
			stranger.want(t, "554", "DATA\r\n")
			stranger.want(t, "250", "RSET\r\n")
		}
	}
	// What a stranger may: our own addresses, wherever they lead, and domains
	// that we are a backup for.
	stranger.transaction(t, "<frank@home.test>", note("through an alias"), "<far@example.test>", "<carol@backup.test>")
	if !next.await(func(mails []*sunk) bool { return recipientsOf(mails) == 2 }) {
		t.Error("what a stranger may send has not arrived")
	}
	d.empty(t)
	if mails, _ := next.all(); recipientsOf(mails) != 2 {
		t.Errorf("the next hop got more than that: %+v", mails)
	}
}

// greetedFrom is a connection from an address of this host, ready for mail.
func (d *demo) greetedFrom(t *testing.T, from string) *caller {
	t.Helper()
	c, err := dialFrom(d.addr(t, "smtp"), from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.want(t, "220", "")
	c.want(t, "250", "EHLO client.test\r\n")
	return c
}

// TestWhoMayRelay: by address, also by one that a trusted proxy tells; and by
// login, as oneself.
func TestWhoMayRelay(t *testing.T) {
	next := startStation(t, &station{})
	d := relaying(t, nil, "relay.host="+next.nextHop(), "relay.allow=127.0.0.1/32, 2001:db8::/32", "xclient.trusted=127.0.0.3/32")
	d.greetedFrom(t, "127.0.0.1").transaction(t, "<frank@home.test>", note("by address"), "<carol@far.test>")
	for addr, code := range map[string]string{"127.0.0.1": "250", "127.0.0.2": "5", "IPV6:2001:db8::1": "250", "IPV6:2001:db9::1": "5", "IPV6:::ffff:127.0.0.1": "250"} {
		c := d.greetedFrom(t, "127.0.0.3")
		c.want(t, "220", "XCLIENT ADDR="+addr+"\r\n")
		c.want(t, "250", "EHLO client.test\r\n")
		c.want(t, "250", "MAIL FROM:<frank@home.test>\r\n")
		c.want(t, code, "RCPT TO:<carol@far.test>\r\n")
	}
	c := d.greetedFrom(t, "127.0.0.3")
	c.want(t, "250", "MAIL FROM:<frank@home.test>\r\n")
	c.want(t, "5", "RCPT TO:<carol@far.test>\r\n") // to be trusted about addresses is another thing
	s, err := dialFrom(d.addr(t, "submission"), "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.want(t, "220", "")
	s.want(t, "250", "EHLO client.test\r\n")
	s.want(t, "530", "MAIL FROM:<"+bob+">\r\n")
	s.want(t, "235", "AUTH PLAIN "+base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00%s\x00%s", bob, d.password[bob]))+"\r\n")
	s.want(t, "5", "MAIL FROM:<"+alice+">\r\n")
	s.transaction(t, "<"+bob+">", note("by login"), "<carol@far.test>")
	if !next.await(func(mails []*sunk) bool { return len(mails) == 2 }) {
		t.Error("what may be sent has not arrived")
	}
	d.empty(t)
}
