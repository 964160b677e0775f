package imapd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barid/internal/vfs"
	"barid/maildir"
)

const letter = "Subject: x\n\ntext\n"

func TestFlagsOfOneSessionAreToldToAnother(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3, letter)
	a, b := h.open("INBOX"), h.open("INBOX")
	a.ok(`STORE 2 +FLAGS.SILENT (\Seen $Label)`)
	b.exactly("NOOP", `* FLAGS (*$Label)`, `* OK [PERMANENTFLAGS *`, `* 2 FETCH (FLAGS (\Seen $Label))`)
	b.exactly("NOOP")
	a.exactly("NOOP") // it knows
}

func TestAnExpungeIsToldToOthersWhereItMayBe(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(4, letter)
	a, b := h.open("INBOX"), h.open("INBOX")
	a.ok(`STORE 2:3 +FLAGS.SILENT (\Deleted)`)
	a.exactly("EXPUNGE", "* 2 EXPUNGE", "* 2 EXPUNGE")
	// While message numbers are in use, they stay what they are.
	b.exactly(`STORE 4 +FLAGS (\Flagged)`, `* 4 FETCH (FLAGS (\Flagged))`)
	b.no(`STORE 2 +FLAGS (\Flagged)`, "OK [EXPUNGEISSUED] *")
	b.exactly("NOOP", "* 2 EXPUNGE", "* 2 EXPUNGE")
	b.no(`STORE 3 +FLAGS (\Flagged)`, "BAD *")
}

func TestUIDCommandsMayTellOfAnExpunge(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(2, letter)
	a, b := h.open("INBOX"), h.open("INBOX")
	a.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	a.ok("EXPUNGE")
	b.ok(`UID STORE 2 +FLAGS.SILENT (\Seen)`, "* 1 EXPUNGE")
}

func TestAnAppendIsSeenByAnotherSession(t *testing.T) {
	h := newHouse(t, nil)
	a, b := h.open("INBOX"), h.open("INBOX")
	a.ok("APPEND INBOX (\\Seen) {5+}\r\nhello", "* 1 EXISTS")
	b.ok("NOOP", "* 1 EXISTS")
}

func TestIdleTellsOfMailAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(1, letter)
	a, b := h.open("INBOX"), h.open("INBOX")
	b.send("i IDLE")
	b.want("+ *")
	for i := 2; i < 20; i++ {
		a.ok("APPEND INBOX {5+}\r\nhello")
		b.want(fmt.Sprintf("* %d EXISTS", i), "* * RECENT")
	}
	a.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	b.want(`* 1 FETCH (FLAGS (\Deleted*))`)
	a.ok("EXPUNGE")
	b.want("* 1 EXPUNGE")
	b.send("DONE")
	b.want("i OK *")
	b.exactly("NOOP")
}

func TestIdleTellsOfADeliveryByAnotherProgram(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(1, letter)
	c := h.open("INBOX")
	c.send("i IDLE")
	c.want("+ *")
	h.deposit("1800000000.M1P1.example", letter)
	c.want("* 2 EXISTS", "* 2 RECENT")
	h.deposit("1800000001.M1P1.example", letter)
	c.want("* 3 EXISTS", "* 3 RECENT")
	c.send("DONE")
	c.want("i OK *")
}

func TestIdleTellsOfADeliveryWhereTheKernelGivesNoNotice(t *testing.T) {
	h := newHouse(t, func(s *settings) { s.fs, s.look = unwatched{vfs.Disk{}}, 10*time.Millisecond })
	h.fill(1, letter)
	c := h.open("INBOX")
	c.send("i IDLE")
	c.want("+ *")
	h.deposit("1800000000.M1P1.example", letter)
	c.want("* 2 EXISTS", "* 2 RECENT")
	c.send("DONE")
	c.want("i OK *")
}

// unwatched is the disk in a form that the store knows no way to watch.
type unwatched struct{ vfs.FS }

func TestIdleTellsOfADeliveryOfOurs(t *testing.T) {
	h := newHouse(t, nil)
	c := h.open("INBOX")
	c.send("i IDLE")
	c.want("+ *")
	box := h.store.Mailbox(filepath.Join(h.dir, "alice@example.test"), maildir.Quota{})
	must(t, box.Deliver(maildir.Inbox, &maildir.Message{ID: []byte("q1"), Micros: 1, Body: []byte(letter)}))
	c.want("* 1 EXISTS")
}

func TestAMailboxThatIsDeletedEndsTheSessionsOfOthers(t *testing.T) {
	h := newHouse(t, nil)
	a := h.enter()
	a.ok("CREATE there")
	a.ok("CREATE other")
	b, idle := h.open("there"), h.open("other")
	idle.send("i IDLE")
	idle.want("+ *")
	a.ok("DELETE there")
	a.ok("RENAME other elsewhere")
	b.send("x NOOP")
	b.want("x OK *", "* BYE *")
	b.wantEnd()
	idle.want("* BYE *")
	idle.wantEnd()
}

