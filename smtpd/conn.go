package smtpd

import (
	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
)

// session is the conversation with one client.
type session struct {
	server   *server
	engine   proto.Session
	t        *transaction // lent while the client speaks, and while something is under way
	identity *identity    // nil for a client that is nobody in particular
	tls      tlsFacts
	heard    int32 // octets since patience was renewed
	trust    proto.Trust
	greeted  bool
	unplaced bool // by the word of its proxy the client's address is not known
	inBody   bool // what comes next belongs to a message
}

// Replies that the door gives on its own account. (RFC 5321 3.8, RFC 3463)
var (
	talksFirst   = smtp.Reply{Code: 521, Status: smtp.Status{5, 5, 1}, Text: "Protocol error: wait for the greeting"}
	timedOut     = smtp.Reply{Code: 421, Status: smtp.Status{4, 4, 2}, Text: "Timeout, closing the connection"}
	shuttingDown = smtp.Reply{Code: 421, Status: smtp.Status{4, 3, 2}, Text: "The server is shutting down, come back later"}
	overloaded   = smtp.Reply{Code: 421, Status: smtp.Status{4, 3, 1}, Text: "The server is out of memory, come back later"}
)

// Open greets, unless clients have to show some patience first.
func (s *session) Open(c *loop.Conn) loop.Wait {
	s.trust = s.server.trust(c.RemoteAddr().Addr())
	s.begin(c)
	if d := s.server.GreetDelay; d > 0 {
		c.PauseFor(d)
		return loop.WaitPause
	}
	return s.greet(c)
}

// begin makes a new session: at first, when TLS is up (RFC 3207 4.2), and when
// XCLIENT has brought another client. Nothing that was said before holds.
func (s *session) begin(c *loop.Conn) {
	s.identity = nil
	s.engine.Reset(s.server.engineOptions(c.RemoteAddr().Addr(), s.trust))
	if state := c.TLS(); state != nil {
		s.tls = tlsFacts{state.Version, state.CipherSuite}
		s.engine.Secure()
	}
	s.renewPatience(c)
}

// greet begins the conversation, or ends it with a client that did not wait:
// real mail servers listen before they speak. (RFC 5321 4.3.1)
func (s *session) greet(c *loop.Conn) loop.Wait {
	s.greeted = true
	if c.Pending() {
		s.logRefused(c, "talked before the greeting", nil)
		c.SetOut(s.engine.Hangup(talksFirst, c.Out()))
		return loop.WaitClose
	}
	c.SetOut(s.engine.Greet(c.Out()))
	s.renewPatience(c)
	return loop.WaitInput
}

// Step serves commands until one has to wait for something.
func (s *session) Step(c *loop.Conn, in []byte) (int, loop.Wait) {
	if !s.greeted {
		return 0, s.greet(c)
	}
	queued, inBody := c.Queued(), s.inBody
	s.sayHeld(c)
	s.lend(in)
	used, wait := s.converse(c, in)
	s.heard += int32(used)
	if c.Queued() > queued || s.inBody && !inBody || s.heard >= bodyStride {
		s.renewPatience(c)
	}
	c.SetBusy(s.engine.InTransaction())
	s.reclaim()
	c.SetHeld(s.held())
	return used, wait
}

// queuedMax is how much may be queued for a client before it has to read:
// short commands have long replies.
const queuedMax = 8 << 10

// converse lets the engine have its way until there is something to wait for.
func (s *session) converse(c *loop.Conn, in []byte) (used int, wait loop.Wait) {
	for c.Queued() < queuedMax {
		before := c.Out()
		n, out, next := s.engine.Step(in[used:], before)
		if len(out) > len(before) {
			s.inBody = false
		}
		c.SetOut(out)
		used += n
		if next == proto.TakeBody {
			used += s.takeBody(c, in[used:])
			continue
		}
		if wait, waits := s.serve(c, next); waits {
			return used, wait
		}
	}
	return used, loop.WaitDrain
}

