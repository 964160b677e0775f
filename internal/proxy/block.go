package proxy

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// The version 2 block (2.2):
//
//	0        12      13       14       16
//	signature version  family  length   addresses, TLVs
//	          command  protocol (of what follows)
const blockFixed = 16

// Lengths of the addresses by family and protocol.
const (
	tcp4Size = 4 + 4 + 2 + 2
	tcp6Size = 16 + 16 + 2 + 2
	unixSize = 108 + 108
)

const (
	commandLocal = 0x20 // version 2, LOCAL
	commandProxy = 0x21 // version 2, PROXY
)

// parseBlock reads version 2 (2.2).
func parseBlock(in []byte) (h Header, n int, err error) {
	if len(in) > len(signature) {
		if c := in[len(signature)]; c != commandLocal && c != commandProxy {
			return Header{}, 0, ErrMalformed
		}
	}
	if len(in) < blockFixed {
		return Header{}, 0, nil
	}
	n = blockFixed + int(binary.BigEndian.Uint16(in[14:]))
	switch {
	case n > SizeMax:
		return Header{}, 0, ErrTooLong
	case len(in) < n:
		return Header{}, 0, nil
	}
	h, err = parsePayload(in[:n])
	if err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// parsePayload reads a complete block.
func parsePayload(block []byte) (Header, error) {
	if block[12] == commandLocal { // the receiver must accept it whatever the rest says
		return Header{}, nil
	}
	var h Header
	size := 0
	p := block[blockFixed:]
	switch family := block[13]; {
	case family == 0x00: // UNSPEC: neither addresses nor their length are known
		return Header{}, nil
	case family == 0x11 && len(p) >= tcp4Size:
		size = tcp4Size
		h = pair(netip.AddrFrom4([4]byte(p[0:4])), netip.AddrFrom4([4]byte(p[4:8])),
			binary.BigEndian.Uint16(p[8:]), binary.BigEndian.Uint16(p[10:]))
	case family == 0x21 && len(p) >= tcp6Size:
		size = tcp6Size
		h = pair(netip.AddrFrom16([16]byte(p[0:16])), netip.AddrFrom16([16]byte(p[16:32])),
			binary.BigEndian.Uint16(p[32:]), binary.BigEndian.Uint16(p[34:]))
	case family == 0x31 && len(p) >= unixSize: // a unix socket has no address of use
		size = unixSize
	default: // includes datagrams, which no stream carries
		return Header{}, ErrMalformed
	}
	return h, checkFacts(block, blockFixed+size)
}

const factChecksum = 0x03 // PP2_TYPE_CRC32C

// checkFacts walks the type-length-value triples (2.2) from offset at and
// verifies a checksum among them. The others are of no interest.
func checkFacts(block []byte, at int) error {
	for at < len(block) {
		if len(block)-at < 3 {
			return ErrMalformed
		}
		kind, value := block[at], at+3
		size := int(binary.BigEndian.Uint16(block[at+1:]))
		if len(block)-value < size {
			return ErrMalformed
		}
		if kind == factChecksum {
			if size != 4 {
				return ErrMalformed
			}
			if !checksumHolds(block, value) {
				return ErrChecksum
			}
		}
		at = value + size
	}
	return nil
}

// checksumHolds verifies the CRC-32C at offset at, which was computed with
// zeros in its own place (2.2.4).
func checksumHolds(block []byte, at int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, block[:at])
	sum = crc32.Update(sum, table, make([]byte, 4))
	sum = crc32.Update(sum, table, block[at+4:])
	return sum == binary.BigEndian.Uint32(block[at:])
}
