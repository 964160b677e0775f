package auth

import (
	"fmt"
	"strings"
)

// The passwd-file is Dovecot's: one account per line,
//
//	user:password:uid:gid:gecos:home:shell:extra fields
//
// where only the first two fields must be there. Lines that are empty or
// begin with '#' or ':' are comments. There are no escapes: a field holds no
// colon, but for the last one, which is the rest of the line and consists of
// key=value pairs (or bare keys) between spaces.

// entry is one account's line cut into the fields that we read. The strings
// share the memory of the line.
type entry struct {
	name     string
	password string
	home     string
	extra    string
	oldMail  string // "::MAIL" in place of the extra fields, as in Dovecot 0.99
}

// isComment reports whether a line holds no account.
func isComment(line string) bool {
	return line == "" || line[0] == '#' || line[0] == ':'
}

// cutEntry cuts a line that is no comment; false when it has no second field.
func cutEntry(line string) (e entry, ok bool) {
	e.name, line, ok = strings.Cut(line, ":")
	if !ok {
		return e, false
	}
	e.password, line, _ = strings.Cut(line, ":")
	for range 3 { // uid, gid, gecos
		_, line, _ = strings.Cut(line, ":")
	}
	e.home, line, _ = strings.Cut(line, ":")
	_, line, _ = strings.Cut(line, ":") // shell
	if strings.HasPrefix(line, ":") {
		e.oldMail = line[1:]
	} else {
		e.extra = line
	}
	return e, true
}

// nextExtra takes the first key=value off a list of extra fields; key is ""
// at the end of the list.
func nextExtra(list string) (key, value, rest string) {
	list = strings.TrimLeft(list, " ")
	field, rest, _ := strings.Cut(list, " ")
	key, value, _ = strings.Cut(field, "=")
	return key, value, rest
}

// find returns the value of the first extra field with this key.
func (e *entry) find(key string) (value string, found bool) {
	for list := e.extra; ; {
		k, v, rest := nextExtra(list)
		if k == key {
			return v, true
		}
		if k == "" && rest == "" {
			return "", false
		}
		list = rest
	}
}

// checkName refuses names that would break the file, a log line or a path.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty user name")
	case len(name) > nameMax:
		return fmt.Errorf("user name longer than %d bytes", nameMax)
	case name[0] == '.' || name[0] == '#':
		return fmt.Errorf("user name begins with %q", name[0])
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || c == ':' || c == '/' {
			return fmt.Errorf("user name contains %q", c)
		}
	}
	return nil
}

// nameMax is the longest user name in bytes: 64 of a local part, '@' and 255
// of a domain (RFC 5321 4.5.3.1).
const nameMax = 320

// Problem is a line of the passwd-file that is not broken but does less than
// its author may think: the account receives mail and cannot log in.
type Problem struct {
	Line int
	User string
	Text string
}

// FileError says what is broken in a passwd-file and where.
type FileError struct {
	File string
	Line int // 0: the whole file
	Text string
}

// Error is FILE:LINE: what is broken.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}
