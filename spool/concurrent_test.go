package spool

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"barid/internal/vfs/crash"
)

// TestEverybodyAtOnce lets senders, deliveries, checkpoints and operators meet;
// it is there for the race detector, and counts at the end.
func TestEverybodyAtOnce(t *testing.T) {
	const sent = 450
	a := newAgent()
	a.deliver = func(job *Job, r *JobRecipient) Outcome {
		job.Health = Health(dice(key{job.ID, int(r.index)}, r.Attempt) % 4)
		switch {
		case string(r.Address) == "c@x":
			return Outcome{Kind: Failed, Text: "never"}
		case r.Attempt < 3:
			return Outcome{Kind: Deferred, Text: "later", RetryAfter: time.Hour}
		}
		return Outcome{Kind: Delivered}
	}
	c := newClock()
	o := options(crash.New(1), a)
	o.Agents["smtp"], o.Now = a, c.Now
	o.Limits = map[string]Limits{"smtp": {Workers: 4, Recipients: 1, Adaptive: true}}
	o.Reporter, o.WarnAfter = newReporter(), time.Nanosecond
	o.CheckpointInterval, o.indexMin, o.workerPatience = time.Millisecond, 20, time.Millisecond
	s := open(t, o)
	deleted := newSet()
	var senders, operators sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		senders.Go(func() {
			for k := range sent / 3 {
				size := 100 * (k % 60)
				if k%40 == 0 {
					size = 20_000
				}
				if _, err := submit(s, text(size, i), mixed(k)); err != nil {
					t.Error(err)
				}
			}
		})
		operators.Go(func() { operate(t, s, rand.New(rand.NewPCG(uint64(i), 3)), deleted, stop) })
	}
	senders.Wait()
	close(stop)
	operators.Wait()
	a.mu.Lock()
	a.deliver = nil
	a.mu.Unlock()
	for s.Stats().Messages > 0 {
		for id := range idsOf(s) {
			_ = s.Release(id)
		}
		_, err := s.Flush(Filter{})
		must(t, err)
		c.advance(time.Minute) // for reports that are gathered
		s.releaseDue()
		settleDown(s)
		must(t, s.Checkpoint())
	}
	if st := s.Stats(); st.Accepted != sent+st.Reports || st.Damaged != 0 || len(a.errs) != 0 {
		t.Errorf("%+v, %v", st, a.errs)
	}
	a.mu.Lock()
	arrived := map[ID]bool{}
	copies := map[string]int{}
	for _, d := range a.got {
		if d.outcome == Delivered {
			arrived[d.id] = true
			copies[d.id.String()+" "+d.address]++
		}
	}
	for copied, n := range copies {
		if n > 1 {
			t.Errorf("%s: delivered %d times", copied, n)
		}
	}
	if missing := sent - len(arrived); missing > deleted.len() {
		t.Errorf("%d messages did not arrive, %d were deleted", missing, deleted.len())
	}
	a.mu.Unlock()
	closeSpool(t, s)
}

// mixed is an envelope for two recipients at two agents; of some messages one
// more fails.
func mixed(k int) *Envelope {
	e := envelope("a@x", "b@x")
	e.Recipients[1].Dest = fmt.Appendf(nil, "smtp:%d", k%3)
	e.Recipients[1].Notify = NotifySuccess
	if k%5 == 0 {
		e.Recipients = append(e.Recipients, Recipient{Address: []byte("c@x"), Dest: []byte("smtp:1")})
	}
	return e
}

func idsOf(s *Spool) map[ID]bool {
	ids := map[ID]bool{}
	for _, id := range s.ids(&Filter{}) {
		ids[id] = true
	}
	return ids
}

// operate does one thing after the other to messages that it finds.
func operate(t *testing.T, s *Spool, rng *rand.Rand, deleted *set, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		for sum, err := range s.List(Filter{}) {
			if err != nil {
				t.Error(err)
				continue
			}
			if rng.IntN(8) == 0 {
				operateOn(t, s, rng, sum.ID, deleted)
			}
		}
		s.Stats()
	}
}

func operateOn(t *testing.T, s *Spool, rng *rand.Rand, id ID, deleted *set) {
	var err error
	switch rng.IntN(9) {
	case 0:
		err = s.Hold(id, rng.IntN(2))
	case 1:
		err = s.Release(id)
	case 2:
		err = s.Delete(id)
		deleted.add(id)
	case 3:
		_, err = s.Flush(Filter{Address: []byte("a@")})
	case 4:
		_, err = s.Show(id)
	case 5:
		var c *Contents
		if c, err = s.OpenBody(id); err == nil {
			_, err = io.Copy(io.Discard, c)
			err = errors.Join(err, c.Close())
		}
	case 6:
		s.Wake()
	case 7:
		s.sweep()
	case 8:
		for d := range s.Destinations() {
			s.FlushDestination([]byte(d.Key))
		}
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// set is a set of messages.
type set struct {
	mu  sync.Mutex
	ids map[ID]bool
}

func newSet() *set { return &set{ids: map[ID]bool{}} }

func (s *set) add(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[id] = true
}

func (s *set) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}
