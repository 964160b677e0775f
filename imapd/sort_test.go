package imapd

import (
	"fmt"
	"strings"
	"testing"

	"barid/internal/imap"
)

// TestSortOrdersAsRFC5256Says sorts messages that differ in one thing each.
func TestSortOrdersAsRFC5256Says(t *testing.T) {
	h := newHouse(t, nil)
	for i, text := range []string{
		"Subject: Re: banana\nFrom: Zoe <carol@x>\nTo: b@x\nDate: Fri, 3 Nov 2023 10:00:00 +0000\n\n1\n",
		"Subject: apple\nFrom: bob@x\nTo: a@x\nDate: Fri, 3 Nov 2023 10:30:00 +0200\n\n22\n",
		"Subject: [list] BANANA (fwd)\nFrom: =?utf-8?q?=C3=84nne?= <alice@x>\nDate: Fri, 3 Nov 2023 09:00:00 +0000\n\n4444\n",
		"Subject: \nFrom: dave@x\nCc: x@x\nDate: Thu, 2 Nov 2023 09:00:00 +0000\n\n333\n",
	} {
		h.deposit(fmt.Sprintf("%d.M1P1.example", 1700000000+i), text)
	}
	c := h.open("INBOX")
	for range 2 { // read, and then from the cache
		for _, row := range [][2]string{
			{"(SUBJECT)", "4 2 1 3"},
			{"(REVERSE SUBJECT)", "1 3 2 4"},
			{"(SUBJECT REVERSE DATE)", "4 2 1 3"},
			{"(SUBJECT DATE)", "4 2 3 1"},
			{"(DATE)", "4 2 3 1"},
			{"(REVERSE DATE)", "1 3 2 4"},
			{"(FROM)", "3 2 1 4"},
			{"(DISPLAYFROM)", "3 2 4 1"},
			{"(TO FROM)", "3 4 2 1"},
			{"(CC REVERSE FROM)", "1 2 3 4"},
			{"(SIZE)", "4 2 1 3"},
			{"(ARRIVAL)", "1 2 3 4"},
		} {
			c.exactly("SORT "+row[0]+" UTF-8 ALL", "* SORT "+row[1])
		}
	}
	c.exactly("UID SORT (SUBJECT) US-ASCII SUBJECT banana", "* SORT 1 3")
	c.exactly("SORT (SUBJECT) UTF-8 SUBJECT nothing", "* SORT")
	c.ok("SORT (DATE) UTF-8 MODSEQ 1 SUBJECT apple", "* SORT 2 (MODSEQ *)")
	c.no("SORT (DATE) KOI8-R ALL", "NO [BADCHARSET *")
}

func parseThreaded(t *testing.T, script string) (all []threaded) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(script), "\n") {
		// sent subject id references...; "-" is none
		f := strings.Fields(line)
		m := threaded{number: uint32(i + 1)}
		fmt.Sscan(f[0], &m.sent)
		if m.subject, m.reply = strings.CutPrefix(f[1], "re:"); m.subject == "-" {
			m.subject = ""
		}
		if f[2] != "-" {
			m.id = f[2]
		}
		m.references = f[3:]
		all = append(all, m)
	}
	return all
}

func TestThreads(t *testing.T) {
	for _, row := range []struct{ name, script, bySubject, byReferences string }{
		{"a chain", `
1 x a
2 re:x b a
3 re:x c a b`, "(1 (2)(3))", "(1 2 3)"},
		{"a missing root with one child", `
2 re:x b a
3 re:x c a b`, "(1 2)", "(1 2)"},
		{"a missing root with two children", `
2 y b a
3 z c a`, "(1)(2)", "((1)(2))"},
		{"by subject alone", `
1 x a
2 re:x b
3 y c`, "(1 2)(3)", "(1 2)(3)"},
		{"two beginnings with one subject", `
1 x a
2 x b`, "(1 2)", "((1)(2))"},
		{"a reply that comes first", `
1 re:x b
2 x a`, "(1 2)", "(2 1)"},
		{"no subject", `
1 - a
2 - b`, "(1 2)", "(1)(2)"},
		{"a loop", `
1 x a b
2 x b a`, "(1 2)", "(2 1)"},
		{"a message that refers to itself", `
1 x a a`, "(1)", "(1)"},
		{"the same identifier twice", `
1 x a
2 y a
3 re:x c a`, "(1 3)(2)", "(1 3)(2)"},
		{"siblings by date", `
1 x a
9 re:x b a
5 re:x c a
7 re:x d a c`, "(1 (3)(4)(2))", "(1 (3 4)(2))"},
		{"dummies and others with one subject", `
1 x a none
2 re:x b none
3 x c
4 re:x d`, "(1 (2)(3)(4))", "((1)(2)(3)(4))"},
		{"truncated references", `
1 x a
2 re:x b a
3 re:x c a b
4 re:x d b c`, "(1 (2)(3)(4))", "(1 2 3 4)"},
		{"a row of dummies", `
1 x e a b c d
2 y f a b c d`, "(1)(2)", "((1)(2))"},
	} {
		messages := parseThreaded(t, row.script)
		for _, how := range []struct {
			name string
			make func([]threaded) []imap.ThreadNode
			want string
		}{{"ORDEREDSUBJECT", bySubject, row.bySubject}, {"REFERENCES", byReferences, row.byReferences}} {
			nodes := how.make(messages)
			got := string(imap.AppendThreads(nil, nodes, nodes[0].Child))
			if want := "* THREAD " + how.want + "\r\n"; got != want {
				t.Errorf("%s, %s: got %q, want %q", row.name, how.name, got, want)
			}
		}
	}
}

