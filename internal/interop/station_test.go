package interop

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"barid/internal/tlsconf"
)

// station is a next hop that behaves as a test wants it to. It keeps what it
// takes as a sink does.
type station struct {
	*sink
	// reply is what it says to a line, at a stage: greeting, EHLO, STARTTLS,
	// AUTH, MAIL, RCPT, DATA, BODY (before it is read), END (the final dot), RSET,
	// QUIT. Empty is the usual.
	reply func(stage, line string) string
	tls   *tls.Config // STARTTLS is offered when there is one
	lmtp  bool        // a reply for each recipient

	ended    chan struct{} // with the test
	sessions sync.WaitGroup
	lines    []string // that it got; under sink.lock
	logins   []string // of AUTH PLAIN, user:password; under sink.lock
	clients  []string // the addresses that connections came from; under sink.lock
}

// What a station can do in place of a reply.
const (
	hang    = "hang"    // say nothing more
	drop    = "drop"    // close the connection
	endless = "endless" // a reply whose last line never comes
)

// saying is a reply function that says one thing at one stage.
func saying(at, words string) func(string, string) string {
	return func(stage, _ string) string {
		if stage == at {
			return words
		}
		return ""
	}
}

// startStation starts one, which ends with the test.
func startStation(t *testing.T, s *station) *station {
	t.Helper()
	return startStationAt(t, "tcp", "127.0.0.1:0", s)
}

func startStationAt(t *testing.T, network, addr string, s *station) *station {
	t.Helper()
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	s.sink = &sink{addr: listener.Addr().String(), listener: listener, more: make(chan struct{})}
	s.ended = make(chan struct{})
	s.sessions.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			s.sessions.Go(func() { s.session(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		close(s.ended)
		s.sessions.Wait()
	})
	return s
}

// visit is a session with a station.
type visit struct {
	*station
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	mail   *sunk
	secret bool // in TLS
}

// session is one connection, which ends with the test if not before.
func (s *station) session(conn net.Conn) {
	over := make(chan struct{})
	defer close(over)
	s.sessions.Go(func() {
		select {
		case <-over:
		case <-s.ended:
		}
		conn.Close()
	})
	s.lock.Lock()
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String()) // none for a unix socket
	s.clients = append(s.clients, host)
	s.lock.Unlock()
	v := &visit{station: s, conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriter(conn)}
	if !v.say(v.answer("greeting", "", "220 station.test ESMTP")) {
		return
	}
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.lock.Lock()
		s.lines = append(s.lines, line)
		s.lock.Unlock()
		if verb, _, _ := strings.Cut(line, " "); !v.obey(strings.ToUpper(verb), line) {
			return
		}
	}
}

// obey does what a command asks for; false ends the session.
func (v *visit) obey(verb, line string) bool {
	switch verb {
	case "EHLO", "LHLO", "HELO":
		return v.say(v.answer("EHLO", line, v.offer()))
	case "STARTTLS":
		words := v.answer(verb, line, "220 2.0.0 go ahead")
		return v.say(words) && (words[0] != '2' || v.handshake())
	case "AUTH":
		v.login(line)
		return v.say(v.answer(verb, line, "235 2.7.0 welcome"))
	case "MAIL":
		words := v.answer(verb, line, "250 2.1.0 ok")
		v.mail = nil
		if words[0] == '2' {
			v.mail = &sunk{from: strings.TrimPrefix(line, "MAIL FROM:")}
		}
		return v.say(words)
	case "RCPT":
		if v.mail == nil {
			return v.say("503 5.5.1 from whom?")
		}
		words := v.answer(verb, line, "250 2.1.5 ok")
		if words[0] == '2' {
			v.mail.to = append(v.mail.to, strings.TrimPrefix(line, "RCPT TO:"))
		}
		return v.say(words)
	case "DATA":
		if v.mail == nil || len(v.mail.to) == 0 {
			return v.say("554 5.5.1 to whom?")
		}
		return v.data(line)
	case "QUIT":
		return v.say(v.answer(verb, line, "221 2.0.0 bye")) && false
	}
	return v.say(v.answer(verb, line, "250 2.0.0 ok"))
}

// answer is what is to be said: the usual, if the test does not want anything
// else.
func (s *station) answer(stage, line, usual string) string {
	if s.reply != nil {
		if words := s.reply(stage, line); words != "" {
			return words
		}
	}
	return usual
}

// say says something; false ends the session.
func (v *visit) say(words string) bool {
	switch words {
	case hang:
		v.out.Flush()
		<-v.ended
		return false
	case drop:
		v.out.Flush()
		return false
	case endless:
		for {
			if _, err := fmt.Fprintf(v.out, "250-%s\r\n", strings.Repeat("and so on ", 50)); err != nil {
				return false
			}
		}
	}
	fmt.Fprintf(v.out, "%s\r\n", words)
	if v.in.Buffered() == 0 || strings.HasPrefix(words, "421") {
		v.out.Flush()
	}
	return !strings.HasPrefix(words, "421")
}

// offer is the reply to EHLO.
func (v *visit) offer() string {
	words := []string{"station.test", "PIPELINING", "8BITMIME"}
	if v.tls != nil && !v.secret {
		words = append(words, "STARTTLS")
	}
	if v.tls != nil && v.secret {
		words = append(words, "AUTH PLAIN")
	}
	if v.answer("offer", "", "DSN") == "DSN" {
		words = append(words, "DSN")
	}
	return "250-" + strings.Join(words, "\r\n250-") + "\r\n250 HELP"
}

func (v *visit) handshake() bool {
	v.out.Flush()
	secure := tls.Server(v.conn, v.tls)
	if secure.Handshake() != nil {
		return false // the client has its reasons
	}
	v.in, v.out, v.secret = bufio.NewReader(secure), bufio.NewWriter(secure), true
	return true
}

func (v *visit) login(line string) {
	_, initial, _ := strings.Cut(strings.TrimPrefix(line, "AUTH "), " ")
	// What is no base64 shows as what it is not.
	text, _ := base64.StdEncoding.DecodeString(initial)
	v.lock.Lock()
	v.logins = append(v.logins, strings.ReplaceAll(strings.Trim(string(text), "\x00"), "\x00", ":"))
	v.lock.Unlock()
}

// data takes a message. It is kept before it is answered, and also when the
// connection ends in place of the answer.
func (v *visit) data(line string) bool {
	words := v.answer("DATA", line, "354 go on")
	if !v.say(words) {
		return false
	}
	if words[0] != '3' {
		return true
	}
	if body := v.answer("BODY", "", ""); body != "" && !v.say(body) {
		return false
	}
	var err error
	if v.mail.text, err = readBody(v.in); err != nil {
		return false
	}
	words = v.answer("END", v.mail.text, "250 2.0.0 taken")
	if words[0] == '2' || words == drop {
		v.take(v.mail)
	}
	replies := 1
	if v.lmtp {
		replies = len(v.mail.to)
	}
	for range replies {
		if !v.say(words) {
			return false
		}
	}
	return true
}

// heard are the commands that have come so far.
func (s *station) heard() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]string(nil), s.lines...)
}

// connections is how often somebody has connected.
func (s *station) connections() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return len(s.clients)
}

// certified makes a certificate for names, and returns the file with the
// authority that has signed it.
func certified(t *testing.T, names ...string) (config *tls.Config, authority string) {
	t.Helper()
	certPEM, keyPEM, err := tlsconf.SelfSigned(names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, written(t, "authority.pem", string(certPEM))
}
