package dnsres

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"barid/dnsres/wire"
)

// entry is an answer in memory. But for the links of the cache's list, which
// its lock guards, it never changes once others can see it.
type entry struct {
	records       any // []MX, []netip.Addr, []string, []SRV or []TLSA, by the type asked for; nil with an error
	err           *Error
	canonical     string
	expires       time.Time // used without asking until then
	dead          time.Time // of no use at all after that
	real          time.Time // when the answer itself expired, before it was extended
	server        netip.AddrPort
	authenticated bool
	stale         bool

	key        string
	size       int64
	prev, next *entry
}

const (
	// ttlMax bounds what servers say: RFC 8767 4 suggests a week at most, and
	// mail has no use for so much.
	ttlMax = 24 * time.Hour
	// negativeMax bounds negative answers (RFC 2308 5: one to three hours).
	negativeMax = time.Hour
	// entryOverhead is what an entry costs beside its records: itself, the
	// key, and its place in a table that is between half and quite full.
	entryOverhead = 320
)

// memory estimates what an entry costs.
func (e *entry) memory() int64 {
	n := entryOverhead + grown(len(e.key)) + grown(len(e.canonical))
	switch records := e.records.(type) {
	case []MX:
		for _, r := range records {
			n += 24 + grown(len(r.Host))
		}
	case []netip.Addr:
		n += 24 * len(records)
	case []string:
		for _, r := range records {
			n += 16 + grown(len(r))
		}
	case []SRV:
		for _, r := range records {
			n += 24 + grown(len(r.Host))
		}
	case []TLSA:
		for _, r := range records {
			n += 32 + grown(len(r.Data))
		}
	}
	if e.err != nil {
		n += 128 + grown(len(e.err.Name)) + grown(len(e.err.Detail))
	}
	return int64(n)
}

// grown is a length as the allocator rounds it up, more or less.
func grown(n int) int { return (n + n/8 + 15) &^ 15 }

// answerOf makes the answer that an asker gets.
func answerOf[T any](e *entry, err error) (Answer[T], error) {
	if err != nil {
		return Answer[T]{}, err
	}
	a := Answer[T]{Canonical: e.canonical, Expires: e.real, Server: e.server, Authenticated: e.authenticated, Stale: e.stale}
	if e.err != nil {
		return a, e.err
	}
	a.Records = e.records.([]T)
	return a, nil
}

// recordsOf copies the records of a type at a canonical name out of a
// message. It gives nil when there are none, and the least of their TTLs.
func recordsOf(m *wire.Message, q question) (records any, ttl time.Duration) {
	switch q.Type {
	case wire.A, wire.AAAA:
		return collect(m, q, wire.Record.Addr)
	case wire.MX:
		records, ttl = collect(m, q, func(r wire.Record) MX { return MX{r.Preference(), target(r)} })
		sortBy(records, func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	case wire.SRV:
		records, ttl = collect(m, q, func(r wire.Record) SRV {
			s := r.Service()
			return SRV{s.Priority, s.Weight, s.Port, target(r)}
		})
		sortBy(records, func(a, b SRV) int { return cmp.Compare(a.Priority, b.Priority) })
	case wire.TLSA:
		return collect(m, q, func(r wire.Record) TLSA {
			a := r.Association()
			return TLSA{a.Usage, a.Selector, a.Matching, slices.Clone(a.Data)}
		})
	case wire.TXT:
		return collect(m, q, func(r wire.Record) string { return string(r.AppendText(nil)) })
	case wire.SOA:
		return collect(m, q, startText)
	default:
		return collect(m, q, target)
	}
	return records, ttl
}

// collect reads the records that answer a question.
func collect[T any](m *wire.Message, q question, read func(wire.Record) T) (any, time.Duration) {
	var all []T
	ttl := ttlMax
	for records := m.Answers(); ; {
		r, ok := records.Next()
		if !ok {
			break
		}
		if r.Type == q.Type && r.Class == wire.IN && r.Name.Is(q.name) {
			all = append(all, read(r))
			ttl = min(ttl, seconds(r.TTL))
		}
	}
	if all == nil {
		return nil, 0
	}
	return slices.Clip(all), ttl
}

// sortBy sorts records, keeping the server's order among equals.
func sortBy[T any](records any, compare func(a, b T) int) {
	if all, ok := records.([]T); ok {
		slices.SortStableFunc(all, compare)
	}
}

func target(r wire.Record) string {
	n, _ := r.Target()
	return n.String()
}

func startText(r wire.Record) string {
	s, _ := r.Start()
	return fmt.Sprintf("%v %v %d %d %d %d %d", s.Primary, s.Mailbox, s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum)
}

func seconds(ttl uint32) time.Duration { return min(time.Duration(ttl)*time.Second, ttlMax) }
