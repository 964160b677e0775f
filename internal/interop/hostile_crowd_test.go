package interop

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// TestTenThousandRecipients names them in one transaction, one after the other
// and in bursts: those over the limit are put off, and the message goes to the
// others.
func TestTenThousandRecipients(t *testing.T) {
	s := besiege(t, "message.recipients-max=300")
	const total, limit = 10_000, 300
	for _, burst := range []int{total, 100, 1} {
		t.Run(fmt.Sprintf("%d at once", burst), func(t *testing.T) {
			c := s.attacker(t, "smtp")
			defer c.Close()
			c.hello(t, "smtp")
			c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
			counts := map[string]int{}
			for sent := 0; sent < total; sent += burst {
				var words strings.Builder
				for i := range burst {
					fmt.Fprintf(&words, "RCPT TO:<alice+%d@example.test>\r\n", sent+i)
				}
				go io.WriteString(c, words.String()) // the replies do not fit into the sockets
				for range burst {
					said, err := c.reply()
					if err != nil {
						t.Fatal(err)
					}
					counts[said[:3]]++
				}
			}
			if counts["250"] != limit || counts["452"] != total-limit {
				t.Errorf("replies: %v", counts)
			}
			c.want(t, "354", "DATA\r\n")
			c.want(t, "250", body(100)+".\r\n")
		})
	}
	if err := s.await(func() error {
		if n := s.count(alice); n != 3*limit {
			return fmt.Errorf("alice has %d messages instead of %d", n, 3*limit)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	s.relieve(t, 96*mega)
}

// TestLargestMessagesFromManyCostLittleMemory sends messages just below
// message.size-max from several clients at the same time: together they are
// many times what the server may have in memory.
func TestLargestMessagesFromManyCostLittleMemory(t *testing.T) {
	s := besiege(t, "message.size-max=10M")
	text := body(10*mega - 1000)
	const clients = 8
	atOnce(clients, clients, func(i int) {
		c := s.attacker(t, "smtp")
		defer c.Close()
		c.hello(t, "smtp")
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
		if i%2 == 0 {
			c.want(t, "354", "DATA\r\n")
			c.want(t, "250", text+".\r\n")
		} else {
			c.want(t, "250", fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
		}
	})
	if err := s.await(func() error {
		if n := s.count(alice); n != clients {
			return fmt.Errorf("alice has %d messages instead of %d", n, clients)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	// And out again.
	c := s.attacker(t, "pop3")
	defer c.Close()
	c.hello(t, "pop3")
	c.want(t, "+OK", "USER "+alice+"\r\n")
	c.want(t, "+OK", "PASS wonderland\r\n")
	for i := range clients {
		c.want(t, "+OK", fmt.Sprintf("RETR %d\r\n", i+1))
		if got := c.block(t); !strings.HasSuffix(got, text) {
			t.Errorf("message %d changed on its way: %d octets", i+1, len(got))
		}
	}
	c.want(t, "+OK", "QUIT\r\n")
	s.relieve(t, 48*mega)
}

// TestMessageOverTheLimitIsRefused sends more than message.size-max without
// saying so before.
func TestMessageOverTheLimitIsRefused(t *testing.T) {
	s := besiege(t, "message.size-max=1M")
	text := body(5 * mega)
	atOnce(8, 8, func(i int) {
		c := s.attacker(t, "smtp")
		defer c.Close()
		c.hello(t, "smtp")
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
		if i%2 == 0 {
			c.want(t, "354", "DATA\r\n")
			c.want(t, "552", text+".\r\n")
		} else {
			c.want(t, "552", fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
		}
		c.want(t, "250", "NOOP\r\n")
	})
	s.relieve(t, 64*mega)
	if n := s.count(alice); n != 0 {
		t.Errorf("%d messages came", n)
	}
}

// TestClientThatNeverReadsIsNotFed pipelines commands with long replies and
// reads none of them.
func TestClientThatNeverReadsIsNotFed(t *testing.T) {
	s := besiege(t)
	sendLarge(t, s)
	const each = 30
	var held []*caller
	for i := range each {
		c := s.attacker(t, "smtp")
		held = append(held, c)
		c.hello(t, "smtp")
		go io.WriteString(c, strings.Repeat("EHLO attacker.test\r\n", 20_000)) // until it is closed
		if i > 0 {
			continue // the mailbox is for one
		}
		p := s.attacker(t, "pop3")
		held = append(held, p)
		p.hello(t, "pop3")
		p.want(t, "+OK", "USER "+alice+"\r\n")
		p.want(t, "+OK", "PASS wonderland\r\n")
		go io.WriteString(p, strings.Repeat("RETR 1\r\n", 20_000))
	}
	// The neighbour goes on for a while: until it has made some more rounds.
	s.neighbour.end()
	more := s.newNeighbour(t)
	more.sent, more.read, more.rounds = s.neighbour.sent, s.neighbour.read, s.neighbour.rounds
	for range 10 {
		more.round()
	}
	for _, c := range held {
		c.reset()
	}
	s.neighbour = more
	s.relieve(t, 64*mega)
}

// sendLarge puts one large message into alice's mailbox.
func sendLarge(t *testing.T, s *besieged) {
	t.Helper()
	c := s.attacker(t, "smtp")
	defer c.Close()
	c.hello(t, "smtp")
	c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
	c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
	c.want(t, "354", "DATA\r\n")
	c.want(t, "250", body(5*mega)+".\r\n")
	if err := s.await(func() error {
		if s.count(alice) == 0 {
			return fmt.Errorf("the message has not come")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestOpenTransactionsAreBounded holds transactions open that are as large as
// they may be, with a thousand recipients or with most of a message, and goes
// no further. Those that hold much are ended when memory gets short, and
// the neighbour's transactions, which hold little, are not.
func TestOpenTransactionsAreBounded(t *testing.T) {
	s := besiege(t, "memory.limit=64M")
	var envelope strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&envelope, "RCPT TO:<alice+%056d@example.test> ORCPT=rfc822;%s\r\n", i, strings.Repeat("x", 400))
	}
	const clients = 200
	callers := make([]*caller, clients)
	var ended atomic.Int64
	atOnce(clients, 10, func(i int) {
		c := s.attacker(t, "smtp")
		callers[i] = c
		c.hello(t, "smtp")
		c.want(t, "250", "MAIL FROM:<a@b.test>\r\n")
		count := 1000
		if i%2 == 0 {
			io.WriteString(c, envelope.String()) // and perhaps it is closed
		} else {
			c.want(t, "250", "RCPT TO:<"+alice+">\r\n")
			c.want(t, "354", "DATA\r\n")
			io.WriteString(c, body(120_000))
			count = 0
		}
		for range count {
			if said, err := c.reply(); err != nil || strings.HasPrefix(said, "421") {
				ended.Add(1)
				return
			}
		}
	})
	t.Logf("%d of %d were ended at once", ended.Load(), clients)
	for _, c := range callers {
		c.reset()
	}
	s.relieve(t, 128*mega)
}
