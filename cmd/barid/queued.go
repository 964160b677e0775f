package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"barid/spool"
)

// queued is a message in the queue. Its JSON has the names that postqueue -j
// of Postfix has, where the thing is the same, since scripts know these.
type queued struct {
	Queue      string      `json:"queue_name"` // active, deferred or hold
	ID         string      `json:"queue_id"`
	Arrived    int64       `json:"arrival_time"` // seconds since 1970
	Size       int64       `json:"message_size"` // bytes, as stored
	Expired    bool        `json:"forced_expire"`
	Sender     string      `json:"sender"`
	Account    string      `json:"account,omitempty"`
	Client     string      `json:"client,omitempty"`
	EnvelopeID string      `json:"envelope_id,omitempty"`
	Damage     string      `json:"damage,omitempty"` // why the rest is not known
	Recipients []recipient `json:"recipients"`
}

// recipient is one of its recipients.
type recipient struct {
	Address     string    `json:"address"`
	Original    string    `json:"orig_address,omitempty"`
	Reason      string    `json:"delay_reason,omitempty"`
	Dest        string    `json:"destination"`
	State       string    `json:"state"`
	Attempts    int       `json:"attempts"`
	NextAttempt int64     `json:"next_attempt,omitempty"` // seconds since 1970
	History     []attempt `json:"history,omitempty"`
}

// attempt is one try to deliver.
type attempt struct {
	Time   int64  `json:"time"` // seconds since 1970
	Kind   string `json:"outcome"`
	Status string `json:"status,omitempty"`
	Text   string `json:"text,omitempty"`
}

// noSender is what Postfix, and with it every script, calls the null sender.
const noSender = "MAILER-DAEMON"

// describe turns a message of the spool into what is shown. A message that
// cannot be read is still there, and says why.
func describe(sum *spool.Summary, err error) *queued {
	e := &sum.Envelope
	q := &queued{
		Queue: queueName(sum.Recipients), ID: sum.ID.String(), Arrived: sum.Arrived.Unix(), Size: sum.Size,
		Sender: noSender, Account: shown(e.Account), Client: shown(e.Client), EnvelopeID: shown(e.EnvID), Recipients: []recipient{},
	}
	if len(e.ReturnPath) > 0 {
		q.Sender = shown(e.ReturnPath)
	}
	if err != nil {
		q.Damage = err.Error()
		return q
	}
	for i := range sum.Recipients {
		q.Recipients = append(q.Recipients, describeRecipient(&e.Recipients[i], &sum.Recipients[i]))
	}
	return q
}

// keep leaves the recipients with these indices, all of them when there are
// none.
func (q *queued) keep(indices []int) {
	if indices == nil {
		return
	}
	for k, i := range indices {
		q.Recipients[k] = q.Recipients[i]
	}
	q.Recipients = q.Recipients[:len(indices)]
}

func describeRecipient(r *spool.Recipient, s *spool.RecipientStatus) recipient {
	d := recipient{
		Address: shown(r.Address), Original: shown(r.Original), Dest: shown(r.Dest),
		State: s.State.String(), Attempts: s.Attempts, Reason: strings.TrimSpace(s.Last.Status + " " + s.Last.Text),
	}
	if s.State == spool.StateDeferred {
		d.NextAttempt = s.Due.Unix()
	}
	for _, a := range s.History {
		d.History = append(d.History, attempt{Time: a.Time.Unix(), Kind: a.Kind.String(), Status: a.Status, Text: a.Text})
	}
	return d
}

// shown makes text of what came from the network: nothing that a terminal
// would obey.
func shown(octets []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(octets))
}

// queueName is the queue of Postfix that a message would be in.
func queueName(recipients []spool.RecipientStatus) string {
	name := "hold"
	for i := range recipients {
		switch recipients[i].State {
		case spool.StateReady, spool.StateRunning, spool.StateDelivered:
			return "active"
		case spool.StateDeferred:
			name = "deferred"
		}
	}
	return name
}

// states are those that a recipient in the queue can be in.
var states = [...]spool.State{
	spool.StateReady, spool.StateRunning, spool.StateDeferred, spool.StateDelivered, spool.StateHeld, spool.StateFailed,
}

// parseState reads the name of a state; 0 for none.
func parseState(word string) (spool.State, error) {
	if word == "" {
		return 0, nil
	}
	var words []string
	for _, s := range states {
		if s.String() == word {
			return s, nil
		}
		words = append(words, s.String())
	}
	return 0, fmt.Errorf("there is no state %q%s; they are %s", word, didYouMean(word, words), strings.Join(words, ", "))
}

// localTime is a time as the operator's clock shows it.
func localTime(seconds int64) time.Time { return time.Unix(seconds, 0) }
