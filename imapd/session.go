package imapd

import (
	"time"

	"barid/auth"
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

const (
	// queuedMax is how much may be queued for a client before it has to read.
	// Together with the encoded form of one read it fits into the largest
	// buffer of the loop.
	queuedMax = 44 << 10
	// readSize is how much of a message is read or written at a time.
	readSize = 16 << 10
)

// session is the conversation with one client.
type session struct {
	server    *server
	engine    proto.Session
	work      *work          // lent while there is something to do
	exchange  *auth.Exchange // of AUTHENTICATE, under way
	visitor   *visitor       // since the login
	box       *selected      // since SELECT
	appending *appending     // of APPEND, from its first message on
	held      proto.Verdict  // the answer that waits for a pause to end; 0: none
	torn      bool           // a text that was announced cannot be sent: only the end of the connection says so
}

// visitor is who has logged in.
type visitor struct {
	account string
	mailbox maildir.Mailbox
	limits  limits
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
	case s.server.StartTLS:
		state = proto.TLSOffered
	}
	return s.server.protocol(state, s.server.Auth.Mechanisms(channel))
}

// Step serves commands until one has to wait for something.
func (s *session) Step(c *loop.Conn, in []byte) (used int, wait loop.Wait) {
	s.takeUp()
	if s.held != proto.Accept {
		s.answer(c, proto.Answer{Verdict: s.held})
		s.held = proto.Accept
	}
	wait, waits := loop.WaitDrain, false
	for !waits && c.Queued() < queuedMax {
		if s.work.owes() && !s.tell(c) {
			continue
		}
		n, out, next := s.engine.Step(in[used:], c.Out())
		c.SetOut(out)
		used += n
		if n > 0 && s.visitor != nil {
			c.SetPatience(patienceCommand)
		}
		if next != proto.Idle {
			s.stopListening()
		}
		if next == proto.TakeBody {
			n, wait, waits = s.takeBody(c, in[used:])
			used += n
			continue
		}
		wait, waits = s.serve(c, next)
	}
	if !waits {
		wait = loop.WaitDrain
	}
	c.SetBusy(wait != loop.WaitInput || s.appending != nil)
	s.layDown()
	return used, wait
}

// serve does what the engine needs. It is the only place that looks at all of
// its needs but TakeBody. waits is false when the engine can go on at once.
func (s *session) serve(c *loop.Conn, next proto.Next) (wait loop.Wait, waits bool) {
	switch next {
	case proto.NeedInput:
		return loop.WaitInput, true
	case proto.More:
		return 0, false
	case proto.AskAuth:
		return s.login(c)
	case proto.Run:
		s.run(c)
		if s.torn {
			return loop.WaitClose, true
		}
		return loop.WaitDrain, s.work.rests
	case proto.Idle:
		return loop.WaitInput, s.idle(c)
	case proto.AskAppend:
		s.askAppend(c)
	case proto.Dropped:
		s.dropAppending()
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

// done ends the command under way.
func (s *session) done(c *loop.Conn, r imap.Reply) {
	c.SetOut(s.engine.Done(r, c.Out()))
}

// Expire ends the session with a word (RFC 9051 5.4).
func (s *session) Expire(c *loop.Conn, why loop.Reason) {
	code, text := imap.CodeNone, "you were silent for too long"
	if why != loop.Timeout {
		code, text = imap.CodeUnavailable, "the server has to end this session, come back later"
	}
	c.SetOut(s.engine.Hangup(code, text, c.Out()))
	s.server.Log.Debug("imap session expired", "conn", c.ID(), "why", why)
}

// Close gives back what the session holds.
func (s *session) Close(c *loop.Conn, why error) {
	s.exchange = nil
	s.dropAppending()
	if s.work != nil {
		s.work.forget()
		s.work = nil // it is not lent again: a panic may have left it in any state
	}
	s.deselect()
	if s.visitor != nil {
		s.logLogout(c, why)
	}
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
