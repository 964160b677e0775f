package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// nexthop is where mail is handed on: a domain whose MX is looked up, or a host
// or address in brackets, and either with a port.
//
//	nexthop = ( Domain / "[" ( Domain / IPv4 / [ "IPv6:" ] IPv6 ) "]" ) [ ":" port ]
func nexthop(to *string) value {
	return typed[string]{to, "next hop", parseNexthop, same}
}

func parseNexthop(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := cutNexthop(s)
	if err != nil {
		return "", err
	}
	name, bracketed := strings.CutPrefix(strings.TrimSuffix(host, "]"), "[")
	if bracketed {
		host, err = bracketedHost(name)
	} else if _, isAddr := netip.ParseAddr(host); isAddr == nil {
		return "", fmt.Errorf("%q: an address stands in brackets%s", s, didYouMean("["+host+"]"+s[len(host):]))
	} else {
		host, err = parseName(host)
	}
	if err != nil {
		return "", err
	}
	return host + port, nil
}

// cutNexthop divides host, with its brackets, from port, with its colon.
func cutNexthop(s string) (host, port string, err error) {
	end := strings.IndexByte(s, ':')
	if strings.HasPrefix(s, "[") {
		if end = strings.IndexByte(s, ']') + 1; end == 0 {
			return "", "", fmt.Errorf("%q: the bracket is not closed", s)
		}
	} else if strings.Count(s, ":") > 1 {
		return "", "", fmt.Errorf("%q is neither host nor host:port%s", s, didYouMean("["+s+"]"))
	} else if end < 0 {
		return s, "", nil
	}
	host, port = s[:end], s[end:]
	if n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16); port != "" && (port[0] != ':' || err != nil || n == 0) {
		return "", "", fmt.Errorf("%q: %q is not a colon and a port number", s, port)
	}
	return host, port, nil
}

func bracketedHost(name string) (string, error) {
	literal := name
	if len(name) > 5 && strings.EqualFold(name[:5], "IPv6:") {
		literal = name[5:]
	}
	if ip, err := netip.ParseAddr(literal); err == nil && ip.Zone() == "" {
		return "[" + ip.String() + "]", nil
	}
	canonical, err := parseName(name)
	return "[" + canonical + "]", err
}

// servers are name servers: addresses with or without a port.
func servers(to *[]netip.AddrPort) value {
	return list(to, "addresses", parseServer, func(s netip.AddrPort) string {
		if s.Port() == 53 {
			return s.Addr().String()
		}
		return s.String()
	})
}

func parseServer(s string) (netip.AddrPort, error) {
	if server, err := netip.ParseAddrPort(s); err == nil && server.Port() != 0 {
		return server, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address: write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53", s)
	}
	return netip.AddrPortFrom(addr, 53), nil
}

// addrs are single addresses of this host.
func addrs(to *[]netip.Addr) value {
	return list(to, "addresses", func(s string) (netip.Addr, error) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return addr, fmt.Errorf("%q is not an address: write 192.0.2.1 or 2001:db8::1", s)
		}
		return addr.Unmap(), nil
	}, netip.Addr.String)
}

// Rate is so many in a time; the zero value is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Interval is the time from one to the next, 0 without a limit.
func (r Rate) Interval() time.Duration {
	if r.Count == 0 {
		return 0
	}
	return r.Per / time.Duration(r.Count)
}

// String is the form of the file.
func (r Rate) String() string {
	for _, u := range units() {
		if r.Count > 0 && u.long == r.Per {
			return strconv.Itoa(r.Count) + "/" + u.name
		}
	}
	return "0"
}

func rate(to *Rate) value { return typed[Rate]{to, "rate", parseRate, Rate.String} }

var errRate = errors.New("write a rate as 10/s, 600/m, 1000/h or 5000/d, or 0 for no limit")

// parseRate reads a number and the time it is for, such as 10/s, or 0.
func parseRate(s string) (Rate, error) {
	if s == "0" {
		return Rate{}, nil
	}
	digits, name, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(digits, 10, 32)
	per, ok := unitOf(name)
	if err != nil || !ok || n <= 0 || n > math.MaxInt32 || per < time.Second {
		return Rate{}, fmt.Errorf("%q: %w", s, errRate)
	}
	return Rate{int(n), per}, nil
}
