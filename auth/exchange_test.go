package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const scramUsers = "plain:{PLAIN}secret\nscram:{SCRAM-SHA-256}" + scramSecret + "\nboth:" + bcryptSecret + "::::::x=y scram_sha_256=" + scramSecret + "\nlocked:!\n"

func TestMechanismsFollowChannelPolicyAndFile(t *testing.T) {
	far, near := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")
	const scram, hash = scramUsers, scramUsers + "one:" + bcryptSecret + "\n"
	for _, test := range []struct {
		users   string
		policy  Cleartext
		channel Channel
		want    string
	}{
		{scram, Never, Channel{TLS: true, Remote: far}, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{hash, Never, Channel{TLS: true, Remote: far}, "PLAIN LOGIN"},
		{scram, Never, Channel{Remote: near}, ""},
		{scram, Never, Channel{}, ""},
		{scram, Loopback, Channel{Remote: far}, ""},
		{scram, Loopback, Channel{Remote: near}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{hash, Loopback, Channel{Remote: netip.MustParseAddr("::ffff:127.0.0.1")}, "PLAIN LOGIN"},
		{hash, Loopback, Channel{Remote: netip.MustParseAddr("::1")}, "PLAIN LOGIN"},
		{scram, Loopback, Channel{}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{scram, Always, Channel{Remote: far}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{hash + "no:" + shaSecret + "::::::nologin\n", Always, Channel{Remote: far}, "PLAIN LOGIN"},
		{scram + "no:" + shaSecret + "::::::nologin\n", Always, Channel{Remote: far}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{"", Always, Channel{Remote: far}, "PLAIN LOGIN"},
	} {
		s := open(t, test.users, func(o *Options) { o.Cleartext = test.policy })
		got := s.Mechanisms(test.channel)
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v, policy %d: %q, want %q", test.channel, test.policy, got, test.want)
		}
		for _, m := range []string{"SCRAM-SHA-256-PLUS", "scram-sha-256", "Plain", "LOGIN", "CRAM-MD5", ""} {
			_, err := s.Start(m, Client{Channel: test.channel})
			c, _ := class(t, err)
			want := NoMechanism
			if slices.Contains(got, strings.ToUpper(m)) {
				want = right
			} else if test.want == "" && m != "CRAM-MD5" && m != "" {
				want = NeedsTLS
			}
			if c != want {
				t.Errorf("%+v, policy %d: start of %s is class %d, want %d", test.channel, test.policy, m, c, want)
			}
		}
	}
}

func TestCleartextIsReadFromConfiguration(t *testing.T) {
	for s, want := range map[string]Cleartext{"never": Never, "loopback": Loopback, "always": Always} {
		if got, err := ParseCleartext(s); err != nil || got != want {
			t.Errorf("%s: %d %v", s, got, err)
		}
	}
	if _, err := ParseCleartext("sometimes"); err == nil {
		t.Error("sometimes is accepted")
	}
}

// tlsClient is a client whose connection has one exporter value.
func tlsClient(from string) Client {
	return Client{
		Channel: Channel{TLS: true, Remote: netip.MustParseAddr(from)},
		Binding: func(kind string) []byte {
			if kind == "tls-exporter" {
				return []byte("exported")
			}
			return nil
		},
	}
}

// play runs an exchange: responses go in until one is not asked for.
func play(t *testing.T, s *scene, mechanism string, c Client, responses ...[]byte) (*Exchange, error) {
	t.Helper()
	x, err := s.Start(mechanism, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range responses {
		_, done, err := x.Step(r)
		if err != nil || done {
			return x, err
		}
	}
	t.Fatalf("%s: not done after %q", mechanism, responses)
	return nil, nil
}

func TestPlainAndLoginExchanges(t *testing.T) {
	s := open(t, scramUsers)
	c := tlsClient("192.0.2.1")
	x, err := play(t, s, "plain", c, nil, []byte("\x00both\x00secret"))
	if err != nil || x.Account().Name != "both" || x.User() != "both" {
		t.Errorf("%+v %v", x.Account(), err)
	}
	x, err = play(t, s, "LOGIN", c, []byte("Plain"), []byte("secret"))
	if err != nil || x.Account().Name != "plain" || x.User() != "Plain" {
		t.Errorf("%+v %v", x.Account(), err)
	}
	for _, test := range []struct {
		mechanism string
		responses [][]byte
		want      Class
	}{
		{"PLAIN", [][]byte{[]byte("\x00both\x00wrong")}, Refused},
		{"PLAIN", [][]byte{[]byte("\x00nobody\x00secret")}, Refused},
		{"PLAIN", [][]byte{[]byte("plain\x00both\x00secret")}, Refused},
		{"PLAIN", [][]byte{[]byte("both")}, Malformed},
		{"LOGIN", [][]byte{nil, {}}, Malformed},
		{"LOGIN", [][]byte{nil, []byte("both"), []byte("wrong2")}, Refused},
	} {
		x, err := play(t, s, test.mechanism, c, test.responses...)
		if got, _ := class(t, err); got != test.want {
			t.Errorf("%s %q: class %d, want %d", test.mechanism, test.responses, got, test.want)
		}
		if x.Account().Name != "" {
			t.Errorf("%s %q: account %+v", test.mechanism, test.responses, x.Account())
		}
	}
}

// scramFinal computes a client's final message from RFC 5802 3.
func scramFinal(t testing.TB, header, binding, bare, serverFirst, password string) []byte {
	part := strings.Split(serverFirst, ",")
	salt, err := base64.StdEncoding.DecodeString(part[1][2:])
	iterations, err2 := strconv.Atoi(part[2][2:])
	salted, err3 := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil || err2 != nil || err3 != nil {
		t.Fatal(serverFirst)
	}
	sum := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	proof := sum(salted, "Client Key")
	stored := sha256.Sum256(proof)
	final := "c=" + base64.StdEncoding.EncodeToString([]byte(header+binding)) + "," + part[0]
	for i, b := range sum(stored[:], bare+","+serverFirst+","+final) {
		proof[i] ^= b
	}
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof))
}

// scramLogin plays a SCRAM exchange as a client does.
func scramLogin(t testing.TB, s *scene, mechanism, header, binding, user, password string) (Account, error) {
	t.Helper()
	x, err := s.Start(mechanism, tlsClient("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	bare := "n=" + user + ",r=clientnonce"
	challenge, done, err := x.Step([]byte(header + bare))
	if err != nil || done {
		return x.Account(), err
	}
	challenge, done, err = x.Step(scramFinal(t, header, binding, bare, string(challenge), password))
	if err != nil || done {
		return x.Account(), err
	}
	if !strings.HasPrefix(string(challenge), "v=") {
		t.Errorf("the server proves itself by %q", challenge)
	}
	_, done, err = x.Step([]byte{})
	if err == nil && !done {
		t.Error("not done after the last message")
	}
	return x.Account(), err
}

func TestSCRAMExchanges(t *testing.T) {
	s := open(t, scramUsers+"away:{PLAIN}secret::::::nologin\n")
	for _, test := range []struct {
		mechanism, header, binding, user, password string
		want                                       Class
	}{
		{"SCRAM-SHA-256", "n,,", "", "plain", "secret", right},
		{"SCRAM-SHA-256", "n,,", "", "scram", "secret", right},
		{"SCRAM-SHA-256", "n,,", "", "both", "secret", right},
		{"SCRAM-SHA-256", "n,,", "", "Both", "secret", right},
		{"SCRAM-SHA-256", "n,a=both,", "", "both", "secret", right},
		{"SCRAM-SHA-256", "n,a=plain,", "", "both", "secret", Refused},
		{"SCRAM-SHA-256", "n,,", "", "both", "wrong", Refused},
		{"SCRAM-SHA-256", "n,,", "", "nobody", "secret", Refused},
		{"SCRAM-SHA-256", "n,,", "", "locked", "secret", Refused},
		{"SCRAM-SHA-256", "n,,", "", "away", "secret", Refused},
		{"SCRAM-SHA-256", "y,,", "", "both", "secret", Refused}, // -PLUS was offered
		{"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "exported", "both", "secret", right},
		{"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "exported", "plain", "secret", right},
		{"SCRAM-SHA-256-PLUS", "p=tls-exporter,,", "of another connection", "both", "secret", Refused},
		{"SCRAM-SHA-256-PLUS", "p=tls-unique,,", "exported", "both", "secret", Refused},
		{"SCRAM-SHA-256-PLUS", "n,,", "", "both", "secret", Refused},
	} {
		s.penalties = newPenalties(s.o.Lockout)
		a, err := scramLogin(t, s, test.mechanism, test.header, test.binding, test.user, test.password)
		got, delay := class(t, err)
		if got != test.want || (a.Name != "") != (test.want == right) || (delay != 0) != (test.want == Refused) {
			t.Errorf("%+v: class %d (%v), account %q, delay %v", test, got, err, a.Name, delay)
		}
	}
}

// What a client sees before its proof is refused must not tell whether there
// is such a user: a salt of the same size that stays the same, and the same
// iterations.
func TestSCRAMShowsNotWhetherAUserExists(t *testing.T) {
	s := open(t, "real:{SCRAM-SHA-256}"+scramSecret+"\nlocked:!x\n")
	first := func(s *scene, user string) string {
		x, _ := s.Start("SCRAM-SHA-256", tlsClient("192.0.2.1"))
		challenge, _, err := x.Step([]byte("n,,n=" + user + ",r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		_, tail, _ := strings.Cut(string(challenge), ",")
		return tail
	}
	real := first(s, "real")
	for _, user := range []string{"nobody", "locked"} {
		fake := first(s, user)
		if len(fake) != len(real) || !strings.HasSuffix(fake, ",i=4096") || fake == real {
			t.Errorf("%s: %s, a real user: %s", user, fake, real)
		}
		if again := first(s, user); again != fake {
			t.Errorf("%s: %s, then %s", user, fake, again)
		}
		if restarted := first(open(t, s.users.Load().text), user); restarted != fake {
			t.Errorf("%s: %s, after a restart %s", user, fake, restarted)
		}
	}
	if first(s, "nobody") == first(s, "anybody") {
		t.Error("two unknown users have the same salt")
	}
}

func TestSCRAMUsersOfAnOldReadingFinish(t *testing.T) {
	s := open(t, scramUsers)
	x, _ := s.Start("SCRAM-SHA-256", tlsClient("192.0.2.1"))
	challenge, _, err := x.Step([]byte("n,,n=both,r=abc"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("other:{PLAIN}x\n")
	s.pass(2 * time.Second)
	final := scramFinal(t, "n,,", "", "n=both,r=abc", string(challenge), "secret")
	if _, _, err = x.Step(final); err == nil {
		_, _, err = x.Step([]byte{})
	}
	if err != nil || x.Account().Name != "both" {
		t.Errorf("%+v %v", x.Account(), err)
	}
}
