package imap

// SearchOptions consumes the options of an extended search with the space
// before them, if there are any.
//
//	search-return-opts = SP "RETURN" SP "(" [search-return-opt
//	                     *(SP search-return-opt)] ")"  ; RFC 9051 section 9
func (p *Parser) SearchOptions(s *Search) Fault {
	save := p.Text
	if !p.Byte(' ') || !p.Word("RETURN") {
		p.Text = save
		return ""
	}
	if fault := p.SP(); fault != "" {
		return fault
	}
	s.Extended = true
	if len(p.Text) < 2 || string(p.Text[:2]) != "()" {
		if fault := p.List("a list of options was expected", func() Fault { return p.searchOption(s) }); fault != "" {
			return fault
		}
	} else {
		p.take(2)
	}
	switch {
	case s.Return.has(ReturnPartial | ReturnAll):
		return "ALL and PARTIAL cannot be asked for together" // RFC 9394 3.1
	case s.Return == 0:
		s.Return = ReturnAll
	}
	return ""
}

func (r SearchReturn) has(want SearchReturn) bool { return r&want == want }

// plainReturns are the options that have nothing behind their name.
var plainReturns = [...]struct {
	name string
	need Caps
	bit  SearchReturn
}{
	{"MIN", CapESearch, ReturnMin},
	{"MAX", CapESearch, ReturnMax},
	{"ALL", CapESearch, ReturnAll},
	{"COUNT", CapESearch, ReturnCount},
	{"SAVE", CapSearchRes, ReturnSave},
	{"CONTEXT", CapContextSearch, ReturnContext},
}

// searchOption consumes one option.
//
//	search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" /
//	                    search-ret-opt-ext          ; RFC 9051 section 9
//	modifier-partial  = "PARTIAL" SP partial-range  ; RFC 9394 section 4
//	modifier-update   = "UPDATE" ["(" fetch-att *(SP fetch-att) ")"]  ; RFC 5465 section 8
func (p *Parser) searchOption(s *Search) Fault {
	name := p.Keyword()
	for _, row := range plainReturns {
		if string(name) == row.name && p.caps.Has(row.need) {
			s.Return |= row.bit
			return ""
		}
	}
	switch {
	case string(name) == "PARTIAL" && p.caps.Any(CapPartial|CapContextSearch):
		return p.searchPartial(s)
	case string(name) == "UPDATE" && p.caps.Has(CapContextSearch):
		return p.searchUpdate(s)
	}
	return "there is no such option of RETURN"
}

func (p *Parser) searchPartial(s *Search) (fault Fault) {
	if s.Return.has(ReturnPartial) {
		return "PARTIAL can be asked for once"
	}
	s.Return |= ReturnPartial
	if fault = p.SP(); fault == "" {
		s.Partial, fault = p.PartialRange()
	}
	if fault == "" && s.Partial.FromEnd && !p.caps.Has(CapPartial) {
		fault = "a range of PARTIAL is from:to"
	}
	return fault
}

// searchUpdate consumes what may stand behind UPDATE. The examples of RFC 5465
// have a space that its grammar has not.
func (p *Parser) searchUpdate(s *Search) Fault {
	s.Return |= ReturnUpdate
	save := p.Text
	p.Byte(' ')
	if p.Peek() != '(' || !p.caps.Has(CapNotify) {
		p.Text = save
		return ""
	}
	f, fault := p.FetchAtts()
	s.Update = f.Items
	return fault
}
