package relay

import (
	"errors"
	"io"

	"barid/internal/relay/proto"
	"barid/internal/smtp"
	"barid/spool"
)

const (
	// pieceMax is how much of a message is read and written at once, in bytes.
	pieceMax = 64 << 10
	// wholeMax is how large a message may be to be held in memory, in bytes.
	wholeMax = 64 << 10
)

// A content is the message as it goes to one server: in memory, or, when it
// is large, read from the spool piece by piece.
type content struct {
	whole []byte // the message; nil: it is read from the job
	size  int64
	lines int64 // line ends, so that size+lines is what SIZE counts (RFC 1870 5)
	kind  proto.Body
}

// load reads the message, or makes sure that it can be read and is what was
// received: what is sent can only be taken back by closing the connection.
func (w *work) load() error {
	w.content = content{size: w.job.Size, kind: proto.Body(w.job.Envelope.Body)}
	var err error
	if w.job.Size > wholeMax {
		w.grow()
		w.content.lines, err = w.job.Verify(w.body[:pieceMax])
		return err
	}
	if w.body, err = w.job.ReadAll(w.body[:0]); err != nil {
		return err
	}
	w.content = newContent(w.body, w.content.kind)
	return nil
}

// piece is the next piece of the content.
func (w *work) piece(c *content, at int64) ([]byte, error) {
	n := min(pieceMax, c.size-at)
	if c.whole != nil || c.size == 0 {
		return c.whole[at : at+n], nil
	}
	w.grow()
	p := w.body[:n]
	if read, err := w.job.ReadAt(p, at); int64(read) < n {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return p, nil
}

// grow makes room for a piece.
func (w *work) grow() {
	if cap(w.body) < pieceMax {
		w.body = make([]byte, pieceMax)
	}
}

// sendBody sends the message, after the engine has asked for it, until all is
// answered. The end goes out with the last piece.
func (w *work) sendBody(c *conn, m *content) proto.Next {
	for at := int64(0); ; {
		if at == m.size {
			w.out = c.client.EndBody(w.out)
			return w.converse(c)
		}
		p, err := w.piece(m, at)
		if err != nil {
			c.client.Hangup(smtp.Reply{Status: smtp.Status{4, 3, 0}, Text: "the message cannot be read from the queue"})
			w.out = w.out[:0]
			return w.converse(c)
		}
		n, out := c.client.Body(p, w.out)
		w.out = out
		if at += int64(n); at == m.size && m.kind != proto.BodyBinary && c.client.Awaits() == proto.AtBody {
			continue
		}
		if next := w.flush(c); next != proto.SendBody {
			return next
		}
	}
}

// flush sends a piece, and hears whether the server wants the rest.
func (w *work) flush(c *conn) proto.Next {
	err := w.send(c)
	if c.socket.pending() {
		if e := w.receive(c); err == nil {
			err = e
		} else if e == nil {
			err = nil // it has said why it does not read
		}
	}
	if err != nil {
		return w.lost(c, err)
	}
	return w.converse(c)
}

// The values of the envelope are the engine's, and those of the protocol.
var (
	_ = [1]struct{}{}[proto.Body8Bit-proto.Body(spool.Body8Bit)]
	_ = [1]struct{}{}[proto.BodyBinary-proto.Body(spool.BodyBinary)]
	_ = [1]struct{}{}[smtp.RetHdrs-smtp.Ret(spool.RetHeaders)]
	_ = [1]struct{}{}[smtp.NotifyDelay-smtp.Notify(spool.NotifyDelay)]
)
