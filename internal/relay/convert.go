package relay

import (
	"bytes"
	"errors"

	"barid/internal/message"
	"barid/internal/relay/proto"
)

// convertMax is how large a message may be to be converted, in bytes: it has
// to be in memory for that.
const convertMax = 64 << 20

// contentFor is the message in a form that the server can take. What cannot be
// converted stays as it is, and the engine says what is wrong with it.
func (w *work) contentFor(c *conn) (*content, error) {
	m := &w.content
	binary := m.kind == proto.BodyBinary && !c.client.Offers(proto.Binary|proto.Chunking)
	eightBit := m.kind != proto.Body7Bit && !c.client.Offers(proto.EightBit)
	if m.kind == proto.BodyBinary && !binary {
		eightBit = false
	}
	if !binary && !eightBit || m.size > convertMax {
		return m, nil
	}
	whole, err := w.wholeOf(m)
	if err != nil {
		return nil, err
	}
	kind := m.kind
	if binary {
		whole, kind = message.AppendText(nil, whole), proto.Body8Bit
	}
	if eightBit {
		if whole, err = message.AppendDowngraded(nil, whole); err != nil {
			return m, nil
		}
		kind = proto.Body7Bit
	}
	w.converted = newContent(whole, kind)
	return &w.converted, nil
}

// needsUTF8 says whether a message that came with SMTPUTF8 needs a server that
// knows it, whatever its addresses: only for its header fields, and those of its
// parts. Many clients say SMTPUTF8 with each message where it is offered, and
// most of these need it not (RFC 6531 3.4 asks for it only with messages that
// are internationalized).
func (w *work) needsUTF8(c *conn, m *content) bool {
	if !w.job.Envelope.SMTPUTF8 {
		return false
	}
	if c.client.Offers(proto.UTF8) || m.size > convertMax {
		return true
	}
	whole, err := w.wholeOf(m)
	if err != nil {
		return true
	}
	_, err = message.AppendDowngraded(nil, whole)
	return errors.Is(err, message.ErrHeader8Bit)
}

// wholeOf is the message in memory.
func (w *work) wholeOf(m *content) ([]byte, error) {
	if m.whole != nil {
		return m.whole, nil
	}
	return w.job.ReadAll(nil)
}

// newContent is a message that is in memory.
func newContent(whole []byte, kind proto.Body) content {
	return content{whole: whole, size: int64(len(whole)), lines: int64(bytes.Count(whole, []byte{'\n'})), kind: kind}
}
