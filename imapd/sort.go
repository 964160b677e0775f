package imapd

import (
	"bytes"
	"encoding/binary"
	"slices"

	"barid/internal/imap"
	"barid/internal/loop"
	"barid/internal/mime"
	"barid/maildir"
)

// sorting is a SORT under way (RFC 5256 section 3): what is found gets a key,
// whose octets are in the order that was asked for.
type sorting struct {
	*finder
	result
	by    []imap.SortKey
	keys  []byte // of all messages
	order []sorted
}

// sorted is a message that was found.
type sorted struct {
	seq, uid   uint32
	start, end int // of its key
	modseq     int64
}

// sort is SORT and UID SORT.
func (s *session) sort(*loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	j := &sorting{finder: s.newFinder(&cmd.Search), result: newResult(cmd), by: cmd.Sort}
	if slices.ContainsFunc(j.by, needsSortText) {
		j.summarize(s.box)
	}
	return imap.Reply{}, j
}

// needsSortText reports whether a key is made of what stands in the message.
func needsSortText(k imap.SortKey) bool { return k.By != imap.SortArrival && k.By != imap.SortSize }

func (j *sorting) drop() { j.finder.close() }

func (j *sorting) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for !j.known {
		m, rests := j.next(s, c)
		switch {
		case rests:
			return imap.Reply{}, false
		case m == nil:
			j.arrange()
		default:
			if err := j.note(s, m); err != nil {
				j.fail(s, c, err)
			}
		}
	}
	return j.end(s, c, j.failed)
}

// note notes a message with its key.
func (j *sorting) note(s *session, m *maildir.StoredMessage) error {
	start := len(j.keys)
	if slices.ContainsFunc(j.by, needsSortText) {
		if err := j.know(s); err != nil {
			return err
		}
	}
	for _, by := range j.by {
		if by.By == imap.SortSize && j.m.Virtual < 0 {
			var err error
			if j.m.Virtual, err = s.box.folder.VirtualSize(m.UID); err != nil {
				return err
			}
		}
		j.keys = j.appendKey(j.keys, by)
	}
	// "The messages that are equal are sorted by their numbers."
	j.keys = binary.BigEndian.AppendUint32(j.keys, m.Seq)
	j.order = append(j.order, sorted{m.Seq, m.UID, start, len(j.keys), m.ModSeq})
	return nil
}

// appendKey appends what a message is sorted by, so that keys are in the order
// of their octets. A text ends with NUL, which is less than anything in it; in
// the reverse order all bits are.
func (j *sorting) appendKey(dst []byte, by imap.SortKey) []byte {
	start := len(dst)
	switch by.By {
	case imap.SortArrival:
		dst = appendOrdered(dst, j.m.Date)
	case imap.SortDate:
		dst = appendOrdered(dst, sentDate(&j.summary, &j.m))
	case imap.SortSize:
		dst = appendOrdered(dst, j.m.Virtual)
	case imap.SortSubject:
		j.room, _ = baseSubject(j.room[:0], &j.summary)
		dst = j.appendText(dst, j.room)
	default:
		dst = j.appendText(dst, j.summary.field[sortFields[by.By]])
	}
	if by.Reverse {
		for i := range dst[start:] {
			dst[start+i] ^= 0xFF
		}
	}
	return dst
}

// sortFields are the fields of a summary that are compared (RFC 5957 section 3
// has the last two).
var sortFields = [...]int{
	imap.SortCc: sumCcMailbox, imap.SortFrom: sumFromMailbox, imap.SortTo: sumToMailbox,
	imap.SortDisplayFrom: sumFromDisplay, imap.SortDisplayTo: sumToDisplay,
}

// sentDate is when a message was sent, or when it came if it does not say so
// (RFC 5256 section 2.2).
func sentDate(y *summary, m *maildir.StoredMessage) int64 {
	if y.dated {
		return y.sent
	}
	return m.Date
}

// baseSubject appends the base subject of a message (RFC 5256 section 2.1).
func baseSubject(dst []byte, y *summary) (base []byte, reply bool) {
	subject, _, _ := bytes.Cut(y.field[sumSubject], []byte{'\n'})
	return mime.AppendBaseSubject(dst, subject)
}

// appendOrdered appends a number so that numbers are in the order of their
// octets.
func appendOrdered(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

// appendText appends a text, folded.
func (j *sorting) appendText(dst, text []byte) []byte {
	start := len(dst)
	dst = j.searcher.Append(dst, text)
	for i := start; i < len(dst); i++ {
		if dst[i] == 0 {
			dst[i] = 1
		}
	}
	return append(dst, 0)
}

// arrange puts what was found in order.
func (j *sorting) arrange() {
	slices.SortFunc(j.order, func(a, b sorted) int {
		return bytes.Compare(j.keys[a.start:a.end], j.keys[b.start:b.end])
	})
	for i := range j.order {
		m := &j.order[i]
		j.add(m.seq, m.uid, m.modseq)
	}
	j.known = true
}
