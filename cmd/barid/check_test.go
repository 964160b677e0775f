package main

import (
	"os"
	"strings"
	"testing"

	"barid/internal/tlsconf"
)

func TestCheckSaysEverythingAtOnce(t *testing.T) {
	s := newScene(t, "alias.map = aliases", "tls.cert = cert.pem", "spool.spill-size = 60M")
	writeFile(t, s.dir+"/aliases", "info: nobody-here\n\"open: x\n")
	writeFile(t, s.dir+"/users", "alice@example.test:{PLAIN}x\nbob@example.tset:{PLAIN}x\ncarol@example.test:{MD5}x\n")
	writeFile(t, s.dir+"/cert.pem", "no certificate")
	r := barid("", "check", "-c", s.conf).want(t, exitFailure,
		"error: "+s.conf+":3: spool.spill-size: ",
		"error: "+s.dir+"/aliases:2: ",
		"error: "+s.dir+"/cert.pem: no certificate found",
		"warning: "+s.dir+"/users:2: bob@example.tset: it gets no mail: example.tset is not one of domains (did you mean \"example.test\"?)",
		"warning: "+s.dir+"/users:3: carol@example.test: ",
		"errors: ")
	if errors, warnings := strings.LastIndex(r.out, "\nerror: "), strings.Index(r.out, "\nwarning: "); errors > warnings {
		t.Errorf("errors do not come first:\n%s", r.out)
	}
}

func TestCheckOfAnUnreadableConfiguration(t *testing.T) {
	s := newScene(t, "hostnam = x", "smtp.listen = 25")
	barid("", "check", "-c", s.conf).want(t, exitFailure,
		"error: "+s.conf+":1: hostnam: unknown key", "error: "+s.conf+":2: smtp.listen: ", "errors: 2, warnings: 0\n")
	barid("", "check", "-c", s.conf+"x").want(t, exitFailure, "error: open "+s.conf+"x")
}

func TestCheckIsContent(t *testing.T) {
	s := newScene(t)
	barid("", "check", "-c", s.conf).want(t, exitOK, "ok\n")
	s.start(t)
	barid("", "check", "-c", s.conf).want(t, exitOK, "ok\n")
	if err := os.Remove(s.dir + "/users"); err != nil {
		t.Fatal(err)
	}
	barid("", "check", "-c", s.conf).want(t, exitOK, "no accounts yet", "ok, warnings: 1\n")
	if _, err := os.Stat(s.dir + "/users"); err == nil {
		t.Error("check has made a file")
	}
}

func TestCheckSeesWhatTheUserCannotRead(t *testing.T) {
	s := newScene(t)
	cert, key, err := tlsconf.SelfSigned("mx.example.test")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.dir+"/mx.pem", string(cert)+string(key))
	cfg := s.config(t)
	other := &identity{name: "somebody", uid: os.Geteuid() + 1, gid: os.Getegid() + 1}
	found := checkReadable(cfg, s.conf, other)
	if len(found) != 2 || found[0].warning || found[0].text != s.dir+"/users: user somebody may not read it" ||
		!found[1].warning || !strings.HasPrefix(found[1].text, s.conf+": user somebody may not read it: ") {
		t.Errorf("%v", found)
	}
	writeFile(t, s.conf, readFile(t, s.conf)+"tls.cert = mx.pem\n")
	found = checkReadable(s.config(t), "", other)
	if len(found) != 2 || !found[1].warning || !strings.HasPrefix(found[1].text, s.dir+"/mx.pem: user somebody") {
		t.Errorf("%v", found)
	}
}

func TestMailboxRootIsWhatAccountsShare(t *testing.T) {
	for pattern, want := range map[string]string{
		"/var/mail/%d/%n": "/var/mail",
		"/var/mail/u-%u":  "/var/mail",
		"/%u":             "/",
		"/home/%n/mail":   "/home",
	} {
		if got := mailboxRoot(pattern); got != want {
			t.Errorf("%s: %s instead of %s", pattern, got, want)
		}
	}
}
