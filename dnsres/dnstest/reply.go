package dnstest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"barid/dnsres/wire"
)

// Reply is a message to be sent; its fields may be changed before Octets.
type Reply struct {
	ID                            uint16
	Question                      []byte // as it stands in the message; nil: none
	RCode                         wire.RCode
	Truncated, Authentic          bool
	Authoritative                 bool
	EDNS                          bool
	Options                       []byte // of the OPT record
	answer, authority, additional []string
}

// ReplyTo begins a reply to a query: no error, nothing found. It has EDNS when
// the query has.
func ReplyTo(q *Query) *Reply {
	name := q.Question.Name.AppendWire(nil)
	end := wire.HeaderSize + wire.QuestionSize(name)
	return &Reply{ID: q.ID, Question: bytes.Clone(q.Octets[wire.HeaderSize:end]), EDNS: q.HasEDNS}
}

// Answer adds records to the answer section, each as a line: name, TTL, type
// and data, as in "example.org 300 MX 10 mx.example.org".
func (r *Reply) Answer(records ...string) *Reply {
	r.answer = append(r.answer, records...)
	return r
}

// Authority adds records to the authority section.
func (r *Reply) Authority(records ...string) *Reply {
	r.authority = append(r.authority, records...)
	return r
}

// Octets is the message.
func (r *Reply) Octets() []byte {
	bits := uint16(0x8180) | uint16(r.RCode&0xf)
	for _, f := range []struct {
		set bool
		bit uint16
	}{{r.Truncated, 0x200}, {r.Authentic, 0x20}, {r.Authoritative, 0x400}} {
		if f.set {
			bits |= f.bit
		}
	}
	msg := binary.BigEndian.AppendUint16(nil, r.ID)
	msg = binary.BigEndian.AppendUint16(msg, bits)
	for _, n := range []int{min(1, len(r.Question)), len(r.answer), len(r.authority), len(r.additional) + btoi(r.EDNS)} {
		msg = binary.BigEndian.AppendUint16(msg, uint16(n))
	}
	msg = append(msg, r.Question...)
	for _, section := range [][]string{r.answer, r.authority, r.additional} {
		for _, record := range section {
			msg = appendRecord(msg, record)
		}
	}
	if r.EDNS {
		msg = append(msg, 0, 0, byte(wire.OPT), 0x04, 0xd0, byte(r.RCode>>4), 0, 0, 0)
		msg = binary.BigEndian.AppendUint16(msg, uint16(len(r.Options)))
		msg = append(msg, r.Options...)
	}
	return msg
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Extended makes the option of an extended error (RFC 8914).
func Extended(code uint16, text string) []byte {
	o := binary.BigEndian.AppendUint16([]byte{0, 15}, uint16(2+len(text)))
	return append(binary.BigEndian.AppendUint16(o, code), text...)
}

// Zone is a handler that knows the records of a text, one a line. It follows
// aliases, says NXDOMAIN for other names, and puts the SOA, if there is one,
// into negative answers.
func Zone(text string) Handler {
	records := map[string][]string{}
	soa := ""
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		name := canonical(fields[0])
		records[name] = append(records[name], strings.TrimSpace(line))
		if fields[2] == "SOA" {
			soa = strings.TrimSpace(line)
		}
	}
	return func(q *Query) {
		reply := ReplyTo(q)
		reply.find(records, q.Name, q.Type)
		if len(reply.answer) == 0 && soa != "" {
			reply.Authority(soa)
		}
		q.Send(reply.Octets())
	}
}

func (r *Reply) find(records map[string][]string, name string, t wire.Type) {
	for range 20 {
		all, found := records[name]
		if !found {
			r.RCode = wire.NXDomain
			return
		}
		alias := ""
		for _, record := range all {
			fields := strings.Fields(record)
			if fields[2] == t.String() {
				r.Answer(record)
			} else if fields[2] == "CNAME" {
				r.Answer(record)
				alias = canonical(fields[3])
			}
		}
		if alias == "" {
			return
		}
		name = alias
	}
}

func canonical(name string) string {
	n, err := wire.NameAt(appendName(nil, name))
	if err != nil {
		panic(err)
	}
	return n.String()
}

// appendRecord appends a record given as a line. One that is wrong is a
// mistake of the test.
func appendRecord(msg []byte, record string) []byte {
	fields := strings.Fields(record)
	t, ok := wire.ParseType(fields[2])
	if !ok {
		panic(fmt.Sprintf("dnstest: no such type: %s", record))
	}
	msg = appendName(msg, fields[0])
	msg = binary.BigEndian.AppendUint16(msg, uint16(t))
	msg = binary.BigEndian.AppendUint16(msg, uint16(wire.IN))
	msg = binary.BigEndian.AppendUint32(msg, uint32(number(fields[1])))
	length := len(msg)
	msg = appendData(append(msg, 0, 0), t, fields[3:], record)
	binary.BigEndian.PutUint16(msg[length:], uint16(len(msg)-length-2))
	return msg
}

func appendData(msg []byte, t wire.Type, data []string, record string) []byte {
	switch t {
	case wire.A, wire.AAAA:
		return append(msg, netip.MustParseAddr(data[0]).AsSlice()...)
	case wire.MX:
		return appendName(appendNumbers(msg, data[:1]), data[1])
	case wire.SRV:
		return appendName(appendNumbers(msg, data[:3]), data[3])
	case wire.TXT:
		_, text, _ := strings.Cut(record, "TXT")
		text = strings.TrimLeft(text, " ")
		for len(text) > 255 {
			msg = append(append(msg, 255), text[:255]...)
			text = text[255:]
		}
		return append(append(msg, byte(len(text))), text...)
	case wire.TLSA:
		octets, err := hex.DecodeString(data[3])
		if err != nil {
			panic(err)
		}
		return append(append(msg, byte(number(data[0])), byte(number(data[1])), byte(number(data[2]))), octets...)
	case wire.SOA:
		msg = appendName(appendName(msg, data[0]), data[1])
		for _, n := range data[2:7] {
			msg = binary.BigEndian.AppendUint32(msg, uint32(number(n)))
		}
		return msg
	}
	return appendName(msg, data[0])
}

func appendNumbers(msg []byte, numbers []string) []byte {
	for _, n := range numbers {
		msg = binary.BigEndian.AppendUint16(msg, uint16(number(n)))
	}
	return msg
}

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return n
}

func appendName(msg []byte, name string) []byte {
	msg, err := wire.AppendName(msg, name)
	if err != nil {
		panic(fmt.Sprintf("dnstest: %q: %v", name, err))
	}
	return msg
}
