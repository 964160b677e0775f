package imapd

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// mirror is a client that keeps the UIDs of its mailbox by their numbers, as
// the server tells them.
type mirror struct {
	*client
	uids []int // 0: not told yet
}

var untaggedNumber = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \(.*?UID (\d+))?`)

// say sends a command and takes in what is told.
func (m *mirror) say(command string) (reply string) {
	m.t.Helper()
	untagged, reply := m.do(command)
	for _, line := range untagged {
		found := untaggedNumber.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		n, _ := strconv.Atoi(found[1])
		switch found[2] {
		case "EXISTS":
			if n < len(m.uids) {
				m.t.Fatalf("%s: %s, but there are %d", command, line, len(m.uids))
			}
			m.uids = append(m.uids, make([]int, n-len(m.uids))...)
		case "EXPUNGE":
			if n > len(m.uids) {
				m.t.Fatalf("%s: %s, but there are %d", command, line, len(m.uids))
			}
			m.uids = slices.Delete(m.uids, n-1, n)
		case "FETCH":
			m.learn(command, line, n, found[3])
		}
	}
	return reply
}

func (m *mirror) learn(command, line string, n int, text string) {
	m.t.Helper()
	if n > len(m.uids) {
		m.t.Fatalf("%s: %s, but there are %d", command, line, len(m.uids))
	}
	uid, err := strconv.Atoi(text)
	if err != nil {
		return
	}
	if m.uids[n-1] != 0 && m.uids[n-1] != uid {
		m.t.Fatalf("%s: message %d was %d and is %d", command, n, m.uids[n-1], uid)
	}
	m.uids[n-1] = uid
	if !slices.IsSorted(slices.DeleteFunc(slices.Clone(m.uids), func(uid int) bool { return uid == 0 })) {
		m.t.Fatalf("%s: UIDs do not ascend: %v", command, m.uids)
	}
}

// Three sessions change one mailbox at random; what each believes of message
// numbers has to stay true (RFC 9051 section 7.5.1).
func TestNumbersMeanTheSameToClientsAndServer(t *testing.T) {
	h := newHouse(t, nil)
	h.fill(20, letter)
	random := rand.New(rand.NewPCG(1, 9051))
	var all []*mirror
	for i := range 3 {
		m := &mirror{client: h.enter()}
		if i == 0 {
			m.say("CREATE other")
		}
		m.say("SELECT INBOX")
		all = append(all, m)
	}
	for range 600 {
		m := all[random.IntN(len(all))]
		n := len(m.uids)
		one := func() int { return random.IntN(n) + 1 }
		switch choice := random.IntN(12); {
		case choice == 0 || n == 0:
			m.say("APPEND INBOX {5+}\r\nhello")
		case choice == 1:
			h.deposit(fmt.Sprintf("%d.R%dP1.example", 1700100000+random.IntN(1000), random.IntN(1<<30)), letter)
		case choice == 2:
			m.say("EXPUNGE")
		case choice == 3:
			m.say(fmt.Sprintf("MOVE %d other", one()))
		case choice == 4:
			m.say(fmt.Sprintf("COPY %d,%d INBOX", one(), one()))
		case choice <= 6:
			m.say(fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, one()))
		case choice == 7:
			m.say(fmt.Sprintf(`UID STORE %d:* -FLAGS.SILENT (\Deleted)`, m.uids[n-1]))
		case choice == 8:
			m.say(fmt.Sprintf("SEARCH RETURN (MIN COUNT) %d:* NOT DELETED", one()))
		case choice == 9:
			m.say("NOOP")
		default:
			m.say(fmt.Sprintf("FETCH %d:%d (UID FLAGS)", one(), one()))
		}
	}
	// What was deposited last may be seen by one after the other.
	for range 1000 {
		for _, m := range all {
			m.say("NOOP")
			m.say("UID FETCH 1:* (UID)")
		}
		if slices.Equal(all[0].uids, all[1].uids) && slices.Equal(all[0].uids, all[2].uids) {
			return
		}
	}
	t.Errorf("sessions differ: %v, %v, %v", all[0].uids, all[1].uids, all[2].uids)
}
