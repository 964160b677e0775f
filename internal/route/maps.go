package route

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"barid/internal/addr"
)

// Problem is something wrong in a map.
type Problem struct {
	File string // "" when it is about no file
	Line int    // 0 when it is about the file as a whole
	Text string
	// Warning tells that mail still flows, though perhaps not as meant.
	Warning bool
}

// String gives file:line: text.
func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// parser turns the text of a file into a table, or into a list of elements,
// and gathers what is wrong with it.
type parser struct {
	file     string
	problems []Problem
}

// problemsMax bounds what is reported of one file: after so many it is
// probably not a map at all.
const problemsMax = 100

func (p *parser) report(problem Problem) {
	if len(p.problems) < problemsMax {
		problem.File = p.file
		p.problems = append(p.problems, problem)
	}
}

func (p *parser) wrong(line int, err error) { p.report(Problem{Line: line, Text: err.Error()}) }

// err is the first problem that keeps the file from being used.
func (p *parser) err() error {
	for _, problem := range p.problems {
		if !problem.Warning {
			return errors.New(problem.String())
		}
	}
	return nil
}

// logicalLines yields the lines of a map with their numbers: comments and empty lines are
// left out, and a line that starts with white space is joined to the one
// before. A line is valid until the next is asked for.
//
//	; aliases(5), virtual(5)
func logicalLines(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		var line, joined []byte
		first, isJoined := 0, false
		for number, physical := range lines(text) {
			if first > 0 && (physical[0] == ' ' || physical[0] == '\t') {
				if !isJoined {
					joined, isJoined = append(joined[:0], line...), true
				}
				joined = append(append(joined, ' '), bytes.TrimSpace(physical)...)
				line = joined
				continue
			}
			if first > 0 && !yield(first, line) {
				return
			}
			line, first, isJoined = bytes.TrimSpace(physical), number, false
		}
		if first > 0 {
			yield(first, line)
		}
	}
}

// lines yields the lines of a text that say something, with their numbers.
func lines(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for number := 1; len(text) > 0; number++ {
			var line []byte
			line, text, _ = bytes.Cut(text, []byte{'\n'})
			content := bytes.TrimSpace(line)
			if len(content) > 0 && content[0] != '#' && !yield(number, line) {
				return
			}
		}
	}
}

// divider divides a line of a map into its key, which it appends to dst in
// the form that is looked up, and its right side.
type divider func(line, dst []byte) (key, right []byte, err error)

// valuer appends the right side of a line to dst, encoded.
type valuer func(dst, right []byte) ([]byte, error)

// listValue is the list of addresses of aliases(5) and virtual(5).
func listValue(p *parser) valuer {
	targets := &lister{dir: filepath.Dir(p.file)}
	return targets.append
}

// parseTable parses a map.
func (p *parser) parseTable(text []byte, divide divider, encode valuer) *table {
	t := &table{file: p.file, records: make([]byte, 0, len(text)+len(text)/4)}
	var keyBuffer, value []byte
	for number, line := range logicalLines(text) {
		k, right, err := divide(line, keyBuffer[:0])
		if err == nil {
			keyBuffer = k
			value, err = encode(value[:0], right)
		}
		if err == nil {
			err = t.append(entry{k, value, number})
		}
		if err != nil {
			p.wrong(number, err)
		}
	}
	t.build(func(e entry, first int) {
		p.report(Problem{Line: e.line, Text: fmt.Sprintf("%s: is in line %d already, which counts", e.key, first), Warning: true})
	})
	return t
}

var (
	errNoColon = errors.New("no colon after the name: write name: target, target")
	errNoList  = errors.New("no target after the address: divide the two by white space")
)

// aliasKey divides "name: list", aliases(5).
func aliasKey(line, dst []byte) (key, list []byte, err error) {
	i := indexUnquoted(line, ":")
	if i < 0 {
		return nil, nil, errNoColon
	}
	name := bytes.TrimSpace(line[:i])
	if key, err = appendName(dst, name); err != nil {
		return nil, nil, &itemError{string(name), err}
	}
	return key, line[i+1:], nil
}

// virtualKey divides "address list", virtual(5). The address is user@domain,
// user, or @domain.
func virtualKey(line, dst []byte) (key, list []byte, err error) {
	i := indexUnquoted(line, " \t")
	if i < 0 {
		return nil, nil, errNoList
	}
	if key, err = appendPattern(dst, line[:i]); err != nil {
		return nil, nil, &itemError{string(line[:i]), err}
	}
	return key, line[i+1:], nil
}

func appendPattern(dst, pattern []byte) ([]byte, error) {
	local, domain, qualified := addr.Split(pattern)
	if !qualified {
		return appendName(dst, pattern)
	}
	if len(local) > 0 {
		var err error
		if dst, err = appendName(dst, local); err != nil {
			return dst, err
		}
	}
	return addr.AppendDomain(append(dst, '@'), domain)
}

// appendName appends the key of a name without a domain.
func appendName(dst, name []byte) ([]byte, error) {
	if _, _, qualified := addr.Split(name); qualified {
		return dst, errDomain
	}
	var buf [addr.LocalMax]byte
	content, err := addr.AppendLocal(buf[:0], name)
	if err != nil {
		return dst, explain(name, err)
	}
	return appendKey(dst, content), nil
}

// appendKey appends the content of a local part as keys have it.
func appendKey(dst, content []byte) []byte {
	start := len(dst)
	dst = addr.AppendQuoted(dst, content)
	for _, c := range dst[start:] {
		if c >= 0x80 {
			folded := addr.AppendFolded(nil, dst[start:])
			return append(dst[:start], folded...)
		}
	}
	for i, c := range dst[start:] {
		if 'A' <= c && c <= 'Z' {
			dst[start+i] = c + 'a' - 'A'
		}
	}
	return dst
}

// parseInclude parses an included file: a list on each line.
func (p *parser) parseInclude(text []byte) *include {
	var elements []byte
	targets := lister{dir: filepath.Dir(p.file)}
	for number, line := range lines(text) {
		var err error
		if elements, err = targets.append(elements, line); err != nil && !errors.Is(err, errEmpty) {
			p.wrong(number, err)
		}
	}
	return &include{p.file, elements}
}

// include is an included file in memory.
type include struct {
	file     string
	elements []byte
}
