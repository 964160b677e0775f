package imapd

import (
	"errors"

	"barid/internal/imap"
	"barid/internal/message"
	"barid/maildir"
)

// errUnknownCTE: BINARY of a part whose encoding nobody here knows (RFC 3516
// section 4.3).
var errUnknownCTE = errors.New("a part has an unknown Content-Transfer-Encoding")

// prepare gets everything that is to be told of a message but texts that are
// long, so that a response which has begun can be finished.
func (j *fetching) prepare(s *session) error {
	kinds := j.want.Kinds
	if kinds.Has(imap.FetchSize) && j.m.Virtual < 0 {
		if err := j.measure(s); err != nil {
			return err
		}
	}
	if need := j.needs(); need != needsNothing {
		if err := j.summarize(s, need); err != nil {
			return err
		}
	} else if kinds.Has(imap.FetchPreview) && !j.summaries.find(&j.summary, &j.m, needsAll) {
		j.summary = summary{} // it can be left out
	}
	if kinds&needsText != 0 {
		if err := j.open(s); err != nil {
			return err
		}
		if err := j.findTexts(s); err != nil {
			return err
		}
	}
	return j.see(s)
}

// needs says how much of the summary the items need.
func (j *fetching) needs() (need need) {
	for i := range j.want.Items {
		switch item := &j.want.Items[i]; {
		case item.Kind == imap.FetchBodyStructure, item.Kind == imap.FetchPreview && !item.Lazy, len(item.Section.Part) > 0:
			return needsAll
		case item.Kind == imap.FetchEnvelope:
			need = needsHeader
		}
	}
	return need
}

// measure finds out how many octets the message has for the client.
func (j *fetching) measure(s *session) (err error) {
	if j.m.Virtual < 0 {
		j.m.Virtual, err = s.box.folder.VirtualSize(j.m.UID)
	}
	return err
}

// open opens the message.
func (j *fetching) open(s *session) error {
	if j.letter.file != nil {
		return nil
	}
	err := j.letter.open(s.box.folder, j.m.UID, s.work.text)
	s.work.text = j.letter.text[:0] // its memory is used again
	return err
}

// summarize gets the summary of the message, and makes it if nobody has.
func (j *fetching) summarize(s *session, need need) error {
	if j.summaries.find(&j.summary, &j.m, need) {
		return nil
	}
	if err := j.open(s); err != nil {
		return err
	}
	return j.summaries.make(&j.summary, j.m.UID, &j.letter, need, &s.server.large)
}

// see sets \Seen, when an item does that, before the text is told: the
// response has the flags in it.
func (j *fetching) see(s *session) error {
	j.changed = false
	if !j.want.SetsSeen || s.box.view.ReadOnly() || j.m.Flags&maildir.Seen != 0 {
		return nil
	}
	j.seen[0] = j.m.UID
	_, err := s.box.view.SetFlags(j.seen[:], maildir.FlagChange{How: maildir.Add, Flags: maildir.Seen, Lazy: true})
	if err != nil {
		return err
	}
	m, ok := s.box.view.ByUID(j.m.UID)
	if !ok || m.Gone {
		return maildir.ErrVanished
	}
	m.Virtual = j.m.Virtual
	j.m, j.changed = m, true
	return nil
}

// findTexts finds where the texts are that the items want.
func (j *fetching) findTexts(s *session) error {
	j.texts, j.inline = j.texts[:0], j.inline[:0]
	for i := range j.want.Items {
		var from source
		if item := &j.want.Items[i]; needsText.Has(item.Kind) {
			var err error
			if from, err = j.findText(s, item); err != nil {
				return err
			}
		}
		j.texts = append(j.texts, from)
	}
	return nil
}

func (j *fetching) findText(s *session, item *imap.FetchItem) (source, error) {
	switch item.Kind {
	case imap.FetchBody:
		return j.plainStructure(s)
	case imap.FetchBinary, imap.FetchBinarySize:
		return j.findBinary(s, &item.Section)
	}
	if len(item.Section.Part) == 0 {
		return j.findInMessage(s, &item.Section)
	}
	from, fields := j.summary.outline().section(&item.Section)
	if !fields {
		return from, nil
	}
	var header []byte
	err := j.letter.whole(&s.server.large, func(text []byte) {
		header = text[from.from.Start:min(from.from.End, len(text))]
		from = j.put(appendFields(j.inline, header, &item.Section))
	})
	return from, err
}

// findInMessage finds a section without numbers.
func (j *fetching) findInMessage(s *session, section *imap.Section) (source, error) {
	l := &j.letter
	if section.Text == imap.SectionAll {
		octets, err := j.octets(s)
		return source{from: message.Range{End: l.size}, octets: octets}, err
	}
	header, err := l.header()
	if err != nil {
		return source{}, err
	}
	switch section.Text {
	case imap.SectionHeader:
		return source{from: message.Range{End: len(header)}, octets: clientOctets(header)}, nil
	case imap.SectionBody:
		octets, err := j.octets(s)
		return source{from: message.Range{Start: len(header), End: l.size}, octets: octets - clientOctets(header)}, err
	}
	return j.put(appendFields(j.inline, header, section)), nil
}

// octets is how many octets the client gets of the message. Of a message in
// memory they are counted, because names have been wrong.
func (j *fetching) octets(s *session) (int64, error) {
	if l := &j.letter; len(l.text) == l.size {
		return clientOctets(l.text), nil
	}
	err := j.measure(s)
	return j.m.Virtual, err
}

func clientOctets(text []byte) int64 {
	var x message.LineIndex
	x.Reset(text)
	return x.Size(message.Range{End: len(text)})
}

// put takes a text that was appended to inline.
func (j *fetching) put(inline []byte) source {
	text := inline[len(j.inline):len(inline):len(inline)]
	j.inline = inline
	return source{inline: text, octets: int64(len(text))}
}

// plainStructure makes BODY, which is asked for by few and so not kept.
func (j *fetching) plainStructure(s *session) (from source, err error) {
	err = j.letter.whole(&s.server.large, func(text []byte) {
		z := &j.summaries
		z.parts.Parse(text)
		from = j.put(z.encoder.AppendBodyStructure(j.inline, &z.parts, false))
	})
	return from, err
}

// findBinary finds the content of a part (RFC 3516 section 4.2). Without
// numbers it is the message as it is.
func (j *fetching) findBinary(s *session, section *imap.Section) (source, error) {
	if len(section.Part) == 0 {
		return j.findInMessage(s, section)
	}
	outline := j.summary.outline()
	part, found := outline.find(section.Part)
	if !found {
		return missing, nil
	}
	p := &outline[part]
	from := p.text()
	switch {
	case p.kind != message.Leaf || p.encoding == notEncoded:
		return from, nil
	case p.encoding == unknownEncoding:
		return source{}, errUnknownCTE
	}
	from.encoding = encodingNames[p.encoding]
	octets, err := from.decodedOctets(&j.letter, j.buf[:])
	from.octets = octets
	return from, err
}
