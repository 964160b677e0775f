package auth

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"barid/auth/sasl"
)

// attempt is one try to log in, by a password or by SCRAM.
type attempt struct {
	*Auth
	users *users
	now   time.Time
	from  netip.Addr
	name  string // folded name of the account, or what the client said
	line  string // "" when there is no such account
	at    uint32
	party party
}

// try finds out who is meant. The error is LockedOut.
func (a *Auth) try(user []byte, from netip.Addr) (attempt, error) {
	t := attempt{Auth: a, now: a.o.Now(), from: from}
	t.users = a.current(t.now)
	t.line, t.at, _ = t.users.resolve(user, a.o.DefaultDomain)
	if t.line == "" {
		// RFC 4616 2, RFC 5802 5.1: names are compared as prepared.
		if name, ok := sasl.Prepare(string(user)); ok && name != string(user) {
			t.line, t.at, _ = t.users.resolve([]byte(name), a.o.DefaultDomain)
		}
	}
	if e, ok := cutEntry(t.line); ok {
		t.name = e.foldedName()
	} else {
		t.name = string(user[:min(len(user), nameMax)])
	}
	t.party = a.penalties.party(t.name, from)
	return t, t.lockedOut()
}

func (t *attempt) lockedOut() error {
	locked, delay := t.penalties.verdict(t.party, t.now)
	if !locked {
		return nil
	}
	t.counts.lockedOut.Add(1)
	return &Error{Class: LockedOut, Delay: delay, Detail: "too many failures from this address"}
}

// Password checks a user's password for a client at from (the zero Addr: a
// unix socket). It may block for as long as a password hash takes: call
// loop.Conn.Blocking before. The error is an *Error. The strings of the
// Account may be kept.
func (a *Auth) Password(user, password []byte, from netip.Addr) (Account, error) {
	t, err := a.try(user, from)
	if err != nil {
		return Account{}, err
	}
	if len(password) == 0 || len(password) > passwordSizeMax || bytes.IndexByte(password, 0) >= 0 {
		return Account{}, t.refused("no password, too long, or NUL in it")
	}
	d := a.digests.sum(t.name, password)
	if account, err, ok := t.remembered(&d); ok {
		return account, err
	}
	h, reason := t.hash()
	if !a.gate.enter(h.memoryBytes()) {
		return Account{}, errBusy()
	}
	defer a.gate.leave(h.memoryBytes())
	// Others have been busy meanwhile, perhaps with the same password.
	if err := t.lockedOut(); err != nil {
		return Account{}, err
	}
	if account, err, ok := t.remembered(&d); ok {
		return account, err
	}
	return t.verify(h, reason, password, &d)
}

// remembered answers from memory, if this password was checked lately.
func (t *attempt) remembered(d *digest) (_ Account, _ error, ok bool) {
	v := t.users.verified
	if t.line != "" {
		if r, ok := v.isRight(t.at, d, t.now); ok && (r.nets == "" || netsAllow(r.nets, t.from)) {
			t.counts.remembered.Add(1)
			t.penalties.succeeded(t.party, t.now)
			return *r.account, nil, true
		}
	}
	if v.isWrong(d, t.now) {
		t.counts.remembered.Add(1)
		t.counts.refused.Add(1)
		return Account{}, &Error{Class: Refused, Delay: t.penalties.again(t.party, t.now), Detail: "the same wrong password again"}, true
	}
	return Account{}, nil, false
}

// hash is what the password is to be checked against. When there is a reason
// why this login cannot succeed it is the dummy, which costs the same.
func (t *attempt) hash() (hash, string) {
	if reason := t.barred(); reason != "" {
		return t.users.dummy, reason
	}
	e, _ := cutEntry(t.line)
	h, err := parseHash(e.password)
	if err == nil && h.memoryBytes() > t.o.HashMemoryMax {
		err = errCostly
	}
	if err != nil {
		return t.users.dummy, err.Error()
	}
	return h, ""
}

// barred says why the account may not log in whatever the password, or "".
func (t *attempt) barred() string {
	if t.line == "" {
		return "unknown user"
	}
	e, _ := cutEntry(t.line)
	if _, ok := e.find("nologin"); ok {
		return "nologin"
	}
	if nets, ok := e.find("allow_nets"); ok && !netsAllow(nets, t.from) {
		return "address is not in allow_nets"
	}
	return ""
}

// verify computes the hash and draws the conclusions.
func (t *attempt) verify(h hash, reason string, password []byte, d *digest) (Account, error) {
	right := t.matches(&h, password) && reason == ""
	t.now = t.o.Now()
	if !right {
		if reason == "" {
			reason = "wrong password"
		}
		if reason != "address is not in allow_nets" { // may be right from elsewhere
			t.users.verified.putWrong(d, t.now)
		}
		return Account{}, t.refused(reason)
	}
	account := t.account()
	e, _ := cutEntry(t.line)
	nets, _ := e.find("allow_nets")
	t.users.verified.putRight(t.at, rightPassword{digest: *d, account: &account, nets: strings.Clone(nets)}, t.now)
	t.penalties.succeeded(t.party, t.now)
	return account, nil
}

// matches checks the password as it was sent and, should SASLprep make
// something else of it (RFC 4616 2), as that: a hash may have been made of
// either.
func (t *attempt) matches(h *hash, password []byte) bool {
	t.counts.hashed.Add(1)
	if h.verify(password) {
		return true
	}
	prepared, ok := sasl.Prepare(string(password))
	return ok && prepared != string(password) && h.verify([]byte(prepared))
}

// account is who logged in, in memory of its own.
func (t *attempt) account() Account {
	e, _ := cutEntry(t.line)
	a, _ := e.account(strings.Clone(t.name))
	a.Home, a.Mail = strings.Clone(a.Home), strings.Clone(a.Mail)
	return a
}

// refused counts a failure.
func (t *attempt) refused(reason string) error {
	t.counts.refused.Add(1)
	return &Error{Class: Refused, Delay: t.penalties.failed(t.party, t.now), Detail: reason}
}
