package spool

import (
	"bytes"
	"encoding/binary"
	"testing"

	"barid/internal/vfs/crash"
)

func FuzzHead(f *testing.F) {
	head, err := appendHead(nil, &messageHead{id: 7, size: 3, flags: flagSMTPUTF8}, envelope("alice@example.test", "bob@example.test"))
	must(f, err)
	f.Add(head)
	f.Add(head[:len(head)-1])
	f.Add(head[:headFixed])
	f.Fuzz(func(t *testing.T, head []byte) {
		var h messageHead
		var e Envelope
		if parseHead(head, &h, &e) != nil {
			return
		}
		again, err := appendHead(nil, &h, &e)
		if err != nil {
			t.Fatalf("what was parsed cannot be written: %v", err)
		}
		again[11] = head[11] // reserved
		_, entries := stateOf(head, &h)
		again = withState(again, entries)
		if !bytes.Equal(again, head) {
			t.Fatalf("parsed %q, wrote %q", head, again)
		}
	})
}

func FuzzEntries(f *testing.F) {
	history, n := appendAttempt(nil, 0, &Attempt{Outcome: Outcome{Kind: Deferred, Status: "4.2.2", Text: "full"}})
	e := entry{id: 9, index: 2, state: StateDeferred, due: 77, attempts: 3, outcomes: n, history: history}
	two := e.append(e.append(nil))
	f.Add(two)
	f.Add(two[:len(two)-3])
	f.Fuzz(func(t *testing.T, p []byte) {
		for len(p) > 0 {
			var e entry
			n, err := e.parse(p)
			if err != nil {
				return
			}
			if again := e.append(nil); !bytes.Equal(again, p[:n]) {
				t.Fatalf("parsed %q, wrote %q", p[:n], again)
			}
			if attempts := parseHistory(e.history); len(attempts)*attemptFixed > len(e.history) {
				t.Fatalf("%d attempts in %d bytes", len(attempts), len(e.history))
			}
			past, count := appendAttempt(bytes.Clone(e.history), e.outcomes, &Attempt{})
			if len(past) > len(e.history)+attemptFixed || count > max(e.outcomes+1, historyMax) && e.outcomes < 255 {
				t.Fatalf("history grew from %d to %d bytes, %d to %d attempts", len(e.history), len(past), e.outcomes, count)
			}
			p = p[n:]
		}
	})
}

// sample is a closed spool with a few messages of each sort.
func sample(t testing.TB) (fsys *crash.FS, want map[ID][]byte, segment string) {
	t.Helper()
	fsys = crash.New(1)
	s := open(t, options(fsys, heldAgent()))
	want = map[ID][]byte{}
	for i := range 6 {
		body := text(60*i, i)
		id, err := submit(s, body, envelope("alice@example.test", "bob@example.test"))
		must(t, err)
		want[id] = body
	}
	settleDown(s)
	must(t, s.flush())
	segment = s.segmentPath(s.commits.active.seq)
	closeSpool(t, s)
	return fsys, want, segment
}

// survivors opens the spool and returns how many messages are there, whole; a
// body that is not what it was must be noticed.
func survivors(t testing.TB, fsys *crash.FS, want map[ID][]byte) (n int, st Stats) {
	t.Helper()
	s := open(t, options(fsys, heldAgent()))
	defer closeSpool(t, s)
	return survivorsOf(t, s, want)
}

func survivorsOf(t testing.TB, s *Spool, want map[ID][]byte) (n int, st Stats) {
	t.Helper()
	for id, body := range want {
		job := &Job{spool: s}
		if s.pin(job, id, &Summary{}) != nil {
			continue
		}
		err := job.load()
		got, readErr := []byte(nil), err
		if err == nil {
			got, readErr = job.ReadAll(nil)
		}
		s.unpin(job)
		if readErr == nil && !bytes.Equal(got, body) {
			t.Fatalf("%v: read %q, was %q", id, got, body)
		}
		n++
	}
	return n, s.Stats()
}

func TestNoFlippedByteLosesAMessageInSilence(t *testing.T) {
	for offset := int64(0); ; offset += 11 {
		fsys, want, segment := sample(t)
		f, err := fsys.Open(segment)
		must(t, err)
		p := make([]byte, 8)
		_, err = f.ReadAt(p, offset)
		must(t, err)
		must(t, f.Close())
		if offset%8 == 0 && offset > 2000 && binary.LittleEndian.Uint64(p) == 0 {
			return // behind the last record
		}
		flip(t, fsys, segment, offset)
		n, st := survivors(t, fsys, want)
		if n < len(want) && st.Damaged == 0 || n < len(want)-1 {
			t.Errorf("byte %d: %d of %d messages, %d damages reported", offset, n, len(want), st.Damaged)
		}
	}
}

func FuzzDamagedSegment(f *testing.F) {
	f.Add([]byte{0, 100, 1, 1, 0, 2}, uint16(4000))
	f.Add([]byte{0, 0, 255}, uint16(900))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, changes []byte, length uint16) {
		fsys, want, segment := sample(t)
		file, err := fsys.OpenWrite(segment)
		must(t, err)
		for c := changes; len(c) >= 3; c = c[3:] {
			_, err := file.WriteAt(c[2:3], int64(binary.BigEndian.Uint16(c))%4096)
			must(t, err)
		}
		if length != 0 {
			must(t, file.Truncate(int64(length)))
		}
		must(t, file.Close())
		n, st := survivors(t, fsys, want)
		if len(changes) < 3 && length == 0 && (n != len(want) || st.Damaged != 0) {
			t.Fatalf("%d of %d messages, %d damages", n, len(want), st.Damaged)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("0000000000000")
	f.Add(ID(1<<64 - 1).String())
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseID(text); err == nil && id.String() != text {
			t.Fatalf("%q is %d is %q", text, id, id.String())
		}
	})
}
