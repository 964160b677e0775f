package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// penalties remembers failures so that guessing becomes slow.
//
// A failure is a debt that is forgotten after a while: for each of three
// keys the table holds the moment at which everything will be forgotten. The
// keys are the client's address (of IPv6 the /64, which is what one customer
// has), the account, and the two together.
//
//   - The address's debt delays its answers and, when there are FailuresMax
//     failures in it, locks the address out for LockFor. Nothing is checked
//     then, not even a right password.
//   - The account's debt, the work of many addresses, delays answers and
//     never locks: otherwise anybody could lock out the owner.
//   - A pair that has logged in before is known. The debts of the address
//     and of the account do not touch it, only its own, which delays and
//     never locks. That is what keeps the owner's own address open whatever
//     others do to the account, and whatever a neighbour behind the same
//     address does to others.
//
// A success forgets the debt of its pair and takes no more than that from
// those of the address and the account: an attacker with an account of his
// own cannot wash his address clean.
//
// Everything is in memory and bounded: of each table the older half is
// dropped when it is full. Keys are 64-bit hashes with a random seed; a
// collision costs somebody a delay once in a billion years.
type penalties struct {
	o    Lockout
	seed maphash.Seed

	mu    sync.Mutex
	debts halves // key -> moment when its failures are forgotten
	known halves // pair -> moment of its last success
}

const knownFor = 30 * 24 * time.Hour

func newPenalties(o Lockout) *penalties {
	return &penalties{o: o, seed: maphash.MakeSeed(), debts: newHalves(o.AddressesMax), known: newHalves(o.AddressesMax)}
}

// party is who tries: the keys of address, account and pair.
type party struct {
	address, account, pair uint64
	exempt                 bool // from being locked out
}

// party computes the keys of a folded user name at an address. The zero Addr,
// a unix socket, is a place of its own and exempt.
func (p *penalties) party(user string, from netip.Addr) party {
	from = from.Unmap().WithZone("")
	t := party{exempt: !from.IsValid()}
	for _, net := range p.o.Exempt {
		t.exempt = t.exempt || net.Contains(from)
	}
	if from.Is6() {
		prefix, _ := from.Prefix(64)
		from = prefix.Addr()
	}
	t.address = maphash.Comparable(p.seed, from)
	t.account = maphash.String(p.seed, user)
	t.pair = maphash.Comparable(p.seed, [2]uint64{t.address, t.account})
	return t
}

// verdict says whether this party may try now.
func (p *penalties) verdict(t party, now time.Time) (locked bool, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.exempt || p.o.FailuresMax < 0 || p.isKnown(t, now) || p.level(t.address, now) < p.o.FailuresMax {
		return false, 0
	}
	return true, p.delay(p.o.FailuresMax)
}

func (p *penalties) isKnown(t party, now time.Time) bool {
	at, ok := p.known.get(t.pair)
	return ok && now.Sub(time.Unix(0, at)) < knownFor
}

// level is the number of failures not yet forgotten.
func (p *penalties) level(key uint64, now time.Time) int {
	until, _ := p.debts.get(key)
	left := time.Duration(until - now.UnixNano())
	if left <= 0 {
		return 0
	}
	return int((left + p.o.ForgetEvery - 1) / p.o.ForgetEvery)
}

// failed records a failure and says for how long its answer is held back.
func (p *penalties) failed(t party, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owe(t.pair, now)
	p.owe(t.account, now)
	p.owe(t.address, now)
	if p.isKnown(t, now) {
		return p.delay(p.level(t.pair, now))
	}
	failures := p.level(t.address, now)
	if p.o.FailuresMax > 0 && failures == p.o.FailuresMax && !t.exempt {
		lock := time.Duration(p.o.FailuresMax-1)*p.o.ForgetEvery + p.o.LockFor
		p.debts.put(t.address, now.Add(lock).UnixNano())
	}
	return p.delay(max(failures, p.level(t.account, now)-p.o.FailuresMax))
}

// again is the delay of a failure that is not counted, because the very same
// password was wrong a moment ago: a misconfigured client, not a guess.
func (p *penalties) again(t party, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isKnown(t, now) {
		return p.delay(p.level(t.pair, now))
	}
	return p.delay(max(1, p.level(t.address, now)))
}

// levelMax bounds how far a debt grows, so that it is forgotten some day.
const levelMax = 1000

// owe adds one failure to a key's debt.
func (p *penalties) owe(key uint64, now time.Time) {
	until, _ := p.debts.get(key)
	until = max(until, now.UnixNano()) + int64(p.o.ForgetEvery)
	p.debts.put(key, min(until, now.Add(levelMax*p.o.ForgetEvery).UnixNano()))
}

// succeeded makes the pair known and forgets its failures.
func (p *penalties) succeeded(t party, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.known.get(t.pair); !ok || now.Sub(time.Unix(0, at)) > time.Hour {
		p.known.put(t.pair, now.UnixNano())
	}
	until, ok := p.debts.get(t.pair)
	if !ok {
		return
	}
	p.debts.drop(t.pair)
	if paid := until - now.UnixNano(); paid > 0 {
		p.forgive(t.address, paid)
		p.forgive(t.account, paid)
	}
}

func (p *penalties) forgive(key uint64, paid int64) {
	if until, ok := p.debts.get(key); ok {
		p.debts.put(key, until-paid)
	}
}

// delay is 1 s after the first failure and doubles with each, up to DelayMax.
func (p *penalties) delay(failures int) time.Duration {
	if failures <= 0 || p.o.DelayMax < 0 {
		return 0
	}
	return min(time.Second<<min(failures-1, 20), p.o.DelayMax)
}

// halves is a bounded map that forgets what has not been written for longest:
// writes go to the young half; when that is full it becomes the old one, and
// the old one is dropped.
type halves struct {
	max        int // entries in each half
	young, old map[uint64]int64
}

func newHalves(entriesMax int) halves {
	return halves{max: max(1, entriesMax/2), young: map[uint64]int64{}}
}

func (h *halves) get(key uint64) (int64, bool) {
	v, ok := h.young[key]
	if !ok {
		v, ok = h.old[key]
	}
	return v, ok
}

func (h *halves) put(key uint64, v int64) {
	if _, there := h.young[key]; !there && len(h.young) >= h.max {
		h.old, h.young = h.young, make(map[uint64]int64)
	}
	h.young[key] = v
}

func (h *halves) drop(key uint64) {
	delete(h.young, key)
	delete(h.old, key)
}
