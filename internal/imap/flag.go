package imap

// Flag is a set of system flags (RFC 9051 2.3.2, RFC 3501 2.3.2).
type Flag uint8

// The system flags.
const (
	FlagAnswered Flag = 1 << iota
	FlagFlagged
	FlagDeleted
	FlagSeen
	FlagDraft
	FlagRecent // shown to rev1 clients; nobody can set it

	// FlagsAll are those that can be set.
	FlagsAll = FlagAnswered | FlagFlagged | FlagDeleted | FlagSeen | FlagDraft
)

var flagNames = [...]string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`, `\Recent`}

// Flags are the flags of a flag-list.
type Flags struct {
	System Flag
	// Keywords are in the client's spelling; they compare without regard to
	// case. None stands twice in the same spelling next to itself, but else
	// they come as they came.
	Keywords [][]byte
}

// FlagListMax is how many keywords a flag-list may have.
const flagListMax = 256

// FlagList consumes a flag-list.
//
//	flag-list = "(" [flag *(SP flag)] ")"           ; RFC 9051 section 9
func (p *Parser) FlagList() (Flags, Fault) {
	if !p.Byte('(') {
		return Flags{}, "a list of flags was expected"
	}
	if p.Byte(')') {
		return Flags{}, ""
	}
	f, fault := p.FlagRow()
	if fault == "" && !p.Byte(')') {
		fault = "a list of flags does not end"
	}
	return f, fault
}

// FlagRow consumes flags with a space between them.
func (p *Parser) FlagRow() (f Flags, fault Fault) {
	start := len(p.words)
	for {
		if fault := p.flag(&f.System); fault != "" {
			return f, fault
		}
		if len(p.words)-start > flagListMax {
			return f, "too many flags"
		}
		if !p.Byte(' ') {
			break
		}
	}
	f.Keywords = p.words[start:len(p.words):len(p.words)]
	return f, ""
}

// flag consumes one flag. \Recent, which nobody can set, is passed over: there
// are clients that give back what they were shown.
//
//	flag           = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" /
//	                 flag-keyword / flag-extension  ; RFC 9051 section 9
//	flag-extension = "\" atom
func (p *Parser) flag(system *Flag) Fault {
	if !p.Byte('\\') {
		word := p.Atom()
		if len(word) == 0 {
			return "a flag was expected"
		}
		p.words = append(p.words, word)
		return ""
	}
	name := p.Atom()
	for i, known := range flagNames {
		if equalFoldAny(name, known[1:]) {
			*system |= 1 << i & FlagsAll
			return ""
		}
	}
	return `there is no such system flag`
}

// equalFoldAny reports whether b is the word in any case.
func equalFoldAny(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if upper(b[i]) != upper(word[i]) {
			return false
		}
	}
	return true
}

// AppendFlags appends a flag-list: the system flags, and of the keywords those
// whose bit is in set. Of names no more than 64 are looked at.
func AppendFlags(out []byte, system Flag, names []string, set uint64) []byte {
	out = append(out, '(')
	start := len(out)
	for i, name := range flagNames {
		if system&(1<<i) != 0 {
			out = append(out, name...)
			out = append(out, ' ')
		}
	}
	for i := 0; i < len(names) && set>>i != 0; i++ {
		if set>>i&1 != 0 {
			out = append(out, names[i]...)
			out = append(out, ' ')
		}
	}
	if len(out) > start {
		out = out[:len(out)-1]
	}
	return append(out, ')')
}
