package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is one thing wrong in a configuration.
type Error struct {
	File string // "-o" for an override
	Line int    // 0 when there are no lines
	Key  string // "" when it cannot be told
	Text string
}

// Error gives file:line: key: text.
func (e Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Text
}

// Errors is everything wrong in a configuration, in the order of the file.
type Errors []Error

// Error gives one line for each.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// source is where a key was set.
type source struct {
	file string
	line int
}

func (s source) String() string {
	return strings.TrimSuffix(Error{File: s.file, Line: s.line}.Error(), ": ")
}

// Load reads a configuration file, "" for none, and then the overrides, each
// "key=value" as after -o. An error in what they say is of type Errors.
func Load(name string, overrides []string) (*Config, error) {
	var text []byte
	base, err := filepath.Abs(filepath.Dir(name))
	if name == "" {
		base, err = os.Getwd()
	}
	if err != nil {
		return nil, err
	}
	if name != "" {
		if text, err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	hostname, _ := os.Hostname() // without one, Check asks for the key
	return parse(input{name, text, overrides, base, hostname})
}

// input is all that a configuration depends on.
type input struct {
	name      string
	text      []byte
	overrides []string
	base      string // where relative paths start
	hostname  string // the system's
}

func parse(in input) (*Config, error) {
	c := &Config{set: map[string]source{}}
	p := parser{config: c, keys: c.table()}
	for _, k := range p.keys {
		if err := k.value.parse(k.def); err != nil && k.def != "" {
			panic("config: default of " + k.name + ": " + err.Error())
		}
	}
	p.file(in.name, in.text)
	p.overrides(in.overrides)
	if len(p.errors) > 0 {
		return nil, p.errors
	}
	c.settle(in)
	return c, nil
}

// settle computes what depends on other keys: defaults, and where relative
// paths start.
func (c *Config) settle(in input) {
	c.Hostname = cmp.Or(c.Hostname, strings.ToLower(in.hostname))
	if len(c.Domains) == 0 {
		c.Domains = []string{c.Hostname}
	}
	c.Auth.DefaultDomain = cmp.Or(c.Auth.DefaultDomain, c.Domains[0])
	if _, set := c.set["srs.domain"]; !set {
		c.SRS.Domain = c.Domains[0]
	}
	c.defaultPort("submissions.listen", &c.Submission.ListenTLS, ":465")
	c.defaultPort("pop3s.listen", &c.POP3.ListenTLS, ":995")
	c.defaultPort("imaps.listen", &c.IMAP.ListenTLS, ":993")
	c.Data.Dir = under(in.base, c.Data.Dir)
	for _, k := range c.table() {
		if s, ok := k.value.(settler); ok {
			s.settle(in.base, c.Data.Dir)
		}
	}
	if c.cert != "" {
		c.TLS.Certificates = []Pair{{c.cert, cmp.Or(c.key, c.cert)}}
	}
	c.TLS.Certificates = append(c.TLS.Certificates, c.certs...)
}

func (c *Config) defaultPort(key string, to *[]Address, address string) {
	if _, set := c.set[key]; !set && c.cert != "" {
		*to = []Address{{"tcp", address}}
	}
}

// parser gathers settings and errors.
type parser struct {
	config *Config
	keys   []key
	errors Errors
}

func (p *parser) fail(at source, key, format string, args ...any) {
	p.errors = append(p.errors, Error{at.file, at.line, key, fmt.Sprintf(format, args...)})
}

// file reads the lines of a file and joins those that continue others.
func (p *parser) file(name string, text []byte) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var setting string
	var at source
	flush := func() {
		if setting != "" {
			p.setting(at, setting)
		}
		setting = ""
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		content := strings.TrimSpace(withoutComment(line))
		switch {
		case !utf8.ValidString(line) || strings.ContainsRune(line, 0):
			p.fail(source{name, number}, "", "not UTF-8 text")
		case content == "":
		case line[0] != ' ' && line[0] != '\t':
			flush()
			setting, at = content, source{name, number}
		case setting == "":
			p.fail(source{name, number}, "", "white space at the start of a line continues the line before, and there is none")
		default:
			setting += " " + content
		}
	}
	flush()
	slices.SortStableFunc(p.errors, func(a, b Error) int { return a.Line - b.Line })
}

// withoutComment cuts a comment off: from a # at the start or after white
// space, outside of quotes.
func withoutComment(line string) string {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '#' && !quoted && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i]
		}
	}
	return line
}

func (p *parser) overrides(all []string) {
	at := source{file: "-o"}
	for _, o := range all {
		if !utf8.ValidString(o) || strings.ContainsAny(o, "\x00\n\r") {
			p.fail(at, "", "%q is not one line of UTF-8 text", o)
			continue
		}
		p.setting(at, strings.TrimSpace(o))
	}
}

var errQuotes = errors.New("a value in quotes ends with a quote, and has none within")

// setting takes key = value.
func (p *parser) setting(at source, s string) {
	name, text, ok := strings.Cut(s, "=")
	name, text = strings.TrimSpace(name), strings.TrimSpace(text)
	if !ok {
		p.fail(at, "", "%q is not key = value", s)
		return
	}
	i := slices.IndexFunc(p.keys, func(k key) bool { return k.name == name })
	if i < 0 {
		p.fail(at, name, "unknown key%s", didYouMean(suggestKey(name, p.names())))
		return
	}
	if before, twice := p.config.set[name]; twice && before.file == at.file && at.line > 0 {
		p.fail(at, name, "set before, in line %d", before.line)
		return
	}
	p.config.set[name] = at
	text, err := unquote(text)
	if err == nil {
		err = p.keys[i].assign(text)
	}
	if err != nil {
		p.fail(at, name, "%s", err)
	}
}

// assign takes a value; an empty one means the default if that is computed,
// and nothing where there can be nothing.
func (k key) assign(text string) error {
	if text == "" && k.def == "" && k.derived != "" {
		if v, ok := k.value.(clearer); ok {
			v.clear() // it may have been set before
		}
		return nil
	}
	err := k.value.parse(text)
	if err != nil && text == "" {
		return fmt.Errorf("needs a value (%s)", k.value.kind())
	}
	return err
}

func (p *parser) names() []string {
	names := make([]string, len(p.keys))
	for i, k := range p.keys {
		names[i] = k.name
	}
	return names
}

func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	inner, ok := strings.CutSuffix(s[1:], `"`)
	if !ok || strings.Contains(inner, `"`) {
		return s, errQuotes
	}
	return inner, nil
}

func quote(s string) string {
	if s != strings.TrimSpace(s) || strings.HasPrefix(s, "#") || strings.Contains(s, " #") || strings.Contains(s, "\t#") {
		return `"` + s + `"`
	}
	return s
}
