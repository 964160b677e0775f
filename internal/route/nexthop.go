package route

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"barid/internal/addr"
)

// Agents, the first part of a destination key. localDest begins the key of a
// mailbox of ours: the rest is the account.
const (
	localDest   = "local:"
	smtpDest    = "smtp:"
	lmtpDest    = "lmtp:"
	discardDest = "discard:"
)

// socketMax is the longest path of a unix socket in octets, unix(7).
const socketMax = 107

var (
	errPort     = errors.New("no port after the colon: a number from 1 to 65535, or smtp, submission, submissions or lmtp")
	errHost     = errors.New("no host: write example.org for the MX of a domain, [mx.example.org] for a host itself")
	errBracket  = errors.New("the bracket is not closed")
	errHops     = errors.New("one next hop only: a domain whose MX names several hosts does what a list would do")
	errSocket   = fmt.Errorf("the path of a socket has at most %d octets", socketMax)
	errBareAddr = errors.New("an address stands in brackets")
)

// appendNexthop appends where mail is handed on by SMTP, as destination keys
// have it: a domain whose MX is looked up, or in brackets a host or address.
//
//	nexthop = ( Domain / "[" ( Domain / IPv4 / [ "IPv6:" ] IPv6 ) "]" ) [ ":" port ]
func appendNexthop(dst []byte, text string) ([]byte, error) {
	if strings.ContainsAny(text, ", \t") {
		return dst, errHops
	}
	host, port, err := cutPort(text)
	if err != nil {
		return dst, err
	}
	out, err := appendHost(dst, host)
	if err != nil {
		return dst, err
	}
	return appendPort(out, port), nil
}

// appendLMTP appends where mail is handed on by LMTP: a unix socket, or a host
// itself, for there is no MX for LMTP.
//
//	nexthop = "unix:" path / [ "inet:" ] host [ ":" port ]   ; transport(5), lmtp(8)
func appendLMTP(dst []byte, text string) ([]byte, error) {
	if name, ok := strings.CutPrefix(text, "unix:"); ok {
		if !path.IsAbs(name) {
			return dst, fmt.Errorf("%s: write the whole path of the socket, from / on", name)
		}
		if name = path.Clean(name); name == "/" || len(name) > socketMax || strings.IndexByte(name, 0) >= 0 {
			return dst, errSocket
		}
		return append(append(dst, "unix:"...), name...), nil
	}
	host, port, err := cutPort(strings.TrimPrefix(text, "inet:"))
	if err != nil {
		return dst, err
	}
	if !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if port == 0 {
		port = 24 // the one registered for LMTP
	}
	out, err := appendHost(dst, host)
	if err != nil {
		return dst, err
	}
	return appendPort(out, port), nil
}

// cutPort divides host, with its brackets, and port; 0 stands for none.
func cutPort(text string) (host string, port int, err error) {
	end := strings.IndexByte(text, ':')
	if strings.HasPrefix(text, "[") {
		if end = strings.IndexByte(text, ']') + 1; end == 0 {
			return "", 0, errBracket
		}
	} else if strings.Count(text, ":") > 1 {
		return "", 0, errBareAddr
	}
	if end < 0 || end == len(text) {
		return text, 0, nil
	}
	host, rest := text[:end], text[end:]
	name, colon := strings.CutPrefix(rest, ":")
	if !colon {
		return "", 0, errPort
	}
	port, err = parsePort(name)
	return host, port, err
}

func parsePort(name string) (int, error) {
	switch strings.ToLower(name) {
	case "smtp":
		return 25, nil
	case "lmtp":
		return 24, nil
	case "submission":
		return 587, nil
	case "submissions", "smtps":
		return 465, nil
	}
	n, err := strconv.ParseUint(name, 10, 16)
	if err != nil || n == 0 {
		return 0, errPort
	}
	return int(n), nil
}

// appendHost appends a domain, or a host or an address in brackets, in
// canonical form.
func appendHost(dst []byte, host string) ([]byte, error) {
	name, bracketed := strings.CutPrefix(host, "[")
	switch {
	case host == "" || host == "[]":
		return dst, errHost
	case bracketed:
		return appendBracketed(dst, strings.TrimSuffix(name, "]"))
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return dst, errBareAddr
	}
	return addr.AppendDomain(dst, []byte(host))
}

func appendBracketed(dst []byte, name string) ([]byte, error) {
	const tag = "IPv6:"
	literal := name
	if len(name) > len(tag) && strings.EqualFold(name[:len(tag)], tag) {
		literal = name[len(tag):]
	}
	out := append(dst, '[')
	if ip, err := netip.ParseAddr(literal); err == nil && ip.Zone() == "" {
		out = ip.Unmap().AppendTo(out)
	} else if out, err = addr.AppendDomain(out, []byte(name)); err != nil {
		return dst, err
	}
	return append(out, ']'), nil
}

func appendPort(dst []byte, port int) []byte {
	if port == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, ':'), int64(port), 10)
}
