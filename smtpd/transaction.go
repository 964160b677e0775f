package smtpd

import (
	"barid/internal/route"
	"barid/smtpd/proto"
	"barid/spool"
)

// transaction is the memory of one mail transaction: the engine's, and what
// the door makes of it. It is lent from a pool; its memory is kept from use
// to use.
type transaction struct {
	engine   proto.Transaction
	targets  route.Targets
	envelope spool.Envelope // Recipients keeps its memory
	names    []byte         // what the envelope's slices point into, where the engine has no copy
	writer   *spool.Writer  // from AskData to the end; nil otherwise
	id       spool.ID
	idText   [16]byte
	verdict  proto.Answer // what became of the message, once the engine has asked
}

// abort drops what is not committed.
func (t *transaction) abort() {
	if t.writer != nil {
		t.writer.Release()
		t.writer = nil
	}
	t.clear()
}

// clear forgets the envelope and keeps the memory.
func (t *transaction) clear() {
	clear(t.envelope.Recipients) // they point into memory of others
	t.envelope = spool.Envelope{Recipients: t.envelope.Recipients[:0]}
	t.names = t.names[:0]
	t.verdict = proto.Answer{}
}

// How much a transaction keeps while nobody uses it: one giant transaction
// shall not make the pool giant.
const (
	namesKept      = 16 << 10 // octets
	recipientsKept = 256
)

// targetOctets is about what a target takes in the envelope.
const targetOctets = 192

// memory is about how many octets are in use. What is kept from earlier uses
// does not count, for it is little, see trim.
func (t *transaction) memory() int {
	n := t.engine.Memory() + proto.GrownOctets*len(t.names) + targetOctets*len(t.envelope.Recipients)
	if t.writer != nil {
		n += t.writer.Buffered()
	}
	return n
}

// trim lets go of memory that was needed only once.
func (t *transaction) trim() {
	if cap(t.names) > namesKept {
		t.names = nil
	}
	if cap(t.envelope.Recipients) > recipientsKept {
		t.envelope.Recipients = nil
	}
	if cap(t.targets.List) > recipientsKept {
		t.targets = route.Targets{}
	}
}

// keep copies p into the transaction's memory. Growing leaves what was handed
// out before where it was.
func (t *transaction) keep(p []byte) []byte {
	start := len(t.names)
	t.names = append(t.names, p...)
	return t.names[start:len(t.names):len(t.names)]
}

func (t *transaction) keepString(s string) []byte {
	start := len(t.names)
	t.names = append(t.names, s...)
	return t.names[start:len(t.names):len(t.names)]
}
