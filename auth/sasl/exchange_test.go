package sasl

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// scene is the server's side of an exchange in a file.
type scene struct {
	mechanism, user, password string
	salt                      []byte
	iterations                int
	options                   Options
}

// set takes one setting; false when it is none.
func (s *scene) set(key, value string) bool {
	switch key {
	case "mechanism":
		s.mechanism = value
	case "user":
		s.user = value
	case "password":
		s.password = value
	case "nonce":
		s.options.Nonce = value
	case "salt":
		s.salt, _ = base64.StdEncoding.DecodeString(value)
	case "iterations":
		s.iterations, _ = strconv.Atoi(value)
	case "plus-offered":
		s.options.PlusOffered = true
	case "binding":
		kind, data, _ := strings.Cut(value, " ")
		decoded, _ := base64.StdEncoding.DecodeString(data)
		s.options.Binding = func(k string) []byte {
			if k == kind {
				return decoded
			}
			return nil
		}
	default:
		return false
	}
	return true
}

// step hands in a response and answers the session's questions.
func (s *scene) step(t testing.TB, session *Session, response []byte) ([]byte, Next) {
	challenge, next := session.Step(response)
	switch next {
	case AskPassword:
		right := session.User() == s.user && string(session.Password()) == s.password
		return nil, session.Verdict(right)
	case AskCredentials:
		c, err := Derive([]byte(s.password), s.salt, s.iterations)
		if err != nil {
			t.Fatal(err)
		}
		return session.Supply(c, Fake(session.User() != s.user))
	}
	return challenge, next
}

func TestExchanges(t *testing.T) {
	files, _ := filepath.Glob("testdata/exchange/*.txt")
	if len(files) == 0 {
		t.Fatal("no exchanges")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runExchange(t, file) })
	}
}

func runExchange(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s scene
	var session *Session
	var challenge []byte
	next := Respond
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "#" || s.set(key, value) {
			continue
		}
		if session == nil {
			made, ok := New(s.mechanism, s.options)
			if !ok {
				t.Fatalf("no mechanism %s", s.mechanism)
			}
			session = &made
		}
		switch key {
		case "C":
			if next != Respond {
				t.Fatalf("%s: the session has ended with %d: %s", value, next, session.Reason())
			}
			challenge, next = s.step(t, session, unquote(t, value))
		case "S":
			if next != Respond || string(challenge) != string(unquote(t, value)) {
				t.Fatalf("got %q (%d, %s), want %s", challenge, next, session.Reason(), value)
			}
		default:
			want := map[string]Next{"done": Done, "refused": Refused, "malformed": Malformed}[key]
			if next != want {
				t.Fatalf("ended with %d (%s), want %s", next, session.Reason(), key)
			}
		}
	}
	if next == Respond {
		t.Error("the file does not say how the exchange ends")
	}
}

// unquote reads a Go string; "none" is no initial response.
func unquote(t *testing.T, s string) []byte {
	if s == "none" {
		return nil
	}
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return []byte(u)
}

func TestEndedSessionStaysEnded(t *testing.T) {
	for _, mechanism := range []string{Plain, Login, ScramSHA256, ScramSHA256Plus} {
		s, _ := New(mechanism, Options{Nonce: "n"})
		s.Step([]byte("\x00"))
		for range 3 {
			if _, next := s.Step([]byte("\x00tim\x00right")); next != Refused {
				t.Errorf("%s: after its end a session says %d", mechanism, next)
			}
		}
		if s.Verdict(true) == Done {
			t.Errorf("%s: a verdict that was not asked for ends with Done", mechanism)
		}
	}
	if _, ok := New("CRAM-MD5", Options{}); ok {
		t.Error("CRAM-MD5 is no mechanism here")
	}
}

func TestMessageThatIsTooLongIsMalformed(t *testing.T) {
	for _, mechanism := range []string{Plain, Login, ScramSHA256} {
		s, _ := New(mechanism, Options{Nonce: "n"})
		if _, next := s.Step([]byte("n,,n=" + strings.Repeat("u", messageMax) + ",r=abc")); next != Malformed {
			t.Errorf("%s: %d", mechanism, next)
		}
	}
}

// Any responses in any order: no panic, no success without the password.
func FuzzSession(f *testing.F) {
	f.Add(byte(0), []byte("\x00tim\x00wrong"), []byte(""))
	f.Add(byte(1), []byte("tim"), []byte("wrong"))
	f.Add(byte(2), []byte("n,,n=tim,r=abc"), []byte("c=biws,r=abcSERVER,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	f.Add(byte(3), []byte("p=tls-exporter,,n=tim,r=abc"), []byte("c=cD10bHMtZXhwb3J0ZXIsLGJpbmQ=,r=abcSERVER,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	f.Add(byte(2), []byte("y,a=t=2Cim,n=t=2Cim,r=abc"), []byte("c=,r=,p="))
	scram := scene{user: "tim", password: "a password that no fuzzer finds", salt: []byte("salt"), iterations: 1}
	scram.options = Options{Nonce: "SERVER", Binding: func(string) []byte { return []byte("bind") }}
	f.Fuzz(func(t *testing.T, mechanism byte, first, second []byte) {
		names := []string{Plain, Login, ScramSHA256, ScramSHA256Plus}
		s, _ := New(names[int(mechanism)%len(names)], scram.options)
		for _, response := range [][]byte{first, second, {}, {}} {
			challenge, next := scram.step(t, &s, response)
			clear(response) // lent only
			if next == Done {
				t.Fatal("authenticated without the password")
			}
			if next == Respond && len(challenge) > 2*messageMax {
				t.Fatalf("challenge of %d octets", len(challenge))
			}
		}
	})
}
