package auth

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"barid/internal/vfs"
)

// scene is an Auth over a file, with a clock that the test moves.
type scene struct {
	*Auth
	t    testing.TB
	file string
	now  atomic.Int64 // Unix nanoseconds
	fs   *countingFS
}

// countingFS counts looks at the file and readings of it.
type countingFS struct {
	vfs.Disk
	stats, opens atomic.Int64
}

func (c *countingFS) Open(name string) (vfs.File, error) {
	c.opens.Add(1)
	return c.Disk.Open(name)
}

func (c *countingFS) Stat(name string) (fs.FileInfo, error) {
	c.stats.Add(1)
	return c.Disk.Stat(name)
}

// Hashes of "secret" that are cheap to check.
const (
	bcryptSecret = "$2y$05$O0DcuVVc14.v..JaOL.W8.9aGFiJf.HLvDGImWpGTz.IC0lW/NqHu"
	shaSecret    = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
	scramSecret  = "4096,IpW8nHVkaVNbxRlW8OtBDQ==,sII8NeBjWUPF9SsZqsfBcEltp8A0vtCrj2Alu45whBo=,C+Qt9EHNANWLZfr61y97uy/rU2JFqibdb0hzcdvhy0U="
)

// open writes the file and opens it.
func open(t testing.TB, text string, change ...func(*Options)) *scene {
	t.Helper()
	s := &scene{t: t, file: filepath.Join(t.TempDir(), "users"), fs: new(countingFS)}
	s.now.Store(time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).UnixNano())
	s.write(text)
	o := Options{File: s.file, FS: s.fs, Now: func() time.Time { return time.Unix(0, s.now.Load()) }, DefaultDomain: "Example.test"}
	for _, f := range change {
		f(&o)
	}
	var err error
	if s.Auth, err = Open(o); err != nil {
		t.Fatal(err)
	}
	return s
}

// write replaces the file.
func (s *scene) write(text string) {
	s.t.Helper()
	tmp := s.file + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(tmp, s.file); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) pass(d time.Duration) { s.now.Add(int64(d)) }

// login returns the class of the answer, 0 for success, and its delay.
func (s *scene) login(user, password, from string) (Class, time.Duration) {
	s.t.Helper()
	var addr netip.Addr
	if from != "" {
		addr = netip.MustParseAddr(from)
	}
	_, err := s.Password([]byte(user), []byte(password), addr)
	return class(s.t, err)
}

func class(t testing.TB, err error) (Class, time.Duration) {
	t.Helper()
	if err == nil {
		return 0, 0
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	return e.Class, e.Delay
}

// want fails when a login does not end as wanted.
func (s *scene) want(want Class, user, password, from string) {
	s.t.Helper()
	if got, _ := s.login(user, password, from); got != want {
		s.t.Errorf("%s with %s from %q: class %d, want %d", user, password, from, got, want)
	}
}
