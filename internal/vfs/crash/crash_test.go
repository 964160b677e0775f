package crash_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"barid/internal/vfs"
	"barid/internal/vfs/crash"
)

const seeds = 200

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, fsys vfs.FS, name, contents string) vfs.File {
	t.Helper()
	f, err := fsys.Create(name, 0o600)
	must(t, err)
	_, err = io.WriteString(f, contents)
	must(t, err)
	return f
}

// found is what a name holds: "missing", or its contents.
func found(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	data, err := vfs.ReadFile(fsys, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	must(t, err)
	return string(data)
}

// outcomes runs a program on many seeds and counts what look finds after the
// power cut that follows it.
func outcomes(t *testing.T, program func(*crash.FS), look func(*crash.FS) string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for seed := range uint64(seeds) {
		fsys := crash.New(seed)
		program(fsys)
		counts[look(fsys.Crash())]++
	}
	return counts
}

func expectOutcomes(t *testing.T, got map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if got[w] == 0 {
			t.Errorf("never happened: %q", w)
		}
		delete(got, w)
	}
	for other, n := range got {
		t.Errorf("happened %d times, but must not: %q", n, other)
	}
}

func TestSyncedFileWithSyncedNameIsAlwaysKept(t *testing.T) {
	got := outcomes(t, func(fsys *crash.FS) {
		must(t, create(t, fsys, "a", "hello").Sync())
		must(t, fsys.SyncDir("/"))
	}, func(fsys *crash.FS) string { return found(t, fsys, "a") })
	expectOutcomes(t, got, "hello")
}

func TestSyncedFileIsLostWithItsName(t *testing.T) {
	got := outcomes(t, func(fsys *crash.FS) {
		must(t, create(t, fsys, "a", "hello").Sync())
	}, func(fsys *crash.FS) string { return found(t, fsys, "a") })
	expectOutcomes(t, got, "hello", "missing")
}

func TestUnsyncedContentsAreKeptLostOrTornByBlock(t *testing.T) {
	old, fresh := bytes.Repeat([]byte("o"), 512), bytes.Repeat([]byte("n"), 512)
	got := outcomes(t, func(fsys *crash.FS) {
		f := create(t, fsys, "a", string(old)+string(old))
		must(t, f.Sync())
		must(t, fsys.SyncDir("/"))
		_, err := f.WriteAt(append(fresh, fresh...), 0)
		must(t, err)
	}, func(fsys *crash.FS) string {
		s := found(t, fsys, "a")
		if len(s) != 1024 || s != string(bytes.Repeat([]byte(s[:1]), 512))+string(bytes.Repeat([]byte(s[512:513]), 512)) {
			return "torn inside a block"
		}
		return s[:1] + s[512:513]
	})
	expectOutcomes(t, got, "oo", "on", "no", "nn")
}

func TestRenameIsAtomic(t *testing.T) {
	got := outcomes(t, func(fsys *crash.FS) {
		must(t, create(t, fsys, "a", "old").Sync())
		must(t, create(t, fsys, "b", "new").Sync())
		must(t, fsys.SyncDir("/"))
		must(t, fsys.Rename("b", "a"))
	}, func(fsys *crash.FS) string { return found(t, fsys, "a") + " " + found(t, fsys, "b") })
	expectOutcomes(t, got, "old new", "new missing")
}

func TestRemovedNameComesBackUnlessSynced(t *testing.T) {
	program := func(sync bool) func(*crash.FS) {
		return func(fsys *crash.FS) {
			must(t, create(t, fsys, "a", "x").Sync())
			must(t, fsys.SyncDir("/"))
			must(t, fsys.Remove("a"))
			if sync {
				must(t, fsys.SyncDir("/"))
			}
		}
	}
	look := func(fsys *crash.FS) string { return found(t, fsys, "a") }
	expectOutcomes(t, outcomes(t, program(false), look), "x", "missing")
	expectOutcomes(t, outcomes(t, program(true), look), "missing")
}

