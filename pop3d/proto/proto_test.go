package proto

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// loggedIn returns a door whose session is in the TRANSACTION state.
func loggedIn(t testing.TB, texts ...string) *door {
	d := newDoor(texts...)
	d.greet()
	d.feed([]byte("USER alice@example.test\r\nPASS wonderland\r\n"))
	if d.s.state != transaction {
		t.Fatal("no login")
	}
	return d
}

func TestQuestionStaysOpenUntilAnswered(t *testing.T) {
	d := newDoor("x\n")
	d.greet()
	in := []byte("USER a\r\nPASS b\r\nSTAT\r\n")
	n, _, next := d.s.Step(in, nil)
	if next != More {
		t.Fatalf("after USER: %d", next)
	}
	in = in[n:]
	n, _, next = d.s.Step(in, nil)
	if n != len("PASS b\r\n") || next != AskAuth {
		t.Fatalf("after PASS: %d, %d", n, next)
	}
	for range 2 {
		if n, out, next := d.s.Step(in[n:], nil); n != 0 || len(out) != 0 || next != AskAuth {
			t.Fatalf("an open question gave %d %q %d", n, out, next)
		}
	}
	if out := d.s.Answer(Answer{Messages: 1, Octets: 3}, nil); string(out) != "+OK maildrop has 1 message (3 octets)\r\n" {
		t.Fatalf("got %q", out)
	}
}

func TestClosedSessionConsumesNothing(t *testing.T) {
	d := newDoor()
	d.greet()
	d.feed([]byte("QUIT\r\n"))
	if n, out, next := d.s.Step([]byte("STAT\r\n"), nil); n != 0 || len(out) != 0 || next != Close {
		t.Fatalf("got %d %q %d", n, out, next)
	}
}

func TestEveryRefusalOfALoginLeavesTheClientOutside(t *testing.T) {
	for v, want := range map[Verdict]string{
		RefuseAuth: "[AUTH] ", RefuseMalformed: "malformed", RefuseInUse: "[IN-USE] ", RefuseLoginDelay: "[LOGIN-DELAY] ",
		RefuseTemporary: "[SYS/TEMP] ", RefusePermanent: "[SYS/PERM] ",
	} {
		d := newDoor()
		d.refuse = v
		d.greet()
		out, open := d.feed([]byte("USER alice@example.test\r\nPASS wonderland\r\nSTAT\r\n"))
		lines := strings.Split(string(out), "\r\n")
		if !open || !strings.HasPrefix(lines[1], "-ERR "+want) || lines[2] != "-ERR log in first" {
			t.Errorf("verdict %d: %q", v, out)
		}
	}
}

func TestFailedLoginsAndErrorsCloseTogether(t *testing.T) {
	d := newDoor()
	d.plain.ErrorsMax = 3
	d.greet()
	login := []byte("USER alice@example.test\r\nPASS wrong\r\n")
	d.feed(login)
	d.feed([]byte("STAT\r\n"))
	if out, open := d.feed(login); open || string(out) != "+OK name noted, send the password\r\n-ERR [AUTH] authentication failed\r\n" {
		t.Fatalf("got %q, open %v", out, open)
	}
}

func TestErrorsAfterTheLoginDoNotClose(t *testing.T) {
	d := loggedIn(t)
	d.s.options = &Options{ErrorsMax: 1}
	if _, open := d.feed([]byte(strings.Repeat("NONSENSE\r\n", 100))); !open {
		t.Fatal("closed")
	}
}

func TestVanishedMessageIsAnErrorAndNoMultiLine(t *testing.T) {
	d := loggedIn(t, "a\n", "b\n")
	d.gone = 1
	out, _ := d.feed([]byte("RETR 1\r\nTOP 1 1\r\nRETR 2\r\n"))
	want := "-ERR " + refusals[RefuseTemporary] + "\r\n"
	if string(out) != want+want+"+OK 3 octets\r\nb\r\n.\r\n" {
		t.Fatalf("got %q", out)
	}
}

