package imapd

import (
	"bytes"
	"encoding/binary"
	"math"
	"sync"

	"barid/internal/loop"
	"barid/internal/message"
	"barid/internal/mime"
	"barid/maildir"
)

// summary is what is kept of a message in the folder's cache, so that neither
// FETCH nor SEARCH, SORT and THREAD have to read it again: what clients are
// told of it, and what they look for.
type summary struct {
	field [sumFields][]byte
	sent  int64 // seconds since 1970; only when dated
	zone  int16 // minutes east of Greenwich
	dated bool
	parts outline
}

// The fields of a summary.
const (
	sumEnvelope  = iota // as it is sent
	sumStructure        // BODYSTRUCTURE as it is sent; with sumOutline and sumPreview only where all was read
	sumOutline          // see outline
	sumPreview
	sumSubject // texts are in UTF-8, on one line
	sumFrom
	sumTo
	sumCc
	sumBcc
	sumFromMailbox // see mime.Text.AppendMailbox
	sumToMailbox
	sumCcMailbox
	sumFromDisplay // see mime.Text.AppendDisplay
	sumToDisplay
	sumMessageID  // message identifiers, see message.NextMessageID, each with LF behind it
	sumReferences // likewise
	sumFields
)

// need says how much of a summary is needed.
type need uint8

const (
	needsNothing need = iota
	needsHeader       // what follows from the header section
	needsAll
)

// summaryMark begins a summary; another form gets another mark, and old ones
// are made anew.
const summaryMark = 0xB1

// append appends the form in which the summary is kept.
//
//	summary = mark sent zone 1*(length octets)     ; numbers are varints
func (y *summary) append(dst []byte) []byte {
	dst = append(dst, summaryMark)
	sent := y.sent
	if !y.dated {
		sent = undated
	}
	dst = binary.AppendVarint(dst, sent)
	dst = binary.AppendVarint(dst, int64(y.zone))
	for _, f := range &y.field {
		dst = binary.AppendUvarint(dst, uint64(len(f)))
		dst = append(dst, f...)
	}
	return dst
}

const undated = -1 << 63

// parse reads what append has made; its slices point into blob.
func (y *summary) parse(blob []byte) bool {
	if len(blob) == 0 || blob[0] != summaryMark {
		return false
	}
	blob = blob[1:]
	sent, n := binary.Varint(blob)
	zone, k := binary.Varint(blob[max(n, 0):])
	if n <= 0 || k <= 0 {
		return false
	}
	blob = blob[n+k:]
	y.sent, y.zone, y.dated, y.parts = sent, int16(zone), sent != undated, y.parts[:0]
	for i := range y.field {
		length, n := binary.Uvarint(blob)
		if n <= 0 || length > uint64(len(blob)-n) {
			return false
		}
		y.field[i] = blob[n:][:length]
		blob = blob[n+int(length):]
	}
	return true
}

// has reports whether that much is in it.
func (y *summary) has(need need) bool {
	return need < needsAll || len(y.field[sumStructure]) > 0
}

// outline returns where the parts are.
func (y *summary) outline() outline {
	if len(y.parts) == 0 {
		y.parts = parseOutline(y.parts, y.field[sumOutline])
	}
	return y.parts
}

// summaries reads the summaries of messages from the folder's cache, and keeps
// those that were made.
type summaries struct {
	cache   *maildir.CacheReader // nil: nothing is read
	parts   message.Structure
	encoder mime.Encoder // what is quoted for all clients
	words   mime.Text
	text    []byte // what was made
	made    []maildir.CacheItem
	room    []byte
}

const (
	// readAhead is how much of the cache is read at a time, at most.
	readAhead = 64 << 10
	// summarySize is about what a summary takes.
	summarySize = 2 << 10
	// madeMax is how much is made before it is kept.
	madeMax = 256 << 10
)

// begin begins to read; about so many messages will be asked for.
func (z *summaries) begin(f *maildir.Folder, messages int) {
	z.cache = f.NewCacheReader(make([]byte, min(max(messages, 1)*summarySize, readAhead)))
}

func (z *summaries) close() {
	if z.cache != nil {
		z.cache.Close()
		z.cache = nil
	}
}

// find finds the summary of a message; it is valid until the next call.
func (z *summaries) find(y *summary, m *maildir.StoredMessage, need need) bool {
	return y.parse(z.cache.Get(m)) && y.has(need)
}

// make makes the summary of a message; it is valid until the next call. All of
// it is made when that costs nothing.
func (z *summaries) make(y *summary, uid uint32, l *opened, need need, large *sync.Mutex) error {
	header, err := l.header()
	if err != nil {
		return err
	}
	*y = summary{parts: y.parts[:0]}
	start := len(z.text)
	z.room = z.room[:0]
	z.describe(y, header)
	if need == needsAll || len(l.text) == l.size {
		err = l.whole(large, func(text []byte) { z.dissect(y, text) })
	}
	if err != nil {
		return err
	}
	z.text = y.append(z.text)
	blob := z.text[start:len(z.text):len(z.text)]
	z.made = append(z.made, maildir.CacheItem{UID: uid, Blob: blob})
	y.parse(blob)
	return nil
}

