package maildir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"barid/internal/vfs"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newStore(t testing.TB) (s *Store, dir string, c *clock) {
	t.Helper()
	c = &clock{time.Now()}
	return New(Options{FS: vfs.Disk{}, Host: "mx.example.org", Now: c.Now}), filepath.Join(t.TempDir(), "alice"), c
}

func message(n int, body string) *Message {
	return &Message{ID: fmt.Appendf(nil, "id%06d", n), Micros: 1_700_000_000_000_000 + int64(n), Body: []byte(body)}
}

func deliver(t testing.TB, m Mailbox, n int, body string) {
	t.Helper()
	if err := m.Deliver(Inbox, message(n, body)); err != nil {
		t.Fatal(err)
	}
}

func readTestFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMailboxWithoutQuotaHasNoMaildirsize(t *testing.T) {
	s, dir, _ := newStore(t)
	deliver(t, s.Mailbox(dir, Quota{}), 1, "x")
	if _, err := os.Stat(dir + "/maildirsize"); !os.IsNotExist(err) {
		t.Errorf("maildirsize: %v", err)
	}
}

func TestMessageOverTheQuotaIsRefusedAndLeavesNothing(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 100, MessagesMax: 3})
	deliver(t, m, 1, strings.Repeat("x", 60))
	if err := m.Fits(41); !errors.Is(err, ErrOverQuota) {
		t.Errorf("41 octets: %v", err)
	}
	if err := m.Deliver(Inbox, message(2, strings.Repeat("x", 41))); !errors.Is(err, ErrOverQuota) {
		t.Errorf("41 octets: %v", err)
	}
	deliver(t, m, 3, strings.Repeat("x", 39))
	if err := m.Fits(2); !errors.Is(err, ErrOverQuota) {
		t.Errorf("2 octets: %v", err)
	}
	deliver(t, m, 4, "")
	if err := m.Fits(0); !errors.Is(err, ErrOverQuota) {
		t.Errorf("a fourth message: %v", err)
	}
	if used, err := m.Usage(); err != nil || used != (Usage{99, 3}) {
		t.Errorf("usage %v, %v", used, err)
	}
	if entries, _ := os.ReadDir(dir + "/new"); len(entries) != 3 {
		t.Errorf("%d messages", len(entries))
	}
}

func TestDeliveryAppendsOneLineToMaildirsize(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 1000})
	deliver(t, m, 1, "12345")
	deliver(t, m, 2, "1234567")
	if got := readTestFile(t, dir+"/maildirsize"); got != "1000S\n0 0\n5 1\n7 1\n" {
		t.Errorf("%q", got)
	}
}

func TestMaildirsizeIsCountedAnewWhenItCannotBeBelieved(t *testing.T) {
	for name, text := range map[string]string{
		"missing": "", "other limits": "5S\n99 99\n", "senseless": "hello\n", "below zero": "1000S,10C\n-5 1\n",
		"half a line": "1000S,10C\n99 9", "too long": "1000S,10C\n" + strings.Repeat("0 0           \n", 400), "full, many lines": "1000S,10C\n600 4\n600 4\n",
	} {
		s, dir, _ := newStore(t)
		m := s.Mailbox(dir, Quota{BytesMax: 1000, MessagesMax: 10})
		write(t, dir+"/new/1.a.h,S=7", "7 bytes")
		write(t, dir+"/cur/2.b.h:2,ST", "four")
		write(t, dir+"/.Sub.Folder/cur/3.c.h,S=30:2,", "believed")
		write(t, dir+"/new/.hidden", "no message")
		write(t, dir+"/tmp/4.d.h", "not yet")
		if text != "" {
			write(t, dir+"/maildirsize", text)
		}
		if used, err := m.Usage(); err != nil || used != (Usage{41, 3}) {
			t.Errorf("%s: usage %v, %v", name, used, err)
		}
		if got := readTestFile(t, dir+"/maildirsize"); got != "1000S,10C\n41 3\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFullMailboxIsCountedAnewAfterAQuarterOfAnHour(t *testing.T) {
	s, dir, clock := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 1000})
	write(t, dir+"/maildirsize", "1000S\n1000 4\n")
	write(t, dir+"/new/1.a.h,S=7", "7 bytes")
	if err := m.Fits(1); !errors.Is(err, ErrOverQuota) {
		t.Errorf("%v, although the file is fresh", err)
	}
	clock.now = clock.now.Add(tallyAge + time.Minute)
	if err := m.Fits(1); err != nil {
		t.Errorf("%v, although the mailbox is almost empty", err)
	}
}

func TestConcurrentDeliveriesAreAllCounted(t *testing.T) {
	s, dir, _ := newStore(t)
	m := s.Mailbox(dir, Quota{BytesMax: 1 << 20})
	if _, err := m.Usage(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				if err := m.Deliver(Inbox, message(w*100+i, "1234567890")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if used, err := m.Usage(); err != nil || used != (Usage{1600, 160}) {
		t.Errorf("usage %v, %v", used, err)
	}
}

func FuzzTally(f *testing.F) {
	f.Add([]byte("1000S,10C\n   41    3      \n-5 -1\n"))
	f.Add([]byte("\n0 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := parseTally(text)
		if !ok {
			return
		}
		if got.used.Bytes < 0 || got.used.Messages < 0 || got.lines < 1 {
			t.Fatalf("%q: %+v", text, got)
		}
		ours := appendTally(append(appendLimits(nil, got.limits), '\n'), got.used.Bytes, got.used.Messages)
		if again, ok := parseTally(ours); got.used.Bytes <= sizeMax && got.used.Messages <= sizeMax && (!ok || again.used != got.used || again.limits != got.limits) {
			t.Fatalf("%q became %q: %+v", text, ours, again)
		}
	})
}
