package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"barid/internal/vfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, name, contents string) vfs.File {
	t.Helper()
	f, err := vfs.Disk{}.Create(name, 0o600)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = io.WriteString(f, contents)
	must(t, err)
	return f
}

func contents(t *testing.T, name string) string {
	t.Helper()
	data, err := vfs.ReadFile(vfs.Disk{}, name, 1<<30)
	must(t, err)
	return string(data)
}

func TestCreateNeverTakesAnExistingName(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	create(t, name, "first")
	if _, err := (vfs.Disk{}).Create(name, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second Create: %v, want ErrExist", err)
	}
	if got := contents(t, name); got != "first" {
		t.Fatalf("contents %q", got)
	}
}

func TestUnnamedFileAppearsOnlyByLinkFile(t *testing.T) {
	dir := t.TempDir()
	f, err := vfs.Disk{}.CreateUnnamed(dir, 0o600)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Log("the file system of the temporary directory has no O_TMPFILE")
		return
	}
	must(t, err)
	defer f.Close()
	_, err = io.WriteString(f, "hello")
	must(t, err)
	names, err := vfs.Disk{}.ReadDir(dir)
	if err != nil || len(names) != 0 {
		t.Fatalf("before LinkFile the directory holds %v, %v", names, err)
	}
	name := filepath.Join(dir, "a")
	must(t, vfs.Disk{}.LinkFile(f, name))
	if f.Name() != name || contents(t, name) != "hello" {
		t.Fatalf("name %q, contents %q", f.Name(), contents(t, name))
	}
	if err := (vfs.Disk{}).LinkFile(f, name); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("LinkFile on a taken name: %v, want ErrExist", err)
	}
	if err := (vfs.Disk{}).LinkFile(f, filepath.Join(dir, "no", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("LinkFile into a missing directory: %v, want ErrNotExist", err)
	}
}

func TestLinkAndRemoveReportWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	create(t, a, "x")
	must(t, vfs.Disk{}.Link(a, b))
	if err := (vfs.Disk{}).Link(a, b); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("Link on a taken name: %v", err)
	}
	must(t, vfs.Disk{}.Remove(a))
	if err := (vfs.Disk{}).Remove(a); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Remove of a missing file: %v", err)
	}
	if got := contents(t, b); got != "x" {
		t.Fatalf("the other name holds %q", got)
	}
	must(t, vfs.Disk{}.Mkdir(a, 0o700))
	must(t, vfs.Disk{}.Remove(a))
	if err := (vfs.Disk{}).Remove(dir); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Fatalf("Remove of a full directory: %v", err)
	}
}

func TestMkdirAllAcceptsWhatExistsButNoFile(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	must(t, vfs.Disk{}.MkdirAll(deep, 0o700))
	must(t, vfs.Disk{}.MkdirAll(deep, 0o700))
	must(t, vfs.Disk{}.SyncDir(deep))
	must(t, vfs.Disk{}.SyncAll(deep))
	create(t, filepath.Join(dir, "f"), "")
	if err := (vfs.Disk{}).MkdirAll(filepath.Join(dir, "f"), 0o700); err == nil {
		t.Fatal("MkdirAll took a file for a directory")
	}
}

func TestLockIsExclusiveUntilClosed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	held, err := vfs.Disk{}.Lock(name)
	must(t, err)
	if _, err := (vfs.Disk{}).Lock(name); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("second Lock: %v, want ErrLocked", err)
	}
	must(t, held.Close())
	again, err := vfs.Disk{}.Lock(name)
	must(t, err)
	must(t, again.Close())
}

func TestWriteVAtWritesMoreBuffersThanOneCallTakes(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"), "")
	var bufs [][]byte
	for i := range 3000 {
		bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, i%7))
	}
	n, err := f.WriteVAt(bufs, 5)
	must(t, err)
	want := append(make([]byte, 5), bytes.Join(bufs, nil)...)
	if got := contents(t, f.Name()); n != int64(len(want)-5) || got != string(want) {
		t.Fatalf("wrote %d bytes, file has %d, want %d", n, len(got), len(want))
	}
}

func TestAllocateExtendsAndKeepsWhatIsWritten(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"), "hello")
	must(t, f.Allocate(8192))
	must(t, f.Allocate(100))
	must(t, f.Sync())
	size, err := f.Size()
	if err != nil || size != 8192 {
		t.Fatalf("size %d, %v", size, err)
	}
	p := make([]byte, 6)
	if n, err := f.ReadAt(p, 0); n != 6 || err != nil || string(p) != "hello\x00" {
		t.Fatalf("read %q, %d, %v", p, n, err)
	}
	if n, err := f.ReadAt(p, 8190); n != 2 || err != io.EOF {
		t.Fatalf("read over the end: %d, %v", n, err)
	}
	must(t, f.Truncate(3))
	if got := contents(t, f.Name()); got != "hel" {
		t.Fatalf("truncated to %q", got)
	}
}

func TestFreeSaysThatThereIsRoom(t *testing.T) {
	bytes, files, err := vfs.Disk{}.Free(t.TempDir())
	if err != nil || bytes <= 0 || files <= 0 {
		t.Fatalf("%d bytes, %d files, %v", bytes, files, err)
	}
}

func TestWriteAtomicReplacesAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	for _, want := range []string{"one", "and two", ""} {
		must(t, vfs.WriteAtomic(vfs.Disk{}, name, []byte(want), 0o600))
		if got := contents(t, name); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if names, _ := (vfs.Disk{}).ReadDir(dir); len(names) != 1 {
		t.Fatalf("left behind: %v", names)
	}
	if err := vfs.WriteAtomic(vfs.Disk{}, filepath.Join(dir, "no", "a"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("into a missing directory: %v", err)
	}
}

func TestReadFileRefusesMoreThanAsked(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"), "12345")
	if got, err := vfs.ReadFile(vfs.Disk{}, f.Name(), 5); err != nil || string(got) != "12345" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := vfs.ReadFile(vfs.Disk{}, f.Name(), 4); !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("%v, want EFBIG", err)
	}
	if got, err := vfs.ReadFile(vfs.Disk{}, "/proc/self/status", 1<<20); err != nil || len(got) < 100 {
		t.Fatalf("a file of no stated size: %d bytes, %v", len(got), err)
	}
}
