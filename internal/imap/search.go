package imap

// SearchKey is the kind of a node of a search tree.
type SearchKey uint8

// The kinds of nodes (RFC 9051 6.4.4, RFC 3501 6.4.4).
const (
	SearchAnd         SearchKey = iota // all of the nodes below
	SearchOr                           // one of the two nodes below
	SearchNot                          // not the node below
	SearchAll                          // every message
	SearchFlag                         // Flag is set
	SearchUnflag                       // Flag is not set
	SearchKeyword                      // the keyword Text is set
	SearchUnkeyword                    // the keyword Text is not set
	SearchSeq                          // the message number is in Set
	SearchUID                          // the UID is in Set
	SearchBefore                       // internal date before Day
	SearchOn                           // internal date on Day
	SearchSince                        // internal date on Day or later
	SearchSentBefore                   // Date field before Day
	SearchSentOn                       // Date field on Day
	SearchSentSince                    // Date field on Day or later
	SearchSavedBefore                  // RFC 8514: saved before Day
	SearchSavedOn                      // RFC 8514: saved on Day
	SearchSavedSince                   // RFC 8514: saved on Day or later
	SearchSaveDates                    // RFC 8514 SAVEDATESUPPORTED
	SearchLarger                       // more than Number octets
	SearchSmaller                      // fewer than Number octets
	SearchOlder                        // RFC 5032: internal date Number seconds ago or more
	SearchYounger                      // RFC 5032: internal date within the last Number seconds
	SearchModSeq                       // RFC 7162: mod-sequence is Number or higher
	SearchEmailID                      // RFC 8474: the EMAILID is Text
	SearchThreadID                     // RFC 8474: the THREADID is Text
	SearchBcc                          // Text in the field
	SearchCc                           // Text in the field
	SearchFrom                         // Text in the field
	SearchTo                           // Text in the field
	SearchSubject                      // Text in the field
	SearchHeader                       // Text in the field Name; empty Text: there is such a field
	SearchBody                         // Text in the body
	SearchText                         // Text in header or body
)

// SearchNode is a node of a search tree. The nodes stand in a flat array, each
// before those below it: what is below node i begins at i+1, and what follows
// it at Next.
type SearchNode struct {
	Key        SearchKey
	Flag       Flag
	Day        Day
	Next       int32
	Number     int64
	Name, Text []byte
	Set        SeqSet // not resolved
}

// SearchReturn is a set of what an extended search is to return.
type SearchReturn uint16

// The options of RETURN (RFC 9051 6.4.4, RFC 5267, RFC 9394).
const (
	ReturnMin SearchReturn = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
	ReturnSave
	ReturnPartial
	ReturnUpdate
	ReturnContext
)

// Search is what SEARCH, SORT and THREAD ask for.
type Search struct {
	// Nodes is the tree; the first one is its root, an And.
	Nodes []SearchNode
	// Charset is what the client named, nil when it did not. The strings are
	// UTF-8 in any case.
	Charset []byte
	// Extended: RETURN was given, and the answer is ESEARCH. Without options
	// Return is ReturnAll.
	Extended bool
	// UsesModSeq: the answer has to tell the highest mod-sequence (RFC 7162
	// 3.1.5).
	UsesModSeq bool
	Return     SearchReturn
	Partial    PartialRange // of ReturnPartial
	Update     []FetchItem  // of ReturnUpdate, what is to be sent of new messages (RFC 5465 section 4)
}

const (
	// searchNodesMax is how many nodes a tree may have. Each may be asked of
	// each message.
	searchNodesMax = 1000
	// searchDepthMax is how deep parentheses, NOT and OR may nest.
	searchDepthMax = 200
)

// UnknownCharset is the Fault of a charset that is not understood; it is to be
// answered with NO and BADCHARSET.
const UnknownCharset Fault = "this charset is not understood"

// SearchProgram consumes what stands behind SEARCH and its options.
//
//	search-program = ["CHARSET" SP charset SP]
//	                 search-key *(SP search-key)    ; RFC 9051 section 9
func (p *Parser) SearchProgram(s *Search) (fault Fault) {
	if p.Word("CHARSET") {
		if p.utf8 {
			return "strings are UTF-8, no other charset can be named" // RFC 6855 section 3
		}
		if fault = p.SP(); fault == "" {
			fault = p.Charset(s)
		}
		if fault == "" {
			fault = p.SP()
		}
		if fault != "" {
			return fault
		}
	}
	return p.SearchKeys(s)
}

