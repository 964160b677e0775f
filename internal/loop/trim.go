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
// they are empty anyhow. What it relies on, the names and types of two fields,
// is looked up at run time: with a crypto/tls that has changed, nothing is
// trimmed and nothing breaks, and a test says so.

// tlsBuffers are the offsets of the buffers in a tls.Conn; never changed.
var tlsBuffers = bufferOffsets("rawInput", "hand")

// bufferOffsets finds fields of tls.Conn that are a bytes.Buffer.
func bufferOffsets(names ...string) (offsets []uintptr) {
	conn := reflect.TypeFor[tls.Conn]()
	for _, name := range names {
		if f, ok := conn.FieldByName(name); ok && f.Type == reflect.TypeFor[bytes.Buffer]() {
			offsets = append(offsets, f.Offset)
		}
	}
	return offsets
}

// trimTLS frees the buffers of c that hold nothing. Nobody else may be using c.
func trimTLS(c *tls.Conn) {
	for _, offset := range tlsBuffers {
		if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset)); b.Len() == 0 {
			*b = bytes.Buffer{}
		}
	}
}

// tlsSlack is how many bytes trimTLS would free.
func tlsSlack(c *tls.Conn) (n int) {
	for _, offset := range tlsBuffers {
		if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset)); b.Len() == 0 {
			n += b.Cap()
		}
	}
	return n
}

// tlsRawEmpty says whether c has certainly nothing left of what it read.
func tlsRawEmpty(c *tls.Conn) bool {
	if len(tlsBuffers) == 0 {
		return false
	}
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), tlsBuffers[0])).Len() == 0
}
