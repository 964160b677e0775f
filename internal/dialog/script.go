// Package dialog runs protocol conversations that are written as text files.
//
// To write a test is to paste a transcript: what the client sends, what the
// server has to answer, and what is to be found in the spool or the mailbox
// afterwards. The same file is run against an engine in memory and against
// the built program over TCP and TLS, so a script says nothing about either.
//
// A script is a text file with the suffix .dlg. Blank lines mean nothing.
//
//	# text         a comment
//	> key value    a setting for the session; only before the first other step
//	C: text        the client sends text and CRLF
//	C| text        the client sends text without CRLF; \r \n \t \0 \\ and \xHH
//	               are understood
//	C* 5000 text   the client sends text (with the same escapes) 5000 times
//	S: pattern     the server sends this line and CRLF; * stands for any run
//	               of characters
//	S~ regexp      the server sends a line that the regular expression matches
//	R: code a; !b  the server sends a whole reply of SMTP, of one line or more,
//	               with this code; a line of it has the pattern a for its text
//	               and none has b; more patterns, or none, may follow the code
//	TLS            both sides switch to TLS here
//	EOF            the client closes its sending half
//	END            the server has closed the connection and said nothing more
//	S| text        Serve only: the server sends text as C| does
//	S* 5000 text   Serve only: the server sends text 5000 times
//	VERB text      any other word in capitals is a callback of the test that
//	| line         runs the script; the lines below that begin with | belong
//	| line         to it
//
// Serve plays a script the other way round, to a client: the S: lines are sent
// as they stand, and the client has to say the C: lines, in which * stands for
// any run of characters. EOF is the server closing its sending half, END means
// that the client has closed and said nothing more. The other marks of C and
// S~ and R: mean nothing there.
//
// The package is used by tests only.
package dialog

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A Kind says what a Step does.
type Kind int

// The kinds of steps.
const (
	Send     Kind = iota // Data goes to the server
	Expect               // a line of the server matches Text (with *)
	ExpectRE             // a line of the server matches RE
	Reply                // a reply with the code Name and lines that match Block
	TLS                  // both sides switch to TLS
	HalfEOF              // the client closes its sending half
	End                  // the server has closed
	Say                  // Data goes to the client; for Serve only
	Verb                 // a callback: Name, Text, Block
)

// A Step is one line of a script, or a callback with the lines below it.
type Step struct {
	Kind  Kind
	Line  int            // in the file, from 1
	Data  []byte         // Send, Say
	Text  string         // what stands in the file: the pattern, the regular expression, the argument; Send: of C: only
	RE    *regexp.Regexp // ExpectRE
	Name  string         // Verb; Reply: the code
	Block []string       // Verb: the lines that begin with |; Reply: the patterns
}

// A Script is a parsed dialogue.
type Script struct {
	Name     string // file name without directory and suffix
	Settings [][2]string
	Steps    []Step
}

// Setting returns the last value of a setting, or otherwise when the script
// does not set it.
func (s *Script) Setting(key, otherwise string) string {
	for _, kv := range s.Settings {
		if kv[0] == key {
			otherwise = kv[1]
		}
	}
	return otherwise
}

// Input is everything that the client sends, in order: the material of tests
// that cut it in other places.
func (s *Script) Input() []byte {
	var all []byte
	for _, st := range s.Steps {
		if st.Kind == Send {
			all = append(all, st.Data...)
		}
	}
	return all
}

