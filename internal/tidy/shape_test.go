package tidy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

const (
	functionLinesMax = 70
	fileLinesMax     = 600
)

// longFunctions may be longer than functionLinesMax, each for its reason.
var longFunctions = map[string]string{}

func TestFunctionsAndFilesStayShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if s.lines > fileLinesMax {
			t.Errorf("%s has %d lines, more than %d: it holds more than one idea; give the second a file of its own", s.name, s.lines, fileLinesMax)
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.set.Position(fn.End()).Line - s.set.Position(fn.Pos()).Line + 1
			if lines > functionLinesMax && longFunctions[s.dir+"."+fn.Name.Name] == "" {
				t.Errorf("%s: %s has %d lines, more than %d: name its parts", s.at(fn), fn.Name.Name, lines, functionLinesMax)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test {
			documented[s.dir] = documented[s.dir] || s.file.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: say what it is, its invariants, and why it is not the obvious", dir)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s: %s has no doc comment", s.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				checkSpecs(t, s, d)
			}
		}
	}
}

// checkSpecs wants a comment on each exported type, constant and variable, or
// one on the group that holds it, or a trailing one.
func checkSpecs(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
				t.Errorf("%s: %s has no doc comment", s.at(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			exported := slices.ContainsFunc(spec.Names, (*ast.Ident).IsExported)
			if exported && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: %s has no doc comment", s.at(spec), spec.Names[0].Name)
			}
		}
	}
}

// exportedReceiver reports whether a function is reachable by its name: not a
// method of an unexported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	expr := d.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if generic, ok := expr.(*ast.IndexExpr); ok {
		expr = generic.X
	}
	name, ok := expr.(*ast.Ident)
	return ok && name.IsExported()
}

func TestNoInitAndNoVagueNames(t *testing.T) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "manager", "misc"}
	for _, s := range sources(t) {
		if slices.Contains(vague, s.file.Name.Name) || slices.Contains(vague, strings.TrimSuffix(s.name[strings.LastIndex(s.name, "/")+1:], ".go")) {
			t.Errorf("%s: a name that says nothing: name it after what it holds", s.name)
		}
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init runs behind the reader's back: build the value where it is used", s.at(fn))
			}
		}
	}
}
