package proto

import (
	"os"
	"path"
	"strings"
	"testing"

	"barid/internal/imap"
)

// TestExamplesOfTheRFCsAreUnderstood says every command that an RFC shows a
// client say: testdata/examples has them, line by line, but for those that are
// about errors or are misprints.
func TestExamplesOfTheRFCsAreUnderstood(t *testing.T) {
	files, err := os.ReadDir("testdata/examples")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(path.Join("testdata/examples", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if out := sayOne(line); !understood(line, out) {
				t.Errorf("%s: %s\nis answered with %s", f.Name(), line, out)
			}
		}
	}
}

// sayOne says one command in a session that has a mailbox selected.
func sayOne(line string) string {
	d := newDoor()
	d.mirror = true
	d.plain.Caps |= imap.CapQuotaMessage
	d.greet()
	d.feed([]byte("a LOGIN alice@example.test wonderland\r\nb ENABLE QRESYNC\r\nc SELECT INBOX\r\n"))
	out, _ := d.feed([]byte(line + "\r\n"))
	return string(out)
}

// understood reports whether a command went well, or wants its literal.
func understood(line, out string) bool {
	tag, _, _ := strings.Cut(line, " ")
	if l, found := imap.LiteralAtEnd([]byte(line + "\r\n")); found {
		return l.Sync && strings.Contains(out, "+ go ahead\r\n") || !l.Sync && !strings.Contains(out, tag+" ")
	}
	return strings.Contains(out, tag+" OK ")
}
