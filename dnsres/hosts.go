package dnsres

import (
	"net/netip"
	"slices"

	"barid/dnsres/wire"
)

// hosts is what hosts(5) says. It goes before the DNS: a name that is in it
// is not asked for, even where it has no address of the wanted family there.
type hosts struct {
	byName map[string]*entry // by key: name and A or AAAA
	byAddr map[netip.Addr]*entry
}

// parseHosts reads hosts(5). Addresses that are none and names that are none
// are passed over.
//
//	line = address 1*name
func parseHosts(text []byte) *hosts {
	h := &hosts{byName: map[string]*entry{}, byAddr: map[netip.Addr]*entry{}}
	for fields := range fieldsOf(text, "#") {
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		addr = addr.Unmap()
		for _, name := range fields[1:] {
			if octets, err := wire.AppendName(nil, name); err == nil {
				h.add(addr, octets)
			}
		}
	}
	return h
}

// add notes that a name has an address.
func (h *hosts) add(addr netip.Addr, octets []byte) {
	canonical := question{name: octets}.text()
	for _, t := range [...]wire.Type{wire.A, wire.AAAA} {
		q := question{octets, t}
		e := h.byName[string(q.appendKey(nil))]
		if e == nil {
			e = &entry{canonical: canonical, err: &Error{Name: canonical, Type: t, Class: ErrNoData, Detail: "the hosts file has the name"}}
			h.byName[string(q.appendKey(nil))] = e
		}
		if addr.Is4() == (t == wire.A) {
			addrs, _ := e.records.([]netip.Addr)
			if !slices.Contains(addrs, addr) {
				e.records, e.err = append(addrs, addr), nil
			}
		}
	}
	e := h.byAddr[addr]
	if e == nil {
		e = &entry{records: []string(nil)}
		h.byAddr[addr] = e
	}
	if names := e.records.([]string); !slices.Contains(names, canonical) {
		e.records = append(names, canonical)
	}
}

// lookup finds a question that the file answers.
func (h *hosts) lookup(q question) *entry {
	if len(h.byName) == 0 || q.Type != wire.A && q.Type != wire.AAAA {
		return nil
	}
	var buffer [keySize]byte
	return h.byName[string(q.appendKey(buffer[:0]))]
}

func (r *Resolver) loadHosts(text []byte, old *hosts) *hosts {
	if old != nil {
		r.o.Log.Info("hosts file reread", "file", r.o.Hosts)
	}
	return parseHosts(text)
}
