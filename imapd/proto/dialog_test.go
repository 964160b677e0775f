package proto

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"barid/internal/dialog"
	"barid/internal/imap"
)

func TestDialogues(t *testing.T) {
	scripts, err := dialog.Load(os.DirFS("testdata"), "*.dlg", "engine/*.dlg")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		t.Run(script.Name, func(t *testing.T) {
			d := doorOf(t, script)
			m := &dialog.Memory{Feed: d.feed, TLS: d.secure}
			m.Greet(d.greet())
			dialog.Run(t, script, m, dialog.Verbs{"TAKEN": d.wasTaken, "DROPPED": d.wasDropped})
		})
	}
}

// doorOf applies the settings of a script; docs/imap.md lists them.
func doorOf(t *testing.T, script *dialog.Script) *door {
	t.Helper()
	d := newDoor()
	if script.Setting("auth.cleartext", "never") == "never" {
		d.plain.Login, d.plain.Mechanisms = false, nil
	}
	for _, kv := range script.Settings {
		switch kv[0] {
		case "auth.cleartext":
		case "engine":
			d.mirror = kv[1] == "mirror"
		case "without":
			d.plain.Caps &^= capsOf(t, kv[1])
			d.tls.Caps &^= capsOf(t, kv[1])
		case "with":
			d.plain.Caps |= capsOf(t, kv[1])
			d.tls.Caps |= capsOf(t, kv[1])
		case "message":
			text := strings.NewReplacer(`\n`, "\r\n").Replace(kv[1])
			d.box.add(d.box.boxes[0], text, imap.Flags{}, imap.DateTime{Unix: 837596665, ZoneMinutes: -420})
		case "uidnext":
			d.box.boxes[0].uidNext = uint32(numberOf(t, kv[1]))
		case "cut":
			d.cut = numberOf(t, kv[1])
		default:
			t.Fatalf("unknown setting %s", kv[0])
		}
	}
	return d
}

func numberOf(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// capsOf reads the names of capabilities.
func capsOf(t *testing.T, names string) (caps imap.Caps) {
	t.Helper()
	for _, name := range strings.Fields(names) {
		found := imap.Caps(0)
		for bit := imap.CapRev1; bit <= imap.CapUnauthenticate; bit <<= 1 {
			if strings.Fields(string(bit.Append(nil)))[0] == name {
				found = bit
			}
		}
		if found == 0 {
			t.Fatalf("there is no capability %s", name)
		}
		caps |= found
	}
	return caps
}

// wasTaken checks the texts of the last messages of INBOX.
func (d *door) wasTaken(text string, block []string) error {
	messages := d.box.boxes[0].messages
	if got := strconv.Itoa(len(messages)); got != text {
		return fmt.Errorf("INBOX has %s messages", got)
	}
	for i, want := range block {
		got := messages[len(messages)-len(block)+i].text
		if strings.ReplaceAll(got, "\r\n", `\n`) != want {
			return fmt.Errorf("message %d is %q", i, got)
		}
	}
	return nil
}

// wasDropped checks how many commands came to nothing after some of their
// messages were taken.
func (d *door) wasDropped(text string, _ []string) error {
	if got := strconv.Itoa(d.dropped); got != text {
		return fmt.Errorf("%s were dropped", got)
	}
	return nil
}
