package proto

import (
	"strconv"

	"barid/internal/smtp"
)

// data is DATA. (RFC 5321 4.1.1.4)
func (s *Session) data(_ smtp.Text, out []byte) []byte {
	if s.t.Mail.Body == BodyBinary {
		return s.refuse(out, binaryNeedsBDAT)
	}
	s.t.body.Reset(smtp.Dotted)
	s.ask(AskData)
	return out
}

func (s *Session) dataAnswered(yes bool, given smtp.Reply, out []byte) []byte {
	switch {
	case yes && s.is(chunked):
		s.beginChunk()
		return out // a chunk is answered when it has come
	case yes:
		s.become(bodyBegun)
		return ok(out, 354, smtp.Status{}, "End the message with <CRLF>.<CRLF>")
	case s.is(chunked):
		return s.skipChunk(given, chunk{s.chunkLeft, s.is(lastChunk)}, out)
	}
	s.endTransaction()
	return s.say(out, given)
}

// A chunk is what BDAT announces.
type chunk struct {
	octets int64
	last   bool
}

// chunkOctetsMax is more than any chunk can have: what is over it is no size
// but an attempt to overflow one.
const chunkOctetsMax = 1 << 62

// parseChunk reads the arguments of BDAT. (RFC 3030 2)
//
//	bdat-cmd   ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF
//	chunk-size ::= 1*DIGIT
//	end-marker ::= "LAST"
func parseChunk(arg smtp.Text) (chunk, refusal) {
	octets, good := arg.Number(20)
	last := arg.Spaces() && arg.Literal("LAST")
	arg.Spaces()
	switch {
	case !good || !arg.Empty():
		return chunk{}, badChunk
	case octets > chunkOctetsMax:
		return chunk{}, chunkTooBig
	}
	return chunk{octets, last}, none
}

// bdat is BDAT. Its octets follow the command at once, so a chunk that is
// refused has to be read all the same, and one whose size is not understood
// ends the session: what follows is anything but commands.
func (s *Session) bdat(arg smtp.Text, out []byte) []byte {
	c, r := parseChunk(arg)
	if r != none {
		return s.refuse(out, r)
	}
	switch {
	case !s.opts.offers(Chunking):
		return s.skipChunk(refusals[notOffered], c, out)
	case s.opts.SizeMax > 0 && c.octets > s.opts.SizeMax-s.received:
		return s.skipChunk(refusals[tooBig], c, out)
	}
	first := !s.is(chunked)
	s.set(chunked)
	if c.last {
		s.set(lastChunk)
	}
	s.chunkLeft = c.octets
	s.received += c.octets
	if !first {
		s.beginChunk()
		return out
	}
	s.t.body.Reset(smtp.Counted)
	if s.t.Mail.Body == BodyBinary {
		s.t.body.Reset(smtp.Binary)
	}
	s.ask(AskData)
	return out
}

// beginChunk lets the octets of a chunk come.
func (s *Session) beginChunk() {
	s.become(bodyBegun)
	if s.chunkLeft == 0 {
		s.set(bodyDone)
	}
}

// refuseChunk refuses a BDAT that came out of order.
func (s *Session) refuseChunk(why smtp.Reply, arg smtp.Text, out []byte) []byte {
	c, r := parseChunk(arg)
	if r != none {
		return s.refuse(out, r)
	}
	return s.skipChunk(why, c, out)
}

// skipChunk refuses a chunk: its octets are thrown away and then the reply
// is given. The transaction, if there is one, has failed; a last chunk also
// ends it, and in LMTP is answered once per recipient, even if that is not at
// all. (RFC 3030 2, RFC 2033 4.3)
func (s *Session) skipChunk(why smtp.Reply, c chunk, out []byte) []byte {
	times := 1
	if c.last && s.opts.Mode == LMTP && s.InTransaction() {
		times = len(s.t.Recipients)
	}
	verdict := s.sayTimes(s.t.verdict[:0], why, times)
	if s.state == closed {
		return append(out, verdict...)
	}
	s.failChunk(c.last)
	s.t.verdict = verdict
	s.chunkLeft = c.octets
	s.set(skipping)
	return out
}

// failChunk is what a refused chunk does to the transaction.
func (s *Session) failChunk(last bool) {
	switch {
	case last:
		s.endTransaction()
	case s.InTransaction():
		s.ended = s.ended || s.state != failedState
		s.become(chunkFailed)
	}
}

