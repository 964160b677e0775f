package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// smtpLoad is one run of a plan: the tickets that its workers draw and the
// recipients that they use in turn.
type smtpLoad struct {
	plan       *smtpPlan
	recipients []string
	start      time.Time
	end        time.Time // zero: no end
	drawn      atomic.Int64
}

// ticket is the permission to send one message.
type ticket struct {
	number int64
	due    time.Time // when its latency begins to count
}

// draw gives out the next ticket; false when everything was sent or the time
// is over. In an open loop it waits until the ticket is due.
func (l *smtpLoad) draw(ctx context.Context) (ticket, bool) {
	t := ticket{number: l.drawn.Add(1) - 1, due: time.Now()}
	if l.plan.messages > 0 && t.number >= int64(l.plan.messages) {
		return t, false
	}
	if l.plan.rate > 0 {
		t.due = l.start.Add(time.Duration(float64(t.number) / l.plan.rate * float64(time.Second)))
	}
	if !l.end.IsZero() && t.due.After(l.end) {
		return t, false
	}
	if wait := time.Until(t.due); wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return t, ctx.Err() == nil
}

// recipient is the i-th recipient of a message.
func (l *smtpLoad) recipient(number int64, i int) string {
	n := number*int64(l.plan.rcpts) + int64(i)
	return l.recipients[n%int64(len(l.recipients))]
}

// expandRecipients lists the addresses that patterns stand for: one with %d
// stands for as many as there are numbers.
func expandRecipients(patterns []string, numbers int) []string {
	var list []string
	for _, p := range patterns {
		if !strings.Contains(p, "%d") {
			list = append(list, p)
			continue
		}
		for n := range numbers {
			list = append(list, strings.ReplaceAll(p, "%d", strconv.Itoa(n)))
		}
	}
	return list
}

// smtpTally is what one worker has seen.
type smtpTally struct {
	latency     histogram
	accepted    uint64
	refused     uint64
	failed      uint64
	connections uint64
	trouble     error
}

func (t *smtpTally) note(err error) {
	if t.trouble == nil {
		t.trouble = err
	}
}

func (t *smtpTally) merge(other *smtpTally) {
	t.latency.merge(&other.latency)
	t.accepted += other.accepted
	t.refused += other.refused
	t.failed += other.failed
	t.connections += other.connections
	t.note(other.trouble)
}

// loadSMTP carries out a plan.
func loadSMTP(ctx context.Context, plan *smtpPlan) (*smtpReport, error) {
	load := &smtpLoad{plan: plan, start: time.Now(), recipients: expandRecipients(plan.to, plan.numbers)}
	if plan.duration > 0 {
		load.end = load.start.Add(plan.duration)
	}
	message := newSMTPMessage(plan, load.start)
	before, err := ownCPU()
	if err != nil {
		return nil, err
	}
	tallies := make([]smtpTally, plan.sessions)
	var workers sync.WaitGroup
	for i := range tallies {
		workers.Go(func() { load.work(ctx, message, &tallies[i]) })
	}
	workers.Wait()
	elapsed := time.Since(load.start)
	after, err := ownCPU()
	if err != nil {
		return nil, err
	}
	var total smtpTally
	for i := range tallies {
		total.merge(&tallies[i])
	}
	return total.report(plan, elapsed, after-before), nil
}

func (t *smtpTally) report(plan *smtpPlan, elapsed, cpu time.Duration) *smtpReport {
	r := &smtpReport{
		Seconds: elapsed.Seconds(), Accepted: t.accepted, Refused: t.refused, Failed: t.failed,
		Connections: t.connections, Latency: t.latency.latency(),
		PerSecond: float64(t.accepted) / elapsed.Seconds(),
		MiBps:     float64(t.accepted) * float64(plan.sizeOctets) / elapsed.Seconds() / (1 << 20),
		ClientCPU: cpu.Seconds() / float64(max(t.accepted, 1)) * 1000,
	}
	if t.trouble != nil {
		r.Trouble = t.trouble.Error()
	}
	return r
}

// ownCPU is the processor time that this process has used.
func ownCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("own processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// pauseAfterTrouble keeps a worker from spinning while a server refuses
// connections.
const pauseAfterTrouble = 20 * time.Millisecond

// work opens connections and sends over them until there are no tickets left.
func (l *smtpLoad) work(ctx context.Context, message *smtpMessage, tally *smtpTally) {
	next, ok := l.draw(ctx)
	for ok {
		var err error
		tally.connections++
		next, ok, err = l.connection(ctx, next, message.clone(), tally)
		if err == nil || ctx.Err() != nil {
			continue
		}
		tally.note(err)
		var refusal *refusal
		if errors.As(err, &refusal) {
			tally.refused++
		} else {
			tally.failed++
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pauseAfterTrouble):
		}
	}
}

// connection opens a connection and sends messages over it, next first. It
// returns the ticket for the connection after it: a ticket whose message was
// refused or broken off is spent.
func (l *smtpLoad) connection(ctx context.Context, next ticket, message *smtpMessage, tally *smtpTally) (ticket, bool, error) {
	c, err := dialSMTP(ctx, l.plan)
	if err != nil {
		return l.drawAfter(ctx, err)
	}
	defer c.close()
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	c.load, c.message, c.tally = l, message, tally
	if err := c.open(); err != nil {
		return l.drawAfter(ctx, err)
	}
	return c.sendAll(ctx, next)
}

// drawAfter replaces a ticket that was spent by an error.
func (l *smtpLoad) drawAfter(ctx context.Context, err error) (ticket, bool, error) {
	t, ok := l.draw(ctx)
	return t, ok, err
}
