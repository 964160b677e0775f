package crash_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

// class is what programs may rely on in an error.
func class(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, fs.ErrExist):
		return "exists"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	case errors.Is(err, vfs.ErrLocked):
		return "locked"
	case err == io.EOF:
		return "eof"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// transcript does the same things to any file system and tells what happened.
func transcript(fsys vfs.FS, root string) string {
	var out strings.Builder
	say := func(what string, err error, more ...any) {
		fmt.Fprintln(&out, append([]any{what + ":", class(err)}, more...)...)
	}
	at := func(name string) string { return filepath.Join(root, name) }
	say("mkdirall", fsys.MkdirAll(at("d/e"), 0o700))
	say("mkdir again", fsys.Mkdir(at("d"), 0o700))
	say("mkdir in nothing", fsys.Mkdir(at("x/y"), 0o700))
	f, err := fsys.Create(at("d/a"), 0o600)
	say("create", err)
	_, err = fsys.Create(at("d/a"), 0o600)
	say("create again", err)
	_, err = fsys.Create(at("d/a/b"), 0o600)
	say("create below a file", err)
	n, err := f.Write([]byte("hello"))
	say("write", err, n)
	n64, err := f.WriteVAt([][]byte{[]byte("J"), nil, []byte("ELL")}, 0)
	say("writev", err, n64)
	n, err = f.WriteAt([]byte("!"), 7)
	say("write behind the end", err, n)
	p := make([]byte, 10)
	n, err = f.ReadAt(p, 0)
	say("read", err, fmt.Sprintf("%q", p[:n]))
	n, err = f.ReadAt(p, 8)
	say("read at the end", err, n)
	say("truncate", f.Truncate(3))
	say("allocate", f.Allocate(6))
	size, err := f.Size()
	say("size", err, size)
	say("set time", f.SetModTime(time.Unix(1_700_000_000, 123_000)))
	dated, err := fsys.Stat(at("d/a"))
	say("stat", err, dated.ModTime().UnixNano())
	say("sync", f.Sync())
	g, err := fsys.Open(at("d/a"))
	say("open", err)
	_, err = g.WriteAt([]byte("x"), 0)
	say("write to what was opened for reading", err)
	n, err = g.Read(p)
	say("read", err, fmt.Sprintf("%q", p[:n]))
	_, err = g.Read(p)
	say("read on", err)
	say("close", g.Close())
	say("close again", g.Close())
	say("set time of what is closed", g.SetModTime(time.Unix(1, 0)))
	_, err = fsys.Open(at("d/none"))
	say("open nothing", err)
	say("link", fsys.Link(at("d/a"), at("d/b")))
	say("link again", fsys.Link(at("d/a"), at("d/b")))
	say("link from nothing", fsys.Link(at("d/none"), at("d/c")))
	say("rename to itself", fsys.Rename(at("d/a"), at("d/b")))
	say("rename over", fsys.Rename(at("d/a"), at("d/e/a")))
	say("rename from nothing", fsys.Rename(at("d/none"), at("d/c")))
	say("rename a file over a directory", fsys.Rename(at("d/b"), at("d/e")))
	say("remove a full directory", fsys.Remove(at("d/e")))
	say("remove nothing", fsys.Remove(at("d/none")))
	info, err := fsys.Stat(at("d/e/a"))
	say("stat", err, info.Name(), info.Size(), info.IsDir())
	list, err := fsys.ReadDir(at("d"))
	say("readdir", err, len(list))
	_, err = fsys.ReadDir(at("d/b"))
	say("readdir of a file", err)
	u, err := fsys.CreateUnnamed(at("d"), 0o600)
	if err == nil {
		say("link unnamed", fsys.LinkFile(u, at("d/u")))
		say("link over", fsys.LinkFile(u, at("d/b")))
		say("link into nothing", fsys.LinkFile(u, at("x/u")))
		say("remove unnamed", errors.Join(u.Close(), fsys.Remove(at("d/u"))))
	}
	l, err := fsys.Lock(at("lock"))
	say("lock", err)
	_, err = fsys.Lock(at("lock"))
	say("lock again", err)
	say("unlock", l.Close())
	say("sync dir", fsys.SyncDir(at("d")))
	say("sync dir of a file", fsys.SyncDir(at("d/b")))
	say("sync all", fsys.SyncAll(root))
	for _, name := range []string{"d/e/a", "d/b", "d/e", "d", "lock"} {
		say("remove "+name, fsys.Remove(at(name)))
	}
	return out.String()
}

func TestPretendsToBeTheRealDisk(t *testing.T) {
	unnamed := func(s string) string { // not every disk has them
		var kept []string
		for line := range strings.Lines(s) {
			if !strings.Contains(line, "unnamed") && !strings.Contains(line, "link over") && !strings.Contains(line, "link into") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	got, want := transcript(crash.New(1), "/"), transcript(vfs.Disk{}, t.TempDir())
	if !strings.Contains(want, "unnamed") {
		got = unnamed(got)
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			t.Fatalf("line %d: %q, the disk says %q", i, g[i], w[i])
		}
	}
}
