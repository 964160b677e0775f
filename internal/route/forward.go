package route

import (
	"errors"

	"barid/internal/addr"
	"barid/internal/srs"
)

// wayBack finds the sender in an address that Rewrite made, to whom reports
// about forwarded mail go. Anybody may send there, whatever his own sender: the
// signature says that we have asked for it, only reports and a few kinds of
// automatic replies are sent to a return path, and not all of those come from the
// null sender. False when the address is not such a one.
func (x *expansion) wayBack(a address) (back address, v Verdict, is bool) {
	if !srs.Is(a.local) {
		return back, v, false
	}
	sender, err := x.r.options.SRS.Reverse(nil, a.local, x.now)
	if errors.Is(err, srs.ErrSyntax) {
		return back, v, false // a mailbox may be called so
	}
	if err != nil {
		v = unknown()
		v.Reason = err.Error()
		return back, v, true
	}
	back, ok := x.parse(sender)
	if !ok {
		return back, malformed(), true
	}
	if x.steps != nil {
		x.note("srs", "srs.domain", string(a.local), string(sender))
	}
	return back, accept(), true
}

// Rewrite gives the sender with which a message is handed to another host:
// address is where it goes and original what the client named, empty when that
// is the same. The sender of a message that one of our addresses forwards is
// rewritten to one of ours, for the next host may ask whether this host may send
// in its name (RFC 7208); reports come back by way of wayBack. Every other one
// stays as it is, and so does one that would become too long, for most mail gets
// there all the same. The error is nil always: it is for whoever can do less.
func (r *Router) Rewrite(sender, original, address []byte) ([]byte, error) {
	if r.options.SRS == nil || len(sender) == 0 || len(original) == 0 || !r.isOurs(original) || r.isOurs(sender) {
		return sender, nil
	}
	rewritten, err := r.options.SRS.Forward(nil, sender, r.options.Now())
	if err != nil {
		r.options.Log.Info("the sender of forwarded mail stays as it is", "sender", sender, "recipient", original, "error", err)
		return sender, nil
	}
	return rewritten, nil
}

// isOurs reports whether an address lies in a domain of ours; one without a
// domain does.
func (r *Router) isOurs(address []byte) bool {
	_, domain, qualified := addr.Split(address)
	if !qualified {
		return true
	}
	var buf [addr.DomainMax]byte
	d, err := addr.AppendDomain(buf[:0], domain)
	if err != nil {
		return false
	}
	_, _, ours := r.ours(d)
	return ours
}
