package imapd

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barid/internal/dialog"
)

// told is a message as the naive evaluator sees it.
type told struct {
	seq, uid      int
	flags         map[string]bool
	size          int
	subject, from string
	body          string
	sent          time.Time
	date          time.Time
}

// key is a search key and what it means.
type key struct {
	text string
	is   func(m *told) bool
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToUpper(text), strings.ToUpper(part))
}

// randomKey makes a search key of random leaves.
func randomKey(rng *rand.Rand, depth int) key {
	if depth > 0 && rng.IntN(2) == 0 {
		a, b := randomKey(rng, depth-1), randomKey(rng, depth-1)
		switch rng.IntN(3) {
		case 0:
			return key{"NOT " + a.text, func(m *told) bool { return !a.is(m) }}
		case 1:
			return key{"OR " + a.text + " " + b.text, func(m *told) bool { return a.is(m) || b.is(m) }}
		}
		return key{"(" + a.text + " " + b.text + ")", func(m *told) bool { return a.is(m) && b.is(m) }}
	}
	leaves := searchLeaves(rng)
	return leaves[rng.IntN(len(leaves))]
}

func searchLeaves(rng *rand.Rand) []key {
	n, day := 1+rng.IntN(12), time.Date(2023, 11, 10+rng.IntN(10), 0, 0, 0, 0, time.UTC)
	word := []string{"horse", "RELAY", "post", "\xc3\x89T\xc3\x89"}[rng.IntN(4)]
	literal := fmt.Sprintf("{%d+}\r\n%s", len(word), word)
	dayOf := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	on := day.Format("2-Jan-2006")
	size := 100 + rng.IntN(400)
	return []key{
		{"ALL", func(*told) bool { return true }},
		{"SEEN", func(m *told) bool { return m.flags[`\Seen`] }},
		{"UNFLAGGED", func(m *told) bool { return !m.flags[`\Flagged`] }},
		{"KEYWORD $Label", func(m *told) bool { return m.flags["$Label"] }},
		{"UNKEYWORD nothing", func(*told) bool { return true }},
		{fmt.Sprint(n), func(m *told) bool { return m.seq == n }},
		{fmt.Sprintf("%d:*", n), func(m *told) bool { return m.seq >= n }},
		{fmt.Sprintf("UID %d:%d", n, n+3), func(m *told) bool { return m.uid >= n && m.uid <= n+3 }},
		{fmt.Sprintf("LARGER %d", size), func(m *told) bool { return m.size > size }},
		{fmt.Sprintf("SMALLER %d", size), func(m *told) bool { return m.size < size }},
		{"SUBJECT " + literal, func(m *told) bool { return contains(m.subject, word) }},
		{"FROM " + literal, func(m *told) bool { return contains(m.from, word) }},
		{"HEADER X-Word " + literal, func(m *told) bool { return contains(m.from, word) }},
		{"BODY " + literal, func(m *told) bool { return contains(m.body, word) }},
		{"TEXT " + literal, func(m *told) bool { return contains(m.body+m.subject+m.from, word) }},
		{"BEFORE " + on, func(m *told) bool { return dayOf(m.date).Before(day) }},
		{"ON " + on, func(m *told) bool { return dayOf(m.date).Equal(day) }},
		{"SINCE " + on, func(m *told) bool { return !dayOf(m.date).Before(day) }},
		{"SENTBEFORE " + on, func(m *told) bool { return dayOf(m.sent).Before(day) }},
		{"SENTSINCE " + on, func(m *told) bool { return !dayOf(m.sent).Before(day) }},
	}
}

// searchedHouse has messages that a naive evaluator knows, too.
func searchedHouse(t *testing.T, rng *rand.Rand) (*house, []*told) {
	h := newHouse(t, nil)
	var all []*told
	for i := range 12 {
		m := &told{seq: i + 1, uid: i + 1, flags: map[string]bool{}}
		m.subject, m.from, m.body = randomWords(rng, 2), randomWords(rng, 1), strings.Repeat(randomWords(rng, 3)+"\n", 1+rng.IntN(20))
		m.date = time.Date(2023, 11, 8+rng.IntN(12), rng.IntN(24), 0, 0, 0, time.UTC)
		m.sent = m.date.In(time.FixedZone("", 3600*(rng.IntN(20)-10)))
		text := fmt.Sprintf("From: %s <a@example.test>\nX-Word: %s\nDate: %s\nSubject: %s\n\n%s",
			m.from, m.from, m.sent.Format(time.RFC1123Z), m.subject, m.body)
		if _, err := mail.ReadMessage(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		m.size = wireSize(text)
		name := fmt.Sprintf("%d.M1P1.example", 1600000000+i)
		h.deposit(name, text)
		path := filepath.Join(h.dir, "alice@example.test", "new", name)
		must(t, os.Chtimes(path, m.date, m.date))
		all = append(all, m)
	}
	c := h.open("INBOX")
	for _, m := range all {
		for _, f := range []string{`\Seen`, `\Flagged`, "$Label"} {
			if rng.IntN(2) == 0 {
				m.flags[f] = true
				c.ok(fmt.Sprintf("STORE %d +FLAGS.SILENT (%s)", m.seq, f))
			}
		}
	}
	return h, all
}

// TestSearchFindsWhatANaiveReaderFinds compares random searches with an
// evaluator that knows nothing of levels and caches.
func TestSearchFindsWhatANaiveReaderFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	h, all := searchedHouse(t, rng)
	r := h.read()
	for range 400 {
		k := randomKey(rng, 3)
		var want strings.Builder
		want.WriteString("* SEARCH")
		for _, m := range all {
			if k.is(m) {
				fmt.Fprintf(&want, " %d", m.seq)
			}
		}
		got, reply := r.do("SEARCH CHARSET UTF-8 " + k.text)
		if len(got) != 1 || got[0] != want.String() {
			t.Fatalf("%q: got %q, %s, want %q", k.text, got, reply, want.String())
		}
	}
}

