package route

// Targets is the result of Resolve. It is meant to be kept and used again:
// its memory is reused, and everything it holds is valid until the next
// Resolve into it. The zero value is ready.
type Targets struct {
	List []Target
}

// Router knows the domains and the maps. It may be used by any number of
// goroutines at once.
type Router struct {
	options Options
}

// New makes a router and reads its maps. It fails when a map cannot be read
// or has an error in it; the error tells file and line.
func New(options Options) (*Router, error) {
	return &Router{options: options}, nil
}

// Resolve says where a recipient goes. The address is the mailbox of RCPT TO,
// without angle brackets, as the client wrote it (RFC 5321 4.1.2).
func (r *Router) Resolve(address []byte, into *Targets) Verdict {
	into.List = into.List[:0]
	return Verdict{Kind: Reject, Code: 550, Status: "5.1.1", Text: "no such user here"}
}

// MaySendAs says whether an account may put the address into MAIL FROM:
// whether mail to the address would go to that account and to nobody else.
// The null sender is everyone's, since notifications need it (RFC 8098 3).
func (r *Router) MaySendAs(account string, address []byte) bool {
	return len(address) == 0
}

// Reload reads the maps again now, whether they seem to have changed or not.
// A map that has an error keeps its last good content; the error is returned.
func (r *Router) Reload() error { return nil }

// Problem is something wrong in a map.
type Problem struct {
	File string
	Line int
	Text string
	// Warning tells that mail still flows as the entry says.
	Warning bool
}

// Check reads the maps and resolves every entry.
func Check(options Options) []Problem { return nil }