// TestADeepThreadTakesNoTime makes the deepest thread that mail can be made to
// have.
func TestADeepThreadIsMadeWithoutRecursion(t *testing.T) {
	var all []threaded
	const n = 20_000
	for i := range n {
		all = append(all, threaded{number: uint32(i + 1), sent: int64(i), id: fmt.Sprint(i), references: []string{fmt.Sprint(i + 1)}})
	}
	nodes := byReferences(all)
	count := 0
	for at := nodes[0].Child; at != 0; at = nodes[at].Child {
		count++
	}
	if count < n {
		t.Errorf("%d messages in the thread", count)
	}
	if got := byReferences(nil); got[0].Child != 0 {
		t.Error("a thread without messages")
	}
}

func TestThreadTellsOfTheMessages(t *testing.T) {
	h := newHouse(t, nil)
	for i, text := range []string{
		"Subject: x\nMessage-ID: <a@x>\nDate: Fri, 3 Nov 2023 10:00:00 +0000\n\n1\n",
		"Subject: other\nMessage-ID: <b@x>\nDate: Fri, 3 Nov 2023 11:00:00 +0000\n\n1\n",
		"Subject: Re: x\nMessage-ID: <c@x>\nIn-Reply-To: <a@x> (yours)\nDate: Fri, 3 Nov 2023 12:00:00 +0000\n\n1\n",
		"Subject: changed\nReferences: <a@x>\n <c@x>\nDate: Fri, 3 Nov 2023 12:00:00 +0000\n\n1\n",
	} {
		h.deposit(fmt.Sprintf("%d.M1P1.example", 1700000000+i), text)
	}
	c := h.open("INBOX")
	c.exactly("THREAD REFERENCES UTF-8 ALL", "* THREAD (1 3 4)(2)")
	c.exactly("UID THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (1 3)(2)(4)")
	c.exactly("THREAD REFERENCES UTF-8 SUBJECT none", "* THREAD")
}

func TestAnExtendedSortKeepsTheOrder(t *testing.T) {
	h := newHouse(t, nil)
	for i, size := range []int{50, 40, 60, 61, 62, 10} {
		h.deposit(fmt.Sprintf("%d.M1P1.example", 1700000000+i), "Subject: x\n\n"+strings.Repeat("x", size)+"\n")
	}
	c := h.open("INBOX")
	for _, row := range [][2]string{
		{"SORT RETURN () (SIZE) UTF-8 ALL", "* ESEARCH (TAG *) ALL 6,2,1,3:5"},
		{"UID SORT RETURN (MIN MAX COUNT) (SIZE) UTF-8 ALL", "* ESEARCH (TAG *) UID MIN 6 MAX 5 COUNT 6"},
		{"SORT RETURN (PARTIAL 2:4) (SIZE) UTF-8 ALL", "* ESEARCH (TAG *) PARTIAL (2:4 2,1,3)"},
		{"SORT RETURN (PARTIAL -1:-2) (SIZE) UTF-8 ALL", "* ESEARCH (TAG *) PARTIAL (-1:-2 4:5)"},
		{"SORT RETURN (SAVE PARTIAL 1:2 MAX) (SIZE) UTF-8 ALL", "* ESEARCH (TAG *) MAX 5 PARTIAL (1:2 6,2)"},
		{"SEARCH $", "* SEARCH 2 5 6"},
		{"SORT RETURN (SAVE ALL) (REVERSE SIZE) UTF-8 LARGER 60", "* ESEARCH (TAG *) ALL 5,4,3,1"},
		{"SEARCH $", "* SEARCH 1 3 4 5"},
		{"SORT (REVERSE SIZE) UTF-8 ALL", "* SORT 5 4 3 1 2 6"},
	} {
		c.exactly(row[0], row[1])
	}
}
