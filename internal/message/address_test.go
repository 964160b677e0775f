package message

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMessageIDsThatMeanTheSameAreEqual(t *testing.T) {
	for list, want := range map[string][]string{
		"":                                       nil,
		"<a@b> <c@d>":                            {"a@b", "c@d"},
		"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>":   {"01KF8JCEOCBS0045PS@xxx.yyy.com"},
		"Your message <a(x)@\n b> of <c@d":       {"a@b"},
		"<a <b@c>, <> <\"x\\>y\"@z>":             {"b@c", "x>y@z"},
		"<" + strings.Repeat("<", 1000) + "a@b>": {"a@b"},
	} {
		var got []string
		for rest := []byte(list); ; {
			id, after, found := NextMessageID(nil, rest)
			if !found {
				break
			}
			got, rest = append(got, string(id)), after
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

func TestGroupsBeginAndEnd(t *testing.T) {
	var l Addresses
	for list, want := range map[string]string{
		"g: a@b, c@d;, e@f":   "begin g, a@b, c@d, end, e@f",
		"g: a@b":              "begin g, a@b, end",
		"g: h: a@b;; i:;":     "begin g, a@b, end, begin i, end",
		"\"g, h\":;":          "begin g, h, end",
		"<@a,@b:c@d>":         "@a,@b c@d",
		"<@a>":                "@a",
		"a@[1.2\n.3.4] (Nam)": "Nam a@[1.2.3.4]",
		"\x00a\x00@b\x00,":    "a@b",
	} {
		var got []string
		l.Reset([]byte(list))
		for a, ok := l.Next(); ok; a, ok = l.Next() {
			switch a.Kind {
			case GroupBegin:
				got = append(got, "begin "+string(a.Name))
			case GroupEnd:
				got = append(got, "end")
			default:
				got = append(got, strings.TrimLeft(fmt.Sprintf("%s%s %s@%s", a.Name, a.Route, a.Local, a.Domain), " "))
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}
}

// FuzzAddressesAreBounded: every element takes something of the list, and what
// is told is not longer than that.
func FuzzAddressesAreBounded(f *testing.F) {
	f.Add([]byte("g: \"a b\" <@x:c@d> (e), f@[g] ;"))
	f.Fuzz(func(t *testing.T, list []byte) {
		var l Addresses
		l.Reset(list)
		depth, length := 0, 0
		for n := 0; ; n++ {
			a, ok := l.Next()
			if !ok {
				break
			}
			switch a.Kind {
			case GroupBegin:
				depth++
			case GroupEnd:
				depth--
			}
			length += len(a.Name) + len(a.Route) + len(a.Local) + len(a.Domain)
			if depth < 0 || depth > 1 || n > len(list)+1 || length > 2*len(list) {
				t.Fatalf("%q: element %d, depth %d, %d octets", list, n, depth, length)
			}
		}
		if depth != 0 {
			t.Fatalf("%q: a group does not end", list)
		}
	})
}

func TestHostileAddressesTakeLinearTime(t *testing.T) {
	for _, piece := range []string{"<@", "<@,", "(", "\"", "a@[", "a@[,", ";", ":", "a:", "a ", "<a ", "a@b ", ",", "\\"} {
		var l Addresses
		l.Reset(bytes.Repeat([]byte(piece), 1<<18))
		for _, ok := l.Next(); ok; _, ok = l.Next() {
		}
	}
}
