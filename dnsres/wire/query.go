package wire

import "encoding/binary"

// Query is a question to a server.
type Query struct {
	ID   uint16
	Type Type
	// Authentic sets AD, which asks a validating server to say in the answer
	// whether it has verified it, without sending the signatures (RFC 6840
	// 5.7).
	Authentic bool
	// UDPSize is announced by EDNS as the largest message over UDP; 0 is to
	// ask without EDNS.
	UDPSize uint16
}

// AppendQuery appends a question with recursion desired for a name in its
// canonical octets (AppendName). The message has no other name, so its
// question is at HeaderSize and QuestionSize(name) octets long.
func AppendQuery(dst, name []byte, q Query) []byte {
	bits := uint16(bitRD)
	if q.Authentic {
		bits |= bitAD
	}
	dst = binary.BigEndian.AppendUint16(dst, q.ID)
	dst = binary.BigEndian.AppendUint16(dst, bits)
	dst = append(dst, 0, 1, 0, 0, 0, 0, 0, 0) // one question, nothing else so far
	arcount := len(dst) - 1
	dst = append(dst, name...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(q.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(IN))
	if q.UDPSize > 0 {
		dst[arcount] = 1
		dst = append(dst, 0, 0, byte(OPT)) // the root, and the type
		dst = binary.BigEndian.AppendUint16(dst, q.UDPSize)
		dst = append(dst, 0, 0, 0, 0, 0, 0) // response code, version and flags; no options
	}
	return dst
}

// QuestionSize is the length of a question about a name, in octets.
func QuestionSize(name []byte) int { return len(name) + 4 }

// MixCase writes the letters of a canonical name in upper or lower case as
// the bits of random say, which must be NameMax/8+1 octets or more. A forger
// must guess them too, because a server sends the question back as it came
// (RFC 5452 4, draft-vixie-dnsext-dns0x20).
func MixCase(name, random []byte) {
	for i := 0; name[i] != 0; {
		end := i + 1 + int(name[i])
		for i++; i < end; i++ {
			if c := name[i]; 'a' <= c && c <= 'z' && random[i/8]>>(i%8)&1 != 0 {
				name[i] = c - ('a' - 'A')
			}
		}
	}
}
