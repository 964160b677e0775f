package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestDirsTellsOfEveryNameThatComesAndGoes(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	told := make(chan string, 16)
	d, err := NewDirs(func(dir int, e Event, name []byte) { told <- fmt.Sprint(dir, e, string(name)) })
	if err != nil {
		t.Fatal(err)
	}
	watched, err := d.Add(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile(at("a"), []byte("x"), 0o600), os.Link(at("a"), at("b")),
		os.Rename(at("a"), at("c")), os.Remove(at("b")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got, want []string
	for _, w := range []struct {
		e    Event
		name string
	}{{Came, "a"}, {Came, "b"}, {Went, "a"}, {Came, "c"}, {Went, "b"}} {
		got, want = append(got, <-told), append(want, fmt.Sprint(watched, w.e, w.name))
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	d.Remove(watched)
	if err := os.Remove(at("c")); err != nil {
		t.Fatal(err)
	}
	if got, want := <-told, fmt.Sprint(watched, Ended, ""); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 0 {
		t.Errorf("told %q of a directory that is not watched", <-told)
	}
	if _, err := d.Add(dir); err == nil {
		t.Error("a directory is watched after Close")
	}
}

func TestDirsRefusesWhatIsNoDirectory(t *testing.T) {
	d, err := NewDirs(func(int, Event, []byte) {})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Add(name); err == nil {
		t.Error("a file was watched")
	}
}
