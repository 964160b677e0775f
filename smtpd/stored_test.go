package smtpd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs/crash"
	"barid/smtpd/proto"
	"barid/spool"
)

const note = "Subject: a note\n\nThe first line.\n.\n..\nThe last line.\n"

// long is a message that the spool of the tests keeps in a file of its own.
var long = "Subject: long\n\n" + strings.Repeat("A line of forty octets or so, and dots.\n", 2000)

func TestAcceptedMessageIsWhatWasSentBelowOneReceivedField(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	sent := []string{note, long, "\n", "", ".\n", "\n.\n\n", "no header\n", strings.Repeat("x", 5000) + "\n", "tab\t and \xe9\xff\x00 octets\n"}
	for _, text := range sent {
		c.envelope("sender@client.example", "alice@example.test")
		c.data(text, "250 2.0.0 Ok: queued as *")
	}
	letters := h.post.all()
	if len(letters) != len(sent) {
		t.Fatalf("%d letters of %d", len(letters), len(sent))
	}
	for i, l := range letters {
		field, text := l.received()
		if text != sent[i] || !strings.HasPrefix(field, "Received: from client.example ([127.0.0.1]) by mx.example.test (barid) with ESMTP id "+l.id.String()+" for <alice@example.test>; ") {
			t.Errorf("sent %.60q, below %q came %.60q", sent[i], field, text)
		}
	}
	c.say("QUIT", "221 *")
	h.guests.waitGone()
	h.wantNothingLeft()
}

func TestBinaryMessageIsKeptVerbatim(t *testing.T) {
	h := newHouse(t, nil)
	c := h.greet()
	body := "Content-Type: application/octet-stream\r\n\r\n\r\x00\n.\r\n\xff" + strings.Repeat("\r\n\n\r", 20_000)
	c.say("MAIL FROM:<> BODY=BINARYMIME", "250 *")
	c.say("RCPT TO:<alice@example.test>", "250 *")
	c.sendRaw("BDAT 50\r\n" + body[:50] + "BDAT 0\r\n" + "BDAT 100\r\n" + body[50:150])
	c.want("250 2.0.0 *", "250 2.0.0 *", "250 2.0.0 *")
	c.sendRaw("BDAT " + itoa(len(body)-150) + " LAST\r\n" + body[150:])
	c.want("250 2.0.0 Ok: queued as *")
	l := h.only()
	if _, text := l.received(); text != body || l.kind != spool.BodyBinary {
		t.Errorf("%d octets of kind %d, not %d", len(text), l.kind, len(body))
	}
}

// fail makes operations of a kind fail, on files whose name has part in it.
func (h *house) fail(kind, part string, err error) {
	h.disk.SetFault(func(op crash.Op) error {
		if op.Kind == kind && strings.Contains(op.Name, part) {
			return err
		}
		return nil
	})
}

// again sends until the spool takes messages again, on the same connection.
func (c *client) again() {
	c.t.Helper()
	for {
		c.envelope("sender@client.example", "alice@example.test")
		c.send("DATA")
		line, err := c.conn.Line()
		must(c.t, err)
		if strings.HasPrefix(string(line), "354 ") {
			break
		}
		if code := string(line[:4]); code != "451 " && code != "452 " {
			c.t.Fatalf("got %q", line)
		}
		c.say("RSET", "250 *")
	}
	c.sendRaw("Subject: again\r\n\r\n.\r\n")
	c.want("250 2.0.0 Ok: queued as *")
}

