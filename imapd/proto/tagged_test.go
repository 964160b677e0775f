package proto

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"
)

// exampleLines are the commands of testdata/examples without their tags, but
// for those that end in a literal or lead out of the order of lines.
func exampleLines(t *testing.T) (lines []string) {
	t.Helper()
	files, err := os.ReadDir("testdata/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(path.Join("testdata/examples", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasSuffix(line, "}") && !strings.HasPrefix(line, "LOGOUT") && !strings.HasPrefix(line, "logout") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// spoil changes a command a little. It makes no line ends and no literals.
func spoil(r *rand.Rand, line string) string {
	const some = "()\"\\ *%$:,<>[]1aA.-+é\x00\x7f"
	b := []byte(line)
	for range r.IntN(3) {
		at := r.IntN(len(b))
		switch r.IntN(3) {
		case 0:
			b[at] = some[r.IntN(len(some))]
		case 1:
			b = append(b[:at], append([]byte{some[r.IntN(len(some))]}, b[at:]...)...)
		case 2:
			b = append(b[:at], b[min(at+r.IntN(5)+1, len(b)-1):]...)
		}
	}
	return strings.NewReplacer("{", "(", "IDLE", "IDLY", "idle", "idly").Replace(string(b))
}

// TestEveryCommandHasOneTaggedReply says what clients say, right and spoiled,
// without waiting, and counts the replies.
func TestEveryCommandHasOneTaggedReply(t *testing.T) {
	lines := exampleLines(t)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newDoor()
		d.mirror, d.plain.ErrorsMax = true, 0
		d.greet()
		d.feed([]byte("a LOGIN alice@example.test wonderland\r\n"))
		var in strings.Builder
		const count = 300
		for i := range count {
			fmt.Fprintf(&in, "T%d %s\r\n", i, spoil(r, lines[r.IntN(len(lines))]))
		}
		out, open := d.feed([]byte(in.String()))
		if !open && !strings.Contains(in.String(), "UNAUTHENTICATE") {
			t.Fatalf("seed %d: closed: %s", seed, out[max(0, len(out)-200):])
		}
		for i := range count {
			tag := fmt.Sprintf("\r\nT%d ", i)
			if n := strings.Count("\r\n"+string(out), tag); n != 1 && open {
				t.Fatalf("seed %d: %d replies to T%d in\n%s", seed, n, i, out)
			}
		}
	}
}
