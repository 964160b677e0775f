package smtpd

import (
	"errors"
	"strconv"

	"barid/internal/loop"
	"barid/internal/smtp"
	"barid/smtpd/proto"
	"barid/spool"
)

var (
	noSpace     = smtp.Reply{Code: 452, Status: smtp.Status{4, 3, 1}, Text: "No space left for mail, try again later"}
	noStorage   = smtp.Reply{Code: 451, Status: smtp.Status{4, 3, 0}, Text: "The message could not be stored, try again later"}
	badEnvelope = smtp.Reply{Code: 554, Status: smtp.Status{5, 3, 0}, Text: "The envelope cannot be stored"}
	queuedAs    = smtp.Reply{Code: 250, Status: smtp.Status{2, 0, 0}, Text: "Ok: queued as "}
)

// data answers AskData: the spool gives a writer and an id, and the trace of
// this hop is written before the body.
func (s *session) data(c *loop.Conn) proto.Answer {
	w := s.server.Spool.Writer()
	id, err := w.Begin()
	if err != nil {
		w.Release()
		return s.notStored(c, err)
	}
	s.t.writer, s.t.id = w, id
	field := appendReceived(w.AvailableBuffer(receivedMax), s.trace(c))
	if _, err := w.Write(field); err != nil {
		s.t.abort()
		return s.notStored(c, err)
	}
	c.SetPatience(patienceBody)
	return accept
}

// receivedMax is room for the longest Received field: a HELO name and an
// address of the length that the engine allows, and constants.
const receivedMax = 1024

// trace gathers the facts for the Received field.
func (s *session) trace(c *loop.Conn) *trace {
	t := trace{
		helo:     s.helo(),
		client:   c.RemoteAddr().Addr(),
		secure:   c.TLS(),
		hostname: s.server.Engine.Hostname,
		protocol: s.engine.Protocol(),
		id:       s.t.id,
		now:      s.server.Now(),
	}
	if !t.client.IsValid() {
		if peer, ok := c.Peer(); ok {
			t.uid = peer.UID
		}
	}
	if recipients := s.engine.Transaction().Recipients; len(recipients) == 1 {
		t.recipient = recipients[0].Address
	}
	return &t
}

// longBody is the size of a message from which on the spool may write to a
// file while it arrives.
const longBody = 64 << 10

// takeBody lets the engine decode what is there straight into the spool's
// buffer. An error of the spool shows again at Commit, so that the client
// hears of it when it listens.
func (s *session) takeBody(c *loop.Conn, in []byte) int {
	w := s.t.writer
	n, out := s.engine.TakeBody(in, w.AvailableBuffer(len(in)))
	taken := s.engine.Body().Octets
	if taken > longBody {
		c.Blocking()
	}
	_, _ = w.Write(out)
	if taken-s.t.stride >= bodyStride {
		s.t.stride = taken
		c.SetPatience(patienceBody)
	}
	return n
}

// commit answers Commit. In LMTP the engine asks once for each recipient; the
// message is stored for all of them at the first, and they share its fate.
func (s *session) commit(c *loop.Conn) proto.Answer {
	if s.t.writer != nil {
		s.t.verdict = s.store(c)
	}
	return s.t.verdict
}

// store commits the message to the spool. Nothing but a nil error makes a 250.
func (s *session) store(c *loop.Conn) proto.Answer {
	e := &s.t.envelope
	e.Account, e.Client = s.t.keep([]byte(s.account())), s.t.keepClient(c)
	s.t.dedupe()
	c.Blocking()
	err := s.t.writer.Commit(e)
	if err != nil {
		s.t.abort()
		return s.notStored(c, err)
	}
	s.logAccepted(c)
	s.t.writer.Release()
	s.t.writer = nil
	r := queuedAs
	r.Detail = s.t.id.Append(s.t.idText[:0])
	return proto.Answer{Verdict: proto.Accept, Reply: r}
}

// notStored says why a message cannot be taken. (RFC 3463 3.4)
func (s *session) notStored(c *loop.Conn, err error) proto.Answer {
	s.logNotStored(c, err)
	switch {
	case errors.Is(err, spool.ErrFull):
		return refuse(noSpace)
	case errors.Is(err, spool.ErrEnvelope):
		return refuse(badEnvelope)
	}
	return refuse(noStorage)
}

// keepClient notes where a message came from, for the operator.
func (t *transaction) keepClient(c *loop.Conn) []byte {
	start := len(t.names)
	if a := c.RemoteAddr().Addr(); a.IsValid() {
		t.names = a.AppendTo(t.names)
	} else if peer, ok := c.Peer(); ok {
		t.names = strconv.AppendUint(append(t.names, "uid "...), uint64(peer.UID), 10)
	}
	return t.names[start:len(t.names):len(t.names)]
}
