package tidy

import (
	"slices"
	"strings"
	"testing"
)

// The levels of the house, from the bottom. A package imports packages of
// lower levels only, and of its own level only where beside says so.
const (
	leaf     = iota // knows nothing of mail
	format          // pure grammars and codecs
	engine          // pure protocol engines
	resource        // everything that does I/O
	agent           // doors and delivery agents: wiring between the above
	program
)

// place is a package's level and the packages of its own level that it may
// import, each with the reason.
type place struct {
	level  int
	beside map[string]string
}

// house is the whole architecture. A package that is missing here fails the
// test: decide where it belongs first.
var house = map[string]place{
	"internal/vfs":       {level: leaf},
	"internal/vfs/crash": {level: leaf, beside: map[string]string{"internal/vfs": "it is one of the two implementations"}},
	"internal/watch":     {level: leaf},
	"internal/metric":    {level: leaf},
	"internal/log":       {level: leaf, beside: map[string]string{"internal/vfs": "the log file is opened through the one place that modifies files"}},

	"internal/smtp":    {level: format},
	"internal/addr":    {level: format},
	"internal/message": {level: format},
	"internal/imap":    {level: format},
	"internal/mime": {level: format, beside: map[string]string{
		"internal/message": "it tells of the parts that are found there",
		"internal/imap":    "ENVELOPE and BODYSTRUCTURE are made of strings of IMAP",
	}},
	"internal/proxy": {level: format},
	"internal/dsn": {level: format, beside: map[string]string{
		"internal/smtp":    "ENVID and ORCPT are xtext, and what is an address says SMTP",
		"internal/message": "a report quotes the header of the message",
	}},
	"internal/srs": {level: format, beside: map[string]string{"internal/addr": "it rewrites addresses"}},
	"auth/sasl":    {level: format},
	"dnsres/wire":  {level: format},

	"smtpd/proto":          {level: engine},
	"pop3d/proto":          {level: engine},
	"imapd/proto":          {level: engine},
	"internal/relay/proto": {level: engine},

	"internal/loop":    {level: resource},
	"internal/tlsconf": {level: resource},
	"internal/route":   {level: resource},
	"spool":            {level: resource},
	"maildir":          {level: resource},
	"auth":             {level: resource},
	"dnsres":           {level: resource},
	"dnsres/dnstest":   {level: resource},

	"smtpd":            {level: agent},
	"pop3d":            {level: agent},
	"imapd":            {level: agent},
	"internal/deliver": {level: agent},
	"internal/bounce":  {level: agent},
	"internal/relay":   {level: agent},

	"internal/config": {level: leaf},
	"cmd/barid":       {level: program},
	"perf":            {level: program},

	"internal/dialog":  {level: leaf},
	"internal/interop": {level: program},
	"internal/tidy":    {level: leaf},
}

// forbidden are arrows that the levels would allow and the design does not.
var forbidden = []struct{ from, to, reason string }{
	{"smtpd", "maildir", "the SMTP door hands messages to the spool; the two meet only in deliver"},
	{"pop3d", "spool", "reading mail has nothing to do with the queue; the two meet only in deliver"},
	{"imapd", "spool", "reading mail has nothing to do with the queue; the two meet only in deliver"},
	{"spool", "maildir", "the spool decides when and what, an agent decides how"},
	{"internal/dialog", "", "the dialogue runner must not know any protocol"},
}

// onlyCmd may be imported by the program alone: everything else gets its
// settings as a small struct of its own.
var onlyCmd = []string{"internal/config"}

func TestArrowsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		from, known := house[s.dir]
		if !known {
			t.Errorf("%s: package %s is not in the house table of internal/tidy/imports_test.go: decide its level and add it", s.name, s.dir)
			continue
		}
		for _, imported := range s.imports() {
			to, ours := strings.CutPrefix(imported, "barid/")
			if !ours {
				continue
			}
			checkArrow(t, s, from, to)
		}
	}
}

func checkArrow(t *testing.T, s source, from place, to string) {
	t.Helper()
	target := house[to]
	switch {
	case slices.Contains(onlyCmd, to) && s.dir != "cmd/barid":
		t.Errorf("%s imports %s: only cmd/barid may; pass a struct of options instead", s.name, to)
	case target.level > from.level:
		t.Errorf("%s imports %s, which lies above it: turn the dependency round (pass a function or a value in)", s.name, to)
	case target.level == from.level && from.beside[to] == "":
		t.Errorf("%s imports %s of its own level: give the reason in the house table, or move what they share down", s.name, to)
	}
	for _, f := range forbidden {
		if f.from == s.dir && (f.to == to || f.to == "") {
			t.Errorf("%s imports %s: %s", s.name, to, f.reason)
		}
	}
}

// impure is what pure packages may not import: a grammar or an engine that
// reads a clock, takes a lock, writes a log or opens a socket cannot be
// tested by values alone.
var impure = []string{"net", "os", "io/fs", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "runtime", "syscall", "golang.org/x/sys/unix"}

func TestPurePackagesStayPure(t *testing.T) {
	for _, s := range sources(t) {
		if level := house[s.dir].level; s.test || level != format && level != engine {
			continue
		}
		for _, imported := range s.imports() {
			if slices.Contains(impure, imported) {
				t.Errorf("%s imports %s: pure packages get such things as values from their caller", s.name, imported)
			}
		}
		if strings.Contains(string(s.text), "time.Now(") {
			t.Errorf("%s reads the clock: take a time.Time from the caller", s.name)
		}
	}
}

// allowedModules are the dependencies that the project accepts; anything more
// needs a page in docs/decisions.
var allowedModules = []string{"golang.org/x/sys", "golang.org/x/crypto", "golang.org/x/text", "github.com/klauspost/compress"}

func TestNoUnexpectedDependency(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports() {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue
			}
			if !slices.ContainsFunc(allowedModules, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
				t.Errorf("%s imports %s: the allowed modules are %v", s.name, imported, allowedModules)
			}
		}
	}
}
