package main

import (
	"bytes"

	"barid/internal/route"
	"barid/spool"
)

// addressees gathers the recipients of a message that comes by another way
// than through a door.
type addressees struct {
	router  *route.Router
	sender  []byte
	list    []spool.Recipient
	targets route.Targets
	seen    map[string]bool // what is in list, and what else shall not be
}

func newAddressees(router *route.Router, sender []byte) *addressees {
	return &addressees{router: router, sender: sender, seen: map[string]bool{}}
}

// add finds out where a recipient goes. Of an address that leads to several,
// the sender hears of its expansion if he wanted to hear of success, and of
// the others only failure and delay (RFC 3461 5.2.7.3).
func (a *addressees) add(r *spool.Recipient) route.Verdict {
	v := a.router.Resolve(r.Address, route.Sender{Address: a.sender, MayRelay: true}, &a.targets)
	if v.Kind != route.Accept {
		return v
	}
	notify := r.Notify
	if len(a.targets.List) > 1 && notify&spool.NotifySuccess != 0 {
		a.put(r, r.Address, []byte(expandedAgent+":"), spool.NotifySuccess)
		if notify &^= spool.NotifySuccess; notify == 0 {
			notify = spool.NotifyNever // nothing would mean failure and delay
		}
	}
	for i := range a.targets.List {
		t := &a.targets.List[i]
		a.put(r, t.Address, t.Dest, notify)
	}
	return v
}

// put adds one target of a recipient, once.
func (a *addressees) put(r *spool.Recipient, address, dest []byte, notify spool.Notify) {
	key := recipientKey(r.Address, address, dest)
	if a.seen[key] {
		return
	}
	a.seen[key] = true
	to := spool.Recipient{Address: bytes.Clone(address), Dest: bytes.Clone(dest), ORcpt: r.ORcpt, Notify: notify}
	if !bytes.Equal(r.Address, address) {
		to.Original = r.Address
	}
	a.list = append(a.list, to)
}

// recipientKey tells recipients of one message apart.
func recipientKey(named, address, dest []byte) string {
	return string(bytes.Join([][]byte{named, address, dest}, []byte{0}))
}
