package proto

import (
	"errors"
	"os"
	"testing"

	"barid/internal/dialog"
)

// scripts are those of testdata, which are played to the program as well, and
// those of testdata/engine. testdata/README describes settings and checks.
func scripts(t testing.TB) []*dialog.Script {
	all, err := dialog.Load(os.DirFS("testdata"), "*.dlg", "engine/*.dlg")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDialogues plays the scripts to the engine in memory.
func TestDialogues(t *testing.T) {
	for _, script := range scripts(t) {
		t.Run(script.Name, func(t *testing.T) {
			d, err := newDoor(script.Settings)
			if err != nil {
				t.Fatal(err)
			}
			m := &dialog.Memory{Feed: d.feedOrEnd, TLS: d.startTLS}
			m.Greet(d.greet())
			dialog.Run(t, script, m, d.verbs())
			if d.problem != "" {
				t.Error(d.problem)
			}
		})
	}
}

func (d *door) feedOrEnd(p []byte) ([]byte, bool) {
	if p == nil { // the client has closed its half: the door drops what is open
		return nil, false
	}
	return d.feed(p)
}

func (d *door) startTLS() error {
	if _, _, next := d.s.Step(nil, nil); next != StartTLS {
		return errors.New("the session did not ask for TLS")
	}
	d.s.Secure()
	return nil
}

// TestDialoguesCutAnywhere plays the input of every script whole and cut.
func TestDialoguesCutAnywhere(t *testing.T) {
	for _, script := range scripts(t) {
		for _, cuts := range [][]byte{{0}, {1}, {2, 0, 6}, {30, 1}, {99}, {255, 254}} {
			if len(script.Input()) > 10000 && cuts[0] < 99 {
				continue // a long body octet by octet says no more than a short one
			}
			dialog.CutEqual(t, script.Input(), cuts, func(pieces [][]byte) string {
				return play(t, script.Settings, pieces)
			})
		}
	}
}

// play gives pieces to a new session and returns all that happened.
func play(t testing.TB, settings [][2]string, pieces [][]byte) string {
	d, err := newDoor(settings)
	if err != nil {
		t.Fatal(err)
	}
	d.greet()
	for _, p := range pieces {
		if _, open := d.feed(p); !open {
			break
		}
	}
	if d.problem != "" {
		t.Fatalf("%s\n%s", d.problem, d.log.String())
	}
	return d.log.String()
}