func TestExtendedSearchTellsWhatWasAskedFor(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(10, letter)
	c := h.open("INBOX")
	c.ok(`STORE 1:3,5,7:9 +FLAGS.SILENT (\Flagged)`)
	for _, row := range [][2]string{
		{"SEARCH RETURN (MIN MAX COUNT ALL) FLAGGED", "* ESEARCH (TAG *) MIN 1 MAX 9 COUNT 7 ALL 1:3,5,7:9"},
		{"UID SEARCH RETURN () FLAGGED", "* ESEARCH (TAG *) UID ALL 1:3,5,7:9"},
		{"SEARCH RETURN (COUNT) DELETED", "* ESEARCH (TAG *) COUNT 0"},
		{"SEARCH RETURN (MIN) DELETED", "* ESEARCH (TAG *)"},
		{"SEARCH RETURN (PARTIAL 2:4) FLAGGED", "* ESEARCH (TAG *) PARTIAL (2:4 2:3,5)"},
		{"SEARCH RETURN (PARTIAL -1:-2) FLAGGED", "* ESEARCH (TAG *) PARTIAL (-1:-2 8:9)"},
		{"SEARCH RETURN (PARTIAL 90:95) FLAGGED", "* ESEARCH (TAG *) PARTIAL (90:95 NIL)"},
		{"SEARCH RETURN (MAX) MODSEQ 1 FLAGGED", "* ESEARCH (TAG *) MAX 9 MODSEQ *"},
		{"SEARCH UID 99:*", "* SEARCH 10"},
		{"SEARCH 99", "* SEARCH"},
		{"SEARCH OLDER 3600", "* SEARCH"},
		{"SEARCH YOUNGER 3600", "* SEARCH 1 2 3 4 5 6 7 8 9 10"},
	} {
		got := c.ok(row[0])
		if !dialog.Match(row[1], got[len(got)-1]) {
			t.Errorf("%s: %q", row[0], got)
		}
	}
}

func TestASavedResultIsUsed(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(6, letter)
	c := h.open("INBOX")
	c.ok(`STORE 2,4,6 +FLAGS.SILENT (\Flagged)`)
	for _, row := range [][2]string{
		{"SAVE", "2 4 6"}, {"SAVE MIN", "2"}, {"SAVE MAX", "6"}, {"SAVE MIN MAX", "2 6"},
		{"SAVE COUNT MIN", "2 4 6"}, {"SAVE PARTIAL 1:2 MAX", "2 4 6"}, {"SAVE PARTIAL 2:2", "4"},
	} {
		c.ok("SEARCH RETURN (" + row[0] + ") FLAGGED")
		c.exactly("SEARCH $", "* SEARCH "+row[1])
	}
	c.exactly("SEARCH RETURN (SAVE) FLAGGED")
	c.exactly("FETCH $ (UID)", "* 2 FETCH (UID 2)", "* 4 FETCH (UID 4)", "* 6 FETCH (UID 6)")
	other := h.open("INBOX")
	other.ok(`STORE 4 +FLAGS.SILENT (\Deleted)`)
	other.ok("EXPUNGE")
	c.ok("NOOP")
	c.exactly("FETCH $ (UID)", "* 2 FETCH (UID 2)", "* 5 FETCH (UID 6)")
	c.exactly("SEARCH RETURN (SAVE) DELETED")
	c.exactly("FETCH $ (UID)")
}

// TestASearchThatRestsFindsEverything reads more texts than one turn allows.
func TestASearchThatRestsFindsEverything(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(700, letter)
	c := h.open("INBOX")
	c.exactly("SEARCH RETURN (ALL COUNT) TEXT text", "* ESEARCH (TAG *) COUNT 700 ALL 1:700")
	c.exactly("SEARCH RETURN (COUNT) NOT TEXT text", "* ESEARCH (TAG *) COUNT 0")
	c.exactly("SEARCH RETURN (COUNT) OR TEXT nothing UID 3", "* ESEARCH (TAG *) COUNT 1")
}

func TestAClientThatLeavesDuringAFetchLeavesNothing(t *testing.T) {
	h := newHouse(t, nil)
	all, _, _ := largeMessage(rand.New(rand.NewPCG(1, 1)))
	for i := range 20 {
		h.deposit(fmt.Sprintf("%d.M1P1.example", 1700000000+i), all)
	}
	c := h.open("INBOX")
	c.send("a FETCH 1:* (ENVELOPE BODY.PEEK[])", "b SEARCH TEXT nothing")
	c.want("* 1 FETCH (ENVELOPE *")
	must(t, c.raw.Close())
	if err := <-h.shutdown(); err != nil {
		t.Fatal(err)
	}
	if log := h.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "ERROR") {
		t.Error(log)
	}
}

func TestAMessageThatIsGoneIsNotFound(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, letter)
	c := h.open("INBOX")
	names, err := filepath.Glob(filepath.Join(h.dir, "alice@example.test", "cur", "*"))
	must(t, err)
	must(t, os.Remove(names[1]))
	got := c.ok("UID SEARCH TEXT text")
	if got[0] != "* SEARCH 1 3" {
		t.Errorf("%q", got)
	}
	c.ok("SORT (SUBJECT) UTF-8 ALL", "* SORT 1 *")
	c.ok("THREAD REFERENCES UTF-8 ALL", "* THREAD *")
}