// serve does what the engine needs. With takeBody it is the only place that
// looks at all of its needs. waits is false when the engine can go on at once.
func (s *session) serve(c *loop.Conn, next proto.Next) (wait loop.Wait, waits bool) {
	switch next {
	case proto.NeedInput:
		return loop.WaitInput, true
	case proto.More: // converse looks how much there is
	case proto.AskMail:
		s.answer(c, s.mail(c))
	case proto.AskRcpt:
		s.answer(c, s.rcpt(c))
	case proto.AskData:
		s.answer(c, s.data(c))
	case proto.Commit:
		s.answer(c, s.commit(c))
	case proto.AskAuth:
		return s.login(c)
	case proto.AskXClient:
		s.xclient(c)
	case proto.AskXForward:
		s.answer(c, s.xforward(c))
	case proto.Ended:
		s.giveUp()
	case proto.StartTLS:
		return s.startTLS(c)
	case proto.Close:
		return loop.WaitClose, true
	}
	return 0, false
}

func (s *session) answer(c *loop.Conn, a proto.Answer) {
	c.SetOut(s.engine.Answer(a, c.Out()))
}

// accept is the answer that leaves the words to the engine.
var accept = proto.Answer{Verdict: proto.Accept}

func refuse(r smtp.Reply) proto.Answer { return proto.Answer{Verdict: proto.Refuse, Reply: r} }

// startTLS asks for the handshake, during which nothing is held, or begins
// anew after it.
func (s *session) startTLS(c *loop.Conn) (loop.Wait, bool) {
	if c.TLS() == nil {
		s.release()
		return loop.WaitTLS, true
	}
	s.begin(c)
	return 0, false
}

// lend gives the engine memory when there is something to read.
func (s *session) lend(in []byte) {
	if s.t == nil && len(in) > 0 {
		s.t = s.server.transactions.Get().(*transaction)
		s.engine.Lend(&s.t.engine)
	}
}

// reclaim takes the memory back when the engine does not need it now.
func (s *session) reclaim() {
	if s.t != nil && s.engine.Reclaim() != nil {
		s.putBack()
	}
}

// held is how many octets are lent, about.
func (s *session) held() int {
	if s.t == nil {
		return 0
	}
	return s.t.memory()
}

// release takes the memory back whatever the engine says, which begins anew
// or not at all.
func (s *session) release() {
	if s.t != nil {
		s.engine.Release()
		s.putBack()
	}
}

// putBack is the only way of a transaction into the pool: nothing is open in
// those that are there.
func (s *session) putBack() {
	s.t.abort()
	s.t.trim()
	s.server.transactions.Put(s.t)
	s.t = nil
}

// renewPatience gives a client time for its next command, or for the next
// piece of a message. It is called when the client was answered and when it
// has sent bodyStride octets, so that a client that trickles, a message or a
// line without end, does not live for ever.
func (s *session) renewPatience(c *loop.Conn) {
	s.heard = 0
	if s.inBody {
		c.SetPatience(patienceBody)
	} else {
		c.SetPatience(patienceCommand)
	}
}

// Expire says why the connection ends.
func (s *session) Expire(c *loop.Conn, why loop.Reason) {
	r := timedOut
	switch why {
	case loop.Shutdown:
		r = shuttingDown
	case loop.Overload:
		r = overloaded
	}
	r.Text = s.server.Engine.Hostname + " " + r.Text // RFC 5321 4.2: 421 begins with the domain
	s.logEnd(c, why.String())
	c.SetOut(s.engine.Hangup(r, c.Out()))
}

// Close drops whatever was not committed.
func (s *session) Close(c *loop.Conn, why error) {
	s.release()
	if why != nil {
		s.logEnd(c, why.Error())
	}
}

// giveUp ends a transaction or an exchange that came to nothing.
func (s *session) giveUp() {
	s.t.abort()
	if s.identity != nil {
		s.identity.exchange = nil
	}
}
