//go:build !race

package auth

import (
	"net/netip"
	"testing"
)

func TestRememberedLoginAndLookupDoNotAllocate(t *testing.T) {
	s := open(t, "alice@example.test:"+bcryptSecret+"::::/home/alice::userdb_quota_rule=*:storage=1G\n")
	user, password, from := []byte("alice@Example.test"), []byte("secret"), netip.MustParseAddr("2001:db8::1")
	s.want(right, "alice@example.test", "secret", "2001:db8::1")
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := s.Password(user, password, from); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a remembered login allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := s.Lookup(user); !ok {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("a lookup allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { s.Mechanisms(Channel{TLS: true}) }); n != 0 {
		t.Errorf("Mechanisms allocates %v times", n)
	}
}
