package smtpd

import (
	"bytes"

	"barid/smtpd/proto"
	"barid/spool"
)

// expandedDest is the destination of an address that has become several: the
// agent for it does nothing but have a success reported. (RFC 3461 5.2.7.3)
var expandedDest = []byte("expanded:")

// add puts the targets of a recipient into the envelope.
//
// What the sender wants to hear goes with them. Of an address that leads to
// several he hears "expanded" if he wanted to hear of success, and of each of
// them only failure and delay (RFC 3461 5.2.7.3 c); of one that leads to a single
// other he hears what becomes of that (5.2.7.2).
func (t *transaction) add(r *proto.Recipient) {
	notify := notifyOf(r.Notify)
	if len(t.targets.List) > 1 && notify&spool.NotifySuccess != 0 {
		t.envelope.Recipients = append(t.envelope.Recipients, spool.Recipient{
			Address: r.Address, ORcpt: r.ORcpt, Notify: spool.NotifySuccess, Dest: expandedDest,
		})
		notify = withoutSuccess(notify)
	}
	for i := range t.targets.List {
		target := &t.targets.List[i]
		to := spool.Recipient{
			Address: t.keep(target.Address),
			ORcpt:   r.ORcpt,
			Notify:  notify,
			Dest:    t.keep(target.Dest),
		}
		if !bytes.Equal(r.Address, target.Address) {
			to.Original = r.Address
		}
		t.envelope.Recipients = append(t.envelope.Recipients, to)
	}
}

// withoutSuccess takes success away. Who wanted to hear of nothing else wants
// to hear nothing then: an empty set would mean failure and delay.
func withoutSuccess(n spool.Notify) spool.Notify {
	if n == spool.NotifySuccess {
		return spool.NotifyNever
	}
	return n &^ spool.NotifySuccess
}

// fewRecipients is up to how many recipients comparing all with all is
// cheaper than a map.
const fewRecipients = 16

// dedupe leaves the first of the recipients that are the same mailbox by the
// same address, however many lists it is on and however often it was named.
func (t *transaction) dedupe() {
	all := t.envelope.Recipients
	if len(all) > fewRecipients {
		t.dedupeMany()
		return
	}
	kept := all[:0]
	for i := range all {
		if !has(kept, &all[i]) {
			kept = append(kept, all[i])
		}
	}
	t.envelope.Recipients = kept
}

func has(recipients []spool.Recipient, r *spool.Recipient) bool {
	for i := range recipients {
		if bytes.Equal(recipients[i].Address, r.Address) && bytes.Equal(recipients[i].Dest, r.Dest) {
			return true
		}
	}
	return false
}

func (t *transaction) dedupeMany() {
	all := t.envelope.Recipients
	seen := make(map[string]struct{}, len(all))
	var key []byte
	kept := all[:0]
	for i := range all {
		key = append(append(append(key[:0], all[i].Address...), 0), all[i].Dest...)
		if _, there := seen[string(key)]; !there {
			seen[string(key)] = struct{}{}
			kept = append(kept, all[i])
		}
	}
	t.envelope.Recipients = kept
}