func TestMoveBetweenDirectoriesIsOneChange(t *testing.T) {
	got := outcomes(t, func(fsys *crash.FS) {
		must(t, fsys.MkdirAll("d/e", 0o700))
		must(t, fsys.Mkdir("f", 0o700))
		must(t, fsys.SyncAll("/"))
		must(t, create(t, fsys, "d/e/a", "x").Sync())
		must(t, fsys.Rename("d/e/a", "f/b"))
		must(t, fsys.SyncDir("f"))
	}, func(fsys *crash.FS) string { return found(t, fsys, "d/e/a") + " " + found(t, fsys, "f/b") })
	expectOutcomes(t, got, "missing x")
}

func TestFailedSyncForgetsWhatWasDirty(t *testing.T) {
	got := outcomes(t, func(fsys *crash.FS) {
		f := create(t, fsys, "a", "old")
		must(t, f.Sync())
		must(t, fsys.SyncDir("/"))
		_, err := f.WriteAt([]byte("new"), 0)
		must(t, err)
		fsys.SetFault(crash.Nth(fsys.Calls()+1, 1, syscall.EIO))
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Sync: %v", err)
		}
		must(t, f.Sync())
		if got := found(t, fsys, "a"); got != "new" {
			t.Fatalf("programs see %q", got)
		}
	}, func(fsys *crash.FS) string { return found(t, fsys, "a") })
	expectOutcomes(t, got, "old", "new")
}

func TestNothingChangesAfterTheCut(t *testing.T) {
	fsys := crash.New(1)
	f := create(t, fsys, "a", "x")
	fsys.CutAfter(fsys.Changes() + 2)
	must(t, f.Sync())
	must(t, fsys.SyncDir("/"))
	if _, err := f.Write([]byte("y")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Write: %v", err)
	}
	if err := fsys.Remove("a"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Remove: %v", err)
	}
	if got := found(t, fsys, "a") + found(t, fsys.Crash(), "a"); got != "xx" {
		t.Fatalf("found %q", got)
	}
}

func TestFullMediumRefusesAndTakesAgainAfterRemove(t *testing.T) {
	fsys := crash.New(1)
	fsys.SetCapacity(crash.Capacity{Bytes: 10, Files: 2})
	f := create(t, fsys, "a", "12345678")
	if n, err := f.Write([]byte("90ab")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write: %d, %v", n, err)
	}
	if err := f.Allocate(11); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Allocate: %v", err)
	}
	must(t, create(t, fsys, "b", "").Close())
	if _, err := fsys.Create("c", 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Create: %v", err)
	}
	must(t, fsys.Remove("a"))
	must(t, f.Close())
	if bytes, files, _ := fsys.Free("/"); bytes != 10 || files != 1 {
		t.Fatalf("free: %d bytes, %d files", bytes, files)
	}
}

func TestUnnamedFileVanishesWithItsLastHandle(t *testing.T) {
	fsys := crash.New(1)
	f, err := fsys.CreateUnnamed("/", 0o600)
	must(t, err)
	_, err = f.Write([]byte("x"))
	must(t, err)
	if fsys.Used() != (crash.Capacity{Bytes: 1, Files: 1}) {
		t.Fatalf("used %v", fsys.Used())
	}
	must(t, f.Close())
	if fsys.Used() != (crash.Capacity{}) {
		t.Fatalf("used %v", fsys.Used())
	}
}

func TestSameSeedGivesTheSameCrash(t *testing.T) {
	run := func() string {
		fsys := crash.New(7)
		for _, name := range []string{"a", "b", "c", "d"} {
			create(t, fsys, name, name)
		}
		after := fsys.Crash()
		return found(t, after, "a") + found(t, after, "b") + found(t, after, "c") + found(t, after, "d")
	}
	if a, b := run(), run(); a != b {
		t.Fatalf("%q and %q", a, b)
	}
}

func TestWriteAtomicIsOldOrNewWhenTheProgramIsCutAnywhere(t *testing.T) {
	for cut := range 8 {
		for seed := range uint64(seeds) {
			fsys := crash.New(seed)
			must(t, vfs.WriteAtomic(fsys, "a", []byte("old"), 0o600))
			fsys.CutAfter(fsys.Changes() + cut)
			err := vfs.WriteAtomic(fsys, "a", []byte("brand new"), 0o600)
			got := found(t, fsys.Crash(), "a")
			if got != "brand new" && (err == nil || got != "old") {
				t.Fatalf("cut after %d, seed %d: returned %v and left %q", cut, seed, err, got)
			}
		}
	}
}
