package wire

import (
	"bytes"
	"testing"
)

// FuzzParse holds Parse to its promise: what it takes can be read to the end
// through every accessor, and the names in it are names.
func FuzzParse(f *testing.F) {
	for _, name := range messages(f) {
		f.Add(readMessage(f, name))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		kept := bytes.Clone(msg)
		m, err := Parse(msg)
		if err != nil {
			return
		}
		dump(&m)
		if !bytes.Equal(msg, kept) {
			t.Error("reading changed the message")
		}
		for _, records := range []Records{m.Answers(), m.Authority(), m.Additional()} {
			for r, ok := records.Next(); ok; r, ok = records.Next() {
				wantName(t, r.Name)
				if target, ok := r.Target(); ok {
					wantName(t, target)
				}
			}
		}
	})
}

// wantName demands that a name survives the way through both of its forms.
func wantName(t *testing.T, n Name) {
	t.Helper()
	octets := n.AppendWire(nil)
	if len(octets) > NameMax || !n.Is(octets) {
		t.Fatalf("%q is not its own octets %q", n, octets)
	}
	again, err := AppendName(nil, n.String())
	if err != nil || !bytes.Equal(again, octets) {
		t.Fatalf("%q reads as %q, %v; it was %q", n, again, err, octets)
	}
}

// FuzzName holds AppendName to giving names and nothing else.
func FuzzName(f *testing.F) {
	for _, s := range []string{".", "example.org", `a\.b.\000\255`, "_25._tcp.mx.", "a..b", `\`, `\25`, "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		octets, err := AppendName(nil, text)
		if err != nil {
			return
		}
		n, err := NameAt(octets)
		if err != nil {
			t.Fatalf("%q: %q: %v", text, octets, err)
		}
		wantName(t, n)
		mixed := bytes.Clone(octets)
		MixCase(mixed, bytes.Repeat([]byte{0xa5}, NameMax/8+1))
		if m, err := NameAt(mixed); err != nil || !m.Is(octets) {
			t.Fatalf("%q in mixed case is %q", octets, mixed)
		}
		if m, err := Parse(AppendQuery(nil, mixed, Query{Type: MX, UDPSize: 1232})); err != nil || !m.Question.Name.Is(octets) {
			t.Fatalf("the query for %q does not parse: %v", octets, err)
		}
	})
}
