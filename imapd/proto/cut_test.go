package proto

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"barid/internal/dialog"
	"barid/internal/imap"
)

// play gives the pieces to a fresh session and returns all that happened.
func play(mirror bool) func(pieces [][]byte) string {
	return func(pieces [][]byte) string {
		d := newDoor()
		d.mirror, d.plain.ErrorsMax, d.cut = mirror, 30, 1
		d.box.add(d.box.boxes[0], "From: Smith\r\n\r\nbody", imap.Flags{}, imap.DateTime{})
		transcript := d.greet()
		for _, piece := range pieces {
			out, open := d.feed(piece)
			transcript = append(transcript, out...)
			if !open || d.s.next == StartTLS {
				break
			}
		}
		var state strings.Builder
		fmt.Fprintf(&state, "state=%d phase=%d enabled=%d dropped=%d\n", d.s.state, d.s.phase, d.s.enabled, d.dropped)
		for _, b := range d.box.boxes {
			for _, m := range b.messages {
				fmt.Fprintf(&state, "%q %d %q\n", b.name, m.system, m.text)
			}
		}
		return string(transcript) + state.String()
	}
}

const loginForFuzz = "a LOGIN alice@example.test wonderland\r\nb SELECT INBOX\r\n"

func FuzzAnyCutOfTheInputIsTheSameConversation(f *testing.F) {
	scripts, err := dialog.Load(os.DirFS("testdata"), "*.dlg", "engine/*.dlg")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range scripts {
		f.Add(s.Input(), []byte{0, 6, 1})
	}
	for _, text := range []string{
		"c APPEND INBOX {3+}\r\nabc {3}\r\nab\x00 {5+}\r\nhello\r\nd NOOP\r\n",
		"c IDLE\r\nDONE\r\nd FETCH 1 (BODY[HEADER.FIELDS ({4}\r\nFrom)])\r\n",
		"c AUTHENTICATE PLAIN\r\n{5}\r\nd XYZ {3+}\r\nabc {2+}\r\nab\r\ne NOOP\r\n",
		"c CREATE {60000}\r\nd CREATE {70000}\r\ne CREATE {2}\r\nab\ncd\r\n",
	} {
		f.Add([]byte(loginForFuzz+text), []byte{0})
		f.Add([]byte(text), []byte{2, 40})
	}
	f.Fuzz(func(t *testing.T, input, cuts []byte) {
		dialog.CutEqual(t, input, cuts, play(len(cuts)%2 == 0))
	})
}

// TestCommandsAtTheLimitsAreCutEqual does what the fuzzer seldom reaches:
// commands and literals around the limits, with the CRLF torn apart.
func TestCommandsAtTheLimitsAreCutEqual(t *testing.T) {
	for _, start := range []string{"", loginForFuzz} {
		most := strangerMax
		if start != "" {
			most = commandMax
		}
		for length := most - 2; length <= most+2; length++ {
			for _, end := range []string{"\r\n", "\r", ""} {
				input := []byte(start + "x NOOP " + strings.Repeat("x", length-7) + end + "y NOOP\r\n")
				for _, cuts := range [][]byte{{255}, {254, 0}} {
					dialog.CutEqual(t, input, cuts, play(true))
				}
			}
		}
	}
}

func TestLiteralsAtTheLimitsAreCutEqual(t *testing.T) {
	for size := commandMax - 24; size <= commandMax-16; size++ {
		for _, plus := range []string{"", "+"} {
			announcement := fmt.Sprintf("x CREATE {%d%s}\r\n", size, plus)
			input := []byte(loginForFuzz + announcement + strings.Repeat("x", size) + "\r\ny NOOP\r\n")
			dialog.CutEqual(t, input, []byte{255, 200}, play(true))
		}
	}
}
