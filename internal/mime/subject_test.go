package mime

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestBaseSubjects(t *testing.T) {
	vectors(t, "subject.txt", byLine(func(line []byte) string {
		base, reply := AppendBaseSubject(nil, line)
		return fmt.Sprintf("%q %v", base, reply)
	}))
}

func FuzzBaseSubjectIsItsOwn(f *testing.F) {
	f.Add("Re: [list] Fwd: x (fwd)")
	f.Fuzz(func(t *testing.T, subject string) {
		base, _ := AppendBaseSubject([]byte("before"), []byte(subject))
		if !bytes.HasPrefix(base, []byte("before")) || len(base) > len("before")+len(subject) {
			t.Fatalf("%q became %q", subject, base)
		}
		base = base[len("before"):]
		if again, reply := AppendBaseSubject(nil, base); !bytes.Equal(again, base) || reply {
			t.Fatalf("%q became %q, and that %q", subject, base, again)
		}
	})
}

func TestLongSubjectsTakeLinearTime(t *testing.T) {
	for _, piece := range []string{"[]", "[a] ", "Re: ", "[fwd:", "(fwd)", "re[", "[", "  "} {
		AppendBaseSubject(nil, []byte(strings.Repeat(piece, 1<<20)))
	}
}
