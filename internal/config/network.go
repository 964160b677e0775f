package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where to listen: a network and an address as net.Listen takes
// them.
type Address struct{ Network, Address string }

// String is the form of the file.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Address
	}
	return a.Address
}

func addresses(to *[]Address) value {
	return list(to, "host:port", parseAddress, Address.String)
}

// parseAddress reads host:port, :port for every address of the host, or
// unix:/path. An address given in numbers is bound in its own family alone,
// so that 0.0.0.0:25 and [::]:25 go together.
func parseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return Address{}, fmt.Errorf("%q: a unix socket is written unix:/absolute/path", s)
		}
		return Address{"unix", path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%q is not host:port%s", s, addressHint(s))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return Address{}, fmt.Errorf("%q: %q is not a port number from 0 to 65535", s, port)
	}
	return Address{network(host), s}, nil
}

func network(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return "tcp"
	case ip.Is4():
		return "tcp4"
	}
	return "tcp6"
}

func addressHint(s string) string {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return didYouMean(":" + s)
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		return didYouMean("[" + s + "]:25")
	}
	if !strings.Contains(s, ":") {
		return didYouMean(s + ":25")
	}
	return ""
}

// Networks is a set of addresses, as ranges.
type Networks []netip.Prefix

// Contains reports whether an address is in one of the ranges. An IPv4 address
// in IPv6 form counts as the IPv4 address.
func (n Networks) Contains(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func networks(to *Networks) value {
	return list((*[]netip.Prefix)(to), "networks", parseNetwork, formatNetwork)
}

func parseNetwork(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is not a network: write 192.0.2.0/24, 2001:db8::/32 or a single address", s)
	}
	if p.Masked() != p {
		return p, fmt.Errorf("%s has bits set beyond its mask%s", s, didYouMean(p.Masked().String()))
	}
	return p, nil
}

func formatNetwork(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// checkName says what is wrong with the name of a host or domain. It looks at
// its form only; names outside of ASCII are taken as they are.
//
//	Domain = sub-domain *("." sub-domain)   ; RFC 5321 4.1.2
func checkName(s string) error {
	if len(s) > 255 {
		return errors.New("the name is longer than 255 octets")
	}
	if strings.Contains(s, "@") {
		return fmt.Errorf("%q is an address, not a domain", s)
	}
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notInName) {
			return fmt.Errorf("%q is not the name of a host or domain", s)
		}
	}
	return nil
}

func notInName(r rune) bool {
	return r < 0x80 && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

func domain(to *string, what string) value {
	return typed[string]{to, what, parseName, same}
}

func domains(to *[]string) value { return list(to, "domains", parseName, same) }

// relayDomains are domains, or with a dot before them all that lie within.
func relayDomains(to *[]string) value {
	return list(to, "domains", func(s string) (string, error) {
		within, dot := strings.CutPrefix(s, ".")
		name, err := parseName(within)
		if dot {
			name = "." + name
		}
		return name, err
	}, same)
}

func parseName(s string) (string, error) {
	return strings.ToLower(strings.TrimSuffix(s, ".")), checkName(s)
}
