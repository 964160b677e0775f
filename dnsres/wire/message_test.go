package wire

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readHex reads a message written as hexadecimal digits and "quoted text";
// from # to the end of a line is comment, and 5*(ab cd) repeats.
func readHex(t testing.TB, text string) []byte {
	t.Helper()
	var msg []byte
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		times := 1
		if n, rest, ok := strings.Cut(line, "*("); ok {
			if _, err := fmt.Sscan(n, &times); err != nil {
				t.Fatal(err)
			}
			line = strings.TrimSuffix(strings.TrimSpace(rest), ")")
		}
		octets := readHexLine(t, line)
		for range times {
			msg = append(msg, octets...)
		}
	}
	return msg
}

func readHexLine(t testing.TB, line string) (octets []byte) {
	t.Helper()
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			octets = append(octets, part...)
			continue
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		octets = append(octets, b...)
	}
	return octets
}

func messages(t testing.TB) (names []string) {
	t.Helper()
	names, err := filepath.Glob("testdata/messages/*.hex")
	if err != nil || len(names) == 0 {
		t.Fatal("no vectors", err)
	}
	return names
}

func readMessage(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return readHex(t, string(text))
}

// TestMessagesReadAsWritten parses each testdata/messages/NN-name.hex and
// compares with NN-name.want; what came instead is written to NN-name.got.
func TestMessagesReadAsWritten(t *testing.T) {
	for _, name := range messages(t) {
		got := ""
		if m, err := Parse(readMessage(t, name)); err != nil {
			got = "error: " + err.Error() + "\n"
		} else {
			got = dump(&m)
		}
		base := strings.TrimSuffix(name, ".hex")
		want, err := os.ReadFile(base + ".want")
		if err == nil && got == string(want) {
			continue
		}
		t.Errorf("%s reads as\n%swant\n%s", name, got, want)
		if err := os.WriteFile(base+".got", []byte(got), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryCutOfAMessageIsAnError(t *testing.T) {
	for _, name := range messages(t) {
		msg := readMessage(t, name)
		if _, err := Parse(msg); err != nil || len(msg) > 1000 {
			continue
		}
		for n := range msg {
			if _, err := Parse(msg[:n:n]); err == nil {
				t.Errorf("%s: its first %d octets of %d are a message as well", name, n, len(msg))
			}
		}
	}
}

func TestMoreThanAMessageCanHoldIsAnError(t *testing.T) {
	msg := make([]byte, TCPMax+1)
	if _, err := Parse(msg); err == nil {
		t.Error("65,536 octets are taken")
	}
}

func TestAccessorsOfOtherTypesGiveNothing(t *testing.T) {
	for _, name := range messages(t) {
		m, err := Parse(readMessage(t, name))
		if err != nil {
			continue
		}
		for records := m.Answers(); ; {
			r, ok := records.Next()
			if !ok {
				break
			}
			real := r.Type
			r.Type = 999
			if s := dumpData(r); !strings.HasPrefix(s, ` \#`) {
				t.Errorf("%s: a record of type %v that says 999 gives %s", name, real, s)
			}
			r.Type, r.Class = real, 3
			if s := dumpData(r); !strings.HasPrefix(s, ` \#`) {
				t.Errorf("%s: a record of type %v and class 3 gives %s", name, real, s)
			}
		}
	}
}
