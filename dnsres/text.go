package dnsres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"barid/dnsres/wire"
)

// Text finds records of any type that wire.ParseType knows and gives each in
// the form of a zone file, for people to read. Names have no final dot, and
// the strings of a TXT record are joined.
func (r *Resolver) Text(ctx context.Context, name string, t wire.Type) (Answer[string], error) {
	e, err := r.find(ctx, name, t)
	if err != nil || e.err != nil {
		return answerOf[string](e, err)
	}
	shown := *e
	shown.records = texts(e.records, t)
	return answerOf[string](&shown, nil)
}

func texts(records any, t wire.Type) []string {
	switch records := records.(type) {
	case []MX:
		return each(records, func(r MX) string { return fmt.Sprint(r.Preference, " ", r.Host) })
	case []netip.Addr:
		return each(records, netip.Addr.String)
	case []SRV:
		return each(records, func(r SRV) string { return fmt.Sprint(r.Priority, " ", r.Weight, " ", r.Port, " ", r.Host) })
	case []TLSA:
		return each(records, func(r TLSA) string { return fmt.Sprintf("%d %d %d %x", r.Usage, r.Selector, r.Matching, r.Data) })
	case []string:
		if t == wire.TXT {
			return each(records, quoted)
		}
		return records
	}
	return nil
}

func each[T any](records []T, text func(T) string) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = text(r)
	}
	return all
}

// quoted writes a string as RFC 1035 5.1 has it, so that nothing in it can
// reach a terminal.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
