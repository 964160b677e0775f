package imapd

import (
	"barid/internal/imap"
	"barid/internal/loop"
)

// searching is a SEARCH under way (RFC 9051 6.4.4): messages are asked until
// there are no more, then the result is told.
type searching struct {
	*finder
	result
}

// search is SEARCH and UID SEARCH.
func (s *session) search(*loop.Conn) (imap.Reply, job) {
	return imap.Reply{}, &searching{finder: s.newFinder(&s.work.command.Search), result: newResult(&s.work.command)}
}

// drop gives back what is held.
func (j *searching) drop() { j.finder.close() }

func (j *searching) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for !j.known {
		m, rests := j.next(s, c)
		switch {
		case rests:
			return imap.Reply{}, false
		case m != nil:
			j.add(m.Seq, m.UID, m.ModSeq)
		default:
			j.known = true
		}
	}
	return j.end(s, c, j.failed)
}
