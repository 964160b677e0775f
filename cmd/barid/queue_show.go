package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"barid/spool"
)

// describe turns a message of the spool into what goes over the control
// socket. A message that cannot be read is still there, and says why.
func describe(sum *spool.Summary, err error) *queued {
	e := &sum.Envelope
	q := &queued{
		ID: sum.ID.String(), Arrived: sum.Arrived, Size: sum.Size,
		From: string(e.ReturnPath), Account: string(e.Account), Client: string(e.Client),
	}
	if err != nil {
		q.Error = err.Error()
		return q
	}
	for i := range sum.Recipients {
		q.Recipients = append(q.Recipients, describeRecipient(&e.Recipients[i], &sum.Recipients[i]))
	}
	return q
}

func describeRecipient(r *spool.Recipient, s *spool.RecipientStatus) recipient {
	d := recipient{
		To: string(r.Address), Original: string(r.Original), Dest: string(r.Dest),
		State: s.State.String(), Attempts: s.Attempts, Reason: reason(s.Last),
	}
	if s.State == spool.StateDeferred {
		d.Due = &s.Due
	}
	for _, a := range s.History {
		d.History = append(d.History, attempt{Time: a.Time, Kind: a.Kind.String(), Status: a.Status, Text: a.Text})
	}
	return d
}

func reason(a spool.Attempt) string { return strings.TrimSpace(a.Status + " " + a.Text) }

// states are the words for the states of a recipient.
var states = []spool.State{
	spool.StateReady, spool.StateRunning, spool.StateDeferred, spool.StateDelivered, spool.StateHeld, spool.StateFailed,
}

func parseState(word string) (spool.State, error) {
	var words []string
	for _, s := range states {
		if s.String() == word {
			return s, nil
		}
		words = append(words, s.String())
	}
	return 0, fmt.Errorf("there is no state %q; they are %s", word, strings.Join(words, ", "))
}

// printer prints the messages of an answer.
type printer interface {
	print(w *bufio.Writer, q *queued)
	end(w *bufio.Writer, count int)
}

// table prints a line per message.
type table struct{ begun bool }

func (t *table) print(w *bufio.Writer, q *queued) {
	if !t.begun {
		t.begun = true
		fmt.Fprintf(w, "%-13s  %8s  %-16s  %-9s  %s\n", "ID", "SIZE", "ARRIVED", "STATE", "FROM -> TO")
	}
	arrived := q.Arrived.Local().Format("2006-01-02 15:04")
	if q.Error != "" {
		fmt.Fprintf(w, "%-13s  %8d  %-16s  %-9s  %s\n", q.ID, q.Size, arrived, "damaged", q.Error)
	}
	for _, r := range q.Recipients {
		fmt.Fprintf(w, "%-13s  %8d  %-16s  %-9s  <%s> -> <%s>", q.ID, q.Size, arrived, r.State, q.From, r.To)
		if r.Reason != "" {
			fmt.Fprintf(w, "  (%s)", r.Reason)
		}
		w.WriteByte('\n')
	}
}

func (t *table) end(w *bufio.Writer, count int) {
	if count == 0 {
		fmt.Fprintln(w, "the queue is empty")
	}
}

// lines prints each message as one line of JSON.
type lines struct{}

func (lines) print(w *bufio.Writer, q *queued) { _ = json.NewEncoder(w).Encode(q) } // bufio keeps the error
func (lines) end(*bufio.Writer, int)           {}

// details prints all that is known.
type details struct{}

func (details) print(w *bufio.Writer, q *queued) {
	fmt.Fprintf(w, "id:       %s\narrived:  %s\nsize:     %d\nfrom:     <%s>\n", q.ID, q.Arrived.Local().Format(time.RFC1123Z), q.Size, q.From)
	for _, f := range []struct{ name, value string }{{"account: ", q.Account}, {"client:  ", q.Client}, {"error:   ", q.Error}} {
		if f.value != "" {
			fmt.Fprintf(w, "%s %s\n", f.name, f.value)
		}
	}
	for _, r := range q.Recipients {
		fmt.Fprintf(w, "to:       <%s> %s, %d attempts, for %s\n", r.To, r.State, r.Attempts, r.Dest)
		if r.Original != "" {
			fmt.Fprintf(w, "          sent to <%s>\n", r.Original)
		}
		if r.Due != nil {
			fmt.Fprintf(w, "          next attempt %s\n", r.Due.Local().Format(time.RFC1123Z))
		}
		for _, a := range r.History {
			fmt.Fprintf(w, "          %s %s %s %s\n", a.Time.Local().Format(time.RFC1123Z), a.Kind, a.Status, a.Text)
		}
	}
	w.WriteByte('\n')
}

func (details) end(*bufio.Writer, int) {}

// mailq prints what mailq(1) of Postfix prints, because scripts read it.
type mailq struct{ octets int64 }

func (m *mailq) print(w *bufio.Writer, q *queued) {
	if m.octets == 0 {
		fmt.Fprintf(w, "%-17s %8s %-19s %s\n", "-Queue ID-", "--Size--", "----Arrival Time----", "-Sender/Recipient-------")
	}
	m.octets += q.Size
	from := q.From
	if from == "" {
		from = "MAILER-DAEMON"
	}
	fmt.Fprintf(w, "%-17s %8d %-19s %s\n", q.ID+mailqMark(q), q.Size, q.Arrived.Local().Format("Mon Jan _2 15:04:05"), from)
	for _, r := range q.Recipients {
		if r.Reason != "" {
			fmt.Fprintf(w, "%45s(%s)\n", "", r.Reason)
		}
		fmt.Fprintf(w, "%46s%s\n", "", r.To)
	}
	w.WriteByte('\n')
}

// mailqMark is what Postfix puts behind an id: * active, ! held.
func mailqMark(q *queued) string {
	for _, r := range q.Recipients {
		switch r.State {
		case spool.StateRunning.String(), spool.StateDelivered.String():
			return "*"
		case spool.StateHeld.String(), spool.StateFailed.String():
			return "!"
		}
	}
	return ""
}

func (m *mailq) end(w *bufio.Writer, count int) {
	if count == 0 {
		fmt.Fprintln(w, "Mail queue is empty")
		return
	}
	plural := "s"
	if count == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "-- %d Kbytes in %d Request%s.\n", (m.octets+1023)/1024, count, plural)
}

// raw prints the text of a message.
func raw(w io.Writer, piece []byte) error {
	_, err := w.Write(piece)
	return err
}
