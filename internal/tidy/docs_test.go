package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// codePath is a name in back quotes that looks like a path of this tree: with
// a slash and a Go or Markdown ending, or a directory that ends in a slash.
var codePath = regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*(?:\\.go|\\.md|\\.dlg|/))`")

func TestPathsInDocumentsExist(t *testing.T) {
	for _, name := range files(t, ".md") {
		if name == "CHANGELOG.md" {
			continue // it speaks of the past
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codePath.FindAllStringSubmatch(string(text), -1) {
			if !ours(m[1]) {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s speaks of `%s`, which does not exist: mend the document", name, m[1])
			}
		}
	}
}

// ours reports whether a path in a document means this tree: its first
// element is one of the top-level directories, and it has a second.
func ours(name string) bool {
	first, _, found := strings.Cut(name, "/")
	if !found {
		return false
	}
	switch first {
	case "smtpd", "imapd", "pop3d", "spool", "maildir", "dnsres", "auth", "cmd", "perf", "internal", "docs":
		return true
	}
	return false
}

var citation = regexp.MustCompile(`RFC (\d{3,4})\b`)

// TestStandardsTableMatchesTheCode keeps docs/standards.md honest in both
// directions: what the code cites is listed, and what is listed as
// implemented is cited by the package that is named for it.
func TestStandardsTableMatchesTheCode(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(root, "docs/standards.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{} // number -> packages column
	for _, line := range strings.Split(string(table), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 {
			continue
		}
		number := strings.TrimSpace(cells[1])
		if regexp.MustCompile(`^\d{3,4}$`).MatchString(number) {
			listed[number] = strings.TrimSpace(cells[4])
		}
	}
	cited := map[string]map[string]bool{}
	for _, s := range sources(t) {
		if s.test || s.dir == "internal/tidy" {
			continue
		}
		for _, m := range citation.FindAllStringSubmatch(string(s.text), -1) {
			if cited[m[1]] == nil {
				cited[m[1]] = map[string]bool{}
			}
			cited[m[1]][s.dir] = true
			if _, ok := listed[m[1]]; !ok {
				t.Errorf("%s cites RFC %s, which is not in docs/standards.md: add its row", s.name, m[1])
				listed[m[1]] = ""
			}
		}
	}
	for number, packages := range listed {
		for _, dir := range strings.FieldsFunc(packages, func(r rune) bool { return r == ',' || r == ' ' || r == '`' }) {
			if !cited[number][dir] {
				t.Errorf("docs/standards.md names %s for RFC %s, but no file there cites it", dir, number)
			}
		}
	}
}
