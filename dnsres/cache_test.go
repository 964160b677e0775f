package dnsres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"barid/dnsres/dnstest"
	"barid/dnsres/wire"
)

func TestAnswersAreKeptForTheirTimeAndNoLonger(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	for range 3 {
		_, err := s.Addrs(t.Context(), "MX1.example.org", V4)
		s.want(nil, err)
	}
	s.wantAsked(1)
	s.clock.pass(300*time.Second - 1)
	s.Addrs(t.Context(), "mx1.example.org", V4)
	s.wantAsked(1)
	s.clock.pass(1)
	s.Addrs(t.Context(), "mx1.example.org", V4)
	s.wantAsked(2)
	if st := s.Stats(); st.Hits != 3 || st.Misses != 2 || st.Entries != 1 {
		t.Errorf("%+v", st)
	}
}

func TestNegativeAnswersAreKeptAsLongAsTheZoneSays(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	for range 3 {
		a, err := s.MX(t.Context(), "nobody.example.org")
		s.want(ErrNotFound, err)
		if a.Expires.Sub(s.clock.Now()) != 300*time.Second {
			t.Errorf("%+v", a)
		}
		_, err = s.MX(t.Context(), "v4.example.org")
		s.want(ErrNoData, err)
	}
	s.wantAsked(2)
	s.clock.pass(300 * time.Second)
	s.MX(t.Context(), "nobody.example.org")
	s.wantAsked(3)
}

func TestNegativeAnswersAreBounded(t *testing.T) {
	for _, c := range []struct {
		soa  string
		want time.Duration
	}{
		{"example 7000000 SOA ns.example h.example 1 2 3 4 7000000", negativeMax},
		{"example 10 SOA ns.example h.example 1 2 3 4 20", 10 * time.Second},
		{"example 20 SOA ns.example h.example 1 2 3 4 10", 10 * time.Second},
		{"", 0},
	} {
		s := play(t, dnstest.Zone(c.soa))
		a, err := s.MX(t.Context(), "nobody.example")
		s.want(ErrNotFound, err)
		if left := a.Expires.Sub(s.clock.Now()); left != c.want {
			t.Errorf("%q: %v, want %v", c.soa, left, c.want)
		}
		s.MX(t.Context(), "nobody.example")
		s.wantAsked(map[bool]int{true: 1, false: 2}[c.want > 0])
	}
}

func TestTTLsAreBoundedAndZeroIsNotKept(t *testing.T) {
	s := play(t, dnstest.Zone("long.example 4294967295 A 192.0.2.1\nzero.example 0 A 192.0.2.1"))
	a, err := s.Addrs(t.Context(), "long.example", V4)
	s.want(nil, err)
	if left := a.Expires.Sub(s.clock.Now()); left != ttlMax {
		t.Errorf("kept for %v", left)
	}
	s.Addrs(t.Context(), "zero.example", V4)
	s.Addrs(t.Context(), "zero.example", V4)
	s.wantAsked(3)
	if st := s.Stats(); st.Entries != 1 {
		t.Errorf("%+v", st)
	}
}

func TestFailuresAreKeptForSeconds(t *testing.T) {
	s := play(t, func(q *dnstest.Query) {
		r := dnstest.ReplyTo(q)
		r.RCode, r.Authentic = wire.ServFail, true
		q.Send(r.Octets())
	}, trusted)
	for range 3 {
		a, err := s.MX(t.Context(), "example")
		s.want(ErrTemporary, err)
		if a.Authenticated {
			t.Error("a failure is authenticated")
		}
	}
	s.wantAsked(1)
	s.clock.pass(failureFor)
	s.MX(t.Context(), "example")
	s.wantAsked(2)
}