func TestTroubleWithTheSpoolIsNever250AndTheSessionGoesOn(t *testing.T) {
	for name, trouble := range map[string]struct {
		kind, part string
		err        error
		text       string
		reply      string
	}{
		"sync fails":            {"Sync", "seg-", syscall.EIO, note, "451 4.3.0 *"},
		"write fails":           {"WriteVAt", "seg-", syscall.EIO, note, "451 4.3.0 *"},
		"disk full":             {"WriteVAt", "seg-", syscall.ENOSPC, note, "452 4.3.1 *"},
		"over quota":            {"WriteVAt", "seg-", syscall.EDQUOT, note, "45? *"},
		"file is not made":      {"Create", "spill/", syscall.EACCES, long, "451 4.3.0 *"},
		"no inodes":             {"Create", "spill/", syscall.ENOSPC, long, "452 4.3.1 *"},
		"file write fails":      {"Write", "spill/", syscall.EIO, long, "451 4.3.0 *"},
		"disk full in a file":   {"Write", "spill/", syscall.ENOSPC, long, "452 4.3.1 *"},
		"file sync fails":       {"Sync", "spill/", syscall.EIO, long, "451 4.3.0 *"},
		"directory sync fails":  {"SyncDir", "spill", syscall.EIO, long, "451 4.3.0 *"},
		"log sync of long mail": {"Sync", "seg-", syscall.EIO, long, "451 4.3.0 *"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			c := h.greet()
			h.fail(trouble.kind, trouble.part, trouble.err)
			c.envelope("sender@client.example", "alice@example.test", "bob@example.test")
			c.data(trouble.text, strings.Replace(trouble.reply, "?", "*", 1))
			h.disk.SetFault(nil)
			c.again()
			if _, text := h.only().received(); text != "Subject: again\n\n" {
				t.Errorf("the message that came through is %q", text)
			}
			c.say("QUIT", "221 *")
			h.guests.waitGone()
			h.wantNothingLeft()
			if !strings.Contains(h.log.String(), "message not stored") {
				t.Errorf("the log says nothing:\n%s", h.log)
			}
		})
	}
}

func TestFullDiskIsRefusedBeforeTheText(t *testing.T) {
	var now sync.Mutex
	at := time.Now()
	h := newHouse(t, func(s *settings) {
		s.spool.ReserveBytes = 1 << 20
		s.spool.Now = func() time.Time { // the spool looks at the disk once a second
			now.Lock()
			defer now.Unlock()
			at = at.Add(2 * time.Second)
			return at
		}
	})
	free := h.disk.Used()
	h.disk.SetCapacity(crash.Capacity{Bytes: free.Bytes + 1000, Files: 1 << 20})
	c := h.greet()
	for range 2 {
		c.envelope("sender@client.example", "alice@example.test")
		c.say("DATA", "452 4.3.1 *")
		c.say("RSET", "250 *")
	}
	c.envelope("sender@client.example", "alice@example.test")
	c.sendRaw("BDAT 4\r\nDATA")
	c.want("452 4.3.1 *")
	c.sendRaw("BDAT 4 LAST\r\nDATA")
	c.want("503 5.5.1 *") // RFC 3030 2: a chunk was lost
	h.disk.SetCapacity(crash.Capacity{Bytes: 1 << 40, Files: 1 << 20})
	c.again()
	h.only()
}

func TestClosedSpoolIsTemporary(t *testing.T) {
	for _, closeAfter := range []string{"RCPT", "DATA"} {
		h := newHouse(t, nil)
		c := h.greet()
		c.envelope("sender@client.example", "alice@example.test")
		if closeAfter == "DATA" {
			c.say("DATA", "354 *")
		}
		must(t, h.spool.Close(context.Background()))
		if closeAfter == "DATA" {
			c.sendRaw(onTheWire(long) + ".\r\n")
		} else {
			c.send("DATA")
		}
		c.want("451 4.3.2 *")
		c.say("NOOP", "250 *")
		if n := h.spool.Stats().Accepted; n != 0 {
			t.Errorf("after %s: %d accepted", closeAfter, n)
		}
	}
}

