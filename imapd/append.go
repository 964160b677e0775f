package imapd

import (
	"bytes"
	"errors"
	"time"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// appending is an APPEND under way, from the announcement of its first message
// to its end. The messages are in no folder until then.
type appending struct {
	folder   *maildir.Folder
	messages []maildir.NewMessage
	octets   int64  // announced so far, of all messages
	replaced uint32 // the UID of the message that REPLACE removes; 0: none
	failed   error  // of a writer
	recent   int    // octets taken since the client's patience began
}

// askAppend answers AskAppend: may this text come?
func (s *session) askAppend(c *loop.Conn) {
	c.Blocking()
	cmd := s.engine.Command()
	refusal, ok := imap.Reply{}, true
	if s.appending == nil {
		refusal, ok = s.beginAppending(c, cmd)
	}
	if ok {
		refusal, ok = s.addMessage(c, cmd)
	}
	if !ok {
		s.dropAppending()
		s.done(c, refusal)
		return
	}
	c.SetOut(s.engine.Accept(c.Out()))
}

// beginAppending opens the mailbox that the messages go into, and finds the
// message that REPLACE puts another one in place of.
func (s *session) beginAppending(c *loop.Conn, cmd *proto.Command) (refusal imap.Reply, ok bool) {
	replaced := uint32(0)
	if cmd.Verb == proto.Replace {
		if s.box.view.ReadOnly() {
			return refuseReadOnly(), false
		}
		uids, refusal, ok := s.chosen()
		if !ok {
			return refusal, false
		}
		if len(uids) == 0 {
			return refuse(imap.CodeNonExistent, "there is no message with this UID"), false
		}
		replaced = uids[0]
	}
	folder, refusal := s.open(c, cmd.Mailbox)
	if folder == nil {
		if refusal.Code == imap.CodeNonExistent { // RFC 9051 6.3.12
			refusal.Code = imap.CodeTryCreate
		}
		return refusal, false
	}
	s.appending = &appending{folder: folder, replaced: replaced}
	return imap.Reply{}, true
}

// addMessage begins the message of a piece.
func (s *session) addMessage(c *loop.Conn, cmd *proto.Command) (refusal imap.Reply, ok bool) {
	a := s.appending
	a.octets += cmd.Piece.Size
	if err := s.visitor.mailbox.Fits(a.octets); err != nil {
		return s.refuseStoring(c, err), false
	}
	if !cmd.Piece.First {
		return imap.Reply{}, true
	}
	writer, err := a.folder.NewWriter()
	if err != nil {
		return s.refuseStoring(c, err), false
	}
	m := maildir.NewMessage{Writer: writer, Flags: storedFlags(cmd.Message.Flags.System), Date: s.server.Now()}
	if cmd.Message.Date.Given {
		m.Date = time.Unix(cmd.Message.Date.Unix, 0)
	}
	for _, k := range cmd.Message.Flags.Keywords {
		m.Keywords = append(m.Keywords, string(k))
	}
	a.messages = append(a.messages, m)
	return imap.Reply{}, true
}

// refuseStoring is the reply when a message cannot be stored.
func (s *session) refuseStoring(c *loop.Conn, err error) imap.Reply {
	switch {
	case errors.Is(err, errBinary): // RFC 3516 section 4.3
		return refuse(imap.CodeUnknownCTE, "binary content cannot be stored without an encoding")
	case errors.Is(err, maildir.ErrOverQuota):
		return refuse(imap.CodeOverQuota, "the mailbox is full")
	case errors.Is(err, maildir.ErrFolderGone), errors.Is(err, maildir.ErrNoFolder):
		return refuse(imap.CodeTryCreate, "there is no such mailbox any more")
	}
	return s.trouble(c, "store a message", err)
}

// patienceOctets is how much of a message has to come for a client to be
// given its time anew.
const patienceOctets = 64 << 10

// takeBody takes what has come of the text of a message.
func (s *session) takeBody(c *loop.Conn, in []byte) (n int, wait loop.Wait, waits bool) {
	if len(in) == 0 {
		return 0, loop.WaitInput, true
	}
	c.Blocking()
	a := s.appending
	buf := s.server.buffers.Get().(*[readSize]byte)
	defer s.server.buffers.Put(buf)
	n, text := s.engine.TakeBody(in[:min(len(in), readSize)], buf[:0])
	if a.recent += n; a.recent >= patienceOctets {
		a.recent = 0
		c.SetPatience(patienceCommand)
	}
	_, err := a.messages[len(a.messages)-1].Writer.Write(text)
	if err == nil && bytes.IndexByte(text, 0) >= 0 {
		err = errBinary
	}
	if a.failed == nil {
		a.failed = err // it is told when the command is over
	}
	return n, 0, false
}

// errBinary: a message is stored in lines, and NUL has no place in them.
var errBinary = errors.New("NUL in a message")

// append is the end of APPEND: all messages get into the folder, or none (RFC
// 9051 6.3.12, RFC 3502). It is the end of REPLACE, too: the message that is
// replaced is removed once the new one is durable (RFC 8508 section 3.4).
func (s *session) append(c *loop.Conn) (imap.Reply, job) {
	a := s.appending
	defer s.dropAppending()
	if a.failed != nil {
		return s.refuseStoring(c, a.failed), nil
	}
	uids, err := a.folder.Append(a.messages)
	if err != nil {
		return s.refuseStoring(c, err), nil
	}
	w := s.work
	var set imap.SeqSet
	for _, uid := range uids {
		set.Add(uid)
	}
	w.args = imap.AppendAppendUID(w.args[:0], a.folder.UIDValidity(), set)
	r := imap.Reply{Code: imap.CodeAppendUID, Args: w.args, Text: "stored"}
	if a.replaced == 0 {
		return r, nil
	}
	c.SetOut(r.Append(c.Out(), nil))
	if _, err := s.box.folder.Expunge([]uint32{a.replaced}, maildir.ExpungeOptions{Any: true}); err != nil {
		return s.trouble(c, "remove a message that was replaced", err), nil
	}
	return imap.Reply{}, nil
}

// dropAppending gives up what was not stored.
func (s *session) dropAppending() {
	if s.appending == nil {
		return
	}
	for _, m := range s.appending.messages {
		m.Writer.Discard()
	}
	s.appending.folder.Close()
	s.appending = nil
}
