package proto

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"barid/internal/dialog"
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
			dialog.Run(t, script, m, dialog.Verbs{"MAILBOX": d.mailbox})
		})
	}
}

// doorOf applies the settings of a script; docs/pop3.md lists them.
func doorOf(t *testing.T, script *dialog.Script) *door {
	t.Helper()
	d := newDoor()
	cleartext := script.Setting("auth.cleartext", "never")
	if cleartext == "never" {
		d.plain.User, d.plain.Mechanisms = false, nil
	}
	for _, kv := range script.Settings {
		number, _ := strconv.Atoi(kv[1])
		switch kv[0] {
		case "auth.cleartext":
		case "message":
			d.texts = append(d.texts, messages(t, os.DirFS("testdata"), kv[1])...)
		case "pop3.expire":
			d.plain.ExpireDays, d.tls.ExpireDays = number, number
		case "pop3.login-delay":
			number, _ = strconv.Atoi(strings.TrimSuffix(kv[1], "s"))
			d.plain.LoginDelaySeconds, d.tls.LoginDelaySeconds = number, number
		default:
			t.Fatalf("unknown setting %s", kv[0])
		}
	}
	return d
}

// messages reads the value of a message setting: a file, and how many of it.
func messages(t *testing.T, fsys fs.FS, value string) (texts []string) {
	t.Helper()
	name, count, _ := strings.Cut(value, " ")
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	times := 1
	if count != "" {
		if times, err = strconv.Atoi(count); err != nil {
			t.Fatal(err)
		}
	}
	for range times {
		texts = append(texts, string(text))
	}
	return texts
}

// mailbox checks how many messages are left.
func (d *door) mailbox(text string, _ []string) error {
	if got := strconv.Itoa(len(d.texts) - len(d.deleted)); got != text {
		return fmt.Errorf("%s messages are left", got)
	}
	return nil
}
