package srs

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"barid/internal/addr"
)

var (
	today  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	scheme = &Scheme{Domain: "b.example", Secrets: [][]byte{[]byte("tops3cr3t"), []byte("older")}}
)

func forward(t *testing.T, s *Scheme, sender string) string {
	t.Helper()
	to, err := s.Forward(nil, []byte(sender), today)
	if err != nil {
		t.Fatalf("%s: %v", sender, err)
	}
	return string(to)
}

// back is where mail to an address goes.
func back(s *Scheme, address string, now time.Time) (string, error) {
	local, _, _ := addr.Split([]byte(address))
	content, err := addr.AppendLocal(nil, local)
	if err != nil {
		return "", err
	}
	to, err := s.Reverse(nil, content, now)
	return string(to), err
}

func TestSenderIsFoundAgain(t *testing.T) {
	for _, sender := range []string{
		"alice@a.example", "Alice+tag@a.example", "a=b=c@a.example", "a-b+c=d@a.example", `"a b"@a.example`, `"a\"b"@a.example`,
		"bücher@a.example", "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]", "SRS@a.example", "SRS0@a.example", "srs2=x@a.example", "a@b",
	} {
		rewritten := forward(t, scheme, sender)
		if !strings.HasSuffix(rewritten, "@b.example") {
			t.Errorf("%s became %s", sender, rewritten)
		}
		if got, err := back(scheme, rewritten, today); got != sender || err != nil {
			t.Errorf("%s became %s and came back as %s: %v", sender, rewritten, got, err)
		}
	}
	if got := forward(t, scheme, "bob@A.EXAMPLE."); !strings.HasSuffix(got, "=a.example=bob@b.example") {
		t.Error(got)
	}
}

func TestOwnSenderStays(t *testing.T) {
	if got := forward(t, scheme, "alice@B.example"); got != "alice@B.example" {
		t.Error(got)
	}
}

func TestSecondForwarderKeepsTheFirst(t *testing.T) {
	second := &Scheme{Domain: "c.example", Secrets: [][]byte{[]byte("second")}}
	third := &Scheme{Domain: "d.example", Secrets: [][]byte{[]byte("third")}}
	first := forward(t, scheme, "alice@a.example")
	one := forward(t, second, first)
	two := forward(t, third, one)
	local, _, _ := strings.Cut(strings.TrimPrefix(first, "SRS0"), "@")
	for _, s := range []struct {
		scheme  *Scheme
		address string
	}{{second, one}, {third, two}} {
		if !strings.HasPrefix(s.address, "SRS1=") || !strings.HasSuffix(s.address, "=b.example="+local+"@"+s.scheme.Domain) {
			t.Errorf("%s", s.address)
		}
		if got, err := back(s.scheme, s.address, today); got != first || err != nil {
			t.Errorf("%s came back as %s: %v", s.address, got, err)
		}
	}
	odd := forward(t, second, "SRS0+AbCd=TT=a.example=alice@b.example")
	if got, err := back(second, odd, today); got != "SRS0+AbCd=TT=a.example=alice@b.example" || err != nil {
		t.Errorf("%s came back as %s: %v", odd, got, err)
	}
}

// TestSignaturesAreThoseOfLibsrs2 holds a vector that was computed apart from
// this code: HMAC-SHA1 of "tops3cr3t" over "7za.examplealice" in base64.
func TestSignaturesAreThoseOfLibsrs2(t *testing.T) {
	got, err := scheme.Forward(nil, []byte("alice@a.example"), time.Unix(2041*86400, 0))
	if want := "SRS0=y4QU=7Z=a.example=alice@b.example"; string(got) != want || err != nil {
		t.Errorf("%s, want %s: %v", got, want, err)
	}
}

func TestCaseDoesNotCount(t *testing.T) {
	rewritten := forward(t, scheme, "alice@a.example")
	for _, spelling := range []string{strings.ToLower(rewritten), strings.ToUpper(rewritten)} {
		got, err := back(scheme, spelling, today)
		if !strings.EqualFold(got, "alice@a.example") || err != nil {
			t.Errorf("%s: %s, %v", spelling, got, err)
		}
	}
}

func TestAddressEndsAfterThreeWeeks(t *testing.T) {
	rewritten := forward(t, scheme, "alice@a.example")
	for days, want := range map[int]error{-2: ErrExpired, -1: nil, 0: nil, 1: nil, 21: nil, 22: ErrExpired, 400: ErrExpired, 1000: ErrExpired} {
		if _, err := back(scheme, rewritten, today.AddDate(0, 0, days)); !errors.Is(err, want) {
			t.Errorf("after %d days: %v", days, err)
		}
	}
}

func TestStampsGoRoundAfter1024Days(t *testing.T) {
	end := time.Unix((1<<10-1)*86400, 0)
	rewritten, _ := scheme.Forward(nil, []byte("alice@a.example"), end)
	if _, err := back(scheme, string(rewritten), end.AddDate(0, 0, 20)); err != nil {
		t.Errorf("%s: %v", rewritten, err)
	}
}

