package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// planFor is a small plan against a server at addr.
func planFor(addr string) *smtpPlan {
	return &smtpPlan{addr: addr, sessions: 3, messages: 60, sizeOctets: 1000, window: 1, from: "a@perf.test",
		to: []string{"u%d@example.test"}, numbers: 5, rcpts: 2, patience: 10 * time.Second}
}

func TestEveryWayOfSendingGetsEveryMessageAccepted(t *testing.T) {
	null, err := startNull("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer null.listener.Close()
	ways := map[string]func(*smtpPlan){
		"overlapped":      func(*smtpPlan) {},
		"lock-step":       func(p *smtpPlan) { p.lockStep = true },
		"lock-step chunk": func(p *smtpPlan) { p.lockStep, p.bdat = true, true },
		"chunks":          func(p *smtpPlan) { p.bdat, p.window = true, 16 },
		"open loop":       func(p *smtpPlan) { p.rate = 5000 },
		"one each":        func(p *smtpPlan) { p.perConnection = 1 },
		"seven each":      func(p *smtpPlan) { p.perConnection, p.bdat, p.window = 7, true, 4 },
		"LMTP":            func(p *smtpPlan) { p.lmtp = true },
		"STARTTLS":        func(p *smtpPlan) { p.security = startTLS },
		"AUTH":            func(p *smtpPlan) { p.user, p.password = "a", "b" },
		"large":           func(p *smtpPlan) { p.sizeOctets = 3 * bodyCopyMax },
	}
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			plan := planFor(null.listener.Addr().String())
			change(plan)
			r, err := loadSMTP(t.Context(), plan)
			if err != nil || r.Accepted != 60 || r.Refused+r.Failed != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestMessagesHaveTheSizeAskedForAndNumbersOfTheirOwn(t *testing.T) {
	for size := smtpSizeMin; size < smtpSizeMin+200; size++ {
		plan := planFor("")
		plan.sizeOctets = size
		m := newSMTPMessage(plan, time.Now())
		m.setNumber(42)
		whole := string(m.head) + string(m.body)
		if len(whole) != size || strings.Count(whole, "000000000042") != 2 || !strings.HasSuffix(whole, "\r\n") {
			t.Fatalf("size %d: %d octets: %q", size, len(whole), whole)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(whole, "\r\n"), "\r\n") {
			if strings.ContainsAny(line, "\r\n") || strings.HasPrefix(line, ".") {
				t.Fatalf("size %d: line %q", size, line)
			}
		}
	}
}

func TestWireBytesOfAGroupedMessage(t *testing.T) {
	plan := planFor("")
	load := &smtpLoad{plan: plan, recipients: expandRecipients([]string{"x%d@a.test", "y@a.test"}, 2)}
	c := &smtpConn{plan: plan, load: load, message: &smtpMessage{head: []byte("h\r\n\r\n"), body: []byte("b\r\n")}}
	c.putEnvelope(ticket{number: 1})
	c.putBody(ticket{number: 1})
	want := "MAIL FROM:<a@perf.test>\r\nRCPT TO:<y@a.test>\r\nRCPT TO:<x0@a.test>\r\nDATA\r\nh\r\n\r\nb\r\n.\r\n"
	if string(c.out) != want {
		t.Errorf("got  %q\nwant %q", c.out, want)
	}
}

func TestRefusalsAreCountedAndShown(t *testing.T) {
	addr := serveScript(t, func(in *bufio.Reader, out io.Writer) {
		fmt.Fprint(out, "220 x\r\n")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "MAIL") {
				fmt.Fprint(out, "452 4.3.1 full\r\n")
			} else {
				fmt.Fprint(out, "250 ok\r\n")
			}
		}
	})
	plan := planFor(addr)
	plan.messages = 4
	r, err := loadSMTP(t.Context(), plan)
	if err != nil || r.Accepted != 0 || r.Refused != 4 || r.Trouble != "refused: 452 4.3.1 full" {
		t.Errorf("%+v, %v", r, err)
	}
}

// serveScript serves connections with a function until the test ends.
func serveScript(t *testing.T, serve func(in *bufio.Reader, out io.Writer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(bufio.NewReader(c), c)
			}()
		}
	}()
	return l.Addr().String()
}

// serveMailbox is a POP3 server with three messages for anybody.
func serveMailbox(in *bufio.Reader, out io.Writer) {
	fmt.Fprint(out, "+OK\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch line[:4] {
		case "STAT":
			fmt.Fprint(out, "+OK 3 30\r\n")
		case "UIDL":
			fmt.Fprint(out, "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n")
		case "RETR":
			fmt.Fprint(out, "+OK\r\nHead: x\r\n\r\n..\r\n.\r\n")
		default:
			fmt.Fprint(out, "+OK\r\n")
		}
	}
}

