package sasl

import "bytes"

// stepPlain reads PLAIN's only message.
//
//	message = [authzid] UTF8NUL authcid UTF8NUL passwd      ; RFC 4616 2
//
// To act for somebody else is not offered: an authzid must be empty or the
// authcid itself. Octets that are not UTF-8 are let through, since passwords
// were stored in other encodings, too: they match what was stored or nothing.
func stepPlain(s *Session, response []byte) ([]byte, Next) {
	if response == nil {
		return nil, Respond
	}
	authzid, rest, ok := bytes.Cut(response, []byte{0})
	authcid, password, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 || len(authcid) == 0 || len(password) == 0 || bytes.IndexByte(password, 0) >= 0 {
		return nil, s.fail(Malformed, "PLAIN: want authzid NUL authcid NUL password")
	}
	s.user = string(authcid)
	if len(authzid) > 0 && !bytes.Equal(authzid, authcid) {
		return nil, s.fail(Refused, "PLAIN: authorization identity differs")
	}
	return nil, s.askPassword(password)
}

// askPassword keeps a copy: the response is the caller's memory.
func (s *Session) askPassword(password []byte) Next {
	s.password = bytes.Clone(password)
	s.step = nil
	return AskPassword
}

// stepLoginUser reads LOGIN's first message, the name. A client may send it
// as initial response. The prompts are what every client has learned to
// expect, to the letter.
func stepLoginUser(s *Session, response []byte) ([]byte, Next) {
	if response == nil {
		return []byte("Username:"), Respond
	}
	if len(response) == 0 || bytes.IndexByte(response, 0) >= 0 {
		return nil, s.fail(Malformed, "LOGIN: no name")
	}
	s.user = string(response)
	s.step = stepLoginPassword
	return []byte("Password:"), Respond
}

// stepLoginPassword reads LOGIN's second message.
func stepLoginPassword(s *Session, response []byte) ([]byte, Next) {
	if len(response) == 0 || bytes.IndexByte(response, 0) >= 0 {
		return nil, s.fail(Malformed, "LOGIN: no password")
	}
	return nil, s.askPassword(response)
}
