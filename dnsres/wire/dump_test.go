package wire

import (
	"fmt"
	"strings"
)

// dump writes all that can be read from a message, through every accessor.
func dump(m *Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "id %04x opcode %d %v%s\n", m.ID, m.Opcode, m.RCode, flags(m))
	if m.HasEDNS {
		fmt.Fprintf(&b, "edns version %d udp %d\n", m.Version, m.UDPSize)
		if code, text, ok := m.Extended(); ok {
			fmt.Fprintf(&b, "extended error %d %v %q\n", code, code, text)
		}
	}
	if m.Asked {
		fmt.Fprintf(&b, "question %v class %d %v\n", m.Question.Name, m.Question.Class, m.Question.Type)
	}
	for i, records := range []Records{m.Answers(), m.Authority(), m.Additional()} {
		for r, ok := records.Next(); ok; r, ok = records.Next() {
			if r.Type != OPT {
				fmt.Fprintf(&b, "%s %v %d class %d %v%s\n", [...]string{"answer", "authority", "additional"}[i], r.Name, r.TTL, r.Class, r.Type, dumpData(r))
			}
		}
	}
	return b.String()
}

func flags(m *Message) (s string) {
	for _, f := range []struct {
		name string
		set  bool
	}{{"qr", m.Response}, {"aa", m.Authoritative}, {"tc", m.Truncated}, {"rd", m.RecursionDesired}, {"ra", m.RecursionAvailable}, {"ad", m.Authentic}, {"cd", m.CheckingDisabled}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}

func dumpData(r Record) (s string) {
	if addr := r.Addr(); addr.IsValid() {
		s += " " + addr.String()
	}
	if p := r.Preference(); p > 0 {
		s += fmt.Sprintf(" %d", p)
	}
	if service := r.Service(); service != (Service{}) {
		s += fmt.Sprintf(" %d %d %d", service.Priority, service.Weight, service.Port)
	}
	if target, ok := r.Target(); ok {
		s += " " + target.String()
	}
	if text := r.AppendText(nil); text != nil {
		s += fmt.Sprintf(" %q", text)
	}
	if a := r.Association(); a.Data != nil {
		s += fmt.Sprintf(" %d %d %d %x", a.Usage, a.Selector, a.Matching, a.Data)
	}
	if start, ok := r.Start(); ok {
		s += fmt.Sprintf(" %v %v %d %d %d %d %d", start.Primary, start.Mailbox, start.Serial, start.Refresh, start.Retry, start.Expire, start.Minimum)
	}
	if s == "" {
		s = fmt.Sprintf(" \\# %d %x", len(r.Data()), r.Data())
	}
	return s
}
