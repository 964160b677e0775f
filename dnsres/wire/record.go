package wire

import (
	"encoding/binary"
	"net/netip"
)

// Records walks over the records of a section. It is a value: a copy walks on
// its own.
type Records struct {
	msg       []byte
	off, left int
}

// Len is how many records are left.
func (r *Records) Len() int { return r.left }

// Next gives the next record; ok is false when there is none.
func (r *Records) Next() (record Record, ok bool) {
	if r.left == 0 {
		return Record{}, false
	}
	record, r.off, _ = parseRecord(r.msg, r.off) // was checked by Parse
	r.left--
	return record, true
}

// Record is one resource record (RFC 1035 4.1.3). The accessors of its data
// give nothing, "" or 0 when the record is of another type.
type Record struct {
	Name  Name
	Type  Type
	Class Class
	// TTL in seconds, as sent. A value above 2^31-1 is to be taken for a very
	// long time, not for none (RFC 8767 4).
	TTL  uint32
	msg  []byte
	data int // offset of the data
	end  int // offset behind it
}

// parseRecord reads the record at off without looking into its data.
func parseRecord(msg []byte, off int) (r Record, end int, err error) {
	fixed, err := skipName(msg, off)
	if err != nil {
		return Record{}, 0, err
	}
	if fixed+10 > len(msg) {
		return Record{}, 0, ErrShort
	}
	r = Record{
		Name:  Name{msg, off},
		Type:  Type(binary.BigEndian.Uint16(msg[fixed:])),
		Class: Class(binary.BigEndian.Uint16(msg[fixed+2:])),
		TTL:   binary.BigEndian.Uint32(msg[fixed+4:]),
		msg:   msg,
		data:  fixed + 10,
	}
	r.end = r.data + int(binary.BigEndian.Uint16(msg[fixed+8:]))
	if r.end > len(msg) {
		return Record{}, 0, ErrShort
	}
	return r, r.end, nil
}

// check looks at the data of a record of the Internet: does it have the form
// of its type, and does it fill its length?
func (r Record) check() error {
	if r.Class != IN && r.Type != OPT {
		return nil
	}
	ok := true
	switch n := r.end - r.data; r.Type {
	case A:
		ok = n == 4
	case AAAA:
		ok = n == 16
	case CNAME, NS, PTR:
		ok = r.namesEnd(r.data, 1) == r.end
	case MX:
		ok = r.namesEnd(r.data+2, 1) == r.end
	case SRV:
		ok = r.namesEnd(r.data+6, 1) == r.end
	case SOA:
		ok = r.namesEnd(r.data, 2) == r.end-20
	case TXT:
		ok = n > 0 && r.stringsFit()
	case TLSA:
		ok = n >= 3
	case OPT:
		ok = optionsFit(r.Data())
	}
	if !ok {
		return ErrData
	}
	return nil
}

// namesEnd is the offset behind so many names from off on; -1 when they are
// not names. The compression of SRV targets is not permitted (RFC 2782), but
// harmless to read.
func (r Record) namesEnd(off, names int) int {
	for ; names > 0; names-- {
		if off >= r.end {
			return -1
		}
		var err error
		if off, err = skipName(r.msg, off); err != nil {
			return -1
		}
	}
	return off
}

// stringsFit checks character-strings: a length octet and as many octets (RFC
// 1035 3.3).
func (r Record) stringsFit() bool {
	off := r.data
	for off < r.end {
		off += 1 + int(r.msg[off])
	}
	return off == r.end
}

// Data is the data as it stands. Names in it may be compressed.
func (r Record) Data() []byte { return r.msg[r.data:r.end] }

// Addr is the address of an A or AAAA record (RFC 1035 3.4.1, RFC 3596 2.2).
func (r Record) Addr() netip.Addr {
	if r.Type != A && r.Type != AAAA || r.Class != IN {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(r.Data())
	return addr
}

// Target is the name that a CNAME, NS, PTR, MX or SRV record points to.
func (r Record) Target() (n Name, ok bool) {
	skip := 0
	switch r.Type {
	case CNAME, NS, PTR:
	case MX:
		skip = 2
	case SRV:
		skip = 6
	default:
		return Name{}, false
	}
	return Name{r.msg, r.data + skip}, r.Class == IN
}

// Preference of an MX record; the lower one is tried first (RFC 1035 3.3.9).
func (r Record) Preference() uint16 {
	if r.Type != MX || r.Class != IN {
		return 0
	}
	return binary.BigEndian.Uint16(r.Data())
}

// Service is what an SRV record says beside its target (RFC 2782).
type Service struct{ Priority, Weight, Port uint16 }

// Service of an SRV record.
func (r Record) Service() Service {
	if r.Type != SRV || r.Class != IN {
		return Service{}
	}
	d := r.Data()
	return Service{binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:]), binary.BigEndian.Uint16(d[4:])}
}

// AppendText appends the strings of a TXT record one behind the other, as
// SPF and DKIM read them.
func (r Record) AppendText(dst []byte) []byte {
	if r.Type != TXT || r.Class != IN {
		return dst
	}
	for d := r.Data(); len(d) > 0; d = d[1+int(d[0]):] {
		dst = append(dst, d[1:1+int(d[0])]...)
	}
	return dst
}

// Association is the data of a TLSA record (RFC 6698 2.1); Data points into
// the message.
type Association struct {
	Usage, Selector, Matching uint8
	Data                      []byte
}

// Association of a TLSA record.
func (r Record) Association() Association {
	if r.Type != TLSA || r.Class != IN {
		return Association{}
	}
	d := r.Data()
	return Association{d[0], d[1], d[2], d[3:]}
}

// Start is the data of an SOA record (RFC 1035 3.3.13), times in seconds.
type Start struct {
	Primary, Mailbox                        Name
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// Start of an SOA record.
func (r Record) Start() (s Start, ok bool) {
	if r.Type != SOA || r.Class != IN {
		return Start{}, false
	}
	mailbox, _ := skipName(r.msg, r.data)
	n := r.msg[r.end-20:]
	return Start{
		Primary: Name{r.msg, r.data},
		Mailbox: Name{r.msg, mailbox},
		Serial:  binary.BigEndian.Uint32(n),
		Refresh: binary.BigEndian.Uint32(n[4:]),
		Retry:   binary.BigEndian.Uint32(n[8:]),
		Expire:  binary.BigEndian.Uint32(n[12:]),
		Minimum: binary.BigEndian.Uint32(n[16:]),
	}, true
}
