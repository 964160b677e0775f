package imap

import (
	"strings"
	"testing"
)

// searchOf parses a search program.
func searchOf(text string) (Search, Fault) {
	p := new(Parser)
	p.Begin([]byte(text), &Dialect{Caps: ^Caps(0)})
	var s Search
	fault := p.SearchProgram(&s)
	return s, fault
}

// checkTree holds a tree against what is promised of it.
func checkTree(t *testing.T, nodes []SearchNode) {
	t.Helper()
	if len(nodes) == 0 || len(nodes) > searchNodesMax || nodes[0].Key != SearchAnd || int(nodes[0].Next) != len(nodes) {
		t.Fatalf("%d nodes, the first is %+v", len(nodes), nodes[0])
	}
	var walk func(at, end int)
	walk = func(at, end int) {
		for at < end {
			n := &nodes[at]
			next := int(n.Next)
			if next <= at || next > end {
				t.Fatalf("node %d leads to %d, beyond %d", at, next, end)
			}
			below := 0
			for i := at + 1; i < next; i = int(nodes[i].Next) {
				below++
			}
			switch {
			case n.Key == SearchOr && below != 2, n.Key == SearchNot && below != 1, n.Key > SearchNot && below != 0, n.Key == SearchAnd && below == 0:
				t.Fatalf("node %d of kind %d has %d below", at, n.Key, below)
			}
			walk(at+1, next)
			at = next
		}
	}
	walk(0, len(nodes))
}

func TestSearchTreesAreBounded(t *testing.T) {
	for text, ok := range map[string]bool{
		strings.Repeat("NOT ", 150) + "SEEN":                               true,
		strings.Repeat("NOT ", searchDepthMax) + "SEEN":                    false,
		strings.Repeat("(", 150) + "SEEN" + strings.Repeat(")", 150):       true,
		strings.Repeat("(", 10_000) + "SEEN" + strings.Repeat(")", 10_000): false,
		strings.Repeat("OR SEEN ", 150) + "SEEN":                           true,
		strings.Repeat("OR ", 10_000) + "SEEN":                             false,
		"SEEN" + strings.Repeat(" SEEN", searchNodesMax-2):                 true,
		"SEEN" + strings.Repeat(" SEEN", searchNodesMax-1):                 false,
		"(1" + strings.Repeat(" 1", 20_000) + ")":                          false,
		"NEW" + strings.Repeat(" NEW", 500):                                false,
		"OR (SEEN DELETED) NOT (NEW 1:*,$ UID 5)":                          false,
		"OR (SEEN DELETED) NOT (NEW 1:* UID 5 $)":                          true,
	} {
		s, fault := searchOf(text)
		if (fault == "") != ok {
			t.Errorf("%.40s: %s", text, fault)
		}
		if fault == "" {
			checkTree(t, s.Nodes)
		}
	}
}

// FuzzParser runs every rule over anything.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{
		"OR (SEEN TEXT {3}\r\nabc) NOT UID 1:*,4 MODSEQ \"/flags/\\\\Seen\" all 5",
		"(BODY.PEEK[1.2.HEADER.FIELDS (From \"x\\\"y\")]<0.10> BINARY[1] PREVIEW (LAZY)) (CHANGEDSINCE 5 VANISHED PARTIAL -1:-5)",
		" RETURN (MIN PARTIAL 1:5 UPDATE (UID)) CHARSET \"utf-8\" ALL", "(REVERSE DATE DISPLAYFROM)", "(\\Seen $Junk)", "\" 7-Feb-1994 21:52:25 -0800\"",
		"&AOk-*", "(MESSAGES SIZE)", "~{3+}\r\na\x00b", "/x/;UID=5/;SECTION=1.MIME/;PARTIAL=1.2", "1-Feb-1994", "$", "\\Drafts",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, on bool) {
		d := &Dialect{Caps: ^Caps(0), Separator: '/'}
		if on {
			d.Enabled = EnabledUTF8 | EnabledQResync | EnabledUIDOnly
		}
		var p Parser
		again := func() { p.Begin([]byte(text), d) }
		again()
		var s Search
		if p.SearchOptions(&s) == "" && p.SearchProgram(&s) == "" {
			checkTree(t, s.Nodes)
		}
		again()
		if fetch, fault := p.FetchAtts(); fault == "" {
			p.FetchModifiers(&fetch, true)
			checkSections(t, fetch.Items, d)
		}
		for _, rule := range []func(){
			func() { p.FlagList() }, func() { p.FlagRow() }, func() { p.SortCriteria() }, func() { p.ThreadAlgorithm() }, func() { p.ListMailbox() },
			func() { p.StatusItems() }, func() { p.DateTime() }, func() { p.Date() }, func() { p.UseAttr() }, func() { p.Literal8() }, func() { p.NString() },
			func() { p.UIDSet() }, func() { p.Charset(&s) },
		} {
			again()
			rule()
			p.Trim()
		}
		again()
		if name, fault := p.Mailbox(); fault == "" && len(name) > nameMax {
			t.Fatalf("%q", name)
		}
		ParseURL([]byte(text))
	})
}

// checkSections: the section of a response is one that a client may ask for,
// and means the same.
func checkSections(t *testing.T, items []FetchItem, d *Dialect) {
	t.Helper()
	for i := range items {
		if items[i].Kind != FetchSection {
			continue
		}
		text := append(items[i].Section.Append([]byte("BODY["), d.Enabled.UTF8()), ']')
		var p Parser
		p.Begin(text, d)
		f, fault := p.FetchAtts()
		if fault != "" || len(f.Items) != 1 || string(f.Items[0].Section.Append(nil, true)) != string(items[i].Section.Append(nil, true)) {
			t.Fatalf("%q: %s", text, fault)
		}
	}
}
