package sasl

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// SCRAM (RFC 5802) in four messages:
//
//	C: n,,n=user,r=CNONCE                            client-first-message
//	S: r=CNONCE SNONCE,s=SALT,i=ITERATIONS           server-first-message
//	C: c=BINDING,r=CNONCE SNONCE,p=PROOF             client-final-message
//	S: v=SIGNATURE                                   server-final-message
//
// after which the client answers the server's signature, which it has
// checked, with an empty response. The password itself is never sent, and
// the server proves that it has the credentials, too.

// scram is the state between the messages.
type scram struct {
	options     Options
	plus        bool
	gs2Header   string // what c= must repeat
	bindingKind string // "" without channel binding
	nonce       string // client's and server's together
	authMessage string // grows from message to message
	credentials Credentials
	fake        bool
}

// stepScramFirst reads the client's first message.
//
//	client-first-message = gs2-header client-first-message-bare
//	client-first-message-bare =
//	          [reserved-mext ","] username "," nonce ["," extensions]
func stepScramFirst(s *Session, response []byte) ([]byte, Next) {
	if response == nil {
		return nil, Respond
	}
	m := &s.scram
	bare, ok := m.cutHeader(string(response))
	if !ok {
		return nil, s.fail(Malformed, "SCRAM: bad GS2 header")
	}
	name, rest, _ := strings.Cut(bare, ",")
	nonce, _, _ := strings.Cut(rest, ",") // extensions that are not known are ignored
	s.user, ok = unescapeName(name)
	clientNonce, found := strings.CutPrefix(nonce, "r=")
	if !ok || !found || !printable(clientNonce) {
		return nil, s.fail(Malformed, "SCRAM: bad name or nonce")
	}
	if reason := m.refuseHeader(s.user); reason != "" {
		return nil, s.fail(Refused, reason)
	}
	m.nonce = clientNonce + m.options.Nonce
	m.authMessage = bare
	s.step = stepScramWaiting
	return nil, AskCredentials
}

// stepScramWaiting: a response came while the caller owed us an answer.
func stepScramWaiting(s *Session, _ []byte) ([]byte, Next) {
	return nil, s.fail(Malformed, "SCRAM: message out of turn")
}

// cutHeader reads the GS2 header and returns what is behind it.
//
//	gs2-header     = gs2-cbind-flag "," [ authzid ] ","
//	gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
func (m *scram) cutHeader(message string) (bare string, ok bool) {
	flag, rest, _ := strings.Cut(message, ",")
	_, bare, ok = strings.Cut(rest, ",")
	m.gs2Header = message[:len(message)-len(bare)]
	kind, bound := strings.CutPrefix(flag, "p=")
	if bound {
		m.bindingKind = kind
		return bare, ok && kind != ""
	}
	return bare, ok && (flag == "n" || flag == "y")
}

// refuseHeader says why a well-formed header cannot be accepted, or "".
// RFC 5802 6: "y" means that the client can bind and thinks that we cannot.
// If we did offer it, somebody between us has removed it.
func (m *scram) refuseHeader(user string) string {
	_, authzid, _ := strings.Cut(m.gs2Header, ",")
	authzid = strings.TrimSuffix(authzid, ",")
	if name, found := strings.CutPrefix(authzid, "a="); authzid != "" {
		name, ok := unescape(name)
		if !found || !ok || name != user {
			return "SCRAM: authorization identity differs"
		}
	}
	switch {
	case m.plus && m.bindingKind == "":
		return "SCRAM: -PLUS without channel binding"
	case !m.plus && m.bindingKind != "":
		return "SCRAM: channel binding without -PLUS"
	case m.gs2Header[0] == 'y' && m.options.PlusOffered:
		return "SCRAM: downgrade: client was not shown -PLUS"
	case m.bindingKind != "" && len(m.binding()) == 0:
		return "SCRAM: no channel binding of type " + strconv.Quote(m.bindingKind)
	}
	return ""
}

