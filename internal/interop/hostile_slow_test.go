package interop

import (
	"crypto/tls"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSlowlorisRunsOutOfTime keeps many connections busy without ever getting
// to the point: an octet now and then of a command, of a message, or commands
// that lead nowhere. Each is ended by the server.
func TestSlowlorisRunsOutOfTime(t *testing.T) {
	s := besiege(t, "smtp.command-timeout=1s", "smtp.body-timeout=1s", "pop3.auth-timeout=1s")
	scenes := []struct{ door, before, drip, lastWords string }{
		{"smtp", "", "E", "421"},
		{"smtp", "EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\nDATA\r\n", "x", "421"},
		{"smtp", "EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\nDATA\r\n", "\r\n", "421"},
		{"smtp", "EHLO x.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<" + alice + ">\r\nBDAT 1000000\r\n", "x", "421"},
		{"lmtp", "LHLO x.test\r\n", "N", "421"},
		{"submission", "EHLO x.test\r\nAUTH LOGIN\r\n", "A", "421"},
		{"pop3", "", "C", ""},
		{"pop3", "", "CAPA\r\n", ""},
		{"pop3", "USER " + alice + "\r\n", "P", ""},
	}
	atOnce(len(scenes)*20, len(scenes)*20, func(i int) {
		p := scenes[i%len(scenes)]
		c := s.attacker(t, p.door)
		defer c.Close()
		if _, err := c.in.ReadString('\n'); err != nil {
			t.Errorf("%s: no greeting: %v", p.door, err)
		}
		io.WriteString(c, p.before)
		over := make(chan struct{})
		var dripping sync.WaitGroup
		dripping.Go(func() {
			pulse := time.NewTicker(50 * time.Millisecond)
			defer pulse.Stop()
			for {
				select {
				case <-over:
					return
				case <-pulse.C:
					io.WriteString(c, p.drip)
				}
			}
		})
		said := c.wantEnd(t)
		close(over)
		dripping.Wait()
		lines := strings.Split(strings.TrimSuffix(said, "\r\n"), "\r\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, p.lastWords) {
			t.Errorf("%s, %q, %q: the last line is %q", p.door, p.before, p.drip, last)
		}
	})
	s.relieve(t, 64*mega)
}

// TestConnectionsOverTheLimitAreTurnedAway counts those of an address, and
// lets others in all the while.
func TestConnectionsOverTheLimitAreTurnedAway(t *testing.T) {
	s := besiege(t, "smtp.connections-per-address-max=20", "pop3.connections-per-address-max=20", "imap.connections-per-address-max=20", "lmtp.connections-per-address-max=20", "submission.connections-per-address-max=20")
	for _, p := range []struct{ door, welcome, refusal, word, answer string }{
		{"smtp", "220", "421", "NOOP", "2"}, {"lmtp", "220", "421", "NOOP", "2"}, {"submission", "220", "421", "NOOP", "2"},
		{"pop3", "+OK", "-ERR", "CAPA", "+"}, {"imap", "* OK", "* BYE", "a NOOP", "a OK"},
	} {
		var held []*caller
		for range 20 {
			c := s.attacker(t, p.door)
			c.want(t, p.welcome, "")
			held = append(held, c)
		}
		for range 500 {
			c := s.attacker(t, p.door)
			if said := c.wantEnd(t); !strings.HasPrefix(said, p.refusal) {
				t.Errorf("%s: a connection over the limit heard %q", p.door, said)
			}
			held = append(held, c)
		}
		held[0].want(t, p.answer, p.word+"\r\n")
		for _, c := range held {
			c.Close()
		}
	}
	s.relieve(t, 64*mega)
}

// TestSilentHandshakesKeepNobodyOut begins hundreds of TLS handshakes, of
// which some say nothing, some fall silent after the ClientHello, and some
// talk nonsense, while others log in over TLS.
func TestSilentHandshakesKeepNobodyOut(t *testing.T) {
	s := besiege(t)
	hello := clientHello(t)
	var held []*caller
	for i := range 500 {
		c := s.attacker(t, []string{"pop3s", "submissions"}[i%2])
		held = append(held, c)
		switch i / 2 % 4 {
		case 0: // silence
		case 1:
			c.Write(hello)
		case 2:
			c.Write(hello[:len(hello)/2])
		case 3:
			io.WriteString(c, strings.Repeat("this is no TLS", 100))
			c.wantEnd(t)
		}
	}
	atOnce(50, 5, func(int) { loginOverTLS(t, s) })
	for _, c := range held {
		c.reset()
	}
	s.relieve(t, 96*mega)
}

// TestHandshakeFloodKeepsNobodyOut makes hundreds of whole handshakes.
func TestHandshakeFloodKeepsNobodyOut(t *testing.T) {
	s := besiege(t)
	atOnce(500, 50, func(i int) {
		c := s.attacker(t, "pop3s")
		defer c.Close()
		if err := tls.Client(c, trusting()).Handshake(); err != nil {
			t.Errorf("handshake %d: %v", i, err)
		}
		c.reset()
	})
	loginOverTLS(t, s)
	s.relieve(t, 96*mega)
}

func loginOverTLS(t *testing.T, s *besieged) {
	c, err := dialFrom(s.addrs["submissions"], "127.0.0.1")
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	secured := overTLS(c)
	secured.want(t, "220", "")
	secured.want(t, "250", "EHLO neighbour.test\r\n")
	secured.want(t, "235", "AUTH PLAIN AGJvYkBleGFtcGxlLnRlc3QAYnVpbGRlcg==\r\n")
	secured.want(t, "221", "QUIT\r\n")
}
