package imapd

import (
	"strings"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/maildir"
)

// threading is a THREAD under way (RFC 5256 section 3): what is found is put
// into trees when all of it is known.
type threading struct {
	*finder
	how   imap.ThreadAlgorithm
	uid   bool
	found []threaded
	text  []byte // the response, once it is known
	told  int
}

// thread is THREAD and UID THREAD.
func (s *session) thread(*loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	j := &threading{finder: s.newFinder(&cmd.Search), how: cmd.Thread, uid: cmd.UID}
	j.summarize(s.box)
	return imap.Reply{}, j
}

func (j *threading) drop() { j.finder.close() }

func (j *threading) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for j.text == nil {
		m, rests := j.next(s, c)
		if rests {
			return imap.Reply{}, false
		}
		if m != nil {
			j.note(s, c, m)
			continue
		}
		if j.failed != nil {
			return refuse(imap.CodeUnavailable, "some of the messages cannot be read"), true
		}
		j.arrange()
	}
	for j.told < len(j.text) {
		if unread(c) {
			return imap.Reply{}, false
		}
		piece := j.text[j.told:min(j.told+readSize, len(j.text))]
		c.SetOut(append(c.Out(), piece...))
		j.told += len(piece)
	}
	return imap.Reply{}, true
}

// note notes a message that was found.
func (j *threading) note(s *session, c *loop.Conn, m *maildir.StoredMessage) {
	if err := j.know(s); err != nil {
		j.fail(s, c, err)
		return
	}
	t := threaded{number: m.Seq, sent: sentDate(&j.summary, m)}
	if j.uid {
		t.number = m.UID
	}
	j.room, t.reply = baseSubject(j.room[:0], &j.summary)
	t.subject = string(j.searcher.Append(nil, j.room))
	if j.how == imap.ThreadReferences {
		t.id = strings.TrimSuffix(string(j.summary.field[sumMessageID]), "\n")
		if list := string(j.summary.field[sumReferences]); list != "" {
			t.references = strings.Split(strings.TrimSuffix(list, "\n"), "\n")
		}
	}
	j.found = append(j.found, t)
}

// arrange makes the response.
func (j *threading) arrange() {
	make := bySubject
	if j.how == imap.ThreadReferences {
		make = byReferences
	}
	nodes := make(j.found)
	j.text = imap.AppendThreads(nil, nodes, nodes[0].Child)
}
