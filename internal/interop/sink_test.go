package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a mail server that takes whatever comes and remembers it: the next
// hop of tests that relay.
type sink struct {
	addr     string
	extra    []string // what EHLO announces besides PIPELINING and 8BITMIME
	listener net.Listener

	lock  sync.Mutex
	mails []*sunk
	more  chan struct{} // closed and replaced when one comes
}

// sunk is a message that the sink has taken.
type sunk struct {
	from, text string   // with LF
	to         []string // with the parameters of RCPT
	// settled: the client has gone on after the reply to the message, so it
	// must have read that.
	settled bool
}

// startSink starts one that ends with the test.
func startSink(t *testing.T, extra ...string) *sink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: listener.Addr().String(), extra: extra, listener: listener, more: make(chan struct{})}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			sessions.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return s
}

// nextHop is the sink as a setting.
func (s *sink) nextHop() string {
	host, port, _ := net.SplitHostPort(s.addr) // it came from a listener
	return "[" + host + "]:" + port
}

// serve is one session. Errors end it: the client may have been killed.
func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	say := func(format string, words ...any) {
		fmt.Fprintf(out, format+"\r\n", words...)
		if in.Buffered() == 0 {
			out.Flush() // a broken connection is found by the next read
		}
	}
	say("220 sink.test ESMTP")
	var mail, last *sunk
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.settle(last)
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "LHLO":
			for _, word := range slices.Concat([]string{"sink.test", "PIPELINING", "8BITMIME"}, s.extra) {
				fmt.Fprintf(out, "250-%s\r\n", word)
			}
			say("250 HELP")
		case "MAIL":
			mail = &sunk{from: strings.TrimPrefix(rest, "FROM:")}
			say("250 2.1.0 ok")
		case "RCPT":
			mail.to = append(mail.to, strings.TrimPrefix(rest, "TO:"))
			say("250 2.1.5 ok")
		case "DATA":
			say("354 go on")
			if mail.text, err = readBody(in); err != nil {
				return
			}
			s.take(mail)
			last = mail
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			out.Flush()
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

// readBody reads up to the final dot.
func readBody(in *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "." {
			return text.String(), nil
		}
		io.WriteString(&text, strings.TrimPrefix(line, ".")+"\n")
	}
}

func (s *sink) take(m *sunk) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.mails = append(s.mails, m)
	close(s.more)
	s.more = make(chan struct{})
}

func (s *sink) settle(m *sunk) {
	if m == nil {
		return
	}
	s.lock.Lock()
	m.settled = true
	s.lock.Unlock()
}

// all are the messages that have come so far.
func (s *sink) all() ([]*sunk, <-chan struct{}) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.mails), s.more
}

// await waits until enough says so of the messages that have come; false when
// too much time has gone by.
func (s *sink) await(enough func([]*sunk) bool) bool {
	give := time.After(patience)
	for {
		mails, more := s.all()
		if enough(mails) {
			return true
		}
		select {
		case <-more:
		case <-give:
			return false
		}
	}
}