func TestLMTPAnswersAFailedCommitForEveryRecipient(t *testing.T) {
	for _, last := range []string{"DATA", "BDAT"} {
		h := newHouse(t, func(s *settings) { s.door.Engine.Mode = proto.LMTP })
		c := h.dial()
		c.hello("LHLO client.example")
		h.fail("Sync", "seg-", syscall.EIO)
		c.envelope("sender@client.example", "alice@example.test", "bob@example.test", "alice+x@example.test")
		if last == "DATA" {
			c.data(note, "451 4.3.0 *")
		} else {
			c.sendRaw("BDAT 8 LAST\r\nA: b\r\n\r\n")
			c.want("451 4.3.0 *")
		}
		c.want("451 4.3.0 *", "451 4.3.0 *")
		h.disk.SetFault(nil)
		c.again()
		l := h.only()
		if field, _ := l.received(); !strings.Contains(field, " with LMTP id ") {
			t.Errorf("%q", field)
		}
	}
}

func TestLMTPAnswersEachRecipientOfAStoredMessageAlike(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.door.Engine.Mode = proto.LMTP })
	c := h.dial()
	c.hello("LHLO client.example")
	c.envelope("sender@client.example", "alice@example.test", "bob@example.test", "bob@example.test")
	c.data(note, "250 2.0.0 Ok: queued as *")
	id := h.only().id.String()
	c.want("250 2.0.0 Ok: queued as "+id, "250 2.0.0 Ok: queued as "+id)
	if l := h.only(); len(l.to) != 2 {
		t.Errorf("in the envelope are %+v", l.to)
	}
	c.say("NOOP", "250 *")
}

// kept is what a start after a power cut finds, which now is.
func (h *house) kept() (texts []string) {
	h.t.Helper()
	late := newPostman()
	late.refuse = true
	s, err := spool.Open(spool.Options{
		FS: h.disk.Crash(), Dir: "/spool", SegmentSize: 256 << 10, SpillSize: 32 << 10, ReserveBytes: 1,
		Agents: map[string]spool.Agent{"local": late}, Log: slog.New(slog.DiscardHandler),
	})
	must(h.t, err)
	defer s.Close(context.Background())
	for sum, err := range s.List(spool.Filter{}) {
		must(h.t, err)
		body, err := s.OpenBody(sum.ID)
		must(h.t, err)
		text, err := io.ReadAll(body)
		must(h.t, errors.Join(err, body.Close()))
		_, sent := letter{text: string(text)}.received()
		texts = append(texts, sent)
	}
	return texts
}

func TestWhatWasAnswered250SurvivesAPowerCutAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	h.post.refuse = true // it stays in the spool
	c := h.greet()
	for i, text := range []string{note, long, note} {
		c.envelope("sender@client.example", "alice@example.test")
		c.data(text, "250 *")
		if kept := h.kept(); len(kept) != i+1 || kept[i] != text {
			t.Fatalf("after %d messages %d are there", i+1, len(kept))
		}
	}
}

// The first operation of the spool fails, then the second, and so on: each
// time the answer is true.
func TestEveryFailureOfTheDiskIsAnsweredTruly(t *testing.T) {
	for _, text := range []string{note, long} {
		for n := 1; ; n++ {
			h := newHouse(t, nil)
			h.post.refuse = true
			c := h.greet()
			var failed sync.Once
			first, reached := h.disk.Calls()+n, false
			h.disk.SetFault(func(op crash.Op) (err error) {
				if op.Call >= first && op.Changes {
					failed.Do(func() { err, reached = syscall.EIO, true })
				}
				return err
			})
			c.envelope("sender@client.example", "alice@example.test")
			c.send("DATA")
			c.want("354 *")
			c.sendRaw(onTheWire(text) + ".\r\n")
			answer, err := c.conn.Line()
			must(t, err)
			accepted := strings.HasPrefix(string(answer), "250 ")
			failed.Do(func() {}) // from here on the disk is well
			if kept := h.kept(); accepted && (len(kept) != 1 || kept[0] != text) {
				t.Fatalf("operation %d: answered %q, and found are %d", n, answer, len(kept))
			}
			if !accepted && !strings.HasPrefix(string(answer), "45") {
				t.Fatalf("operation %d: answered %q", n, answer)
			}
			h.disk.SetFault(nil)
			c.again()
			must(t, h.spool.Close(context.Background()))
			if accepted && !reached {
				break
			}
		}
	}
}