func TestFailedUpdateIsAnErrorAtQuit(t *testing.T) {
	d := loggedIn(t, "a\n", "b\n")
	d.broken = true
	out, open := d.feed([]byte("DELE 2\r\nQUIT\r\n"))
	if open || !strings.HasSuffix(string(out), "\r\n-ERR [SYS/TEMP] some deleted messages not removed\r\n") {
		t.Fatalf("got %q, open %v", out, open)
	}
}

func TestUpdateGetsExactlyTheMarkedMessages(t *testing.T) {
	d := loggedIn(t, make([]string, 200)...)
	d.feed([]byte("DELE 7\r\nRSET\r\nDELE 1\r\nDELE 64\r\nDELE 65\r\nDELE 200\r\nDELE 201\r\nQUIT\r\n"))
	if got := d.deleted; len(got) != 4 || got[0] != 1 || got[1] != 64 || got[2] != 65 || got[3] != 200 {
		t.Fatalf("got %v", got)
	}
}

func TestRsetLeavesNothingToUpdate(t *testing.T) {
	d := loggedIn(t, "a\n")
	d.feed([]byte("DELE 1\r\nRSET\r\nQUIT\r\n"))
	if len(d.deleted) > 0 {
		t.Fatalf("deleted %v", d.deleted)
	}
}

func TestQuitBeforeTheLoginUpdatesNothing(t *testing.T) {
	d := newDoor("a\n")
	d.keepLogs = true
	d.greet()
	d.feed([]byte("QUIT\r\n"))
	if d.journal.Len() > 0 {
		t.Fatal(d.journal.String())
	}
}

func TestPasswordKeepsItsSpaces(t *testing.T) {
	d := newDoor()
	d.keepLogs = true
	d.greet()
	d.feed([]byte("USER a\r\nPASS  two words \r\n"))
	if !strings.Contains(d.journal.String(), `password=" two words "`) {
		t.Fatal(d.journal.String())
	}
}

func TestChunksOfABodyDoNotShow(t *testing.T) {
	text := "H: 1\n\xc3\xbc: x\n\n.dot\nline\r\n..\nend"
	var want []byte
	for chunk := range 12 {
		d := loggedIn(t, text)
		d.chunk = chunk
		out, _ := d.feed([]byte("RETR 1\r\nTOP 1 2\r\n"))
		if want == nil {
			want = out
		}
		if string(out) != string(want) {
			t.Fatalf("in chunks of %d: %q, not %q", chunk, out, want)
		}
	}
}

func TestMillionMessagesAreListedOneAtATime(t *testing.T) {
	var s Session
	o := newDoor().plain
	s.Reset(&o)
	in := []byte("USER a\r\nPASS b\r\nLIST\r\n")
	var out []byte
	longest, asked := 0, 0
	for next := NeedInput; ; {
		var n int
		n, out, next = s.Step(in, out[:0])
		in = in[n:]
		longest = max(longest, len(out))
		switch next {
		case AskAuth:
			out = s.Answer(Answer{Messages: 1_000_000, Octets: 5_000_000}, out)
		case AskSize:
			asked++
			out = s.Answer(Answer{Octets: 5}, out)
		case NeedInput:
			if asked != 1_000_000 || longest > 128 || cap(out) > 512 {
				t.Fatalf("asked %d times, at most %d octets in a step, %d in the buffer", asked, longest, cap(out))
			}
			return
		}
	}
}

func TestSessionStaysSmall(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 200 {
		t.Fatalf("a session is %d octets", size)
	}
}

func TestEveryCommandHasOneRowAndAnswers(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands {
		if seen[c.verb] || find([]byte(strings.ToLower(c.verb))) == nil || c.run == nil || c.states == 0 {
			t.Errorf("the row of %s", c.verb)
		}
		seen[c.verb] = true
	}
}

func TestNumberNeverWraps(t *testing.T) {
	for digits := 1; digits < 80; digits++ {
		n, valid := number([]byte(strings.Repeat("9", digits)))
		if want, err := strconv.ParseInt(strings.Repeat("9", digits), 10, 64); !valid || n < 1<<48 && (err != nil || n != want) {
			t.Fatalf("%d digits gave %d", digits, n)
		}
	}
}
