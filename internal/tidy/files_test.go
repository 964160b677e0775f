package tidy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// modifying are the functions of package os (and of the system-call packages)
// that change what lies on a disk.
var modifying = []string{
	"Create", "CreateTemp", "OpenFile", "WriteFile", "Rename", "Remove", "RemoveAll", "Mkdir", "MkdirAll", "MkdirTemp",
	"Link", "Symlink", "Truncate", "Chmod", "Chown", "Chtimes", "Renameat", "Linkat", "Unlink", "Unlinkat", "Fsync", "Fdatasync", "Syncfs", "Fallocate", "Openat",
}

// modifiers may modify files: the one place that promises, the programs and
// tests around the product, and the demonstration, whose temporary directory
// promises nothing.
var modifiers = []string{"internal/vfs", "perf", "internal/interop", "internal/tidy", "cmd/barid/demo.go"}

func TestOnlyVfsModifiesFiles(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || slices.Contains(modifiers, s.dir) || slices.Contains(modifiers, s.name) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if ok && slices.Contains([]string{"os", "unix", "syscall"}, pkg.Name) && slices.Contains(modifying, call.Sel.Name) {
				t.Errorf("%s: %s.%s: files are modified through internal/vfs, which says what survives a power cut", s.at(n), pkg.Name, call.Sel.Name)
			}
			return true
		})
	}
}

func TestTestsNeitherSleepNorSkip(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test || s.dir == "internal/tidy" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			switch {
			case pkg != nil && pkg.Name == "time" && sel.Sel.Name == "Sleep":
				t.Errorf("%s: time.Sleep in a test: wait for the event itself (a channel, a reply, a changed count)", s.at(n))
			case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name):
				t.Errorf("%s: a skipped test protects nothing: install what it needs, or fail and say what is missing", s.at(n))
			}
			return true
		})
	}
}

func TestNothingIsLeftUnfinished(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "internal/tidy" {
			continue
		}
		for _, group := range s.file.Comments {
			for _, word := range []string{"TODO", "FIXME", "XXX"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s: %s in a comment: finish it, or say in plain words what is not done and why", s.at(group), word)
				}
			}
		}
	}
}