// sayTimes appends the same reply several times; it is one error.
func (s *Session) sayTimes(out []byte, r smtp.Reply, times int) []byte {
	for i := range times {
		if i == 0 {
			out = s.say(out, r)
		} else if s.state != closed {
			out = r.Append(out)
		}
	}
	return out
}

// skip throws octets of a refused chunk away and says how many.
func (s *Session) skip(in []byte) int {
	n := int(min(int64(len(in)), s.chunkLeft))
	s.chunkLeft -= int64(n)
	return n
}

// endSkip gives the reply to a chunk that has been thrown away.
func (s *Session) endSkip(out []byte) []byte {
	s.clear(skipping)
	out = append(out, s.t.verdict...)
	s.t.verdict = s.t.verdict[:0]
	return out
}

// TakeBody decodes octets of the body after Step has said TakeBody. It
// consumes a prefix of in and appends what the message has of it to dst, at
// most len(in) octets, so that it can decode straight into the buffer of a
// writer. Step says what comes next.
//
// What is handed out is part of a message only when Commit is asked.
func (s *Session) TakeBody(in, dst []byte) (n int, out []byte) {
	if s.state != bodyState || s.is(bodyDone) {
		panic("proto: TakeBody without a body")
	}
	if s.is(chunked) {
		in = in[:min(int64(len(in)), s.chunkLeft)]
	}
	n, out, done, err := s.t.body.Decode(dst, in)
	if err != nil {
		s.problem = badLineEnd
		s.set(bodyDone)
		return len(in), out[:len(dst)] // the rest is nobody's message
	}
	s.t.header.scan(out[len(dst):])
	if s.is(chunked) {
		s.chunkLeft -= int64(n)
		done = s.chunkLeft == 0
	}
	if done {
		s.set(bodyDone)
	}
	if s.overSize() {
		out = out[:len(dst)]
	}
	return n, out
}

func (s *Session) overSize() bool {
	return s.opts.SizeMax > 0 && s.t.body.WireSize() > s.opts.SizeMax
}

// judge says what is wrong with the body so far. Whatever else it is, a
// message over the size limit is that: the rest of it was not looked at.
func (s *Session) judge() refusal {
	o := s.opts
	switch {
	case s.problem != none:
		return s.problem
	case s.overSize():
		return tooBig
	case o.HeaderMax > 0 && s.t.header.octets > o.HeaderMax:
		return headerTooBig
	case o.ReceivedMax > 0 && int(s.t.header.received) > o.ReceivedMax:
		return mailLoop
	case o.BodyLineMax > 0 && s.t.body.Longest > o.BodyLineMax:
		return bodyLineTooLong
	case s.is(lastChunk) && !s.t.body.Complete():
		return badLineEnd
	}
	return none
}

// endBody goes on after the end of a body or of a chunk.
func (s *Session) endBody(out []byte) []byte {
	s.clear(bodyDone)
	more := s.is(chunked) && !s.is(lastChunk)
	switch r := s.judge(); {
	case r == badLineEnd:
		return s.refuse(out, r)
	case r != none && more:
		s.failChunk(false)
		return s.refuse(out, r)
	case r != none:
		times := s.messageReplies()
		s.endTransaction()
		return s.sayTimes(out, refusals[r], times)
	case more:
		s.become(chunkTaken)
		return s.chunkReply(out)
	}
	s.replies = int32(s.messageReplies())
	s.ask(Commit)
	return out
}

// messageReplies is how many replies the end of a message gets.
func (s *Session) messageReplies() int {
	if s.opts.Mode == LMTP {
		return len(s.t.Recipients)
	}
	return 1
}

// chunkReply is the reply to a chunk that is not the last.
func (s *Session) chunkReply(out []byte) []byte {
	out = append(out, "250 2.0.0 Ok: "...)
	out = strconv.AppendInt(out, s.received, 10)
	return append(out, " octets received so far\r\n"...)
}

// commitAnswered gives the reply for the message, or in LMTP for the next
// recipient. (RFC 2033 4.2)
func (s *Session) commitAnswered(yes bool, given smtp.Reply, out []byte) []byte {
	if yes && given.Code == 0 {
		given = smtp.Reply{Code: 250, Status: smtp.Status{2, 0, 0}, Text: "Ok"}
	}
	out = given.Append(out)
	if given.Code == 421 || given.Code == 521 {
		s.become(hungUp)
		return out
	}
	if s.replies--; s.replies > 0 {
		s.ask(Commit)
		return out
	}
	s.forget()
	return out
}