func TestForgedAddressesAreRefused(t *testing.T) {
	rewritten := forward(t, scheme, "alice@a.example")
	hash := rewritten[5:9]
	for _, address := range []string{
		strings.Replace(rewritten, "alice", "mallory", 1),
		strings.Replace(rewritten, "a.example", "c.example", 1),
		strings.Replace(rewritten, hash, "AAAA", 1),
		strings.Replace(rewritten, hash, hash[:3], 1),
		strings.Replace(rewritten, hash, "", 1),
		strings.Replace(rewritten, hash, hash+"A", 1),
		"SRS1=AAAA=a.example==AAAA=7Z=c.example=x@b.example",
	} {
		if got, err := back(scheme, address, today); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	if _, err := scheme.Reverse(nil, []byte("SRS0="+strings.Repeat("A", 40)+"=7Z=a.example=alice"), today); !errors.Is(err, ErrForged) {
		t.Error(err)
	}
	stranger := &Scheme{Domain: "b.example", Secrets: [][]byte{[]byte("mine")}}
	if _, err := back(stranger, rewritten, today); !errors.Is(err, ErrForged) {
		t.Error(err)
	}
	if _, err := back(&Scheme{Domain: "b.example"}, rewritten, today); !errors.Is(err, ErrForged) {
		t.Error(err)
	}
}

func TestOlderSecretsAreBelieved(t *testing.T) {
	older := &Scheme{Domain: "b.example", Secrets: [][]byte{[]byte("older")}}
	if got, err := back(scheme, forward(t, older, "alice@a.example"), today); got != "alice@a.example" || err != nil {
		t.Errorf("%s: %v", got, err)
	}
}

func TestWhatIsNoAddressOfTheSchemeIsSaid(t *testing.T) {
	for _, local := range []string{
		"", "alice", "SRS0", "SRS0=", "SRS0=x", "SRS0_AAAA=7Z=a.example=x", "SRS2=AAAA=7Z=a.example=x", "SRS0=AAAA=7Z=a.example", "SRS0=AAAA=7Z=a.example=",
		"SRS0=AAAA=7=a.example=x", "SRS0=AAAA=7ZZ=a.example=x", "SRS0=AAAA=7Z==x", "SRS0=AAAA=7Z=a b=x", "SRS1=AAAA=a.example", "SRS1=AAAA=a.example=x",
		"SRS1=AAAA=a.example==", "SRS1=AAAA===x",
	} {
		if got, err := scheme.Reverse(nil, []byte(local), today); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %s, %v", local, got, err)
		}
	}
	for _, sender := range []string{"", "alice", "@a.example", "alice@", "a b@a.example"} {
		if got, err := scheme.Forward(nil, []byte(sender), today); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %s, %v", sender, got, err)
		}
	}
}

func TestTooLongSenderIsLeftAlone(t *testing.T) {
	fits := strings.Repeat("x", addr.LocalMax-len("SRS0=HHHH=TT=a.example=")) + "@a.example"
	if got := forward(t, scheme, fits); len(got) != addr.LocalMax+len("@b.example") {
		t.Errorf("%s has %d octets", got, len(got))
	}
	for _, sender := range []string{"x" + fits, strings.Repeat("x", addr.LocalMax) + "@a.example", strings.Repeat("x", 200) + "@a.example"} {
		if got, err := scheme.Forward([]byte("before"), []byte(sender), today); !errors.Is(err, ErrLength) || string(got) != "before" {
			t.Errorf("%s: %s, %v", sender, got, err)
		}
	}
}

// FuzzReverse holds that nothing but what Forward made is taken back, and that
// what it made is.
func FuzzReverse(f *testing.F) {
	f.Add([]byte("SRS0=VnGe=7Z=a.example=alice"), []byte("alice@a.example"))
	f.Add([]byte("SRS1=VnGe=b.example==AAAA=7Z=a.example=alice"), []byte("SRS0+AAAA=7Z=a.example=alice@b.example"))
	f.Add([]byte("srs1-===-"), []byte("SRS1=VnGe=b.example=+x@[192.0.2.1]"))
	f.Fuzz(func(t *testing.T, local, sender []byte) {
		if to, err := scheme.Reverse(nil, local, today); err != nil && len(to) > 0 {
			t.Fatalf("%q: %q with %v", local, to, err)
		}
		canonical, err := addr.Append(nil, sender)
		if err != nil {
			return
		}
		rewritten, err := scheme.Forward(nil, canonical, today)
		if err != nil || bytes.HasSuffix(canonical, []byte("@b.example")) {
			return
		}
		content, domain, _ := addr.Split(rewritten)
		if string(domain) != "b.example" || len(content) > addr.LocalMax+66 {
			t.Fatalf("%q became %q", canonical, rewritten)
		}
		got, err := back(scheme, string(rewritten), today)
		if err != nil || !Is(canonical) && got != string(canonical) {
			t.Fatalf("%q became %q and came back as %q: %v", canonical, rewritten, got, err)
		}
	})
}
