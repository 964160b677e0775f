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
	t        *transaction  // lent while the client speaks
	identity *identity     // nil for a client that is nobody in particular
	held     *proto.Answer // the answer that waits for a pause to end
	greeted  bool
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
	s.engine.Reset(s.server.engineOptions(c.RemoteAddr().Addr()))
	if c.TLS() != nil {
		s.engine.Secure()
	}
	c.SetPatience(patienceCommand)
	if d := s.server.GreetDelay; d > 0 {
		c.PauseFor(d)
		return loop.WaitPause
	}
	return s.greet(c)
}

// greet begins the conversation, or ends it with a client that did not wait:
// real mail servers listen before they speak. (RFC 5321 4.3.1)
func (s *session) greet(c *loop.Conn) loop.Wait {
	s.greeted = true
	if c.Pending() {
		s.logRefused(c, "talked before the greeting", "")
		c.SetOut(s.engine.Hangup(talksFirst, c.Out()))
		return loop.WaitClose
	}
	c.SetOut(s.engine.Greet(c.Out()))
	return loop.WaitInput
}

// Step serves commands until one has to wait for something.
func (s *session) Step(c *loop.Conn, in []byte) (int, loop.Wait) {
	if !s.greeted {
		return 0, s.greet(c)
	}
	if s.held != nil {
		s.answer(c, *s.held)
		s.held = nil
	}
	if s.t == nil && len(in) > 0 {
		s.t = s.server.transactions.Get().(*transaction)
		s.engine.Lend(&s.t.engine)
	}
	used := 0
	for {
		n, out, next := s.engine.Step(in[used:], c.Out())
		c.SetOut(out)
		used += n
		if next == proto.TakeBody {
			used += s.takeBody(c, in[used:])
			continue
		}
		if wait, waits := s.serve(c, next); waits {
			s.rest(c, used > 0)
			return used, wait
		}
	}
}

// rest prepares for a wait: memory that nothing needs goes back, and a client
// that has said something whole gets new patience.
func (s *session) rest(c *loop.Conn, progress bool) {
	inTransaction := s.engine.InTransaction()
	c.SetBusy(inTransaction)
	if s.t != nil && s.engine.Reclaim() != nil {
		s.t.clear()
		s.server.transactions.Put(s.t)
		s.t = nil
	}
	if progress && !(inTransaction && s.t.writer != nil) {
		c.SetPatience(patienceCommand)
	}
}

// serve does what the engine needs. With takeBody it is the only place that
// looks at all of its needs. waits is false when the engine can go on at once.
func (s *session) serve(c *loop.Conn, next proto.Next) (wait loop.Wait, waits bool) {
	switch next {
	case proto.NeedInput:
		return loop.WaitInput, true
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
		if c.TLS() == nil {
			return loop.WaitTLS, true
		}
		s.engine.Secure()
		s.identity = nil
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

// Expire says why the connection ends.
func (s *session) Expire(c *loop.Conn, why loop.Reason) {
	r := timedOut
	switch why {
	case loop.Shutdown:
		r = shuttingDown
	case loop.Overload:
		r = overloaded
	}
	s.logEnd(c, why.String())
	c.SetOut(s.engine.Hangup(r, c.Out()))
}

// Close drops whatever was not committed.
func (s *session) Close(c *loop.Conn, why error) {
	s.giveUp()
	if s.t != nil {
		s.engine.Release()
		s.server.transactions.Put(s.t)
		s.t = nil
	}
	if why != nil {
		s.logEnd(c, why.Error())
	}
}

// giveUp ends a transaction or an exchange that came to nothing.
func (s *session) giveUp() {
	if s.t != nil {
		s.t.abort()
	}
	if s.identity != nil {
		s.identity.exchange = nil
	}
}
