package dnsres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"barid/dnsres/wire"
)

// scripted is a connection on which a server says the same whatever it is
// asked, but for the id and the question, which it gets right.
type scripted struct {
	silent
	network string
	tail    []byte // behind the question
	flags   byte
	pending []byte
}

func (c *scripted) Write(query []byte) (int, error) {
	n := len(query)
	if c.network == "tcp" {
		query = query[2:]
	}
	end := wire.HeaderSize
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	msg := bytes.Clone(query[:end+5])
	msg[2], msg[3], msg[11] = 0x80|c.flags&2, 0x80|c.flags>>2&0x2f, 0
	if len(c.tail) > 2 {
		msg[7], msg[9], msg[11] = c.tail[0], c.tail[1], c.tail[2]
		msg = append(msg, c.tail[3:]...)
	}
	if c.network == "tcp" {
		msg = append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...)
	}
	c.pending = msg
	return n, nil
}

func (c *scripted) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	if c.network == "udp" {
		c.pending = nil
	}
	return n, nil
}

// FuzzAnswer gives lookups of every type an answer of arbitrary octets behind
// a right header and question. Whatever it is, the lookup ends, in records or
// in an error with a class, and the same answer gives the same.
func FuzzAnswer(f *testing.F) {
	f.Add(byte(0), []byte("\x01\x00\x00\xc0\x0c\x00\x0f\x00\x01\x00\x00\x0e\x10\x00\x07\x00\x0a\x02mx\xc0\x0c"))
	f.Add(byte(0), []byte("\x01\x00\x00\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x02\xc0\x0c"))
	f.Add(byte(0), []byte("\x01\x00\x00\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x04\x01a\xc0\x0c"))
	f.Add(byte(3<<2), []byte("\x00\x01\x00\xc0\x0c\x00\x06\x00\x01\x00\x00\x0e\x10\x00\x18\xc0\x0c\xc0\x0c\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01"))
	f.Add(byte(2), []byte("\x01\x00\x00\xc0\x0c"))
	f.Add(byte(1<<2), []byte{})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, flags byte, tail []byte) {
		if len(tail) > 60000 {
			return
		}
		o := Options{
			ResolvConf: filepath.Join(dir, "none"), Hosts: filepath.Join(dir, "none"), Servers: []netip.AddrPort{silentServer}, Trusted: true,
			Dial: func(_ context.Context, network string, _ netip.AddrPort) (net.Conn, error) {
				return &scripted{network: network, tail: tail, flags: flags}, nil
			},
		}
		now := time.Now()
		o.Now = func() time.Time { return now }
		r := New(o)
		for _, name := range []string{"MX", "A", "AAAA", "TXT", "PTR", "SRV", "TLSA", "CNAME", "NS", "SOA"} {
			qtype, _ := wire.ParseType(name)
			a, err := r.Text(t.Context(), "example.org", qtype)
			b, again := r.Text(t.Context(), "example.org", qtype)
			if (err == nil) != (again == nil) || len(a.Records) != len(b.Records) || (err == nil) != (len(a.Records) > 0) {
				t.Fatalf("%s: %+v, %v; then %+v, %v", name, a, err, b, again)
			}
			if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoData) && !errors.Is(err, ErrTemporary) && !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s: an error without a class: %v", name, err)
			}
		}
	})
}

// FuzzFiles reads arbitrary text as resolv.conf and as hosts.
func FuzzFiles(f *testing.F) {
	f.Add([]byte("nameserver 192.0.2.53\nsearch example.org\noptions ndots:2 timeout:3 rotate\n"))
	f.Add([]byte("192.0.2.1 a.example b\n::1 localhost ip6-localhost # here\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := parseResolvConf(text)
		if len(s.addrs) == 0 || len(s.addrs) > serversMax || len(s.search) > searchMax || s.timeout < time.Second || s.timeout > timeoutMax || s.attempts < 1 || s.attempts > attemptsMax || s.ndots < 0 || s.ndots > ndotsMax {
			t.Errorf("%+v", s)
		}
		h := parseHosts(text)
		for addr, e := range h.byAddr {
			for _, name := range e.records.([]string) {
				octets, err := wire.AppendName(nil, name)
				if err != nil {
					t.Fatal(err)
				}
				family := wire.A
				if addr.Is6() {
					family = wire.AAAA
				}
				if e := h.lookup(question{octets, family}); e == nil || e.err != nil {
					t.Errorf("%v has the name %q, which has no address", addr, name)
				}
			}
		}
	})
}
