package imap

import (
	"strings"
	"testing"
	"unsafe"
)

// memory is about what a parser holds, in octets.
func (p *Parser) memory() int {
	return cap(p.text) + cap(p.ranges)*int(unsafe.Sizeof(Range{})) + cap(p.words)*int(unsafe.Sizeof([]byte{})) + cap(p.parts)*4 +
		cap(p.items)*int(unsafe.Sizeof(FetchItem{})) + cap(p.nodes)*int(unsafe.Sizeof(SearchNode{})) + cap(p.sort)*int(unsafe.Sizeof(SortKey{}))
}

// fill repeats an element until the command is as long as one can be.
func fill(start, element, end string) []byte {
	const most = 60 << 10
	return []byte(start + strings.Repeat(element, (most-len(start)-len(end))/len(element)) + end)
}

// TestWorstCommandsHoldBoundedMemory: no command makes a parser hold more than
// a few dozen times its own length.
func TestWorstCommandsHoldBoundedMemory(t *testing.T) {
	const most = 3 << 20
	d := &Dialect{Caps: ^Caps(0), Separator: '/'}
	for name, c := range map[string]struct {
		text []byte
		rule func(p *Parser) Fault
	}{
		"set":      {fill("1", ",9:8", ""), func(p *Parser) Fault { _, f := p.SeqSet(); return f }},
		"flags":    {fill("(a", " a", ")"), func(p *Parser) Fault { _, f := p.FlagList(); return f }},
		"fields":   {fill("BODY[HEADER.FIELDS (a", " a", ")]"), func(p *Parser) Fault { _, f := p.FetchAtts(); return f }},
		"parts":    {fill("BODY[1", ".1", "]"), func(p *Parser) Fault { _, f := p.FetchAtts(); return f }},
		"items":    {fill("(UID", " UID", ")"), func(p *Parser) Fault { _, f := p.FetchAtts(); return f }},
		"keys":     {fill("1", " 1", ""), func(p *Parser) Fault { return p.SearchKeys(new(Search)) }},
		"depth":    {fill("", "(", ""), func(p *Parser) Fault { return p.SearchKeys(new(Search)) }},
		"sets":     {fill("1:2,4", " 9:8,7:6,1", ""), func(p *Parser) Fault { return p.SearchKeys(new(Search)) }},
		"sorting":  {fill("(DATE", " DATE", ")"), func(p *Parser) Fault { _, f := p.SortCriteria(); return f }},
		"name":     {fill("\"&", "MEI", "-\""), func(p *Parser) Fault { _, f := p.Mailbox(); return f }},
		"statuses": {fill("(SIZE", " SIZE", ")"), func(p *Parser) Fault { _, f := p.StatusItems(); return f }},
	} {
		var p Parser
		p.Begin(c.text, d)
		c.rule(&p)
		if got := p.memory(); got > most {
			t.Errorf("%s: %d octets", name, got)
		}
		p.Trim()
		if got := p.memory(); got > 128<<10 {
			t.Errorf("%s: %d octets stay", name, got)
		}
	}
}
