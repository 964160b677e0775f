package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// printer prints an answer: each method appends to dst.
type printer interface {
	line(dst []byte, a *answer) []byte
	end(dst []byte, count int) []byte
}

// table prints a line per recipient.
type table struct{ begun bool }

func (t *table) line(dst []byte, a *answer) []byte {
	q := a.Message
	if q == nil {
		return dst
	}
	if !t.begun {
		t.begun = true
		dst = fmt.Appendf(dst, "%-13s  %9s  %-16s  %-9s  %s\n", "ID", "SIZE", "ARRIVED", "STATE", "SENDER -> RECIPIENT (REASON)")
	}
	arrived := localTime(q.Arrived).Format("2006-01-02 15:04")
	if q.Damage != "" {
		return fmt.Appendf(dst, "%-13s  %9d  %-16s  %-9s  %s\n", q.ID, q.Size, arrived, "damaged", q.Damage)
	}
	for _, r := range q.Recipients {
		dst = fmt.Appendf(dst, "%-13s  %9d  %-16s  %-9s  %s -> %s", q.ID, q.Size, arrived, r.State, q.Sender, r.Address)
		if r.Reason != "" {
			dst = fmt.Appendf(dst, " (%s)", r.Reason)
		}
		dst = append(dst, '\n')
	}
	return dst
}

func (t *table) end(dst []byte, count int) []byte {
	if count == 0 {
		return append(dst, "no messages\n"...)
	}
	return dst
}

// lines prints each thing as one line of JSON.
type lines struct{}

func (lines) line(dst []byte, a *answer) []byte {
	var thing any
	switch {
	case a.Message != nil:
		thing = a.Message
	case a.Destination != nil:
		thing = a.Destination
	case a.Ages != nil:
		thing = a.Ages
	default:
		return dst
	}
	text, err := json.Marshal(thing)
	if err != nil {
		panic("what the queue answers cannot be put as JSON: " + err.Error())
	}
	return append(append(dst, text...), '\n')
}

func (lines) end(dst []byte, _ int) []byte { return dst }

// details prints all that is known.
type details struct{}

func (details) line(dst []byte, a *answer) []byte {
	q := a.Message
	if q == nil {
		return dst
	}
	dst = fmt.Appendf(dst, "id:       %s\narrived:  %s\nsize:     %d\nsender:   %s\n", q.ID, mailTime(q.Arrived), q.Size, q.Sender)
	for _, f := range []struct{ name, value string }{{"account: ", q.Account}, {"client:  ", q.Client}, {"envelope:", q.EnvelopeID}, {"damage:  ", q.Damage}} {
		if f.value != "" {
			dst = fmt.Appendf(dst, "%s %s\n", f.name, f.value)
		}
	}
	for _, r := range q.Recipients {
		dst = fmt.Appendf(dst, "to:       %s\n          %s, attempts: %d, destination: %s\n", r.Address, r.State, r.Attempts, r.Dest)
		if r.Original != "" {
			dst = fmt.Appendf(dst, "          sent to %s\n", r.Original)
		}
		if r.NextAttempt != 0 {
			dst = fmt.Appendf(dst, "          next attempt %s\n", mailTime(r.NextAttempt))
		}
		for _, a := range r.History {
			dst = fmt.Appendf(dst, "          %s %s %s %s\n", mailTime(a.Time), a.Kind, a.Status, a.Text)
		}
	}
	return append(dst, '\n')
}

func (details) end(dst []byte, _ int) []byte { return dst }

func mailTime(seconds int64) string { return localTime(seconds).Format(time.RFC1123Z) }

// mailq prints what mailq(1) of Postfix prints with long queue ids, because
// scripts read it: a line with id, size, time and sender, then for each
// recipient its reason, unless it is the one of the recipient before, and its
// address, and an empty line between messages.
type mailq struct{ octets int64 }

const (
	mailqLine   = "%-17s %8s %-19s %s\n"
	mailqSender = "%-17s %8d %-19s %s\n"
	mailqWidth  = 76 // of a reason, which ends there
)

func (m *mailq) line(dst []byte, a *answer) []byte {
	q := a.Message
	if q == nil {
		return dst
	}
	if m.octets == 0 {
		dst = fmt.Appendf(dst, mailqLine, "----Queue ID-----", "--Size--", "---Arrival Time----", "--Sender/Recipient------")
	} else {
		dst = append(dst, '\n')
	}
	m.octets += max(q.Size, 1)
	dst = fmt.Appendf(dst, mailqSender, q.ID+mailqMark(q.Queue), q.Size, localTime(q.Arrived).Format("Mon Jan _2 15:04:05"), q.Sender)
	before := ""
	for _, r := range q.Recipients {
		if reason := r.Reason; reason != before {
			before = reason
			if reason == "" {
				reason = "reason unavailable"
			}
			dst = fmt.Appendf(dst, "%*s(%s)\n", max(mailqWidth-len(reason), 0), "", reason)
		}
		dst = fmt.Appendf(dst, mailqLine, "", "", "", r.Address)
	}
	return dst
}

// mailqMark is what Postfix puts behind an id.
func mailqMark(queue string) string {
	switch queue {
	case "active":
		return "*"
	case "hold":
		return "!"
	}
	return ""
}

func (m *mailq) end(dst []byte, count int) []byte {
	if count == 0 {
		return append(dst, "Mail queue is empty\n"...)
	}
	plural := "s"
	if count == 1 {
		plural = ""
	}
	return fmt.Appendf(dst, "\n-- %d Kbytes in %d Request%s.\n", m.octets/1024, count, plural)
}
