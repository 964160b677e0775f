package proxy

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// block builds a version 2 header.
func block(command, family byte, payload ...[]byte) string {
	p := bytes.Join(payload, nil)
	b := append([]byte(signature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	return string(append(b, p...))
}

func fact(kind byte, value string) []byte {
	b := []byte{kind}
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

var (
	addrs4 = []byte{192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0, 25}
	addrs6 = func() []byte {
		src, dst := netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr("2001:db8::2").As16()
		return append(append(src[:], dst[:]...), 0x30, 0x39, 0, 25)
	}()
	mapped6 = func() []byte {
		src, dst := netip.MustParseAddr("::ffff:192.0.2.1").As16(), netip.MustParseAddr("::ffff:198.51.100.2").As16()
		return append(append(src[:], dst[:]...), 0x30, 0x39, 0, 25)
	}()
)

// summed is a version 2 header with a checksum, wrong by the amount off.
func summed(off uint32) string {
	b := []byte(block(0x21, 0x11, addrs4, fact(factChecksum, "\x00\x00\x00\x00"), fact(4, "noop")))
	at := blockFixed + tcp4Size + 3
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[at:], sum+off)
	return string(b)
}

const (
	tcp4 = "192.0.2.1:12345 198.51.100.2:25"
	tcp6 = "[2001:db8::1]:12345 [2001:db8::2]:25"
	none = "none"
)

var vectors = []struct {
	name, in, want string
	err            error
}{
	{"line TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n", tcp4, nil},
	{"line TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 12345 25\r\n", tcp6, nil},
	{"line TCP6 of mapped addresses", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 12345 25\r\n", tcp4, nil},
	{"line with an abbreviated address", "PROXY TCP6 ffff:f...f 65535 65535\r\n", "", ErrMalformed},
	{"line UNKNOWN", "PROXY UNKNOWN\r\n", none, nil},
	{"line UNKNOWN with anything", "PROXY UNKNOWN ffff:: what ever\r\n", none, nil},
	{"line with two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 12345 25\r\n", "", ErrMalformed},
	{"line with too few fields", "PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n", "", ErrMalformed},
	{"line with too many fields", "PROXY TCP4 192.0.2.1 198.51.100.2 12345 25 1\r\n", "", ErrMalformed},
	{"line with the other family", "PROXY TCP4 2001:db8::1 2001:db8::2 12345 25\r\n", "", ErrMalformed},
	{"line with a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 12345 25\r\n", "", ErrMalformed},
	{"line with a port too large", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", "", ErrMalformed},
	{"line with a leading zero", "PROXY TCP4 192.0.2.1 198.51.100.2 012 25\r\n", "", ErrMalformed},
	{"line with a leading zero in an address", "PROXY TCP4 192.0.2.01 198.51.100.2 12 25\r\n", "", ErrMalformed},
	{"line with an empty port", "PROXY TCP4 192.0.2.1 198.51.100.2  25\r\n", "", ErrMalformed},
	{"line with a signed port", "PROXY TCP4 192.0.2.1 198.51.100.2 +1 25\r\n", "", ErrMalformed},
	{"line UDP4", "PROXY UDP4 192.0.2.1 198.51.100.2 12345 25\r\n", "", ErrMalformed},
	{"line too long", "PROXY UNKNOWN " + strings.Repeat("x", 200) + "\r\n", "", ErrTooLong},
	{"line ended by LF", "PROXY UNKNOWN\n" + strings.Repeat("x", 200), "", ErrTooLong},
	{"other protocol", "EHLO example.org\r\n", "", ErrMissing},
	{"lower case", "proxy UNKNOWN\r\n", "", ErrMissing},
	{"block TCP4", block(0x21, 0x11, addrs4), tcp4, nil},
	{"block TCP6", block(0x21, 0x21, addrs6), tcp6, nil},
	{"block of mapped addresses", block(0x21, 0x21, mapped6), tcp4, nil},
	{"block TCP4 with facts", block(0x21, 0x11, addrs4, fact(4, ""), fact(0xE0, "x")), tcp4, nil},
	{"block LOCAL", block(0x20, 0x00), none, nil},
	{"block LOCAL with rubbish", block(0x20, 0x77, []byte("rubbish")), none, nil},
	{"block UNSPEC", block(0x21, 0x00, []byte("rubbish")), none, nil},
	{"block unix", block(0x21, 0x31, make([]byte, unixSize)), none, nil},
	{"block with a checksum", summed(0), tcp4, nil},
	{"block with a wrong checksum", summed(1), "", ErrChecksum},
	{"block with a short checksum", block(0x21, 0x11, addrs4, fact(factChecksum, "abc")), "", ErrMalformed},
	{"block UDP4", block(0x21, 0x12, addrs4), "", ErrMalformed},
	{"block TCP4 too short", block(0x21, 0x11, addrs4[:11]), "", ErrMalformed},
	{"block TCP6 too short", block(0x21, 0x21, addrs4), "", ErrMalformed},
	{"block with half a fact", block(0x21, 0x11, addrs4, []byte{4, 0}), "", ErrMalformed},
	{"block with a fact past its end", block(0x21, 0x11, addrs4, []byte{4, 0, 9, 1}), "", ErrMalformed},
	{"block of version 1", block(0x11, 0x11, addrs4), "", ErrMalformed},
	{"block with command 2", block(0x22, 0x11, addrs4), "", ErrMalformed},
	{"block too long", block(0x21, 0x00, make([]byte, SizeMax)), "", ErrTooLong},
	{"block of the greatest length", block(0x21, 0x00, make([]byte, SizeMax-blockFixed)), none, nil},
}

func show(h Header) string {
	if !h.Known() {
		return none
	}
	return h.Source.String() + " " + h.Dest.String()
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			h, n, err := Parse([]byte(v.in + "EHLO"))
			if err != v.err {
				t.Fatalf("got error %v, want %v", err, v.err)
			}
			if err == nil && (show(h) != v.want || n != len(v.in)) {
				t.Errorf("got %s, length %d; want %s, length %d", show(h), n, v.want, len(v.in))
			}
		})
	}
}

func TestEveryBeginningOfAHeaderIsNeitherHeaderNorError(t *testing.T) {
	for _, v := range vectors {
		if v.err != nil {
			continue
		}
		for i := range len(v.in) {
			if _, n, err := Parse([]byte(v.in[:i])); n != 0 || err != nil {
				t.Fatalf("%s: first %d octets: length %d, %v", v.name, i, n, err)
			}
		}
	}
}

func TestOtherProtocolsAreFoundByTheirFirstOctet(t *testing.T) {
	for _, in := range []string{"E", "\x16", "\r\n\r\n\x01", "PROXX"} {
		if _, _, err := Parse([]byte(in)); err != ErrMissing {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzParse holds that the result does not depend on how the input is cut,
// and that a header is never longer than its input or SizeMax.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := Parse(in)
		if n > min(len(in), SizeMax) || n > 0 && err != nil {
			t.Fatalf("length %d of %d, %v", n, len(in), err)
		}
		for i := range in {
			h2, n2, err2 := Parse(in[:i+1])
			if n2 == 0 && err2 == nil {
				continue
			}
			if h2 != h || n2 != n || err2 != err {
				t.Fatalf("cut at %d: %v %d %v; whole: %v %d %v", i+1, h2, n2, err2, h, n, err)
			}
			return
		}
		if n != 0 || err != nil {
			t.Fatalf("only the whole gives %d, %v", n, err)
		}
	})
}
