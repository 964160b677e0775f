package imap

// Dialect is what the grammar depends on besides the RFCs.
type Dialect struct {
	// Caps is what is offered; what belongs to another capability is a fault.
	Caps Caps
	// Enabled is what the client has switched on.
	Enabled Enabled
	// Separator of the levels of mailbox names, "/" or ".".
	Separator byte
}

// A Parser takes one command apart. What its methods return lives in it, until
// Begin. The zero value needs Begin.
type Parser struct {
	Text // what is left

	caps      Caps
	utf8      bool // names are in UTF-8
	uidOnly   bool // there are no message numbers (RFC 9586)
	qresync   bool
	separator byte

	// The memory. Where it has to grow, what was lent before stays valid in
	// the old one.
	text   []byte
	ranges []Range
	words  [][]byte
	parts  []uint32
	items  []FetchItem
	nodes  []SearchNode
	sort   []SortKey
}

// Begin copies a command, without the CRLF that ends it, into the parser and
// forgets the one before. d is not kept.
func (p *Parser) Begin(command []byte, d *Dialect) {
	p.caps, p.separator = d.Caps.Understood(), d.Separator
	p.utf8, p.uidOnly, p.qresync = d.Enabled.UTF8(), d.Enabled.Has(EnabledUIDOnly), d.Enabled.Has(EnabledQResync)
	p.text = append(p.text[:0], command...)
	p.Text = p.text[:len(command):len(command)]
	p.ranges, p.parts, p.nodes = p.ranges[:0], p.parts[:0], p.nodes[:0]
	p.words, p.items, p.sort = p.words[:0], p.items[:0], p.sort[:0]
}

// A Mark is how much of the memory was in use at a time.
type Mark struct{ text, ranges, words, parts, items int }

// Mark returns a mark for Continue.
func (p *Parser) Mark() Mark {
	return Mark{len(p.text), len(p.ranges), len(p.words), len(p.parts), len(p.items)}
}

// Continue goes on with a later piece of the same command. What was lent
// before the mark stays, what was lent since is forgotten.
func (p *Parser) Continue(piece []byte, m Mark) {
	p.ranges, p.words, p.parts, p.items = p.ranges[:m.ranges], p.words[:m.words], p.parts[:m.parts], p.items[:m.items]
	p.text = append(p.text[:m.text], piece...)
	p.Text = p.text[m.text:len(p.text):len(p.text)]
}

// trimAbove is how many elements of a kind a parser keeps while nobody uses
// it: one giant command shall not make a pool of parsers giant.
const trimAbove = 4 << 10

// Trim lets go of memory that was needed only once.
func (p *Parser) Trim() {
	p.Text = nil
	p.text = trim(p.text, 4*trimAbove)
	p.ranges = trim(p.ranges, trimAbove/2)
	p.words = trim(p.words, trimAbove/8)
	p.parts = trim(p.parts, trimAbove)
	p.items = trim(p.items, trimAbove/32)
	p.nodes = trim(p.nodes, trimAbove/32)
}

func trim[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	return s
}

// Offers reports whether all of caps are offered, by themselves or as a part
// of IMAP4rev2.
func (p *Parser) Offers(caps Caps) bool { return p.caps.Has(caps) }

// KeepWord appends a word to a list that begins at the mark start, which is
// Words() before the first.
func (p *Parser) KeepWord(b []byte) { p.words = append(p.words, b) }

// Words is a mark in the memory of words.
func (p *Parser) Words() int { return len(p.words) }

// WordsSince are the words that were kept since the mark.
func (p *Parser) WordsSince(mark int) [][]byte { return p.words[mark:len(p.words):len(p.words)] }

// List consumes a list in parentheses with one space between its elements,
// each of which is consumed by element. It may not be empty.
func (p *Parser) List(what Fault, element func() Fault) Fault {
	if !p.Byte('(') {
		return what
	}
	for {
		if fault := element(); fault != "" {
			return fault
		}
		if p.Byte(')') {
			return ""
		}
		if !p.Byte(' ') {
			return "a list does not end"
		}
	}
}

// EmptyList consumes "()".
func (t *Text) EmptyList() bool {
	if len(*t) < 2 || (*t)[0] != '(' || (*t)[1] != ')' {
		return false
	}
	t.take(2)
	return true
}

// AfterSpace reports whether a space comes next, and behind it the octet.
func (t Text) AfterSpace(b byte) bool { return len(t) > 1 && t[0] == ' ' && t[1] == b }
