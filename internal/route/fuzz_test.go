package route

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// checkTable holds that every key that all gives can be looked up, and that
// every value can be decoded.
func checkTable(t *testing.T, tab *table) {
	t.Helper()
	tab.all(func(e entry) {
		found, ok := tab.lookup(e.key)
		if !ok || found.line != e.line {
			t.Fatalf("key %q of line %d: %v, %v", e.key, e.line, found, ok)
		}
		for list := e.value; len(list) > 0; {
			var item element
			item, list = nextElement(list)
			if item.kind < elementAddress || item.kind > elementFile || strings.ContainsAny(item.String(), "\n\x00") {
				t.Fatalf("line %d: element %v %q", e.line, item.kind, item)
			}
		}
	})
}

func FuzzAliases(f *testing.F) {
	f.Add([]byte("a: b, c@d.test\n\t\"e f\"@g\n# h\n\"i j\": \\k, \"|l m\", /n, :include:o, P <q@r>\n"))
	f.Add([]byte("a:b\na:c\r\n x\n:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := &parser{file: "aliases"}
		checkTable(t, p.parseTable(text, aliasKey, listValue(p)))
		new(parser).parseInclude(text)
	})
}

func FuzzVirtual(f *testing.F) {
	f.Add([]byte("a@b.test c@d.test\n@b.test @d.test\ne f,\n g\n\"h i\"@b.test\tj\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := &parser{file: "virtual"}
		checkTable(t, p.parseTable(text, virtualKey, listValue(p)))
	})
}

// FuzzResolve holds that every expansion ends, and with an answer that keeps
// its promises.
func FuzzResolve(f *testing.F) {
	f.Add([]byte("a: b, c\nb: a\nc: \\c\n"), []byte("@x.test @y.test\n@y.test @x.test\n"), []byte("a+b@x.test"))
	f.Add([]byte("postmaster: r\n"), []byte("a@x.test a+b@y.test\na@y.test a+c@x.test, a@y.test\n"), []byte("postmaster"))
	f.Fuzz(func(t *testing.T, aliases, virtual, address []byte) {
		if bytes.Contains(bytes.ToLower(append(aliases, virtual...)), []byte("include")) {
			return // would read files of this machine
		}
		now := time.Now()
		r, err := newRouter(Options{Domains: []string{"x.test", "y.test"}, Separators: "+-", AliasFile: "aliases", VirtualFile: "virtual",
			Account: func(name []byte) (string, bool) { return string(name), len(name)%3 == 0 },
			Now:     func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []*watched[table]{r.aliases, r.virtual} {
			text := aliases
			if w == r.virtual {
				text = virtual
			}
			w.current.Store(w.parse(&parser{file: w.name}, text))
			w.pace.Due(now) // this was the look
		}
		var to Targets
		v := r.Resolve(address, Sender{}, &to)
		if (v.Kind == Accept) != (len(to.List) > 0) || v.Code < 250 || v.Status == "" || v.Text == "" {
			t.Fatalf("%q: %+v with %d targets", address, v, len(to.List))
		}
		seen := map[string]bool{}
		for _, target := range to.List {
			if seen[string(target.Account)] {
				t.Fatalf("%q: account %q twice", address, target.Account)
			}
			seen[string(target.Account)] = true
			if again := r.Resolve(target.Address, Sender{}, new(Targets)); again.Code == 553 {
				t.Fatalf("%q: address %q is malformed", address, target.Address)
			}
		}
		r.MaySendAs("abc", address)
	})
}
