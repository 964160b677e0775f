//go:build !race

package smtpd

import (
	"testing"

	"barid/auth"
	"barid/smtpd/proto"
)

// What is counted is everything that the process allocates, client, loop,
// spool and the postman included; the average is rounded down.

func TestTransactionAllocatesNothing(t *testing.T) {
	for name, of := range map[string]struct {
		mode     proto.Mode
		implicit bool
		login    bool
		body     int
	}{
		"4 KiB": {body: 4 << 10}, "64 KiB": {body: 64 << 10}, "LMTP": {mode: proto.LMTP, body: 4 << 10},
		"logged in": {mode: proto.Submission, login: true, body: 4 << 10},
	} {
		h := quickHouse(t, func(s *settings) { s.door.Engine.Mode, s.auth.Cleartext = of.mode, auth.Always })
		q := h.quick(t, of.implicit)
		if of.mode == proto.LMTP {
			q.ask("LHLO client.example\r\n", "250 ")
		} else {
			q.ask("EHLO client.example\r\n", "250 ")
		}
		if of.login {
			q.ask("AUTH PLAIN "+plain("alice@example.test", "wonderland")+"\r\n", "235 ")
		}
		message := quickMessage(of.body)
		for range 600 {
			q.transaction(message)
		}
		must(t, h.spool.Checkpoint()) // the queue has memory for 600 messages now
		q.transaction(message)
		if n := testing.AllocsPerRun(500, func() { q.transaction(message) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestRefusalsAllocateNothing(t *testing.T) {
	h := quickHouse(t, nil)
	q := h.quick(t, false)
	q.ask("EHLO client.example\r\n", "250 ")
	refused := []byte("MAIL FROM:<sender@client.example>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<alice@other.example>\r\nRSET\r\n")
	for range 500 {
		q.exchange(refused, "250 2.0.0 Ok\r\n")
	}
	if n := testing.AllocsPerRun(500, func() { q.exchange(refused, "250 2.0.0 Ok\r\n") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
