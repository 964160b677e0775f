package loop

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tls.Conn keeps the two buffers that it reads into at the largest size
// that they ever had: some 3 KiB after the handshake, 32 KiB once a client has
// sent a full record. For ten thousand idle connections that is 30 or 300 MB
// that hold nothing, and crypto/tls has no way to give them up. So this file,
// the only one here with unsafe, reaches into tls.Conn and empties them when
// they are empty anyhow. What it relies on, the names and types of three
// fields, is looked up at run time: with a crypto/tls that has changed,
// nothing is trimmed and nothing breaks, and a test says so.

// layout is where a tls.Conn has what we are after.
type layout struct {
	rawInput uintptr // bytes.Buffer: records as they came
	hand     uintptr // bytes.Buffer: handshake messages
	input    uintptr // bytes.Reader: what of a record was not read yet, inside rawInput
	known    bool
}

// tlsLayout never changes.
var tlsLayout = findLayout()

func findLayout() (l layout) {
	buffer, reader := reflect.TypeFor[bytes.Buffer](), reflect.TypeFor[bytes.Reader]()
	conn := reflect.TypeFor[tls.Conn]()
	raw, ok1 := conn.FieldByName("rawInput")
	hand, ok2 := conn.FieldByName("hand")
	input, ok3 := conn.FieldByName("input")
	if !ok1 || !ok2 || !ok3 || raw.Type != buffer || hand.Type != buffer || input.Type != reader {
		return layout{}
	}
	return layout{raw.Offset, hand.Offset, input.Offset, true}
}

// insides gives the fields of c; false when they are not known. Nobody else
// may be using c.
func insides(c *tls.Conn) (raw, hand *bytes.Buffer, input *bytes.Reader, known bool) {
	if !tlsLayout.known {
		return nil, nil, nil, false
	}
	p := unsafe.Pointer(c)
	return (*bytes.Buffer)(unsafe.Add(p, tlsLayout.rawInput)),
		(*bytes.Buffer)(unsafe.Add(p, tlsLayout.hand)),
		(*bytes.Reader)(unsafe.Add(p, tlsLayout.input)), true
}

// trimTLS frees the buffers of c if they hold nothing.
func trimTLS(c *tls.Conn) {
	raw, hand, input, known := insides(c)
	if !known || raw.Len() > 0 || hand.Len() > 0 || input.Len() > 0 {
		return
	}
	*raw, *hand = bytes.Buffer{}, bytes.Buffer{}
	input.Reset(nil) // it would keep what rawInput had
}

// tlsSlack is how many bytes c holds for nothing.
func tlsSlack(c *tls.Conn) int {
	raw, hand, input, known := insides(c)
	if !known || raw.Len() > 0 || hand.Len() > 0 || input.Len() > 0 {
		return 0
	}
	return max(raw.Cap(), int(input.Size())) + hand.Cap()
}

// tlsRawEmpty says whether c has certainly nothing left of what it read.
func tlsRawEmpty(c *tls.Conn) bool {
	raw, _, _, known := insides(c)
	return known && raw.Len() == 0
}