// Load parses the scripts of fsys whose names match one of the patterns
// (fs.Glob), in the order of the patterns and of their names. A pattern
// without a match is an error, because a test that runs nothing proves
// nothing.
func Load(fsys fs.FS, patterns ...string) ([]*Script, error) {
	var all []*Script
	for _, pattern := range patterns {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("dialog: no script matches %s", pattern)
		}
		for _, name := range names {
			text, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			s, err := Parse(name, string(text))
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// Parse reads one script. Errors name the file and the line.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: strings.TrimSuffix(path.Base(name), ".dlg")}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if err := s.add(line, i+1); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	return s, nil
}

func (s *Script) add(line string, number int) error {
	if strings.TrimSpace(line) == "" || line[0] == '#' {
		return nil
	}
	mark, rest := line, ""
	if i := strings.IndexByte(line, ' '); i >= 0 {
		mark, rest = line[:i], line[i+1:]
	}
	switch mark {
	case ">":
		return s.set(rest)
	case "|":
		return s.block(rest)
	}
	st, err := parseStep(mark, rest)
	st.Line = number
	s.Steps = append(s.Steps, st)
	return err
}

func (s *Script) set(rest string) error {
	if len(s.Steps) > 0 {
		return fmt.Errorf("settings come before the first step")
	}
	key, value, _ := strings.Cut(rest, " ")
	s.Settings = append(s.Settings, [2]string{key, strings.TrimSpace(value)})
	return nil
}

func (s *Script) block(rest string) error {
	if len(s.Steps) == 0 || s.Steps[len(s.Steps)-1].Kind != Verb {
		return fmt.Errorf("a line with | belongs below a verb")
	}
	last := &s.Steps[len(s.Steps)-1]
	last.Block = append(last.Block, rest)
	return nil
}

func parseStep(mark, rest string) (Step, error) {
	switch mark {
	case "C:":
		return Step{Kind: Send, Text: rest, Data: []byte(rest + "\r\n")}, nil
	case "C|":
		data, err := unescape(rest)
		return Step{Kind: Send, Data: data}, err
	case "C*":
		data, err := repeat(rest)
		return Step{Kind: Send, Data: data}, err
	case "S:":
		return Step{Kind: Expect, Text: rest}, nil
	case "S|":
		data, err := unescape(rest)
		return Step{Kind: Say, Data: data}, err
	case "S*":
		data, err := repeat(rest)
		return Step{Kind: Say, Data: data}, err
	case "S~":
		re, err := regexp.Compile(rest)
		return Step{Kind: ExpectRE, Text: rest, RE: re}, err
	case "R:":
		return parseReply(rest)
	case "TLS":
		return Step{Kind: TLS}, nil
	case "EOF":
		return Step{Kind: HalfEOF}, nil
	case "END":
		return Step{Kind: End}, nil
	}
	if mark != strings.ToUpper(mark) || mark[0] < 'A' || mark[0] > 'Z' {
		return Step{}, fmt.Errorf("what is %q?", mark)
	}
	return Step{Kind: Verb, Name: mark, Text: rest}, nil
}

func parseReply(rest string) (Step, error) {
	code, patterns, _ := strings.Cut(rest, " ")
	st := Step{Kind: Reply, Text: rest, Name: code}
	if len(code) != 3 {
		return st, fmt.Errorf("the code of R: is %q, not three digits", code)
	}
	for p := range strings.SplitSeq(patterns, ";") {
		if p = strings.TrimSpace(p); p != "" {
			st.Block = append(st.Block, p)
		}
	}
	return st, nil
}

func repeat(rest string) ([]byte, error) {
	count, text, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("the count of * is %q", count)
	}
	data, err := unescape(text)
	if err != nil {
		return nil, err
	}
	return []byte(strings.Repeat(string(data), n)), nil
}

// unescape turns \r \n \t \0 \\ and \xHH into the bytes they name.
func unescape(s string) ([]byte, error) {
	simple := map[byte]byte{'r': '\r', 'n': '\n', 't': '\t', '0': 0, '\\': '\\'}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			return nil, fmt.Errorf("\\ at the end of the line")
		}
		if c, ok := simple[s[i]]; ok {
			out = append(out, c)
			continue
		}
		if s[i] != 'x' || i+2 >= len(s) {
			return nil, fmt.Errorf("unknown escape \\%c", s[i])
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("\\x needs two hexadecimal digits")
		}
		out = append(out, byte(c))
		i += 2
	}
	return out, nil
}

// Match reports whether the line fits the pattern, in which * stands for any
// run of characters, also an empty one. Callbacks use it for their blocks.
func Match(pattern, line string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == line
	}
	if !strings.HasPrefix(line, head) {
		return false
	}
	for rest := line[len(head):]; ; rest = rest[1:] {
		if Match(tail, rest) {
			return true
		}
		if rest == "" {
			return false
		}
	}
}
