package imapd

import (
	"strconv"

	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// work is what a session needs while it does something: the memory of the
// engine's command and what a command under way holds. Idle sessions have
// none.
type work struct {
	command proto.Command
	stage   stage
	row     *row       // of the command under way
	job     job        // what is left of it; nil: nothing
	rests   bool       // others have a turn before the job goes on
	reply   imap.Reply // once it is known
	args    []byte     // of reply

	changes []maildir.Change // to be told
	told    int              // of changes

	// Memory for whoever runs; it is empty when a command begins.
	uids []uint32
	page []maildir.StoredMessage
	text []byte
}

// stage is how far the command under way has come.
type stage uint8

const (
	stageBegin stage = iota // it is to be executed
	stageJob                // its job goes on
	stageTell               // it is done, and changes are told
)

// A job is a command that is not done in one go. It goes on when the client
// has read what was queued.
type job interface {
	// goOn goes on until the job is done or queuedMax is queued for the
	// client, whichever comes first; Conn.Blocking has been called. Between two
	// calls everything may be overwritten that was got from c.Out.
	goOn(s *session, c *loop.Conn) (r imap.Reply, done bool)
	// drop gives back what the job holds. It is called once, when the job is
	// done or its connection has gone.
	drop()
}

// pageMax is how many messages are looked at in one piece.
const pageMax = 256

// takeUp lends the session what it needs in every Step.
func (s *session) takeUp() {
	if s.work == nil {
		s.work = s.server.works.Get().(*work)
	}
	s.engine.Lend(&s.work.command)
}

// layDown gives it back when nothing is under way.
func (s *session) layDown() {
	if !s.work.owes() && s.engine.Reclaim() != nil {
		s.work.trim()
		s.server.works.Put(s.work)
		s.work = nil
	}
}

// trim lets go of memory that was needed only once.
func (w *work) trim() {
	if cap(w.changes) > 4<<10 {
		w.changes = nil
	}
	if cap(w.uids) > 16<<10 {
		w.uids = nil
	}
	if cap(w.text) > 64<<10 {
		w.text = nil
	}
	if cap(w.args) > 4<<10 {
		w.args = nil
	}
}

// forget ends what is under way.
func (w *work) forget() {
	if w.job != nil {
		w.job.drop()
		w.job = nil
	}
	w.stage, w.reply, w.row = stageBegin, imap.Reply{}, nil
	w.uids, w.page, w.text, w.args = w.uids[:0], w.page[:0], w.text[:0], w.args[:0]
}

// messages gives room for a page of messages.
func (w *work) messages() []maildir.StoredMessage {
	if w.page == nil {
		w.page = make([]maildir.StoredMessage, 0, pageMax)
	}
	return w.page[:0]
}

// run brings the command under way one step further. The engine asks again
// until it is done.
func (s *session) run(c *loop.Conn) {
	c.Blocking() // hardly a command does not touch the disk
	w := s.work
	switch w.stage {
	case stageBegin:
		s.begin(c)
	case stageJob:
		w.rests = false
		r, done := w.job.goOn(s, c)
		if done {
			w.job.drop()
			w.job = nil
			s.finish(c, r)
		}
	}
	if w.stage == stageTell && s.tell(c) {
		s.done(c, s.stamped(w.reply))
		w.forget()
		s.leaveIfGone(c)
	}
}

// begin executes a command.
func (s *session) begin(c *loop.Conn) {
	w := s.work
	w.row = &rows[w.command.Verb]
	s.announce(c)
	if w.row.run == nil {
		panic("imapd: a command that is not offered")
	}
	r, j := w.row.run(s, c)
	if j != nil {
		w.stage, w.job = stageJob, j
		return
	}
	s.finish(c, r)
}

// finish notes how a command ended and collects what its client has to be told
// before the reply.
func (s *session) finish(c *loop.Conn, r imap.Reply) {
	w := s.work
	w.stage, w.reply = stageTell, r
	s.collect(c, w.row.numbers && !w.command.UID)
}

// stamped is a reply with the highest mod-sequence, where that belongs into it.
func (s *session) stamped(r imap.Reply) imap.Reply {
	w := s.work
	if w.row.stamps && r.Status == imap.OK && r.Code == "" && s.box != nil && s.engine.Enabled().Has(imap.EnabledCondStore) {
		w.args = strconv.AppendInt(w.args[:0], s.box.view.HighestModSeq(), 10)
		r.Code, r.Args = imap.CodeHighestModSeq, w.args
	}
	return r
}

// announce tells what a command has switched on (RFC 7162 3.1.2).
func (s *session) announce(c *loop.Conn) {
	cmd := &s.work.command
	if s.box == nil || !cmd.Enables.Has(imap.EnabledCondStore) || cmd.Verb == proto.Select || cmd.Verb == proto.Examine {
		return
	}
	c.SetOut(imap.AppendNumberCode(c.Out(), imap.CodeHighestModSeq, uint64(s.box.view.HighestModSeq()), "highest"))
}

func refuse(code imap.Code, text string) imap.Reply {
	return imap.Reply{Status: imap.NO, Code: code, Text: text}
}

func bad(text string) imap.Reply { return imap.Reply{Status: imap.BAD, Text: text} }
