package route

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"barid/internal/addr"
	"barid/internal/relay"
	"barid/internal/srs"
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

// checkKey holds that an agent can take a destination key apart, and that it
// has the one spelling that it has in the spool.
func checkKey(t *testing.T, dest []byte) {
	t.Helper()
	switch agent, rest, _ := bytes.Cut(dest, []byte{':'}); string(agent) {
	case "smtp", "lmtp":
		if key, err := relay.ParseKey(string(dest)); err != nil || key.String() != string(dest) {
			t.Fatalf("key %q: %v, %v", dest, key, err)
		}
	case "local":
		if len(rest) == 0 {
			t.Fatalf("key %q", dest)
		}
	case "discard":
	default:
		t.Fatalf("key %q", dest)
	}
}

func FuzzTransport(f *testing.F) {
	f.Add([]byte("a.test smtp:[x.test]:25\n.b.test relay:y.test\na@b.test lmtp:unix:/run/x\n* error:5.1.2 no\n"))
	f.Add([]byte("a.test lmtp:inet:[::1]:24\nb.test lmtp:x\nc.test :[IPv6:2001:DB8::1]\nd.test discard: x\n[192.0.2.1] smtp:\ne.test retry:\n"))
	f.Add([]byte("a.test smtp:[::ffff:192.0.2.1]:submission\nb.test smtp:xn--nxasmq6b\nc.test smtp:\xc3\xbc.test\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := &parser{file: "transport"}
		tab := p.parseTable(text, transportKey, wayValue(p))
		tab.all(func(e entry) {
			if found, ok := tab.lookup(e.key); !ok || found.line != e.line {
				t.Fatalf("key %q of line %d: %v, %v", e.key, e.line, found, ok)
			}
			switch w := decodeWay(e.value); w.kind {
			case wayKey, wayNexthop:
				checkKey(t, w.text)
			case wayRefuse:
				if v := (&fault{kind: faultRefused, what: string(w.text)}).verdict(); v.Kind == Accept || v.Text == "" || !isStatus(v.Status) || strings.ContainsAny(v.Text, "\r\n") {
					t.Fatalf("%+v", v)
				}
			case wayUsual, wayLocal, wayDomain:
			default:
				t.Fatalf("line %d: way %d", e.line, w.kind)
			}
		})
	})
}

// FuzzResolve holds that every expansion ends, and with an answer that keeps
// its promises: above all that strangers relay nowhere.
func FuzzResolve(f *testing.F) {
	f.Add([]byte("a: b, c\nb: a\nc: \\c\n"), []byte("@x.test @y.test\n@y.test @x.test\n"), []byte("z.test smtp:[h]\n"), []byte("a+b@x.test"))
	f.Add([]byte("postmaster: r\n"), []byte("a@x.test a+b@y.test\na@y.test a+c@x.test, a@y.test\n"), []byte(""), []byte("postmaster"))
	f.Add([]byte("abc: away@z.test, q\n"), []byte("@x.test @z.test\n"), []byte("z.test :[h]\n* lmtp:unix:/x\n"), []byte("SRS0=AAAA=BB=z.test=q@y.test"))
	f.Add([]byte(""), []byte(""), []byte("y.test smtp:[h]\n"), []byte("a%b@y.test"))
	f.Add([]byte(""), []byte(""), []byte(""), []byte("a@q.r.test"))
	f.Fuzz(func(t *testing.T, aliases, virtual, transport, address []byte) {
		if bytes.Contains(bytes.ToLower(append(aliases, virtual...)), []byte("include")) {
			return // would read files of this machine
		}
		r := fuzzRouter(t, map[string][]byte{"aliases": aliases, "virtual": virtual, "transport": transport})
		for _, from := range []Sender{{}, {Address: address, MayRelay: true}} {
			checkResolve(t, r, address, from)
		}
		r.MaySendAs("abc", address)
		_, _ = r.Rewrite(address, []byte("x@y.test"), []byte("a@b.test"))
	})
}

// fuzzRouter makes a router whose maps are texts.
func fuzzRouter(t *testing.T, texts map[string][]byte) *Router {
	t.Helper()
	now := time.Now()
	r, err := newRouter(Options{Domains: []string{"x.test", "y.test"}, Separators: "+-", AliasFile: "aliases", VirtualFile: "virtual", TransportFile: "transport",
		RelayDomains: []string{".r.test"}, SRS: &srs.Scheme{Domain: "y.test", Secrets: [][]byte{[]byte("secret")}},
		Account: func(name []byte) (string, bool) { return string(name), len(name)%3 == 0 },
		Now:     func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.maps() {
		w.current.Store(w.parse(&parser{file: w.name}, texts[w.name]))
		w.pace.Due(now) // this was the look
	}
	return r
}

func checkResolve(t *testing.T, r *Router, address []byte, from Sender) {
	t.Helper()
	var to, traced Targets
	v := r.Resolve(address, from, &to)
	if (v.Kind == Accept) != (len(to.List) > 0) || v.Code < 250 || v.Status == "" || v.Text == "" {
		t.Fatalf("%q: %+v with %d targets", address, v, len(to.List))
	}
	if w, _ := r.Trace(address, from, &traced); w != v || len(traced.List) != len(to.List) {
		t.Fatalf("%q: %+v, and traced %+v", address, v, w)
	}
	seen := map[string]bool{}
	for _, target := range to.List {
		key := string(target.Dest)
		if len(target.Account) == 0 {
			key += " " + string(target.Address)
		}
		if seen[key] {
			t.Fatalf("%q: %q twice", address, key)
		}
		seen[key] = true
		checkKey(t, target.Dest)
		if again := r.Resolve(target.Address, Sender{MayRelay: true}, new(Targets)); again.Code == 553 {
			t.Fatalf("%q: address %q is malformed", address, target.Address)
		}
		checkClosed(t, r, address, from, target)
	}
}

// checkClosed holds that what a stranger names leads out only by an entry of a
// map, or to a domain that we relay for, and never with an address in an address.
func checkClosed(t *testing.T, r *Router, address []byte, from Sender, target Target) {
	t.Helper()
	if from.MayRelay || len(target.Account) > 0 {
		return
	}
	local, domain, _ := addr.Split(address)
	content, _ := addr.AppendLocal(nil, local)
	canonical, err := addr.AppendDomain(nil, domain)
	ours := len(domain) == 0
	if err == nil {
		_, _, ours = r.ours(canonical)
	}
	if !ours && !r.relays(canonical) {
		t.Fatalf("a stranger's %q goes to %q for %q", address, target.Dest, target.Address)
	}
	out, _, _ := addr.Split(target.Address)
	if !srs.Is(content) && routed(content) && routed(out) {
		t.Fatalf("a stranger's %q goes to %q for %q", address, target.Dest, target.Address)
	}
}