// full reports whether so much was made that it is to be kept.
func (z *summaries) full() bool { return len(z.text) >= madeMax }

// flush keeps what was made.
func (z *summaries) flush(f *maildir.Folder) error {
	if len(z.made) == 0 {
		return nil
	}
	err := f.CachePut(z.made)
	z.made, z.text = z.made[:0], z.text[:0]
	return err
}

// keep keeps the summaries that were made.
func (s *session) keep(c *loop.Conn, z *summaries) {
	if err := z.flush(s.box.folder); err != nil {
		s.server.Log.Warn("imap: cannot keep what was made of messages", c.LogAttr(), "account", s.visitor.account, "error", err)
	}
}

// take returns what was appended to room.
func (z *summaries) take(room []byte) []byte {
	text := room[len(z.room):len(room):len(room)]
	z.room = room
	return text
}

// describe notes what follows from the header section.
func (z *summaries) describe(y *summary, header []byte) {
	y.field[sumEnvelope] = z.take(z.encoder.AppendEnvelope(z.room, header))
	for i := range summaryTexts {
		z.describeText(y, header, &summaryTexts[i])
	}
	var date, id, references, reply []byte
	for f := range message.Fields(header) {
		switch {
		case date == nil && f.Is("Date"):
			date = f.Value()
		case id == nil && f.Is("Message-ID"):
			id = f.Value()
		case references == nil && f.Is("References"):
			references = f.Value()
		case reply == nil && f.Is("In-Reply-To"):
			reply = f.Value()
		}
	}
	y.sent, y.zone, y.dated = message.ParseDate(date)
	y.field[sumMessageID] = z.take(appendIDs(z.room, id, 1))
	// The first of In-Reply-To counts where there are no References (RFC 5256
	// section 3, REFERENCES step 1).
	y.field[sumReferences] = z.take(appendLastIDs(z.room, references, referencesMax))
	if len(y.field[sumReferences]) == 0 {
		y.field[sumReferences] = z.take(appendIDs(z.room, reply, 1))
	}
}

// summaryText is a header field whose texts are kept, one line of each.
type summaryText struct {
	name             string
	field            int
	mailbox, display int // the fields for what SORT compares; 0: none
}

var summaryTexts = [...]summaryText{
	{"Subject", sumSubject, 0, 0},
	{"From", sumFrom, sumFromMailbox, sumFromDisplay},
	{"To", sumTo, sumToMailbox, sumToDisplay},
	{"Cc", sumCc, sumCcMailbox, 0},
	{"Bcc", sumBcc, 0, 0},
}

// describeText notes the texts of the fields of a kind, and the first address
// of the first of them.
func (z *summaries) describeText(y *summary, header []byte, about *summaryText) {
	var first []byte
	text := z.room
	for f := range message.Fields(header) {
		if f.Is(about.name) {
			if len(text) == len(z.room) {
				first = f.Value()
			}
			text = append(z.words.AppendHeader(text, f.Value()), '\n')
		}
	}
	y.field[about.field] = z.take(text)
	if about.mailbox > 0 {
		y.field[about.mailbox] = z.take(z.words.AppendMailbox(z.room, first))
	}
	if about.display > 0 {
		y.field[about.display] = z.take(z.words.AppendDisplay(z.room, first))
	}
}

// referencesMax is how many message identifiers are kept of a References
// field, the last ones.
const referencesMax = 100

// appendIDs appends the first message identifiers of a list, each with LF
// behind it.
func appendIDs(dst, list []byte, most int) []byte {
	for found := true; most > 0; most-- {
		if dst, list, found = message.NextMessageID(dst, list); !found {
			break
		}
		dst = append(dst, '\n')
	}
	return dst
}

// appendLastIDs appends the last ones.
func appendLastIDs(dst, list []byte, most int) []byte {
	start := len(dst)
	dst = appendIDs(dst, list, math.MaxInt)
	ids := dst[start:]
	for n := bytes.Count(ids, newline); n > most; n-- {
		ids = ids[bytes.IndexByte(ids, '\n')+1:]
	}
	return dst[:start+copy(dst[start:], ids)]
}

var newline = []byte{'\n'}

// dissect notes what follows from all of the message.
func (z *summaries) dissect(y *summary, text []byte) {
	z.parts.Parse(text)
	y.field[sumStructure] = z.take(z.encoder.AppendBodyStructure(z.room, &z.parts, true))
	y.parts = appendOutline(y.parts[:0], &z.parts)
	y.field[sumOutline] = z.take(y.parts.append(z.room))
	y.field[sumPreview] = z.take(z.words.AppendPreview(z.room, &z.parts))
}