// Charset consumes a charset. Those that are understood are US-ASCII and
// UTF-8, which every server has to know (RFC 9051 6.4.4).
//
//	charset = atom / quoted                         ; RFC 9051 section 9
func (p *Parser) Charset(s *Search) (fault Fault) {
	if s.Charset = p.Atom(); len(s.Charset) == 0 {
		if s.Charset, fault = p.Quoted(); fault != "" {
			return "a charset was expected"
		}
	}
	if EqualFold(s.Charset, "UTF-8") || EqualFold(s.Charset, "US-ASCII") || EqualFold(s.Charset, "ASCII") {
		return ""
	}
	return UnknownCharset
}

// SearchKeys consumes search keys to the end of the command. All of them have
// to be true of a message.
func (p *Parser) SearchKeys(s *Search) Fault {
	start := len(p.nodes)
	p.nodes = append(p.nodes, SearchNode{Key: SearchAnd})
	for {
		if fault := p.searchKey(start, 0); fault != "" {
			return fault
		}
		if p.Empty() {
			break
		}
		if fault := p.SP(); fault != "" {
			return fault
		}
	}
	s.Nodes = p.nodes[start:len(p.nodes):len(p.nodes)]
	s.Nodes[0].Next = int32(len(s.Nodes))
	for i := range s.Nodes {
		s.UsesModSeq = s.UsesModSeq || s.Nodes[i].Key == SearchModSeq
	}
	return ""
}

// addNode adds a node without a Next.
func (p *Parser) addNode(start int, n SearchNode) Fault {
	if len(p.nodes)-start == searchNodesMax {
		return "too many search keys"
	}
	p.nodes = append(p.nodes, n)
	return ""
}

// addLeaf adds a node that has none below.
func (p *Parser) addLeaf(start int, n SearchNode) Fault {
	n.Next = int32(len(p.nodes) - start + 1)
	return p.addNode(start, n)
}

// searchKey consumes one key. start is where the tree begins.
func (p *Parser) searchKey(start, depth int) Fault {
	if depth == searchDepthMax {
		return "search keys nest too deep"
	}
	switch c := p.Peek(); {
	case c == '(':
		return p.branch(start, SearchAnd, func() Fault {
			return p.List("", func() Fault { return p.searchKey(start, depth+1) })
		})
	case c == '*' || c == '$' || digit.has(c):
		if p.uidOnly && c != '$' {
			return UIDRequired
		}
		set, fault := p.SeqSet()
		if fault != "" {
			return fault
		}
		return p.addLeaf(start, SearchNode{Key: SearchSeq, Set: set})
	}
	switch name := p.Keyword(); string(name) {
	case "NOT":
		return p.branch(start, SearchNot, func() Fault { return p.below(start, depth) })
	case "OR":
		return p.branch(start, SearchOr, func() Fault {
			if fault := p.below(start, depth); fault != "" {
				return fault
			}
			return p.below(start, depth)
		})
	case "NEW": // RFC 3501 6.4.4: (RECENT UNSEEN)
		return p.branch(start, SearchAnd, func() Fault {
			fault := p.addLeaf(start, SearchNode{Key: SearchFlag, Flag: FlagRecent})
			if fault == "" {
				fault = p.addLeaf(start, SearchNode{Key: SearchUnflag, Flag: FlagSeen})
			}
			return fault
		})
	default:
		return p.searchLeaf(start, name)
	}
}

// UIDRequired is the Fault of a message number from a client that has enabled
// UIDONLY; it is to be answered with the response code of that name (RFC 9586).
const UIDRequired Fault = "message numbers are not used after ENABLE UIDONLY"

// below consumes a space and a key.
func (p *Parser) below(start, depth int) Fault {
	if fault := p.SP(); fault != "" {
		return fault
	}
	return p.searchKey(start, depth+1)
}

// branch adds a node and, below it, what inside consumes.
func (p *Parser) branch(start int, key SearchKey, inside func() Fault) Fault {
	at := len(p.nodes)
	if fault := p.addNode(start, SearchNode{Key: key}); fault != "" {
		return fault
	}
	if fault := inside(); fault != "" {
		return fault
	}
	p.nodes[at].Next = int32(len(p.nodes) - start)
	return ""
}