func TestWhoDeletesTheSelectedMailboxGoesOn(t *testing.T) {
	h := newHouse(t, nil)
	c := h.enter()
	c.ok("CREATE there")
	c.ok("SELECT there")
	c.exactly("DELETE there", "* OK [CLOSED] *")
	c.no("CHECK", "BAD *")
	c.ok("SELECT INBOX")
}

func TestAClientThatComesBackIsToldWhatChanged(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(5, letter)
	c := h.enter()
	c.ok("ENABLE QRESYNC")
	var validity, modseq string
	for _, line := range c.ok("SELECT INBOX") {
		fmt.Sscanf(line, "* OK [UIDVALIDITY %s", &validity)
		fmt.Sscanf(line, "* OK [HIGHESTMODSEQ %s", &modseq)
	}
	validity, modseq = strings.TrimSuffix(validity, "]"), strings.TrimSuffix(modseq, "]")
	c.ok("UNSELECT")
	other := h.open("INBOX")
	other.ok(`STORE 2 +FLAGS.SILENT (\Seen)`)
	other.ok(`STORE 3:4 +FLAGS.SILENT (\Deleted)`)
	other.ok("EXPUNGE")
	again := fmt.Sprintf("SELECT INBOX (QRESYNC (%s %s))", validity, modseq)
	c.ok(again, "* VANISHED (EARLIER) 3:4", `* 2 FETCH (UID 2 FLAGS (\Seen*) MODSEQ (*))`)
	c.ok(fmt.Sprintf("SELECT INBOX (QRESYNC (%s %s 1,4:5))", validity, modseq), "* VANISHED (EARLIER) 4")
	for _, line := range c.ok("SELECT INBOX (QRESYNC (17 1))") {
		if strings.Contains(line, "VANISHED") || strings.Contains(line, "FETCH") {
			t.Errorf("with another UIDVALIDITY the client is told %q", line)
		}
	}
}

func TestAnAppendThatDoesNotFitIsRefusedBeforeItIsSent(t *testing.T) {
	h := newHouse(t, limited)
	c := h.enter()
	c.ok("APPEND INBOX {5+}\r\nhello")
	c.exactly("GETQUOTAROOT INBOX", `* QUOTAROOT INBOX ""`, `* QUOTA "" (STORAGE 1 2 MESSAGE 1 3)`)
	c.no("APPEND INBOX {2048}", "NO [OVERQUOTA] *")
	c.ok("APPEND INBOX {5+}\r\nhello")
	c.ok("APPEND INBOX {5+}\r\nhello")
	c.no("APPEND INBOX {5}", "NO [OVERQUOTA] *")
	c.ok("SELECT INBOX")
	c.no("COPY 1 INBOX", "NO [OVERQUOTA] *")
	c.exactly("GETQUOTA \"\"", `* QUOTA "" (STORAGE 1 2 MESSAGE 3 3)`)
}

// limited gives alice a small mailbox.
func limited(s *settings) {
	line := "alice@example.test:{PLAIN}wonderland::::::userdb_quota_rule=*:bytes=2048:messages=3\n"
	if err := os.WriteFile(s.auth.File, []byte(line), 0o600); err != nil {
		panic(err)
	}
}

func TestMessagesOfADroppedAppendLeaveNothing(t *testing.T) {
	h := newHouse(t, nil)
	c := h.enter()
	c.send("a APPEND INBOX {5+}", "hello {100+}", "half of a mess")
	c.raw.Close()
	c = h.enter()
	c.ok("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 0)")
	c.no("APPEND INBOX {5+}\r\nhello {5+}\r\nhello (", "BAD *")
	c.ok("STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 0)")
}

func TestALongListOfChangesIsToldInPieces(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(3000, letter)
	a, b := h.open("INBOX"), h.open("INBOX")
	a.ok(`STORE 1:* +FLAGS.SILENT (\Deleted \Seen \Flagged \Answered)`)
	if told := b.ok("NOOP"); len(told) != 3000 {
		t.Fatalf("%d changes", len(told))
	}
	a.ok("EXPUNGE")
	if told := b.ok("NOOP"); len(told) != 3000 {
		t.Fatalf("%d changes", len(told))
	}
}

func TestCommandsSentAheadAreAnsweredInOrder(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(1, letter)
	c := h.enter()
	c.send("1 SELECT INBOX", "2 STORE 1 +FLAGS (\\Deleted)", "3 EXPUNGE", "4 STATUS INBOX (MESSAGES)", "5 LOGOUT")
	for _, want := range []string{"1 OK *", "2 OK *", "3 OK *", "4 OK *", "5 OK *"} {
		c.skipTo(want)
	}
	c.wantEnd()
}

func TestTheSameAccountHasManySessions(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(10, letter)
	var all []*client
	for range 20 {
		all = append(all, h.open("INBOX"))
	}
	for i, c := range all {
		c.ok(fmt.Sprintf(`STORE %d +FLAGS.SILENT (\Seen)`, i%10+1))
	}
	for _, c := range all {
		c.ok("NOOP")
		c.ok("CLOSE")
	}
	all[0].ok("STATUS INBOX (UNSEEN)", "* STATUS INBOX (UNSEEN 0)")
}
