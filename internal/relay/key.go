package relay

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"barid/internal/addr"
)

// What destination keys of this agent begin with.
const (
	SMTP = "smtp:"
	LMTP = "lmtp:"
)

// A Key is a destination key of the spool, taken apart. Just one of Host, Addr
// and Path is set. Keys are comparable; String gives the one spelling that
// they have in the spool.
type Key struct {
	LMTP   bool
	Lookup bool       // find the MX of Host, otherwise it is the server itself
	Host   string     // a canonical domain
	Addr   netip.Addr // an address literal
	Path   string     // a Unix socket
	Port   uint16     // 0: not said
}

// Errors of ParseKey.
var (
	errTransport = errors.New("not a destination of smtp: or lmtp:, such as smtp:example.org")
	errPort      = errors.New("a port is a number from 1 to 65535")
	errBrackets  = errors.New("an address or a host stands in brackets: [192.0.2.1]:25")
	errPath      = errors.New("a socket is an absolute path of at most 107 octets")
	errHost      = errors.New("not a host name")
)

// ParseKey takes a destination key apart. It understands a few more spellings
// than the spool has, so that it can normalize what people write:
//
//	key     = "smtp:" ( domain / host ) [":" port]
//	        / "lmtp:" ( host [":" port] / "unix:" path / "inet:" name [":" port] / name [":" port] )
//	host    = "[" ( name / IPv4 / ["IPv6:"] IPv6 ) "]"
//
// The domain of smtp is the one whose MX are looked up. LMTP has no MX (RFC
// 2033 section 5), so a name there is the server, with or without brackets.
func ParseKey(key string) (Key, error) {
	if rest, ok := strings.CutPrefix(key, SMTP); ok {
		return parseHost(Key{Lookup: true}, rest)
	}
	rest, ok := strings.CutPrefix(key, LMTP)
	if !ok {
		return Key{}, errTransport
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		if len(path) < 2 || len(path) > 107 || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
			return Key{}, errPath
		}
		return Key{LMTP: true, Path: path}, nil
	}
	return parseHost(Key{LMTP: true}, strings.TrimPrefix(rest, "inet:"))
}

// parseHost reads everything behind the transport.
func parseHost(k Key, s string) (Key, error) {
	host, port := s, ""
	bracketed := strings.HasPrefix(s, "[")
	if bracketed {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return Key{}, errBrackets
		}
		host, port = s[1:end], s[end+1:]
		k.Lookup = false
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	var err error
	if k.Port, err = parsePort(port); err != nil {
		return Key{}, err
	}
	return k.withHost(host, bracketed || k.LMTP)
}

// parsePort reads ":25" or nothing.
func parsePort(s string) (uint16, error) {
	if s == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(s, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil || n == 0 || digits[0] == '+' {
		return 0, errPort
	}
	return uint16(n), nil
}

// withHost sets Host or Addr; an address has to be the server itself.
func (k Key) withHost(host string, server bool) (Key, error) {
	literal := host
	if len(host) > 5 && strings.EqualFold(host[:5], "IPv6:") {
		literal = host[5:]
	}
	if a, err := netip.ParseAddr(literal); err == nil {
		if !server || a.Zone() != "" {
			return Key{}, errBrackets
		}
		k.Addr = a.Unmap()
		return k, nil
	}
	canonical, err := addr.AppendDomain(nil, []byte(host))
	if err != nil || addr.IsLiteral(canonical) {
		return Key{}, errHost
	}
	k.Host = string(canonical)
	return k, nil
}

// String is the key as the spool has it.
func (k Key) String() string {
	if k.LMTP {
		return LMTP + k.NextHop()
	}
	return SMTP + k.NextHop()
}

// NextHop is the key without its transport, as it stands in the files of
// policies and passwords: example.org, [mx.example.org]:587, unix:/run/lmtp.
func (k Key) NextHop() string {
	if k.Path != "" {
		return "unix:" + k.Path
	}
	if k.Port == 0 {
		return k.name()
	}
	return k.name() + ":" + strconv.Itoa(int(k.Port))
}

// name is NextHop without the port.
func (k Key) name() string {
	switch {
	case k.Addr.IsValid():
		return "[" + k.Addr.String() + "]"
	case k.Lookup:
		return k.Host
	}
	return "[" + k.Host + "]"
}
