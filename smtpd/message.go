package smtpd

import (
	"errors"
	"strconv"

	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

// Replies about the message as a whole. (RFC 3463 3.4)
var (
	noSpace     = smtp.Reply{Code: 452, Status: smtp.Status{4, 3, 1}, Text: "No space left for mail, try again later"}
	noStorage   = smtp.Reply{Code: 451, Status: smtp.Status{4, 3, 0}, Text: "The message could not be stored, try again later"}
	noService   = smtp.Reply{Code: 451, Status: smtp.Status{4, 3, 2}, Text: "The server is shutting down, try again later"}
	badEnvelope = smtp.Reply{Code: 554, Status: smtp.Status{5, 3, 0}, Text: "The envelope is too large, send to fewer recipients at a time"}
	queuedAs    = smtp.Reply{Code: 250, Status: smtp.Status{2, 0, 0}, Text: "Ok: queued as "}
)

// data answers AskData: the spool gives a writer and an id, and the trace of
// this hop is written before the body.
func (s *session) data(c *loop.Conn) proto.Answer {
	w := s.server.Spool.Writer()
	id, err := w.Begin()
	if err != nil {
		w.Release()
		s.logNotStored(c, err)
		return notStored(err)
	}
	s.t.writer, s.t.id = w, id
	t := s.trace(c)
	_, _ = w.Write(t.append(w.AvailableBuffer(receivedMax))) // see takeBody
	s.inBody = true
	return accept
}

// trace gathers the facts for the Received field.
func (s *session) trace(c *loop.Conn) trace {
	t := trace{
		helo:     s.helo(),
		from:     s.origin(c),
		tls:      s.tls,
		hostname: s.server.Engine.Hostname,
		protocol: s.engine.Protocol(),
		id:       s.t.id,
		now:      s.server.Now(),
	}
	if recipients := s.engine.Transaction().Recipients; len(recipients) == 1 {
		t.recipient = recipients[0].Address
	}
	return t
}

// origin is where the client is.
func (s *session) origin(c *loop.Conn) origin {
	o := origin{addr: c.RemoteAddr().Addr()}
	if !o.addr.IsValid() {
		if peer, ok := c.Peer(); ok {
			o.local, o.uid = true, peer.UID
		}
	}
	if s.identity != nil {
		o.name = s.identity.name
	}
	return o
}

// longBody is the size of a message in octets from which on the spool may
// write to a file while it arrives.
const longBody = 64 << 10

// takeBody lets the engine decode what is there straight into the spool's
// buffer. An error of the spool shows again at Commit, so that the client
// hears of it when it listens.
func (s *session) takeBody(c *loop.Conn, in []byte) int {
	s.inBody = true
	w := s.t.writer
	n, out := s.engine.TakeBody(in, w.AvailableBuffer(len(in)))
	if s.engine.Body().Octets > longBody {
		c.Blocking()
	}
	_, _ = w.Write(out)
	return n
}

// commit answers Commit. In LMTP the engine asks once for each recipient; the
// message is stored for all of them at the first, and they share its fate.
// (RFC 2033 4.2)
func (s *session) commit(c *loop.Conn) proto.Answer {
	s.inBody = false
	if s.t.writer != nil {
		s.t.verdict = s.store(c)
	}
	return s.t.verdict
}

// store commits the message to the spool. Nothing but a nil error makes a 250.
func (s *session) store(c *loop.Conn) proto.Answer {
	t := s.t
	t.envelope.Account, t.envelope.Client = t.keepString(s.account()), t.keepOrigin(s.origin(c))
	t.dedupe()
	c.Blocking()
	err := t.writer.Commit(&t.envelope)
	t.writer.Release()
	t.writer = nil
	if err != nil {
		s.logNotStored(c, err)
		return notStored(err)
	}
	s.logAccepted(c)
	r := queuedAs
	r.Detail = t.id.Append(t.idText[:0])
	return proto.Answer{Verdict: proto.Accept, Reply: r}
}

// notStored says why a message cannot be taken. None of the reasons ends the
// session: in LMTP every recipient gets the answer.
func notStored(err error) proto.Answer {
	switch {
	case errors.Is(err, spool.ErrFull):
		return refuse(noSpace)
	case errors.Is(err, spool.ErrClosed):
		return refuse(noService)
	case errors.Is(err, spool.ErrEnvelope):
		return refuse(badEnvelope)
	}
	return refuse(noStorage)
}

// keepOrigin notes where a message came from, for the operator.
func (t *transaction) keepOrigin(o origin) []byte {
	start := len(t.names)
	switch {
	case o.addr.IsValid():
		t.names = o.addr.AppendTo(t.names)
	case o.local:
		t.names = strconv.AppendUint(append(t.names, "uid "...), uint64(o.uid), 10)
	}
	return t.names[start:len(t.names):len(t.names)]
}
