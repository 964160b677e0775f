package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

const users4 = "alice:{PLAIN}secret\nbob:{PLAIN}secret\nmallory:{PLAIN}mine\ncarol:{PLAIN}secret\n"

// guess fails n times with passwords that are all different.
func (s *scene) guess(n int, user, from string) (last Class) {
	s.t.Helper()
	for range n {
		last, _ = s.login(user, fmt.Sprint("guess", s.now.Add(1)), from)
	}
	return last
}

func TestAddressIsLockedOutAndLetInAgain(t *testing.T) {
	s := open(t, users4)
	if got := s.guess(10, "alice", "192.0.2.1"); got != Refused {
		t.Fatalf("the tenth failure is class %d", got)
	}
	s.want(LockedOut, "alice", "secret", "192.0.2.1")
	s.want(LockedOut, "bob", "secret", "192.0.2.1")
	s.want(right, "alice", "secret", "192.0.2.2")
	s.pass(14 * time.Minute)
	s.want(LockedOut, "bob", "secret", "192.0.2.1")
	s.pass(2 * time.Minute)
	s.want(right, "bob", "secret", "192.0.2.1")
}

func TestLockedOutCostsNoHash(t *testing.T) {
	s := open(t, users4)
	s.guess(10, "alice", "192.0.2.1")
	before := s.Stats()
	s.guess(100, "alice", "192.0.2.1")
	if after := s.Stats(); after.Hashed != before.Hashed || after.LockedOut != 100 {
		t.Errorf("%+v after %+v", after, before)
	}
}

func TestDelayGrowsWithFailuresAndIsForgotten(t *testing.T) {
	s := open(t, users4)
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if _, delay := s.login("alice", fmt.Sprint(i), "192.0.2.1"); delay != want*time.Second {
			t.Errorf("failure %d: %v, want %d s", i+1, delay, want)
		}
	}
	s.pass(7 * time.Minute)
	if _, delay := s.login("alice", "x", "192.0.2.1"); delay != time.Second {
		t.Errorf("after a pause: %v", delay)
	}
}

func TestIPv6CustomerIsOneAddress(t *testing.T) {
	s := open(t, users4)
	for i := range 10 {
		s.guess(1, "alice", fmt.Sprintf("2001:db8:0:1::%x", i))
	}
	s.want(LockedOut, "alice", "secret", "2001:db8:0:1:ffff::")
	s.want(right, "alice", "secret", "2001:db8:0:2::")
	s.guess(5, "bob", "::ffff:192.0.2.9")
	s.guess(5, "bob", "192.0.2.9")
	s.want(LockedOut, "bob", "secret", "192.0.2.9")
}

// The owner has logged in from home. Whatever others do from elsewhere, and
// whatever a neighbour behind the same address does to other accounts, the
// owner gets in from home without delay.
func TestOwnersKnownAddressStaysOpen(t *testing.T) {
	const home = "198.51.100.1"
	s := open(t, users4)
	s.want(right, "alice", "secret", home)
	for i := range 50 {
		s.guess(10, "alice", fmt.Sprintf("192.0.2.%d", i))
	}
	s.guess(20, "bob", home)
	s.want(LockedOut, "carol", "secret", home)
	s.want(right, "alice", "secret", home)
	if class, delay := s.login("alice", "typo", home); class != Refused || delay != time.Second {
		t.Errorf("the owner's typo: class %d, %v", class, delay)
	}
	s.guess(100, "alice", home)
	s.want(right, "alice", "secret", home)
}

func TestDistributedGuessingIsSlowedAndLocksNobodyOut(t *testing.T) {
	s := open(t, users4)
	for i := range 40 {
		s.guess(1, "alice", fmt.Sprintf("192.0.2.%d", i))
	}
	if _, delay := s.login("alice", "guess", "203.0.113.1"); delay != 10*time.Second {
		t.Errorf("the first guess from a new address is held back for %v", delay)
	}
	if _, delay := s.login("bob", "guess", "203.0.113.2"); delay != time.Second {
		t.Errorf("another account's is held back for %v", delay)
	}
	s.want(right, "alice", "secret", "203.0.113.3")
}

func TestOwnAccountDoesNotWashAnAddressClean(t *testing.T) {
	s := open(t, users4)
	for range 3 {
		s.guess(3, "alice", "192.0.2.1")
		s.want(right, "mallory", "mine", "192.0.2.1")
	}
	s.guess(1, "alice", "192.0.2.1")
	s.want(LockedOut, "bob", "secret", "192.0.2.1")
}

func TestSuccessForgetsTheTyposBeforeIt(t *testing.T) {
	s := open(t, users4)
	for range 20 {
		s.guess(8, "alice", "192.0.2.1")
		s.want(right, "alice", "secret", "192.0.2.1")
	}
	if _, delay := s.login("bob", "typo", "192.0.2.1"); delay != time.Second {
		t.Errorf("alice's typos delay bob by %v", delay)
	}
}

func TestExemptAddressesAndSocketsAreNeverLockedOut(t *testing.T) {
	s := open(t, users4, func(o *Options) {
		o.Lockout.Exempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for _, from := range []string{"127.0.0.1", ""} {
		s.guess(50, "alice", from)
		s.want(right, "bob", "secret", from)
	}
	off := open(t, users4, func(o *Options) { o.Lockout.FailuresMax, o.Lockout.DelayMax = -1, -1 })
	off.guess(50, "alice", "192.0.2.1")
	if class, delay := off.login("alice", "x", "192.0.2.1"); class != Refused || delay != 0 {
		t.Errorf("switched off: class %d, delay %v", class, delay)
	}
}

func TestTableOfAddressesIsBounded(t *testing.T) {
	p := newPenalties(Lockout{FailuresMax: 10, ForgetEvery: time.Minute, AddressesMax: 100})
	now := time.Now()
	for i := range 10000 {
		from := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		p.failed(p.party("user", from), now)
		p.succeeded(p.party("user", from), now)
		for _, h := range []*halves{&p.debts, &p.known} {
			if n := len(h.young) + len(h.old); n > 100 {
				t.Fatalf("%d entries", n)
			}
		}
	}
}

func TestLockoutHoldsAcrossSCRAM(t *testing.T) {
	s := open(t, "alice:{PLAIN}secret\n", func(o *Options) { o.Cleartext = Always })
	for range 10 {
		x, err := s.Start("SCRAM-SHA-256", Client{Channel: Channel{Remote: netip.MustParseAddr("192.0.2.1")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Step([]byte("n,,n=alice,r=abc")); err != nil {
			t.Fatal(err)
		}
		nonce := "whatever"
		if _, _, err := x.Step([]byte("c=biws,r=" + nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")); err == nil {
			t.Fatal("proof accepted")
		}
	}
	s.want(LockedOut, "alice", "secret", "192.0.2.1")
}
