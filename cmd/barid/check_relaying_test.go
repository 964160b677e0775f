package main

import (
	"os"
	"testing"
)

func TestCheckReadsTheFilesOfRelaying(t *testing.T) {
	s := newScene(t, "relay.policy = policy", "relay.passwords = passwords", "relay.tls-ca = ca.pem")
	writeFile(t, s.dir+"/policy", "example.org tls=perhaps\n")
	writeFile(t, s.dir+"/passwords", "[smtp.example.net]:587 nobody\n")
	writeFile(t, s.dir+"/ca.pem", "no certificate\n")
	barid("", "check", "-c", s.conf).want(t, exitFailure, s.dir+"/policy:1", s.dir+"/passwords:1", "relay.tls-ca", "errors: 3")
	writeFile(t, s.dir+"/policy", "example.org tls=required\n")
	writeFile(t, s.dir+"/passwords", "[smtp.example.net]:587 user:secret\n")
	if err := os.Chmod(s.dir+"/passwords", 0o644); err != nil {
		t.Fatal(err)
	}
	barid("", "check", "-c", s.conf).want(t, exitFailure, s.dir+"/passwords", "errors: 2")
}
