package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"barid/internal/addr"
	"barid/spool"
)

// The summary shows what has gathered in the queue, and since when: a row for
// each destination, or whatever is asked for, with its recipients by age. Mail
// that has just come stands on the left, and what is stuck on the right.

// ageBounds are the upper bounds of the columns but the last, in minutes.
var ageBounds = [...]int{5, 10, 20, 40, 80, 160, 320, 640, 1280}

// ageRow is one row.
type ageRow struct {
	Name   string                  `json:"name"`
	Total  int                     `json:"total"`
	Counts [len(ageBounds) + 1]int `json:"counts"` // recipients, by age
}

func (r *ageRow) add(age time.Duration) {
	column := 0
	for column < len(ageBounds) && age >= time.Duration(ageBounds[column])*time.Minute {
		column++
	}
	r.Counts[column]++
	r.Total++
}

// ageKey says what a row of the summary stands for.
type ageKey struct {
	name string
	of   func(sum *spool.Summary, i int) []byte // about a recipient; valid until the next one
}

func ageKeys() []ageKey {
	return []ageKey{
		{"destination", func(sum *spool.Summary, i int) []byte {
			if dest := sum.Envelope.Recipients[i].Dest; !bytes.HasPrefix(dest, []byte(localAgent+":")) {
				return dest
			}
			return []byte(localAgent) // and not each mailbox
		}},
		{"domain", func(sum *spool.Summary, i int) []byte { return domainOf(sum.Envelope.Recipients[i].Address) }},
		{"sender", func(sum *spool.Summary, _ int) []byte {
			if len(sum.Envelope.ReturnPath) == 0 {
				return []byte(noSender)
			}
			return domainOf(sum.Envelope.ReturnPath)
		}},
		{"reason", func(sum *spool.Summary, i int) []byte {
			last := &sum.Recipients[i].Last
			return []byte(cmp.Or(strings.TrimSpace(last.Status+" "+last.Text), "not tried yet"))
		}},
	}
}

func domainOf(address []byte) []byte {
	if _, domain, has := addr.Split(address); has {
		return domain
	}
	return address
}

func findAgeKey(name string) (ageKey, error) {
	var names []string
	for _, k := range ageKeys() {
		if k.name == cmp.Or(name, "destination") {
			return k, nil
		}
		names = append(names, k.name)
	}
	return ageKey{}, fmt.Errorf("there is no summary by %q%s; there are %s", name, didYouMean(name, names), strings.Join(names, ", "))
}

// rowsMax bounds the rows that are gathered; what comes on top goes together.
const rowsMax = 100_000

// summarize counts the recipients that are selected, and puts the rows, the
// longest first. Those that are finished count no more.
func summarize(o *operator, s *selection, put func(*answer) error) (count int, err error) {
	rows, now, pulse := map[string]*ageRow{}, time.Now(), newPulse(put)
	for sum, err := range s.all(o.spool) {
		if err != nil {
			continue // nothing is known of it
		}
		count++
		for i := range sum.Recipients {
			if waits(sum.Recipients[i].State) && s.chooses(sum, i) {
				rowOf(rows, s.by.of(sum, i)).add(now.Sub(sum.Arrived))
			}
		}
		if err := pulse.beat(count); err != nil {
			return count, err
		}
	}
	return count, putRows(rows, put)
}

// waits says that a recipient is not finished.
func waits(state spool.State) bool {
	switch state {
	case spool.StateReady, spool.StateRunning, spool.StateDeferred, spool.StateHeld, spool.StateFailed:
		return true
	}
	return false
}

func rowOf(rows map[string]*ageRow, key []byte) *ageRow {
	row := rows[string(key)]
	if row == nil && len(rows) >= rowsMax {
		key = []byte("others")
		row = rows[string(key)]
	}
	if row == nil {
		row = &ageRow{Name: shown(key)}
		rows[string(key)] = row
	}
	return row
}

func putRows(rows map[string]*ageRow, put func(*answer) error) error {
	sorted := make([]*ageRow, 0, len(rows))
	for _, r := range rows {
		sorted = append(sorted, r)
	}
	slices.SortFunc(sorted, func(a, b *ageRow) int {
		return cmp.Or(b.Total-a.Total, strings.Compare(a.Name, b.Name))
	})
	for _, r := range sorted {
		if err := put(&answer{Ages: r}); err != nil {
			return err
		}
	}
	return nil
}

// ages prints the rows as a table, with the sum of all on top.
type ages struct {
	limit int // rows to print, 0 for all
	sum   ageRow
	rows  []*ageRow
}

func (a *ages) line(dst []byte, ans *answer) []byte {
	r := ans.Ages
	if r == nil {
		return dst
	}
	a.sum.Total += r.Total
	for i, n := range r.Counts {
		a.sum.Counts[i] += n
	}
	if a.limit == 0 || len(a.rows) < a.limit {
		a.rows = append(a.rows, r)
	}
	return dst
}

// end prints the table. The name stands last, for it may be long.
func (a *ages) end(dst []byte, _ int) []byte {
	dst = fmt.Appendf(dst, "%8s", "ALL")
	for _, b := range ageBounds {
		dst = fmt.Appendf(dst, " %6s", fmt.Sprintf("<%dm", b))
	}
	dst = fmt.Appendf(dst, " %6s\n", "older")
	a.sum.Name = "all"
	for _, r := range append([]*ageRow{&a.sum}, a.rows...) {
		dst = fmt.Appendf(dst, "%8d", r.Total)
		for _, n := range r.Counts {
			dst = fmt.Appendf(dst, " %6d", n)
		}
		dst = fmt.Appendf(dst, "  %s\n", r.Name)
	}
	return dst
}
