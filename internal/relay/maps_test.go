package relay

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"barid/internal/relay/proto"
)

// write makes a file that only its owner may read, and returns its name.
func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "map")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func openPolicies(t testing.TB, text string) *Policies {
	t.Helper()
	p, err := OpenPolicies(write(t, text), Policy{TLS: RequiredAny}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheNearestLineOfThePoliciesCounts(t *testing.T) {
	p := openPolicies(t, `# policies
example.org        tls=never
example.org:2525   tls=required
.example.org       concurrency=1
.sub.example.org   concurrency=2
[mx.example.net]   concurrency=3
[mx.example.net]:587 concurrency=4
[2001:db8::1]      concurrency=5
unix:/run/lmtp     concurrency=6
*                  concurrency=7
`)
	for hop, want := range map[string]Policy{
		"example.org":           {TLS: Never},
		"example.org:26":        {TLS: Never},
		"example.org:2525":      {TLS: Required},
		"a.example.org":         {TLS: RequiredAny, Concurrency: 1},
		"a.example.org:26":      {TLS: RequiredAny, Concurrency: 1},
		"a.sub.example.org":     {TLS: RequiredAny, Concurrency: 2},
		"sub.example.org":       {TLS: RequiredAny, Concurrency: 1},
		"[mx.example.net]":      {TLS: RequiredAny, Concurrency: 3},
		"[mx.example.net]:25":   {TLS: RequiredAny, Concurrency: 3},
		"[mx.example.net]:587":  {TLS: RequiredAny, Concurrency: 4},
		"[2001:db8::1]:25":      {TLS: RequiredAny, Concurrency: 5},
		"unix:/run/lmtp":        {TLS: RequiredAny, Concurrency: 6},
		"[a.example.org]":       {TLS: RequiredAny, Concurrency: 7},
		"elsewhere.example:465": {TLS: RequiredAny, Concurrency: 7},
	} {
		if got := p.For(hop); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", hop, got)
		}
	}
}

func TestEveryWordOfAPolicyMeansSomething(t *testing.T) {
	p := openPolicies(t, "example.org tls=required names=MX.example.org,.example.net tls-min=1.3 ignore=pipelining,CHUNKING,auth auth-in-clear concurrency=5 rate=10/s")
	want := Policy{TLS: Required, Names: []string{"mx.example.org", ".example.net"}, MinVersion: tls.VersionTLS13,
		Ignore: proto.Pipelining | proto.Chunking | proto.AuthPlain | proto.AuthLogin, ClearLogin: true, Concurrency: 5, Interval: 100 * time.Millisecond}
	if got := p.For("example.org"); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	for rate, interval := range map[string]time.Duration{"1/s": time.Second, "30/m": 2 * time.Second, "2/h": 30 * time.Minute} {
		if got, ok := parseRate(rate); !ok || got != interval {
			t.Errorf("%s: %v", rate, got)
		}
	}
}

func TestMistakesInThePoliciesAreNamedWithTheirLine(t *testing.T) {
	for line, want := range map[string]string{
		"example.org tls=sometimes":  ":2: tls=sometimes: not a value of tls",
		"example.org tls":            ":2: tls: not a value of tls",
		"example.org color=blue":     ":2: color=blue: not one of tls=, *",
		"example.org rate=10":        ":2: rate=10: not a value of rate",
		"example.org rate=0/s":       ":2: rate=0/s: not a value of rate",
		"example.org concurrency=-1": ":2: concurrency=-1: not a value of concurrency",
		"example.org ignore=x":       ":2: ignore=x: not a value of ignore",
		"example.org names=":         ":2: names=: not a value of names",
		"example.org tls-min=2":      ":2: tls-min=2: not a value of tls-min",
		"192.0.2.1 tls=never":        ":2: 192.0.2.1: an address or a host stands in brackets: *",
		"a@b tls=never":              ":2: a@b: not a host name",
		"first.example":              ":2: first.example: has a line already",
	} {
		name := write(t, "first.example tls=never\n"+line+"\n")
		_, err := OpenPolicies(name, Policy{}, nil)
		wantError(t, err, name+want)
	}
	_, err := OpenPolicies("/nonexistent/policies", Policy{}, nil)
	wantError(t, err, "*no such file*")
}

func wantError(t testing.TB, err error, pattern string) {
	t.Helper()
	text := "none"
	if err != nil {
		text = err.Error()
	}
	want(t, []string{text}, pattern)
}

func TestAFileThatHasBecomeWrongChangesNothing(t *testing.T) {
	p := openPolicies(t, "example.org tls=never\n")
	if err := os.WriteFile(p.file.name, []byte("example.org tls=?\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, p.Reload(), p.file.name+":1: *")
	if got := p.For("example.org"); got.TLS != Never {
		t.Errorf("%+v", got)
	}
	if err := os.WriteFile(p.file.name, []byte("example.org tls=required\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	if got := p.For("example.org"); got.TLS != Required {
		t.Errorf("%+v", got)
	}
}

func TestWithoutFilesThereAreDefaults(t *testing.T) {
	p, err := OpenPolicies("", Policy{TLS: Required}, nil)
	if got := p.For("example.org"); err != nil || got.TLS != Required {
		t.Errorf("%+v, %v", got, err)
	}
	logins, err := OpenPasswords("", nil)
	if _, ok := logins.For("example.org", nil); err != nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestPasswordGoesWhereItWasWrittenFor(t *testing.T) {
	p, err := OpenPasswords(write(t, `# passwords
[smtp.example.net]:587     barid:se:cret with space
[smtp.example.net]         other:old
alice@example.org [smtp.example.net]:587   alice:a
@example.org      [smtp.example.net]:587   all:b
bob@example.org   [only.example.net]:587   bob:c
Example.COM  com:d
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"[smtp.example.net]:587 x@client.example":  "barid:se:cret with space",
		"[smtp.example.net]:587 ":                  "barid:se:cret with space",
		"[smtp.example.net]:465 x@client.example":  "other:old",
		"[smtp.example.net]:587 alice@example.org": "alice:a",
		"[smtp.example.net]:587 Alice@EXAMPLE.org": "alice:a",
		"[smtp.example.net]:587 carol@example.org": "all:b",
		"[smtp.example.net]:465 alice@example.org": "other:old",
		"[only.example.net]:587 bob@example.org":   "bob:c",
		"[only.example.net]:587 alice@example.org": "",
		"[evil.example]:587 alice@example.org":     "",
		"evil.example alice@example.org":           "",
		"example.com:2525 x@client.example":        "com:d",
		"[example.com] x@client.example":           "",
		"a.example.com x@client.example":           "",
	} {
		hop, from, _ := strings.Cut(query, " ")
		login, ok := p.For(hop, []byte(from))
		got := ""
		if ok {
			got = login.User + ":" + login.Password
		}
		if got != want || login.InClear {
			t.Errorf("%s: %s", query, got)
		}
	}
}

func TestMistakesInThePasswordsAreNamedWithoutThem(t *testing.T) {
	for line, want := range map[string]string{
		"[smtp.example.net]:587":                   ":2: write: next-hop user:password",
		"[smtp.example.net]:587 usersecret":        ":2: write: next-hop user:password",
		"[smtp.example.net]:587 :secret":           ":2: write: next-hop user:password",
		"alice@example.org alice:secret":           ":2: write the next hop between *",
		"alice@example.org 192.0.2.1 alice:secret": ":2: 192.0.2.1: an address or a host stands in brackets: *",
		"@ [smtp.example.net] alice:secret":        ":2: @: not an address",
		"first.example other:secret":               ":2: first.example: has a line already",
	} {
		name := write(t, "first.example a:b\n"+line+"\n")
		_, err := OpenPasswords(name, nil)
		wantError(t, err, name+want)
		if strings.Contains(err.Error(), "secret") {
			t.Error("the password is in the error")
		}
	}
}

func TestPasswordsThatEverybodyCanReadAreRefused(t *testing.T) {
	name := write(t, "example.org a:b\n")
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o644: false, 0o602: false} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenPasswords(name, nil); (err == nil) != good {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func FuzzMaps(f *testing.F) {
	f.Add("example.org tls=required concurrency=5 rate=10/s\n.example.org ignore=dsn\n* tls-min=1.2\n", "a.example.org:25")
	f.Add("[smtp.example.net]:587 user:password\na@b.c [d] e:f\n", "[smtp.example.net]:587")
	f.Fuzz(func(t *testing.T, text, hop string) {
		p := &Policies{}
		if all, err := p.parse([]byte(text)); err == nil {
			p.file.current.Store(all)
			for key, policy := range *all {
				if got := p.For(key); !strings.HasPrefix(key, ".") && key != "*" && !slices.Equal(got.Names, policy.Names) {
					t.Fatalf("%s is not found", key)
				}
			}
			p.For(hop)
		}
		if all, err := parsePasswords([]byte(text)); err == nil {
			logins := new(Passwords)
			logins.file.current.Store(all)
			if login, ok := logins.For(hop, []byte("a@b.c")); ok && login.User == "" {
				t.Fatalf("%s: an account without a name", hop)
			}
		}
	})
}
