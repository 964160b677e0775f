package dnsres

import (
	"encoding/binary"

	"barid/dnsres/wire"
)

// question is what is looked for: a name in canonical octets and a type.
type question struct {
	name []byte
	wire.Type
}

// text is the name for people.
func (q question) text() string {
	n, err := wire.NameAt(q.name)
	if err != nil {
		return "?"
	}
	return n.String()
}

// keySize is the most octets of a key.
const keySize = wire.NameMax + 2

// appendKey appends what the cache knows a question by: the name and the type.
func (q question) appendKey(dst []byte) []byte {
	return binary.BigEndian.AppendUint16(append(dst, q.name...), uint16(q.Type))
}

// questionOf is the question of a key.
func questionOf(key string) question {
	n := len(key) - 2
	return question{[]byte(key[:n]), wire.Type(key[n])<<8 | wire.Type(key[n+1])}
}