func TestPOP3LoadReadsEveryMessageOfEveryLogin(t *testing.T) {
	addr := serveScript(t, serveMailbox)
	for _, window := range []int{1, 2, 100} {
		plan := &pop3Plan{addr: addr, user: "u%d", password: "p", sessions: 2, rounds: 3, window: window, patience: 10 * time.Second}
		r, err := loadPOP3(t.Context(), plan)
		const octets = int64(len("Head: x\r\n\r\n..\r\n"))
		if err != nil || r.Trouble != "" || r.Logins != 6 || r.Messages != 18 || r.Octets != 18*octets {
			t.Errorf("window %d: %+v, %v", window, r, err)
		}
	}
}

func TestIdleConnectionsAreOpenedAndStayAlive(t *testing.T) {
	null, err := startNull("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer null.listener.Close()
	for _, how := range []security{plain, startTLS} {
		plan := &idlePlan{addr: null.listener.Addr().String(), pid: os.Getpid(), connections: 30, openers: 4, settle: time.Millisecond, noop: true, security: how}
		r, err := plan.carryOut(t.Context())
		if err != nil || r.Opened != 30 || r.Alive != 30 || len(r.KiB) != 3 {
			t.Errorf("%+v, %v", r, err)
		}
		plan.noop = false
		if r, err := plan.carryOut(t.Context()); err != nil || r.Alive != 30 {
			t.Errorf("without NOOP: %+v, %v", r, err)
		}
	}
}

func TestArrivalsInAMaildirAreCountedHoweverTheyArrive(t *testing.T) {
	box := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(box, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(box, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cur/before")
	count, err := watchMaildirs([]string{box})
	if err != nil {
		t.Fatal(err)
	}
	defer count.close()
	write("new/created")
	write("tmp/a")
	write("tmp/b")
	if err := os.Rename(filepath.Join(box, "tmp/a"), filepath.Join(box, "new/renamed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(box, "tmp/b"), filepath.Join(box, "new/linked")); err != nil {
		t.Fatal(err)
	}
	if _, err := count.waitFor(t.Context(), 4, 10*time.Second); err != nil || count.seen != 4 {
		t.Errorf("seen %d, %v", count.seen, err)
	}
	if _, err := count.waitFor(t.Context(), 5, time.Millisecond); err == nil {
		t.Error("a message that never came was seen")
	}
}

func TestCountersOfTheKernelAreParsed(t *testing.T) {
	user, system, err := parseGroupCPU([]byte("usage_usec 944366\nuser_usec 321986\nsystem_usec 622380\nnice_usec 0\n"))
	if err != nil || user != 321986*time.Microsecond || system != 622380*time.Microsecond {
		t.Errorf("cpu.stat: %v %v %v", user, system, err)
	}
	if _, _, err := parseGroupCPU([]byte("usage_usec 1\n")); err == nil {
		t.Error("cpu.stat without times is accepted")
	}
	busy, err := parseMachineCPU("cpu  1 2 3 100 100 4 5 6 7 8\ncpu0 1\n")
	if err != nil || busy != 21*tick {
		t.Errorf("/proc/stat: %v %v", busy, err)
	}
	disk, err := parseDiskCount("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n")
	if err != nil || disk != (diskCount{7 * 512, 16}) {
		t.Errorf("block device: %v %v", disk, err)
	}
	const table = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ----------------\n" +
		" 95.63    0.043973         396       111           fdatasync\n  1.57    0.000721         103         7         2 fsync\n------ ----------- ----------- --------- --------- ----------------\n100.00    0.045983         386       118         2 total\n"
	if n := parseSyncs([]byte(table)); n != 118 {
		t.Errorf("strace -c: %d syncs", n)
	}
	mount, err := parseGroupMount([]byte("26 25 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n40 26 0:35 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n"))
	if err != nil || mount != "/sys/fs/cgroup/unified" {
		t.Errorf("mountinfo: %q %v", mount, err)
	}
}

func TestTableShowsMediansAndHowTheServersCompare(t *testing.T) {
	record := &trialRecord{Load: "smtp-source", PeakPSSMiB: map[string]float64{"barid": 20, "postfix": 120}, SyncsPerMsg: map[string]float64{"barid": 0.25}}
	for i := range 3 {
		record.Runs = append(record.Runs,
			run{Peer: "postfix", AcceptedPerSecond: 1000 + float64(i), DeliveredPerSecond: 900, UserPer1000: 1, SystemPer1000: 1},
			run{Peer: "barid", AcceptedPerSecond: 8008 + float64(i), DeliveredPerSecond: 4500, UserPer1000: 0.1, SystemPer1000: 0.1})
	}
	var out bytes.Buffer
	if err := writeTable(&out, []*trialRecord{record}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| postfix | 3 | 1001 (1000–1002) | 900 (900–900) | 2.000 (2.000–2.000) |", "| 0.250 | 20 |", "| not counted | 120 |",
		"accepted 8.0 times, delivered 5.0 times, processor time per message 1/10.0"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestUnknownSubcommandsAreRefused(t *testing.T) {
	if err := dispatch(context.Background(), []string{"no-such"}, io.Discard); err == nil {
		t.Error("an unknown subcommand is accepted")
	}
}
