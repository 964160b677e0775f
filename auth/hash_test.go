package auth

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
)

// vectors reads a file of lines and drops the comments.
func vectors(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestSHACryptAgreesWithItsSpecification(t *testing.T) {
	for _, line := range vectors(t, "shacrypt.txt") {
		f := strings.SplitN(line, " ", 3)
		h, err := parseHash(f[1])
		if err != nil {
			t.Errorf("%s: %v", f[1], err)
			continue
		}
		if got := string(shaCrypt(h.scheme, []byte(f[2]), []byte(h.salt), int(h.rounds))); got != h.key {
			t.Errorf("%s with %q: got %s", f[0], f[2], got)
		}
		// The setting alone, salt uncut and rounds too low, says the same.
		s, err := parseHash(f[0] + "$" + h.key)
		if err != nil || s.work != h.work || s.salt != h.salt {
			t.Errorf("%s: read as %+v, want %+v (%v)", f[0], s.work, h.work, err)
		}
	}
}

func TestHashesOfOtherProgramsAreUnderstood(t *testing.T) {
	for _, line := range vectors(t, "hashes.txt") {
		field, password, _ := strings.Cut(line, " ")
		h, err := parseHash(field)
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if !h.verify([]byte(password)) {
			t.Errorf("%s: %q is not its password", field, password)
		}
		if h.verify([]byte("y" + password)) {
			t.Errorf("%s: accepts a wrong password", field)
		}
	}
}

func TestDamagedHashIsNotTakenForAnUnknownOne(t *testing.T) {
	for _, field := range []string{
		"{ARGON2ID", "{ARGON2ID}$6$salt$x", "{ARGON2ID}abc",
		"$argon2id$v=19$m=65536,t=3,p=1$TAWqiig8+kgIZVhnnBjHDQ",
		"$argon2id$v=16$m=65536,t=3,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=65536,t=3$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=65536,t=0,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=7,t=1,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=-1,t=1,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=65536,t=3,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3",
		"$argon2id$v=19$m=65536,t=3,p=1$TAWq!ig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$2y$05$O0DcuVVc14", "$2y$99$O0DcuVVc14.v..JaOL.W8.9aGFiJf.HLvDGImWpGTz.IC0lW/NqHu", "$6$", "$6$salt", "$6$salt$short",
		"$6$rounds=x$salt$" + strings.Repeat("a", 86), "{SCRAM-SHA-256}4096,abc", "{SCRAM-SHA-256}x,,,",
	} {
		if _, err := parseHash(field); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v, want malformed", field, err)
		}
	}
	for _, field := range []string{"{SSHA}abcdef", "$1$salt$abc", "$y$j9T$abc$def", "abJnggxhB/yWI", "$2x$05$abc"} {
		if _, err := parseHash(field); !errors.Is(err, errUnsupported) {
			t.Errorf("%s: %v, want unsupported", field, err)
		}
	}
	for _, field := range []string{"", "!", "*", "!!", "x", "{ARGON2ID}", "{CRYPT}!$6$salt$abc", "!$6$salt$abc"} {
		if _, err := parseHash(field); !errors.Is(err, errLocked) {
			t.Errorf("%s: %v, want no password", field, err)
		}
	}
}

func TestHashThatAsksForTooMuchIsRefused(t *testing.T) {
	for _, field := range []string{
		"$argon2id$v=19$m=2147483647,t=1,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=65536,t=2147483647,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$argon2id$v=19$m=65536,t=1,p=255$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0",
		"$2y$31$O0DcuVVc14.v..JaOL.W8.9aGFiJf.HLvDGImWpGTz.IC0lW/NqHu",
		"$6$rounds=999999999$salt$" + strings.Repeat("a", 86),
		"{SCRAM-SHA-256}2147483647,IpW8nHVkaVNbxRlW8OtBDQ==,sII8NeBjWUPF9SsZqsfBcEltp8A0vtCrj2Alu45whBo=,C+Qt9EHNANWLZfr61y97uy/rU2JFqibdb0hzcdvhy0U=",
	} {
		if _, err := parseHash(field); !errors.Is(err, errCostly) {
			t.Errorf("%s: %v, want too costly", field, err)
		}
	}
}

func TestDummyCostsTheSameWorkAndFitsNoPassword(t *testing.T) {
	for _, w := range []work{
		{scheme: plainText},
		{scheme: argon2id, memoryKiB: 64, rounds: 3, lanes: 2, saltSize: 16, keySize: 32},
		{scheme: argon2i, memoryKiB: 64, rounds: 1, lanes: 1, saltSize: 8, keySize: 64},
		{scheme: bcryptHash, rounds: 4},
		{scheme: sha512Crypt, rounds: 5000, saltSize: 16, keySize: 86},
		{scheme: sha512Crypt, rounds: 1000, saltSize: 8, keySize: 86},
		{scheme: sha256Crypt, rounds: 2000, saltSize: 1, keySize: 43},
		{scheme: scramSHA256, rounds: 4096, saltSize: 16, keySize: 32},
	} {
		d, err := dummyHash(w, rand.Reader)
		if err != nil || d.work != w {
			t.Errorf("dummy is %+v, want %+v (%v)", d.work, w, err)
		}
		if d.verify([]byte("password")) {
			t.Errorf("%+v: the dummy accepts a password", w)
		}
	}
}

func TestWrittenHashVerifies(t *testing.T) {
	s, err := newSecret([]byte("pa\u0308ssword"), HashOptions{SCRAM: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{s.field, "{SCRAM-SHA-256}" + s.scram} {
		h, err := parseHash(field)
		if err != nil || !h.verify([]byte("pässword")) {
			t.Errorf("%s does not fit the prepared password (%v)", field, err)
		}
	}
	if !strings.HasPrefix(s.field, "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("written as %s", s.field)
	}
	for _, bad := range []string{"", "a\nb", "a\x00b", strings.Repeat("x", passwordSizeMax+1)} {
		if _, err := newSecret([]byte(bad), HashOptions{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%.10q: %v, want ErrPassword", bad, err)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("{CRYPT}$6$rounds=1000$salt$abc")
	f.Add("$argon2id$v=19$m=65536,t=3,p=1$TAWqiig8+kgIZVhnnBjHDQ$h7U3q5gr+yuFie/dXYPNawhfrDDF6r/ChW1WnyhUDj0")
	f.Add("{SCRAM-SHA-256}4096,IpW8nHVkaVNbxRlW8OtBDQ==,sII8NeBjWUPF9SsZqsfBcEltp8A0vtCrj2Alu45whBo=,C+Qt9EHNANWLZfr61y97uy/rU2JFqibdb0hzcdvhy0U=")
	f.Add("$2y$05$O0DcuVVc14.v..JaOL.W8.9aGFiJf.HLvDGImWpGTz.IC0lW/NqHu")
	f.Fuzz(func(t *testing.T, field string) {
		h, err := parseHash(field)
		if err != nil {
			return
		}
		if h.scheme == noPassword || uint64(h.memoryKiB)*uint64(h.rounds) > argonWorkMax {
			t.Errorf("%q is taken as %+v", field, h.work)
		}
		if cheap := h.memoryKiB <= 1024 && h.rounds <= 5000 && h.scheme != bcryptHash; cheap {
			h.verify([]byte("password"))
		}
	})
}
