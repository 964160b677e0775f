package proto

import (
	"errors"
	"os"
	"testing"

	"barid/internal/dialog"
)

// scripts are those of testdata; testdata/README describes settings and
// checks.
func scripts(t testing.TB) []*dialog.Script {
	all, err := dialog.Load(os.DirFS("testdata"), "*.dlg")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDialogues plays the server of each script to the client in memory.
func TestDialogues(t *testing.T) {
	for _, script := range scripts(t) {
		t.Run(script.Name, func(t *testing.T) {
			o, err := newOwner(script.Settings)
			if err != nil {
				t.Fatal(err)
			}
			m := &dialog.Memory{Feed: func(p []byte) ([]byte, bool) { return o.feed(p, false) }}
			m.TLS = func() error {
				if o.next != StartTLS {
					return errors.New("the client did not ask for TLS")
				}
				m.Greet(o.secured())
				return nil
			}
			dialog.Serve(t, script, m, o.verbs())
			if o.problem != "" {
				t.Error(o.problem)
			}
		})
	}
}

// turns are what the server of a script says, each without waiting for the
// client. Where TLS begins a turn is empty.
func turns(s *dialog.Script) (all [][]byte) {
	begin := true
	for _, st := range s.Steps {
		said := st.Data
		switch st.Kind {
		case dialog.Expect:
			said = []byte(st.Text + "\r\n")
		case dialog.TLS:
			all = append(all, nil)
			begin = true
			continue
		case dialog.Say:
		default:
			begin = true
			continue
		}
		if begin {
			all = append(all, nil)
		}
		begin = false
		last := len(all) - 1
		all[last] = append(all[last], said...)
	}
	return all
}

// play plays the turns of a server to a new client, each cut in pieces, and
// returns all that happened. An empty turn is the handshake, if the client
// wants one; at the end the server closes.
func play(t testing.TB, settings [][2]string, turns [][]byte, cuts []byte) string {
	o, err := newOwner(settings)
	if err != nil {
		t.Fatal(err)
	}
	o.play(turns, cuts)
	if o.problem != "" {
		t.Fatalf("%s\n%s", o.problem, o.log.String())
	}
	return o.log.String()
}

func (o *owner) play(turns [][]byte, cuts []byte) {
	for _, turn := range turns {
		if len(turn) == 0 {
			if o.next == StartTLS {
				o.secured()
			}
			continue
		}
		pieces := dialog.Split(turn, cuts)
		for i, p := range pieces {
			if _, open := o.feed(p, i < len(pieces)-1); !open {
				return
			}
		}
	}
	o.feed(nil, false)
}

// TestDialoguesCutAnywhere plays each script whole and cut.
func TestDialoguesCutAnywhere(t *testing.T) {
	for _, script := range scripts(t) {
		all := turns(script)
		whole := play(t, script.Settings, all, nil)
		for _, cuts := range [][]byte{{0}, {1}, {2, 0, 6}, {30, 1}, {99}, {255, 254}} {
			if cut := play(t, script.Settings, all, cuts); cut != whole {
				t.Errorf("%s cut at %v: the conversation is another one\nwhole:\n%s\ncut:\n%s", script.Name, cuts, whole, cut)
			}
		}
	}
}
