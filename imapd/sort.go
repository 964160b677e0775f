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
	by      []imap.SortKey
	uid     bool
	keys    []byte // of all messages
	order   []sorted
	modseqs modseqs
	done    bool // the order is there
	told    int
	begun   bool
}

// sorted is a message that was found.
type sorted struct {
	number     uint32
	start, end int // of its key
	modseq     int64
}

// sort is SORT and UID SORT.
func (s *session) sort(*loop.Conn) (imap.Reply, job) {
	cmd := &s.work.command
	j := &sorting{finder: s.newFinder(&cmd.Search), by: cmd.Sort, uid: cmd.UID}
	if slices.ContainsFunc(j.by, needsSortText) {
		j.summarize(s.box)
	}
	return imap.Reply{}, j
}

// needsSortText reports whether a key is made of what stands in the message.
func needsSortText(k imap.SortKey) bool { return k.By != imap.SortArrival && k.By != imap.SortSize }

func (j *sorting) drop() { j.finder.close() }

func (j *sorting) goOn(s *session, c *loop.Conn) (imap.Reply, bool) {
	for !j.done {
		m, rests := j.next(s, c)
		if rests {
			return imap.Reply{}, false
		}
		if m == nil {
			j.done = true
			j.arrange()
			break
		}
		if err := j.add(s, m); err != nil {
			j.fail(s, c, err)
		}
	}
	if j.failed != nil {
		return refuse(imap.CodeUnavailable, "some of the messages cannot be read"), true
	}
	return imap.Reply{}, j.tell(c)
}

// add notes a message with its key.
func (j *sorting) add(s *session, m *maildir.StoredMessage) error {
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
	number := m.Seq
	if j.uid {
		number = m.UID
	}
	j.order = append(j.order, sorted{number, start, len(j.keys), m.ModSeq})
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
		j.modseqs.add(j.order[i].modseq)
	}
}

// tell tells the result as a SORT response, as far as the client reads.
//
//	sort-data = "SORT" *(SP nz-number)              ; RFC 5256 section 5
func (j *sorting) tell(c *loop.Conn) bool {
	if !j.begun {
		j.begun = true
		c.SetOut(imap.BeginSort(c.Out()))
	}
	for ; j.told < len(j.order); j.told++ {
		if unread(c) {
			return false
		}
		c.SetOut(imap.AppendResult(c.Out(), j.order[j.told].number))
	}
	highest := int64(0)
	if j.search.UsesModSeq {
		highest = j.modseqs.highest
	}
	c.SetOut(imap.EndSearch(c.Out(), uint64(highest)))
	return true
}
