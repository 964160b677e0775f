package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
)

// client is SCRAM's other side, written from RFC 5802 3 for these tests.
type client struct {
	header, user, password string
	binding                []byte
	serverSignature        string
}

func (c *client) first() string {
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(c.user)
	return c.header + "n=" + name + ",r=CLIENT"
}

func (c *client) final(t testing.TB, serverFirst string) string {
	part := strings.Split(serverFirst, ",")
	salt, _ := base64.StdEncoding.DecodeString(part[1][2:])
	iterations, _ := strconv.Atoi(part[2][2:])
	salted, err := pbkdf2.Key(sha256.New, c.password, salt, iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	clientKey := sum(salted, "Client Key")
	storedKey := sha256.Sum256(clientKey)
	without := "c=" + base64.StdEncoding.EncodeToString(append([]byte(c.header), c.binding...)) + "," + part[0]
	message := strings.TrimPrefix(c.first(), c.header) + "," + serverFirst + "," + without
	proof := sum(storedKey[:], message)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.serverSignature = "v=" + base64.StdEncoding.EncodeToString(sum(sum(salted, "Server Key"), message))
	return without + ",p=" + base64.StdEncoding.EncodeToString(proof)
}

// run plays a whole exchange and returns how it ended.
func (c *client) run(t testing.TB, mechanism string, s *scene) Next {
	session, _ := New(mechanism, s.options)
	challenge, next := s.step(t, &session, []byte(c.first()))
	if next != Respond {
		return next
	}
	challenge, next = s.step(t, &session, []byte(c.final(t, string(challenge))))
	if next != Respond {
		return next
	}
	if string(challenge) != c.serverSignature {
		t.Errorf("server's signature is %q, want %q", challenge, c.serverSignature)
	}
	_, next = s.step(t, &session, []byte{})
	return next
}

func TestChannelBindingTiesTheProofToTheConnection(t *testing.T) {
	s := scene{user: "tim", password: "secret", salt: []byte("saltsaltsalt"), iterations: 10}
	s.options = Options{Nonce: "SERVER", PlusOffered: true, Binding: func(kind string) []byte {
		return map[string][]byte{"tls-exporter": []byte("exported"), "tls-server-end-point": []byte("certificate")}[kind]
	}}
	for _, test := range []struct {
		name, header, binding string
		want                  Next
	}{
		{"right exporter", "p=tls-exporter,,", "exported", Done},
		{"right end point", "p=tls-server-end-point,,", "certificate", Done},
		{"data of another connection", "p=tls-exporter,,", "other", Refused},
		{"no data", "p=tls-exporter,,", "", Refused},
		{"type that we lack", "p=tls-unique,,", "exported", Refused},
		{"data of another type", "p=tls-exporter,,", "certificate", Refused},
	} {
		c := client{header: test.header, user: "tim", password: "secret", binding: []byte(test.binding)}
		if got := c.run(t, ScramSHA256Plus, &s); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestScramNamesAndPasswordsOfAllKinds(t *testing.T) {
	for _, name := range []string{"tim", "t,i=m", "ti=2Cm", "ünï@exämple.test"} {
		for _, password := range []string{"secret", "pässword", "a b", "🔑"} {
			s := scene{user: name, password: password, salt: []byte("saltsaltsalt"), iterations: 10, options: Options{Nonce: "SERVER"}}
			c := client{header: "n,,", user: name, password: password}
			if got := c.run(t, ScramSHA256, &s); got != Done {
				t.Errorf("%s, %s: %d", name, password, got)
			}
			stranger := client{header: "n,,", user: "stranger", password: password}
			if got := stranger.run(t, ScramSHA256, &s); got != Refused {
				t.Errorf("a stranger with fake credentials of a password he knows: %d", got)
			}
			c.password += "x"
			if got := c.run(t, ScramSHA256, &s); got != Refused {
				t.Errorf("%s, %s with an x: %d", name, password, got)
			}
		}
	}
}

func TestCredentialsSurviveTheirTextForm(t *testing.T) {
	c, err := Derive([]byte("pencil"), []byte("salt"), 10)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseCredentials(c.String())
	if err != nil || back.String() != c.String() || back.StoredKey != c.StoredKey {
		t.Errorf("%s became %s (%v)", c.String(), back.String(), err)
	}
	for _, bad := range []string{"", "1,2,3", "0,c2FsdA==,a,b", c.String() + ",x", strings.Replace(c.String(), "=", "", 1), "x" + c.String()} {
		if _, err := ParseCredentials(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
