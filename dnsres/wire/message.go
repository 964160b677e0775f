package wire

import "encoding/binary"

// Header is the first part of a message (RFC 1035 4.1.1).
type Header struct {
	ID                 uint16
	Response           bool // QR
	Opcode             uint8
	Authoritative      bool // AA
	Truncated          bool // TC: the answer did not fit; ask over TCP
	RecursionDesired   bool // RD
	RecursionAvailable bool // RA
	Authentic          bool // AD: the server has verified all of it (RFC 4035 3.2.3)
	CheckingDisabled   bool // CD
	RCode              RCode
}

// Bits of the second 16 of a header.
const (
	bitQR = 1 << 15
	bitAA = 1 << 10
	bitTC = 1 << 9
	bitRD = 1 << 8
	bitRA = 1 << 7
	bitAD = 1 << 5
	bitCD = 1 << 4
)

// Question is what a message asks.
type Question struct {
	Name  Name
	Type  Type
	Class Class
}

// Message is a parsed message, a view of the octets given to Parse.
type Message struct {
	Header
	EDNS
	// Asked tells that there is a question; a server that refuses a message
	// may leave it out.
	Asked    bool
	Question Question
	msg      []byte
	sections [3]Records
}

// Parse checks a whole message; see the package comment for what holds
// afterwards. The message must not be longer than TCPMax.
func Parse(msg []byte) (Message, error) {
	if len(msg) < HeaderSize || len(msg) > TCPMax {
		return Message{}, ErrShort
	}
	m := Message{Header: parseHeader(msg), msg: msg}
	off, err := m.parseQuestion()
	for i := range m.sections {
		if err != nil {
			return Message{}, err
		}
		m.sections[i] = Records{msg: msg, off: off, left: count(msg, 1+i)}
		off, err = m.checkSection(i)
	}
	if err == nil && off != len(msg) {
		err = ErrTrailing
	}
	if err != nil {
		return Message{}, err
	}
	return m, nil
}

func parseHeader(msg []byte) Header {
	bits := binary.BigEndian.Uint16(msg[2:])
	return Header{
		ID:                 binary.BigEndian.Uint16(msg),
		Response:           bits&bitQR != 0,
		Opcode:             uint8(bits >> 11 & 0xf),
		Authoritative:      bits&bitAA != 0,
		Truncated:          bits&bitTC != 0,
		RecursionDesired:   bits&bitRD != 0,
		RecursionAvailable: bits&bitRA != 0,
		Authentic:          bits&bitAD != 0,
		CheckingDisabled:   bits&bitCD != 0,
		RCode:              RCode(bits & 0xf),
	}
}

// count reads QDCOUNT, ANCOUNT, NSCOUNT or ARCOUNT.
func count(msg []byte, i int) int { return int(binary.BigEndian.Uint16(msg[4+2*i:])) }

// parseQuestion reads the question section: one question or none (RFC 9619).
func (m *Message) parseQuestion() (off int, err error) {
	switch count(m.msg, 0) {
	case 0:
		return HeaderSize, nil
	case 1:
	default:
		return 0, ErrCounts
	}
	if off, err = skipName(m.msg, HeaderSize); err != nil {
		return 0, err
	}
	if off+4 > len(m.msg) {
		return 0, ErrShort
	}
	m.Asked = true
	m.Question = Question{
		Name:  Name{m.msg, HeaderSize},
		Type:  Type(binary.BigEndian.Uint16(m.msg[off:])),
		Class: Class(binary.BigEndian.Uint16(m.msg[off+2:])),
	}
	return off + 4, nil
}

const additional = 2

// checkSection checks the records of a section and returns where it ends.
func (m *Message) checkSection(i int) (int, error) {
	records := m.sections[i]
	for ; records.left > 0; records.left-- {
		r, end, err := parseRecord(m.msg, records.off)
		if err == nil {
			err = r.check()
		}
		if err == nil && r.Type == OPT {
			err = m.parseOPT(r, i)
		}
		if err != nil {
			return 0, err
		}
		records.off = end
	}
	return records.off, nil
}

// Answers are the records of the answer section.
func (m *Message) Answers() Records { return m.sections[0] }

// Authority are the records of the authority section: the SOA of a negative
// answer, or the NS of a referral.
func (m *Message) Authority() Records { return m.sections[1] }

// Additional are the records of the additional section, OPT among them.
func (m *Message) Additional() Records { return m.sections[additional] }
