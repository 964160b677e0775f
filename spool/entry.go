package spool

import (
	"encoding/binary"
	"time"
)

// State is the state of a recipient, numbered as in docs/spool.md.
type State uint8

// The states of a recipient. State 2 is never on disk.
const (
	StateReady     State = 1 // will be delivered at once
	StateRunning   State = 2 // an agent has it
	StateDeferred  State = 3 // will be tried again
	StateDelivered State = 4 // in the mailbox; not yet known to be durable there, or not yet reported
	StateDone      State = 5 // durable in the mailbox
	StateHeld      State = 6 // by an operator
	StateFailed    State = 7 // for good, or too old; kept until that is reported, or an operator decides
	StateDeleted   State = 8 // by an operator
)

// String is the state in one word.
func (s State) String() string {
	names := [...]string{"", "ready", "running", "deferred", "delivered", "done", "held", "failed", "deleted"}
	if int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// final says that nothing is left to do for the recipient.
func (s State) final() bool { return s == StateDone || s == StateDeleted }

const (
	entryFixed    = 20
	allRecipients = 0xffff
	historyMax    = 5   // outcomes that are kept of each recipient
	textMax       = 500 // bytes kept of the text of an outcome
	statusMax     = 20
	remoteMax     = 255

	// entryMax is no less than the longest entry.
	entryMax = entryFixed + historyMax*(attemptFixed+statusMax+textMax+remoteMax)

	entryWarned = 0x10 // beside the state
)

// entry is the state of one recipient as it is on disk.
type entry struct {
	id       ID
	index    uint16 // of the recipient, or allRecipients
	state    State
	warned   bool   // its sender was told that it is late
	due      uint32 // seconds since 1970
	attempts uint16
	outcomes uint8  // how many stand in history
	history  []byte // encoded outcomes
}

func (e *entry) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.id))
	dst = binary.LittleEndian.AppendUint16(dst, e.index)
	dst = append(dst, e.stateOctet(), e.outcomes)
	dst = binary.LittleEndian.AppendUint32(dst, e.due)
	dst = binary.LittleEndian.AppendUint16(dst, e.attempts)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(e.history)))
	return append(dst, e.history...)
}

func (e *entry) stateOctet() byte {
	if e.warned {
		return byte(e.state) | entryWarned
	}
	return byte(e.state)
}

func (e *entry) setStateOctet(c byte) {
	e.state, e.warned = State(c&^entryWarned), c&entryWarned != 0
}

// parse reads the entry at the front of p and returns its length; history
// points into p.
func (e *entry) parse(p []byte) (int, error) {
	if len(p) < entryFixed {
		return 0, errBadRecord
	}
	le := binary.LittleEndian
	*e = entry{
		id: ID(le.Uint64(p)), index: le.Uint16(p[8:]), outcomes: p[11],
		due: le.Uint32(p[12:]), attempts: le.Uint16(p[16:]),
	}
	e.setStateOctet(p[10])
	n := entryFixed + int(le.Uint16(p[18:]))
	if len(p) < n || e.state < StateReady || e.state > StateDeleted {
		return 0, errBadRecord
	}
	e.history = p[entryFixed:n:n]
	return n, nil
}

// Attempt is what became of one attempt to deliver to a recipient, or what an
// operator did.
type Attempt struct {
	Time time.Time
	Outcome
}

// appendAttempt adds an attempt to an encoded history and drops the oldest if
// there would be more than historyMax.
func appendAttempt(history []byte, count uint8, a *Attempt) ([]byte, uint8) {
	if count >= historyMax {
		history = history[:copy(history, history[attemptLength(history):])]
		count--
	}
	status, text, remote := clip(a.Status, statusMax), clip(a.Text, textMax), clip(a.Remote, remoteMax)
	history = binary.LittleEndian.AppendUint64(history, uint64(a.Time.UnixMicro()))
	history = append(history, byte(a.Kind), byte(a.Action), byte(len(status)), byte(len(remote)))
	history = binary.LittleEndian.AppendUint16(history, uint16(len(text)))
	history = append(history, status...)
	history = append(history, remote...)
	return append(history, text...), count + 1
}

func clip(s string, max int) string { return s[:min(len(s), max)] }

const attemptFixed = 14

// attemptLength is the length of the first attempt in an encoded history, or
// of all of it when that is damaged.
func attemptLength(history []byte) int {
	if len(history) < attemptFixed {
		return len(history)
	}
	n := attemptFixed + int(history[10]) + int(history[11]) + int(binary.LittleEndian.Uint16(history[12:]))
	return min(n, len(history))
}

// parseHistory reads all attempts of an entry, oldest first.
func parseHistory(history []byte) []Attempt {
	var attempts []Attempt
	for len(history) >= attemptFixed {
		n := attemptLength(history)
		status := min(attemptFixed+int(history[10]), n)
		remote := min(status+int(history[11]), n)
		attempts = append(attempts, Attempt{
			Time: time.UnixMicro(int64(binary.LittleEndian.Uint64(history))),
			Outcome: Outcome{
				Kind:   Kind(history[8]),
				Action: Action(history[9]),
				Status: string(history[attemptFixed:status]),
				Remote: string(history[status:remote]),
				Text:   string(history[remote:n]),
			},
		})
		history = history[n:]
	}
	return attempts
}
