package auth

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

const right Class = 0

func TestEverySchemeLogsIn(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\nb:"+bcryptSecret+"\nc:{CRYPT}"+shaSecret+"\nd:{SCRAM-SHA-256}"+scramSecret+"\n")
	for _, user := range []string{"a", "b", "c", "d"} {
		s.want(right, user, "secret", "192.0.2.1")
		s.want(Refused, user, "Secret", "192.0.2.2")
	}
}

func TestNamesAreFoundAsPeopleTypeThem(t *testing.T) {
	s := open(t, "bare:{PLAIN}secret\nalice@example.test:{PLAIN}secret\nBob@EXAMPLE.test:{PLAIN}secret\nb\u00fc@example.test:{PLAIN}secret\n")
	for user, want := range map[string]string{
		"bare": "bare", "Bare": "bare", "alice": "alice@example.test", "ALICE": "alice@example.test",
		"alice@Example.Test": "alice@example.test", "Alice@example.test": "alice@example.test",
		"Bob": "Bob@example.test", "Bob@example.test": "Bob@example.test", "b\u00fc": "b\u00fc@example.test", "bu\u0308": "b\u00fc@example.test",
		"bob@example.test": "", "bare@example.test": "", "alice@": "", "@example.test": "", "": "", "alice@example.tes": "", "lice": "",
		strings.Repeat("a", nameMax+1): "",
	} {
		a, err := s.Password([]byte(user), []byte("secret"), netip.Addr{})
		if a.Name != want || (err == nil) != (want != "") {
			t.Errorf("%.30q is %q (%v), want %q", user, a.Name, err, want)
		}
		if found, ok := s.Lookup([]byte(user)); found.Name != want && user != "bu\u0308" || ok != (found.Name != "") {
			t.Errorf("Lookup: %.30q is %q, want %q", user, found.Name, want)
		}
	}
}

func TestUnknownUserCostsAHashAndGetsTheSameAnswer(t *testing.T) {
	s := open(t, "alice:"+shaSecret+"\nbob:"+shaSecret+"\nmallory:{PLAIN}x\nlocked:!"+shaSecret+"\nout:"+shaSecret+"::::::nologin\nnets:"+shaSecret+"::::::allow_nets=10.0.0.0/8\n")
	if s.users.Load().dummy.work != (work{scheme: sha512Crypt, rounds: 5000, saltSize: 8, keySize: 86}) {
		t.Errorf("the dummy is %+v", s.users.Load().dummy.work)
	}
	for _, user := range []string{"alice", "nobody", "locked", "out", "nets"} {
		password := "secret"
		if user == "alice" {
			password = "wrong"
		}
		before := s.Stats().Hashed
		class, delay := s.login(user, password, "192.0.2.1")
		if hashes := s.Stats().Hashed - before; hashes != 1 {
			t.Errorf("%s cost %d hashes", user, hashes)
		}
		s.penalties = newPenalties(s.o.Lockout)
		if class != Refused || delay != time.Second {
			t.Errorf("%s: class %d after %v", user, class, delay)
		}
	}
}

func TestAllowNetsAndNologin(t *testing.T) {
	s := open(t, "a:{PLAIN}secret::::::allow_nets=192.0.2.0/24,2001:db8::/32,local\nb:{PLAIN}secret::::::userdb_x=y nologin=yes\n")
	for _, from := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", ""} {
		s.want(right, "a", "secret", from)
	}
	s.want(Refused, "a", "secret", "192.0.3.7") // although the cache knows the password
	s.want(right, "a", "secret", "192.0.2.7")
	s.want(Refused, "b", "secret", "")
	if _, ok := s.Lookup([]byte("b")); !ok {
		t.Error("an account without login receives no mail")
	}
}

func TestOddPasswordsAreRefused(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\nempty:\nlocked:{PLAIN}\n")
	for _, password := range []string{"", "secret\x00", "secret\x00x", strings.Repeat("s", passwordSizeMax+1)} {
		s.want(Refused, "a", password, "")
	}
	s.want(Refused, "empty", "", "")
	s.want(Refused, "locked", "", "")
}

func TestPasswordTypedInDecomposedFormIsRight(t *testing.T) {
	s := open(t, "a:{PLAIN}p\u00e4ss\nlatin:{PLAIN}p\xe4ss\n")
	s.want(right, "a", "p\u00e4ss", "")
	s.want(right, "a", "pa\u0308ss", "")
	s.want(right, "latin", "p\xe4ss", "")
	s.want(Refused, "latin", "p\u00e4ss", "")
}