func TestExpiredAnswersServeWhenAllServersFail(t *testing.T) {
	s := play(t, dnstest.Zone(zone), trusted)
	known := dnstest.Zone(zone)
	s.server.Handle(known)
	fresh, err := s.MX(t.Context(), "example.org")
	s.want(nil, err)
	_, err = s.MX(t.Context(), "nobody.example.org")
	s.want(ErrNotFound, err)
	s.clock.pass(2 * time.Hour)
	s.server.Handle(func(q *dnstest.Query) {
		r := dnstest.ReplyTo(q)
		r.RCode = wire.ServFail
		q.Send(r.Octets())
	})
	for range 2 {
		a, err := s.MX(t.Context(), "example.org")
		s.want(nil, err)
		if !a.Stale || !a.Expires.Equal(fresh.Expires) || len(a.Records) != 3 {
			t.Errorf("%+v", a)
		}
	}
	s.wantAsked(3) // the servers have their rest
	// On an old negative answer mail would be returned for good.
	_, err = s.MX(t.Context(), "nobody.example.org")
	s.want(ErrTemporary, err)
	s.clock.pass(staleFor)
	s.MX(t.Context(), "example.org")
	s.wantAsked(5)
	// For so long and no longer.
	s.clock.pass(24 * time.Hour)
	_, err = s.MX(t.Context(), "example.org")
	s.want(ErrTemporary, err)
	// And a fresh answer takes its place.
	s.server.Handle(known)
	s.clock.pass(failureFor)
	a, err := s.MX(t.Context(), "example.org")
	s.want(nil, err)
	if a.Stale || !a.Expires.After(s.clock.Now()) || s.Stats().Stale != 2 {
		t.Errorf("%+v %+v", a, s.Stats())
	}
}

func TestNobodyWaitsForDeadServersWithASpareAnswer(t *testing.T) {
	questions := 0
	dead := false
	s := play(t, dnstest.Zone(zone), mute(func() { questions++ }), func(o *Options) {
		dial, alive := o.Dial, o.Servers[0]
		o.Dial = func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
			if dead {
				server = silentServer
			}
			return dial(ctx, network, server)
		}
		o.Servers = []netip.AddrPort{alive}
	})
	for _, name := range []string{"mx1.example.org", "v4.example.org"} {
		_, err := s.Addrs(t.Context(), name, V4)
		s.want(nil, err)
	}
	dead = true
	s.clock.pass(time.Hour)
	stale := func(name string, want int) {
		t.Helper()
		a, err := s.Addrs(t.Context(), name, V4)
		s.want(nil, err)
		if !a.Stale || questions != want {
			t.Fatalf("%+v, after %d questions, want %d", a, questions, want)
		}
	}
	stale("mx1.example.org", 2) // now it is known that the server is dead
	stale("v4.example.org", 2)
	_, err := s.Addrs(t.Context(), "web.example.org", V4)
	s.want(ErrTemporary, err)
	if questions != 4 {
		t.Errorf("without a spare answer it is tried: %d", questions)
	}
	s.clock.pass(time.Hour)
	stale("mx1.example.org", 6) // the trial
	stale("v4.example.org", 6)
	dead = false
	s.clock.pass(time.Hour)
	a, err := s.Addrs(t.Context(), "v4.example.org", V4)
	s.want(nil, err)
	if a.Stale {
		t.Error("the server is back and nobody asks it")
	}
}

