package pop3d

import (
	"time"

	"barid/auth"
	"barid/internal/loop"
	"barid/pop3d/proto"
)

const (
	// queuedMax is how much may be queued for a client before it has to read.
	// Together with the encoded form of one read it fits into the largest
	// buffer of the loop.
	queuedMax = 44 << 10
	// readSize is how much of a message is read at a time.
	readSize = 16 << 10
)

// session is the conversation with one client.
type session struct {
	server   *server
	engine   proto.Session
	exchange *auth.Exchange // of AUTH, under way
	visit    *visit         // since the login
	held     proto.Verdict  // the answer that waits for a pause to end; 0: none
}

// Open greets.
func (s *session) Open(c *loop.Conn) loop.Wait {
	s.engine.Reset(s.protocolOf(c))
	c.SetPatience(patienceLogin)
	c.SetOut(s.engine.Greet(c.Out()))
	return loop.WaitInput
}

// protocolOf returns the engine's options for the state in which c is.
func (s *session) protocolOf(c *loop.Conn) *proto.Options {
	channel := channelOf(c)
	state := proto.TLSNone
	switch {
	case channel.TLS:
		state = proto.TLSActive
	case s.server.STLS:
		state = proto.TLSOffered
	}
	return s.server.protocol(state, s.server.Auth.Mechanisms(channel))
}

// Step serves commands until one has to wait for something.
func (s *session) Step(c *loop.Conn, in []byte) (int, loop.Wait) {
	if s.held != proto.Accept {
		s.answer(c, proto.Answer{Verdict: s.held})
		s.held = proto.Accept
	}
	used := 0
	for c.Queued() < queuedMax {
		n, out, next := s.engine.Step(in[used:], c.Out())
		c.SetOut(out)
		used += n
		if wait, waits := s.serve(c, next); waits {
			if wait == loop.WaitInput && s.visit != nil {
				c.SetPatience(patienceCommand)
			}
			c.SetBusy(wait != loop.WaitInput)
			return used, wait
		}
	}
	c.SetBusy(true)
	return used, loop.WaitDrain
}

// serve does what the engine needs. It is the only place that looks at all of
// its needs. waits is false when the engine can go on at once.
func (s *session) serve(c *loop.Conn, next proto.Next) (wait loop.Wait, waits bool) {
	switch next {
	case proto.NeedInput:
		return loop.WaitInput, true
	case proto.More:
		return 0, false
	case proto.AskAuth:
		return s.login(c)
	case proto.AskSize:
		s.answer(c, s.visit.size(s.engine.Number()))
	case proto.AskUID:
		s.answer(c, s.visit.uid(s.engine.Number()))
	case proto.AskMessage:
		s.retrieve(c)
	case proto.SendBody:
		return loop.WaitClose, !s.sendBody(c)
	case proto.AskUpdate:
		c.Blocking()
		s.answer(c, s.update())
	case proto.StartTLS:
		if c.TLS() == nil {
			return loop.WaitTLS, true
		}
		s.engine.Secured(s.protocolOf(c))
	case proto.Close:
		return loop.WaitClose, true
	}
	return 0, false
}

func (s *session) answer(c *loop.Conn, a proto.Answer) {
	c.SetOut(s.engine.Answer(a, c.Out()))
}

// Expire ends the session without the UPDATE state. A client that was silent
// for too long hears nothing (RFC 1939 section 3).
func (s *session) Expire(c *loop.Conn, why loop.Reason) {
	if why != loop.Timeout && !s.engine.AmidReply() {
		c.SetOut(append(c.Out(), "-ERR [SYS/TEMP] the server has to end this session, come back later\r\n"...))
	}
	s.server.Log.Debug("pop3 session expired", "conn", c.ID(), "why", why)
}

// Close releases the mailbox and says in the log what the session did.
func (s *session) Close(c *loop.Conn, why error) {
	s.exchange = nil
	if s.visit == nil {
		return
	}
	s.logLogout(c, why)
	s.visit.leave()
}

// pause holds an answer back for a while, so that guessing is slow. Nothing
// but this session waits.
func (s *session) pause(c *loop.Conn, v proto.Verdict, d time.Duration) (loop.Wait, bool) {
	if d <= 0 {
		s.answer(c, proto.Answer{Verdict: v})
		return 0, false
	}
	s.held = v
	c.PauseFor(d)
	return loop.WaitPause, true
}