func TestRememberedPasswordCostsNoHash(t *testing.T) {
	s := open(t, "a:"+bcryptSecret+"\n")
	for range 5 {
		s.want(right, "a", "secret", "192.0.2.1")
		s.pass(4 * time.Minute) // what is used stays
	}
	if n := s.Stats().Hashed; n != 1 {
		t.Errorf("%d hashes for one password", n)
	}
	s.want(Refused, "a", "secrets", "192.0.2.1")
	s.pass(6 * time.Minute)
	s.want(right, "a", "secret", "192.0.2.1")
	if n := s.Stats().Hashed; n != 3 {
		t.Errorf("%d hashes, want one for the wrong password and one after the time was over", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var text strings.Builder
	for _, user := range "abcdefghij" {
		text.WriteString(string(user) + ":{PLAIN}secret\n")
	}
	s := open(t, text.String(), func(o *Options) { o.CacheMax = 3 })
	for _, user := range "abcdefghij" {
		s.want(right, string(user), "secret", "")
		if n := len(s.users.Load().verified.right); n > 3 {
			t.Fatalf("%d entries", n)
		}
	}
	off := open(t, "a:{PLAIN}secret\n", func(o *Options) { o.CacheTTL = -1 })
	off.want(right, "a", "secret", "")
	off.want(right, "a", "secret", "")
	off.want(Refused, "a", "x", "")
	off.want(Refused, "a", "x", "")
	if n := off.Stats().Hashed; n != 4 {
		t.Errorf("%d hashes without a cache, want 4", n)
	}
}

func TestSameWrongPasswordAgainIsNeitherHashedNorCounted(t *testing.T) {
	s := open(t, "a:"+bcryptSecret+"\n")
	for range 50 {
		s.want(Refused, "a", "old password", "192.0.2.1")
	}
	s.want(Refused, "nobody", "old password", "192.0.2.1")
	s.want(right, "a", "secret", "192.0.2.1")
	if n := s.Stats().Hashed; n != 3 {
		t.Errorf("%d hashes, want 3", n)
	}
	s.pass(2 * time.Minute)
	s.want(Refused, "a", "old password", "192.0.2.1")
	if n := s.Stats().Hashed; n != 4 {
		t.Errorf("%d hashes, want 4: a wrong password is remembered for a minute only", n)
	}
}

func TestWrongPasswordsRememberedAreBounded(t *testing.T) {
	v := newVerified(&Options{CacheTTL: time.Minute, CacheMax: 10})
	now := time.Now()
	for i := range 3 * wrongMax {
		v.putWrong(&digest{byte(i), byte(i >> 8), byte(i >> 16)}, now)
	}
	if len(v.wrong) > wrongMax {
		t.Errorf("%d entries", len(v.wrong))
	}
}

// While logins wait for their turn things change: the address is locked out,
// or the same password is found right for another.
func TestWaitingLoginsLookAgainBeforeTheyHash(t *testing.T) {
	s := open(t, "a:"+bcryptSecret+"\n", func(o *Options) { o.HashesMax = 1 })
	s.gate.enter(0)
	guess, again := make(chan Class), make(chan Class)
	wait := func(answer chan Class, password, from string) {
		_, err := s.Password([]byte("a"), []byte(password), netip.MustParseAddr(from))
		c, _ := class(t, err)
		answer <- c
	}
	go wait(guess, "guess", "192.0.2.1")
	for range 2 {
		go wait(again, "secret", "192.0.2.2")
	}
	s.gate.waitFor(3)
	for range 10 {
		s.penalties.failed(s.penalties.party("a", netip.MustParseAddr("192.0.2.1")), s.o.Now())
	}
	s.gate.leave(0)
	if got := <-guess; got != LockedOut {
		t.Errorf("the guess is class %d", got)
	}
	if first, second := <-again, <-again; first != right || second != right || s.Stats().Hashed != 1 {
		t.Errorf("classes %d and %d, %d hashes", first, second, s.Stats().Hashed)
	}
}

// Many at once, with the same and with other accounts, while the file
// changes: for the race detector.
func TestConcurrentLoginsAndReloads(t *testing.T) {
	s := open(t, "a:{PLAIN}secret\nb:"+bcryptSecret+"\n")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				if _, err := s.Password([]byte{'a' + byte(i%2)}, []byte("secret"), netip.Addr{}); err != nil {
					t.Error(err)
				}
				s.Mechanisms(Channel{TLS: true})
				if i == 0 && j%5 == 0 {
					s.write("a:{PLAIN}secret\nb:" + bcryptSecret + "\n#" + strings.Repeat("x", j) + "\n")
					if err := s.Reload(); err != nil {
						t.Error(err)
					}
				}
				s.pass(time.Second)
			}
		})
	}
	wg.Wait()
}