func TestAnExpiredAnswerIsBetterThanNoneInTime(t *testing.T) {
	s := play(t, dnstest.Zone(zone))
	_, err := s.MX(t.Context(), "example.org")
	s.want(nil, err)
	s.server.Handle(func(q *dnstest.Query) {})
	s.clock.pass(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	a, err := s.MX(ctx, "example.org")
	s.want(nil, err)
	if !a.Stale {
		t.Errorf("%+v", a)
	}
	// He alone was in a hurry: the next one asks.
	s.server.Handle(dnstest.Zone(zone))
	a, err = s.MX(t.Context(), "example.org")
	s.want(nil, err)
	if a.Stale {
		t.Errorf("%+v", a)
	}
}

func TestStaleAnswersCanBeForbidden(t *testing.T) {
	s := play(t, dnstest.Zone(zone), func(o *Options) { o.StaleFor = -1 })
	s.MX(t.Context(), "example.org")
	s.clock.pass(2 * time.Hour)
	s.server.Handle(func(q *dnstest.Query) {
		r := dnstest.ReplyTo(q)
		r.RCode = wire.ServFail
		q.Send(r.Octets())
	})
	_, err := s.MX(t.Context(), "example.org")
	s.want(ErrTemporary, err)
}

func TestManyAskersAreOneQuestion(t *testing.T) {
	answer := make(chan bool)
	known := dnstest.Zone(zone)
	s := play(t, func(q *dnstest.Query) { <-answer; known(q) })
	const askers = 100
	errs := make(chan error)
	for range askers {
		go func() {
			_, err := s.MX(t.Context(), "example.org")
			errs <- err
		}()
	}
	for s.Stats().Misses < askers {
		runtime.Gosched()
	}
	close(answer)
	for range askers {
		s.want(nil, <-errs)
	}
	s.wantAsked(1)
}

func TestWithoutACacheEveryQuestionIsAsked(t *testing.T) {
	s := play(t, dnstest.Zone(zone), func(o *Options) { o.CacheBytes = -1 })
	for range 3 {
		_, err := s.MX(t.Context(), "example.org")
		s.want(nil, err)
	}
	s.wantAsked(3)
	if st := s.Stats(); st.Entries != 0 || st.Bytes != 0 {
		t.Errorf("%+v", st)
	}
}

// made is an entry as a lookup makes it.
func made(name string, dead time.Time, addrs int) *entry {
	octets, err := wire.AppendName(nil, name)
	if err != nil {
		panic(err)
	}
	e := &entry{key: string(question{octets, wire.A}.appendKey(nil)), canonical: name, expires: dead, dead: dead}
	e.records = make([]netip.Addr, addrs)
	e.size = e.memory()
	return e
}

func (c *cache) store(e *entry, now time.Time) *shard {
	s := c.shard([]byte(e.key))
	s.Lock()
	defer s.Unlock()
	s.put(e, now)
	return s
}

func TestTheCacheStaysWithinItsBytes(t *testing.T) {
	const bytesMax = 256 << 10
	c, now := newCache(bytesMax), time.Now()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		name := fmt.Sprintf("host%d.example", random.IntN(4000))
		c.store(made(name, now.Add(time.Duration(random.IntN(100)-5)*time.Second), random.IntN(50)), now)
		if i%100 == 0 {
			now = now.Add(time.Second)
			wantSound(t, c)
		}
		if _, bytes := c.usage(); bytes > bytesMax {
			t.Fatalf("%d bytes", bytes)
		}
	}
	wantSound(t, c)
	if entries, bytes := c.usage(); entries < 100 || bytes < bytesMax*3/4 {
		t.Errorf("%d entries, %d bytes: it does not use what it has", entries, bytes)
	}
}

// wantSound demands that table, list and sum of each shard agree.
func wantSound(t *testing.T, c *cache) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		n, bytes := 0, int64(0)
		for e := s.list.next; e != &s.list; e = e.next {
			n, bytes = n+1, bytes+e.size
			if s.entries[e.key] != e || e.next.prev != e {
				t.Fatal("the list and the table differ")
			}
		}
		if n != len(s.entries) || bytes != s.bytes {
			t.Fatalf("%d entries and %d bytes in the list, %d and %d in the books", n, bytes, len(s.entries), s.bytes)
		}
	}
}

func TestWhatIsUsedStays(t *testing.T) {
	c, now := newCache(64<<10), time.Now()
	used := made("used.example", now.Add(time.Hour), 1)
	s := c.store(used, now)
	for i := range 10000 {
		if s.get([]byte(used.key)) != used {
			t.Fatalf("gone after %d others", i)
		}
		c.store(made(fmt.Sprintf("a%d.example", i), now.Add(time.Hour), 1), now)
	}
}

func TestOneLargeAnswerDoesNotEmptyTheCache(t *testing.T) {
	c, now := newCache(shardCount*8192), time.Now()
	e := made("large.example", now.Add(time.Hour), 100)
	s := c.store(e, now)
	if s.get([]byte(e.key)) != nil {
		t.Error("an answer takes more than an eighth of a shard")
	}
}

func TestWhatIsDeadGoesFirst(t *testing.T) {
	c, now := newCache(1<<20), time.Now()
	for i := range 500 {
		c.store(made(fmt.Sprintf("a%d.example", i), now.Add(time.Second), 1), now)
	}
	now = now.Add(time.Second)
	for i := range 500 {
		c.store(made(fmt.Sprintf("b%d.example", i), now.Add(time.Second), 1), now)
	}
	if entries, _ := c.usage(); entries != 500 {
		t.Errorf("%d entries, half of them dead", entries)
	}
}
