package auth

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"

	"barid/auth/sasl"
)

// mechanisms, strongest first, cut by what a channel and a file allow. Read
// only.
var mechanisms = []string{sasl.ScramSHA256Plus, sasl.ScramSHA256, sasl.Plain, sasl.Login}

// Mechanisms lists the SASL mechanisms that a client on this channel may
// use, strongest first; none when the channel needs TLS first. SCRAM is
// offered only while every account of the file that can log in has
// credentials for it: a client that prefers SCRAM would fail with a right
// password otherwise. The slice must not be modified.
func (a *Auth) Mechanisms(c Channel) []string {
	switch {
	case !a.allows(c):
		return nil
	case !a.current(a.o.Now()).scramReady:
		return mechanisms[2:]
	case !c.TLS:
		return mechanisms[1:]
	}
	return mechanisms
}

// allows reports whether the cleartext policy lets passwords through here.
// SCRAM hides the password but not a guess at it from who listens, so it
// follows the same rule.
func (a *Auth) allows(c Channel) bool {
	local := !c.Remote.IsValid() || c.Remote.Unmap().IsLoopback()
	return c.TLS || a.o.Cleartext == Always || a.o.Cleartext == Loopback && local
}

// Exchange is one authentication by SASL.
type Exchange struct {
	auth    *Auth
	client  Client
	session sasl.Session
	attempt attempt // of SCRAM
	account Account
}

// Start begins an exchange of the named mechanism (any case). The error is an
// *Error of class NoMechanism, NeedsTLS or Temporary.
func (a *Auth) Start(mechanism string, c Client) (*Exchange, error) {
	upper := strings.ToUpper(mechanism)
	offered := a.Mechanisms(c.Channel)
	if !slices.Contains(offered, upper) {
		if !a.allows(c.Channel) && slices.Contains(mechanisms, upper) {
			return nil, &Error{Class: NeedsTLS, Detail: upper + " without TLS"}
		}
		return nil, &Error{Class: NoMechanism, Detail: "mechanism is not offered"}
	}
	var nonce [18]byte
	if _, err := io.ReadFull(a.o.Random, nonce[:]); err != nil {
		return nil, &Error{Class: Temporary, Detail: err.Error()}
	}
	x := &Exchange{auth: a, client: c}
	x.session, _ = sasl.New(upper, sasl.Options{
		Nonce:       base64.StdEncoding.EncodeToString(nonce[:]),
		PlusOffered: slices.Contains(offered, sasl.ScramSHA256Plus),
		Binding:     c.Binding,
	})
	return x, nil
}

// Step takes the client's decoded response: nil when the command carried no
// initial response, non-nil (perhaps empty) otherwise. Until done it returns
// the challenge to send, not yet in base 64 and perhaps empty, valid until
// the next call. It may block like Password. The error is an *Error and ends
// the exchange.
func (x *Exchange) Step(response []byte) (challenge []byte, done bool, err error) {
	challenge, next := x.session.Step(response)
	for {
		switch next {
		case sasl.Respond:
			return challenge, false, nil
		case sasl.AskPassword:
			return x.askPassword()
		case sasl.AskCredentials:
			challenge, next, err = x.supply()
			if err != nil {
				return nil, false, err
			}
		case sasl.Done:
			return nil, true, x.succeed()
		case sasl.Malformed:
			return nil, false, &Error{Class: Malformed, Detail: x.session.Reason()}
		default:
			return nil, false, x.refuse()
		}
	}
}

// Account is who authenticated, once Step said done. Its strings may be kept.
func (x *Exchange) Account() Account { return x.account }

// User is the name that the client claimed, for the log; "" before it is
// known.
func (x *Exchange) User() string { return x.session.User() }

// askPassword ends PLAIN and LOGIN.
func (x *Exchange) askPassword() ([]byte, bool, error) {
	account, err := x.auth.Password([]byte(x.session.User()), x.session.Password(), x.client.Remote)
	x.session.Verdict(err == nil)
	x.account = account
	return nil, err == nil, err
}

// supply gives SCRAM what it asks for: the account's credentials, or fakes
// when there is no account that could log in from here.
func (x *Exchange) supply() (challenge []byte, next sasl.Next, err error) {
	t, err := x.auth.try([]byte(x.session.User()), x.client.Remote)
	x.attempt = t
	if err != nil {
		return nil, 0, err
	}
	credentials, fake, err := t.credentials()
	if err != nil {
		return nil, 0, err
	}
	challenge, next = x.session.Supply(credentials, fake)
	return challenge, next, nil
}

// credentials finds or computes the account's SCRAM credentials.
func (t *attempt) credentials() (sasl.Credentials, sasl.Fake, error) {
	e, _ := cutEntry(t.line)
	fake := sasl.Fake(t.barred() != "")
	if text := e.scramText(); text != "" && !fake {
		c, err := sasl.ParseCredentials(text)
		return c, fake, err
	}
	h, err := parseHash(e.password)
	if fake || err != nil || h.scheme != plainText {
		h, fake = t.users.dummy, true
	}
	c := sasl.Credentials{Salt: t.users.fake.salt(t.name), Iterations: t.users.fake.iterations}
	if h.scheme != plainText {
		return c, fake, nil
	}
	// A password in the clear has no salt: it gets the one that an unknown
	// user of this name would get. Where such accounts are the majority, the
	// unknown ones cost the same.
	if !t.gate.enter(0) {
		return c, fake, errBusy()
	}
	defer t.gate.leave(0)
	t.counts.hashed.Add(1)
	c, err = sasl.Derive([]byte(h.text), c.Salt, c.Iterations)
	return c, fake, err
}

// refuse ends an exchange whose client could not prove itself.
func (x *Exchange) refuse() error {
	t := &x.attempt
	if t.Auth == nil { // refused before we looked the user up
		var err error
		if *t, err = x.auth.try([]byte(x.session.User()), x.client.Remote); err != nil {
			return err
		}
	}
	reason := x.session.Reason()
	if barred := t.barred(); barred != "" {
		reason = barred
	}
	return t.refused(reason)
}

// succeed ends SCRAM. (PLAIN and LOGIN end in askPassword.)
func (x *Exchange) succeed() error {
	t := &x.attempt
	t.penalties.succeeded(t.party, t.now)
	x.account = t.account()
	return nil
}
