package interop

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// killRounds is how often the server is killed, on the same data.
const killRounds = 20

// killSenders is how many clients send at once.
const killSenders = 8

// TestKilledServerLosesNothing sends to a server that is killed in the middle,
// again and again, and then looks for every message that got its 250: it must
// be in each of its mailboxes, whole, and once. A message without a reply may
// be there or not, but not torn.
func TestKilledServerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	ledger := &ledger{answered: map[token]bool{}, begun: map[token]bool{}}
	for round := range killRounds {
		d := runDemo(t, dir)
		ledger.load(t, d, round, 1+rand.IntN(400))
	}
	d := runDemo(t, dir)
	awaitAnswered(t, d, ledger)
	d.stop(t)
	doubles := 0
	for _, account := range []string{alice, bob} {
		doubles += ledger.check(t, account, d.stored(t, account))
	}
	t.Logf("%d messages answered 250, %d more begun, %d found twice", len(ledger.answered), len(ledger.begun)-len(ledger.answered), doubles)
	if t.Failed() {
		t.Logf("the last server's log:\n%s", d.log)
	}
}

// token names one message: what it is and where it goes follow from it.
type token struct{ round, sender, number int }

func (k token) String() string { return fmt.Sprintf("%d.%d.%d", k.round, k.sender, k.number) }

// recipients: every third message goes to both.
func (l *ledger) recipients(k token) []string {
	both := []string{alice, bob}
	if l.domain != "" {
		both = []string{"alice@" + l.domain, "bob@" + l.domain}
	}
	switch k.number % 3 {
	case 0:
		return both
	case 1:
		return both[:1]
	}
	return both[1:]
}

// message is the text that belongs to a token, with CRLF. Every 20th is larger
// than what the queue keeps in line with other messages.
func (k token) message() string {
	lines := 20 + k.number%50
	if k.number%20 == 19 {
		lines = 4000
	}
	head := fmt.Sprintf("From: <killer@example.test>\r\nSubject: %s\r\nMessage-ID: <%s@kill.test>\r\n\r\n", k, k)
	return head + strings.Repeat(fmt.Sprintf("line of message %s, one of %d\r\n", k, lines), lines)
}

// ledger remembers what was sent and what was promised.
type ledger struct {
	domain   string // of the recipients, when they are not our own
	lock     sync.Mutex
	begun    map[token]bool // the whole body was sent
	answered map[token]bool // and was answered 250
}

func (l *ledger) note(book map[token]bool, k token) {
	l.lock.Lock()
	book[k] = true
	l.lock.Unlock()
}

// load sends until limit messages were answered and then kills the server.
func (l *ledger) load(t *testing.T, d *demo, round, limit int) {
	t.Helper()
	l.loadUntil(t, d, round, limit, d.kill)
}

// loadUntil sends until limit messages were answered and then ends the server,
// while more are being sent.
func (l *ledger) loadUntil(t *testing.T, d *demo, round, limit int, end func()) {
	t.Helper()
	var answers atomic.Int64
	enough := make(chan struct{})
	var senders sync.WaitGroup
	for sender := range killSenders {
		senders.Go(func() {
			l.send(d.addrs["smtp"], round, sender, func() {
				if answers.Add(1) == int64(limit) {
					close(enough)
				}
			})
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		t.Errorf("round %d: only %d of %d messages were answered", round, answers.Load(), limit)
	}
	end()
	senders.Wait()
	if t.Failed() {
		t.Fatalf("the server's log:\n%s", d.log)
	}
}

// send sends one message after the other until the connection breaks.
func (l *ledger) send(addr string, round, sender int, answered func()) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return // killed before this sender came
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if !positive(in) {
		return
	}
	fmt.Fprint(conn, "EHLO kill.test\r\n")
	if !positive(in) {
		return
	}
	for number := 0; ; number++ {
		k := token{round, sender, number}
		envelope := "MAIL FROM:<killer@example.test>\r\n"
		for _, to := range l.recipients(k) {
			envelope += "RCPT TO:<" + to + ">\r\n"
		}
		fmt.Fprint(conn, envelope+"DATA\r\n")
		for range len(l.recipients(k)) + 2 {
			if !positive(in) {
				return
			}
		}
		l.note(l.begun, k)
		fmt.Fprint(conn, k.message()+".\r\n")
		if !positive(in) {
			return
		}
		l.note(l.answered, k)
		answered()
	}
}

// positive reads one reply and says whether it is 2yz or 3yz. A broken
// connection is not: the server was killed.
func positive(in *bufio.Reader) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil || len(line) < 4 {
			return false
		}
		if line[3] != '-' {
			return line[0] == '2' || line[0] == '3'
		}
	}
}

// awaitAnswered waits until every message that was promised is in its
// mailboxes, or too much time has gone by; check will tell what is missing.
func awaitAnswered(t *testing.T, d *demo, l *ledger) {
	t.Helper()
	pulse := time.NewTicker(200 * time.Millisecond)
	defer pulse.Stop()
	give := time.After(patience)
	for l.missing(t, d) > 0 {
		select {
		case <-pulse.C:
		case <-give:
			return
		}
	}
}

// missing counts copies of answered messages that are not in their mailboxes.
func (l *ledger) missing(t *testing.T, d *demo) int {
	t.Helper()
	missing := 0
	for _, account := range []string{alice, bob} {
		found := map[token]bool{}
		for _, text := range d.stored(t, account) {
			if k, err := tokenOf(text); err == nil {
				found[k] = true
			}
		}
		for k := range l.answered {
			if slices.Contains(l.recipients(k), account) && !found[k] {
				missing++
			}
		}
	}
	return missing
}

// check compares a mailbox with the ledger and returns how many messages are
// there more than once.
func (l *ledger) check(t *testing.T, account string, messages map[string]string) (doubles int) {
	t.Helper()
	found := map[token]int{}
	for name, text := range messages {
		k, err := tokenOf(text)
		if err != nil {
			t.Errorf("%s: %s: %v", account, name, err)
			continue
		}
		if !l.begun[k] {
			t.Errorf("%s: %s holds %s, which was never sent", account, name, k)
		}
		if !strings.HasSuffix(text, strings.ReplaceAll(k.message(), "\r\n", "\n")) {
			t.Errorf("%s: %s holds a torn copy of %s (%d octets)", account, name, k, len(text))
		}
		found[k]++
	}
	for k := range l.answered {
		if slices.Contains(l.recipients(k), account) && found[k] == 0 {
			t.Errorf("%s: %s was answered 250 and is lost", account, k)
		}
	}
	for k, n := range found {
		if n > 1 {
			doubles++
			t.Errorf("%s: %s is there %d times", account, k, n)
		}
	}
	return doubles
}

// tokenOf reads the token out of the Subject of a message.
func tokenOf(text string) (token, error) {
	_, rest, ok := strings.Cut(text, "\nSubject: ")
	line, _, _ := strings.Cut(rest, "\n")
	parts := strings.Split(line, ".")
	if !ok || len(parts) != 3 {
		return token{}, fmt.Errorf("no token in %.200q", text)
	}
	var n [3]int
	for i, p := range parts {
		var err error
		if n[i], err = strconv.Atoi(p); err != nil {
			return token{}, err
		}
	}
	return token{n[0], n[1], n[2]}, nil
}
