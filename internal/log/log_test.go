package log

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode"

	"barid/internal/vfs"
)

// screen is a standard error that tells of each write.
type screen struct{ writes chan string }

func newScreen() *screen { return &screen{make(chan string, 1000)} }

func (s *screen) Write(p []byte) (int, error) {
	s.writes <- string(p)
	return len(p), nil
}

// all is what was written so far.
func (s *screen) all() string {
	var b strings.Builder
	for {
		select {
		case w := <-s.writes:
			b.WriteString(w)
		default:
			return b.String()
		}
	}
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	if o.Format == "" {
		o.Format = "text"
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWarningTakesEarlierLinesAlongAtOnce(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	l.Logger().Info("first")
	l.Logger().With("k", "v").WithGroup("g").Warn("second", "a", 1)
	got := s.all()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "first") || !strings.Contains(got, "k=v g.a=1") {
		t.Errorf("written after a warning: %q", got)
	}
}

func TestLoneLineIsWrittenWithoutAnother(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	l.Logger().Info("alone")
	if got := <-s.writes; !strings.Contains(got, "alone") {
		t.Errorf("%q", got)
	}
}

func TestManyLinesAreWrittenInFewWritesAndInOrder(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	const lines = 5000
	for i := range lines {
		l.Logger().Info("x", "i", i)
	}
	l.Flush()
	writes := len(s.writes)
	if writes == 0 || writes > 50 {
		t.Errorf("%d writes for %d lines", writes, lines)
	}
	for i, line := range strings.Split(strings.TrimSuffix(s.all(), "\n"), "\n") {
		if !strings.HasSuffix(line, fmt.Sprintf(" i=%d", i)) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}

func TestLevelIsKeptAndCanChange(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s, Level: slog.LevelWarn})
	l.Logger().Info("hidden")
	l.SetLevel(slog.LevelDebug)
	l.Logger().Debug("shown")
	l.Flush()
	if got := s.all(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("%q", got)
	}
}

var hostile = []string{
	"a\r\nlevel=ERROR msg=forged", "\x1b[2J\x1b]0;title\a", "\xff\xfe", "\x00", "a b=c\"d", "\u2028\u202e\u0085", "\n", "",
}

func TestHostileTextNeverBreaksATextLine(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	for _, h := range hostile {
		for _, v := range []any{h, []byte(h), errors.New(h), fmt.Sprint(h), struct{ S string }{h}} {
			l.Logger().Info("x", "v", v)
			l.Flush()
			checkLine(t, h, s.all())
		}
	}
}

func checkLine(t *testing.T, hostile, line string) {
	t.Helper()
	body, ended := strings.CutSuffix(line, "\n")
	if !ended {
		t.Errorf("%q: unfinished line %q", hostile, line)
	}
	for _, r := range body {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			t.Errorf("%q: %U in line %q", hostile, r, line)
		}
	}
}

func TestHostileTextNeverBreaksAJSONLine(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s, Format: "json"})
	for _, h := range hostile {
		l.Logger().Info("x", "v", h)
		l.Flush()
		line := s.all()
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("%q: %v in %q", h, err, line)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x1b\x00") {
			t.Errorf("%q: raw control character in %q", h, line)
		}
		if v, _ := got["v"].(string); v != strings.ToValidUTF8(h, "\ufffd") && h != "\xff\xfe" {
			t.Errorf("%q came back as %q", h, v)
		}
	}
}

func TestFileIsAppendedToAndFollowsRotation(t *testing.T) {
	dir := t.TempDir()
	name, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	write(t, name, "before\n")
	l := open(t, Options{File: name, FS: vfs.Disk{}})
	l.Logger().Info("one")
	if err := os.Rename(name, old); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("two")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, old); !strings.HasPrefix(got, "before\ntime=") || !strings.Contains(got, "one") {
		t.Errorf("old file: %q", got)
	}
	if got := read(t, name); strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("new file: %q", got)
	}
}

func TestTruncatedFileGoesOnAtItsStart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	l := open(t, Options{File: name, FS: vfs.Disk{}})
	l.Logger().Warn("one")
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	l.Logger().Warn("two")
	if got := read(t, name); !strings.HasPrefix(got, "time=") {
		t.Errorf("%q", got)
	}
}

func TestReopenThatFailsKeepsTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "log")
	l := open(t, Options{File: name, FS: vfs.Disk{}})
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("no error")
	}
	l.Logger().Warn("kept")
	if got := read(t, filepath.Join(dir+"2", "log")); !strings.Contains(got, "kept") {
		t.Errorf("%q", got)
	}
}

// fullFile is a file on a disk that is full.
type fullFile struct{ vfs.File }

func (fullFile) Size() (int64, error)               { return 0, nil }
func (fullFile) WriteAt([]byte, int64) (int, error) { return 0, syscall.ENOSPC }
func (fullFile) Close() error                       { return nil }

func TestFullDiskSendsLinesToStandardError(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	l.out.file = fullFile{}
	l.Logger().Warn("somewhere")
	if got := s.all(); !strings.Contains(got, "somewhere") {
		t.Errorf("%q", got)
	}
}

func TestUnknownFormatAndUnwritableFileAreErrors(t *testing.T) {
	if _, err := Open(Options{Format: "xml"}); err == nil {
		t.Error("format xml: no error")
	}
	if _, err := Open(Options{Format: "text", File: filepath.Join(t.TempDir(), "no", "log"), FS: vfs.Disk{}}); err == nil {
		t.Error("missing directory: no error")
	}
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	l := open(t, Options{Stderr: writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return got.Write(p)
	})})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 500 {
				l.Logger().Info("line", "i", i, "text", "some text that goes with it")
			}
		})
	}
	group.Wait()
	l.Flush()
	if n := strings.Count(got.String(), "text=\"some text that goes with it\"\n"); n != 4000 {
		t.Errorf("%d whole lines of 4000", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestJournalIsRecognisedByItsInode(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if !toJournal(f, fmt.Sprintf("%d:%d", st.Dev, st.Ino)) {
		t.Error("own inode not recognised")
	}
	for _, other := range []string{"", "1", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1)} {
		if toJournal(f, other) {
			t.Errorf("%q taken for the journal", other)
		}
	}
}

func TestJournalLinesHaveNoTime(t *testing.T) {
	s := newScreen()
	l := open(t, Options{Stderr: s})
	l.handler.(*handler).timeless = true
	l.Logger().With("k", 1).Warn("x")
	if got := s.all(); got != "level=WARN msg=x k=1\n" {
		t.Errorf("%q", got)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
