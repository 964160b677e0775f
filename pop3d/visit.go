package pop3d

import (
	"errors"
	"io"
	"iter"
	"log/slog"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/vfs"
	"barid/maildir"
	"barid/pop3d/proto"
)

// visit is what a session holds between the login and its end. Messages are
// numbered from 1 here, as the client does, and from 0 in maildir.
type visit struct {
	account string
	log     *slog.Logger
	drop    *maildir.Maildrop // nil after leave
	text    vfs.File          // the message that is being sent; nil: none
	octets  int64             // of all messages, as the client counts them
	uidText []byte

	seen      []uint64 // messages retrieved, message 1 is bit 0; only for MarkSeen
	retrieved int      // by RETR
	looked    int      // by TOP
	deleted   int      // at QUIT, or meant to be
	sent      int64    // octets of message text, as sent
}

// newVisit adds the sizes up. A message whose size cannot be found counts as
// empty; RETR says what is wrong with it.
func newVisit(account auth.Account, drop *maildir.Maildrop, log *slog.Logger) *visit {
	v := &visit{account: account.Name, log: log, drop: drop}
	for i := range drop.Len() {
		v.octets += v.sizeOf(i)
	}
	return v
}

func (v *visit) sizeOf(i int) int64 {
	size, err := v.drop.Size(i)
	if err != nil {
		v.logMessage("cannot find the size of a message", i, err)
		return 0
	}
	return size
}

func (v *visit) logMessage(text string, i int, err error) {
	level := slog.LevelWarn
	if errors.Is(err, maildir.ErrVanished) {
		level = slog.LevelInfo // another program has deleted it
	}
	v.log.Log(noContext, level, "pop3: "+text, "account", v.account, "message", i+1, "error", err)
}

// size answers AskSize.
func (v *visit) size(number int) proto.Answer {
	return proto.Answer{Octets: v.sizeOf(number - 1)}
}

// uid answers AskUID.
func (v *visit) uid(number int) proto.Answer {
	v.uidText = v.drop.AppendUIDL(v.uidText[:0], number-1)
	return proto.Answer{UID: v.uidText}
}

// retrieve answers AskMessage. The message is opened and its beginning read
// before anything is promised to the client.
func (s *session) retrieve(c *loop.Conn) {
	c.Blocking()
	v, number := s.visit, s.engine.Number()
	buf := s.server.buffers.Get().(*[readSize]byte)
	defer s.server.buffers.Put(buf)
	text, err := v.drop.Open(number - 1)
	n := 0
	if err == nil {
		v.text = text
		n, err = text.Read(buf[:])
	}
	if err != nil && err != io.EOF {
		v.closeText()
		v.logMessage("cannot read a message", number-1, err)
		s.answer(c, proto.Answer{Verdict: proto.RefuseTemporary})
		return
	}
	v.count(s.engine.Whole(), number, s.server.MarkSeen)
	s.answer(c, v.size(number))
	s.sendPart(c, buf[:n], err == io.EOF)
}

// count notes that the client got a message.
func (v *visit) count(whole bool, number int, mark bool) {
	if !whole {
		v.looked++
		return
	}
	v.retrieved++
	if mark {
		if v.seen == nil {
			v.seen = make([]uint64, (v.drop.Len()+63)/64)
		}
		v.seen[(number-1)/64] |= 1 << ((number - 1) % 64)
	}
}

// sendBody answers SendBody with the next part of the message. It is false
// when the message cannot be read on: then the connection has to close, so
// that the client sees that something is missing.
func (s *session) sendBody(c *loop.Conn) bool {
	c.Blocking()
	buf := s.server.buffers.Get().(*[readSize]byte)
	defer s.server.buffers.Put(buf)
	n, err := s.visit.text.Read(buf[:])
	if err != nil && err != io.EOF {
		s.visit.logMessage("cannot read the rest of a message", s.engine.Number()-1, err)
		return false
	}
	s.sendPart(c, buf[:n], err == io.EOF)
	return true
}

// sendPart queues a part of the message, and the end of the reply when it was
// the last part or TOP wants no more.
func (s *session) sendPart(c *loop.Conn, part []byte, last bool) {
	out := c.OutRoom(len(part) + len(part)/16 + 64) // most lines are longer than 16 octets
	before := len(out)
	out, more := s.engine.AppendBody(out, part)
	if last || !more {
		out = s.engine.EndBody(out)
		s.visit.closeText()
	}
	s.visit.sent += int64(len(out) - before)
	c.SetOut(out)
}

func (v *visit) closeText() {
	if v.text != nil {
		v.text.Close()
		v.text = nil
	}
}

// update is the UPDATE state (RFC 1939 section 6). The mailbox is free again
// before the client reads the answer, so that it may come back at once.
func (s *session) update() proto.Answer {
	v := s.visit
	if v.seen != nil {
		v.drop.MarkSeen(v.those(s.kept))
	}
	err := v.drop.Remove(v.those(s.doomed))
	v.deleted = s.engine.Marked()
	v.leave()
	if err != nil {
		v.log.Error("pop3: messages were not deleted", "account", v.account, "error", err)
		return proto.Answer{Verdict: proto.RefuseTemporary}
	}
	return proto.Answer{}
}

// doomed reports whether message i, from 0, is marked as deleted.
func (s *session) doomed(i int) bool { return s.engine.Deleted(i + 1) }

// kept reports whether message i, from 0, was retrieved and is not deleted.
func (s *session) kept(i int) bool {
	return s.visit.seen[i/64]&(1<<(i%64)) != 0 && !s.doomed(i)
}

// those yields the messages that chosen chooses, from 0.
func (v *visit) those(chosen func(int) bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range v.drop.Len() {
			if chosen(i) && !yield(i) {
				return
			}
		}
	}
}

// leave releases the mailbox. The counts stay for the log.
func (v *visit) leave() {
	v.closeText()
	if v.drop != nil {
		v.drop.Close()
		v.drop = nil
	}
	v.seen, v.uidText = nil, nil
}