func (m *scram) binding() []byte {
	if m.bindingKind == "" || m.options.Binding == nil {
		return nil
	}
	return m.options.Binding(m.bindingKind)
}

// Supply answers AskCredentials. Fake credentials let the exchange go on and
// fail at its end whatever the client proves.
//
//	server-first-message =
//	          [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]
func (s *Session) Supply(c Credentials, fake Fake) (challenge []byte, next Next) {
	m := &s.scram
	m.credentials, m.fake = c, bool(fake)
	first := "r=" + m.nonce + ",s=" + base64.StdEncoding.EncodeToString(c.Salt) + ",i=" + strconv.Itoa(c.Iterations)
	m.authMessage += "," + first
	s.step = stepScramFinal
	return []byte(first), Respond
}

// Fake marks credentials of a user who does not exist.
type Fake bool

// stepScramFinal reads the client's proof.
//
//	client-final-message-without-proof = channel-binding "," nonce ["," extensions]
//	client-final-message = client-final-message-without-proof "," proof
func stepScramFinal(s *Session, response []byte) ([]byte, Next) {
	m := &s.scram
	message := string(response)
	i := strings.LastIndex(message, ",p=")
	if i < 0 {
		return nil, s.fail(Malformed, "SCRAM: no proof")
	}
	proof, err := base64.StdEncoding.DecodeString(message[i+3:])
	binding, rest, _ := strings.Cut(message[:i], ",")
	nonce, _, _ := strings.Cut(rest, ",")
	bound, found := strings.CutPrefix(binding, "c=")
	data, err2 := base64.StdEncoding.DecodeString(bound)
	if err != nil || err2 != nil || !found || len(proof) != KeySize {
		return nil, s.fail(Malformed, "SCRAM: bad final message")
	}
	if nonce != "r="+m.nonce {
		return nil, s.fail(Refused, "SCRAM: nonce differs")
	}
	if !bytes.Equal(data, append([]byte(m.gs2Header), m.binding()...)) {
		return nil, s.fail(Refused, "SCRAM: channel binding differs")
	}
	m.authMessage += "," + message[:i]
	if !m.proves(proof) || m.fake {
		return nil, s.fail(Refused, "wrong name or password")
	}
	s.step = stepScramEnd
	signature := mac(m.credentials.ServerKey[:], m.authMessage)
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature[:])), Respond
}

// proves checks ClientProof (RFC 5802 3).
func (m *scram) proves(proof []byte) bool {
	var clientKey [KeySize]byte
	signature := mac(m.credentials.StoredKey[:], m.authMessage)
	subtle.XORBytes(clientKey[:], proof, signature[:])
	stored := sha256.Sum256(clientKey[:])
	return hmac.Equal(stored[:], m.credentials.StoredKey[:])
}

// stepScramEnd takes the empty response by which the client accepts the
// server's signature.
func stepScramEnd(s *Session, response []byte) ([]byte, Next) {
	s.step = nil
	if len(response) != 0 {
		return nil, s.fail(Malformed, "SCRAM: message after the last")
	}
	return nil, Done
}

// unescapeName reads "n=" saslname. A message that begins with "m=" asks for
// an extension that we do not know and must be refused (RFC 5802 5.1): it
// ends here, too.
func unescapeName(field string) (string, bool) {
	name, found := strings.CutPrefix(field, "n=")
	if !found || name == "" {
		return "", false
	}
	return unescape(name)
}

// unescape replaces =2C and =3D; any other '=' is an error.
//
//	saslname = 1*(value-safe-char / "=2C" / "=3D")
func unescape(name string) (string, bool) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", false
	}
	escapes := strings.Count(name, "=2C") + strings.Count(name, "=3D")
	if strings.Count(name, "=") != escapes {
		return "", false
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name), true
}

// printable:
//
//	printable = %x21-2B / %x2D-7E        ; at least one
func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return s != ""
}
