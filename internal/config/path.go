package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// top is where relative paths start: what barid reads lies beside the
// configuration file, and what it writes lies in data.dir.
type top int

const (
	besideFile top = iota
	inDataDir
)

// settler is a value with paths in it. settle makes relative ones start at
// their top, once everything is parsed.
type settler interface {
	settle(base, dataDir string)
}

type file struct {
	to  *string
	top top
}

func (f file) parse(text string) error {
	*f.to = text
	return nil
}

func (f file) clear()         { *f.to = "" }
func (f file) String() string { return *f.to }
func (f file) kind() string   { return "path" }

func (f file) settle(base, dataDir string) {
	if f.top == inDataDir {
		base = dataDir
	}
	*f.to = under(base, *f.to)
}

// needed is a path that must not be empty.
type needed struct{ file }

func (n needed) parse(text string) error {
	if text == "" {
		return errors.New("needs a value")
	}
	return n.file.parse(text)
}

func under(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// pairs is a list of certificates, each with its key.
type pairs struct{ to *[]Pair }

func (p pairs) parse(text string) error {
	var all []Pair
	for _, item := range items(text) {
		cert, key, ok := strings.Cut(item, ":")
		if !ok {
			key = cert
		}
		if cert == "" || key == "" {
			return fmt.Errorf("%q is not certificate:key, two names of files", item)
		}
		all = append(all, Pair{cert, key})
	}
	*p.to = all
	return nil
}

func (p pairs) String() string {
	var texts []string
	for _, pair := range *p.to {
		texts = append(texts, pair.CertFile+":"+pair.KeyFile)
	}
	return strings.Join(texts, ", ")
}

func (p pairs) kind() string { return "list of certificate:key" }

func (p pairs) settle(base, _ string) {
	for i := range *p.to {
		pair := &(*p.to)[i]
		pair.CertFile, pair.KeyFile = under(base, pair.CertFile), under(base, pair.KeyFile)
	}
}

// pattern is the path of a mailbox with variables in it.
type pattern struct{ file }

func (p pattern) parse(text string) error {
	if _, err := expand(text, "u", "n", "d"); err != nil {
		return err
	}
	if !strings.Contains(text, "%u") && !strings.Contains(text, "%n") {
		return errors.New("without %u or %n all accounts would share one mailbox")
	}
	return p.file.parse(text)
}

func (p pattern) kind() string { return "path with %u, %n, %d" }

// Path is the mailbox directory of an account: %u in Dir is the account's
// name, %n the part before its last @, %d the domain after it (nothing for an
// account without one), and %% a percent sign. It refuses a name that would
// lead out of its place, one with a slash or a NUL or of nothing but dots.
func (m Mailbox) Path(account string) (string, error) {
	local, domain := account, ""
	if at := strings.LastIndexByte(account, '@'); at >= 0 {
		local, domain = account[:at], account[at+1:]
	}
	if strings.ContainsAny(account, "/\x00") || strings.Trim(local, ".") == "" || domain != "" && strings.Trim(domain, ".") == "" {
		return "", fmt.Errorf("account %q cannot be the name of a directory", account)
	}
	dir, err := expand(m.Dir, account, local, domain)
	return filepath.Clean(dir), err
}

func expand(pattern, account, local, domain string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		if i++; i == len(pattern) {
			return "", errors.New("a % at the end: write %% for a percent sign")
		}
		switch pattern[i] {
		case 'u':
			b.WriteString(account)
		case 'n':
			b.WriteString(local)
		case 'd':
			b.WriteString(domain)
		case '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("%%%c is not one of %%u (account), %%n (local part), %%d (domain), %%%%", pattern[i])
		}
	}
	return b.String(), nil
}
