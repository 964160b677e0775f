package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"barid/internal/vfs/crash"
)

// flip changes one byte of a file, durably.
func flip(t *testing.T, fsys *crash.FS, name string, offset int64) {
	t.Helper()
	f, err := fsys.OpenWrite(name)
	must(t, err)
	defer f.Close()
	p := make([]byte, 1)
	_, err = f.ReadAt(p, offset)
	must(t, err)
	p[0] ^= 0x55
	_, err = f.WriteAt(p, offset)
	must(t, err)
	must(t, f.Sync())
}

// filled is a closed spool with n messages, and where each lies.
func filled(t *testing.T, fsys *crash.FS, n, size int) (ids []ID, at map[ID]message) {
	t.Helper()
	s := open(t, options(fsys, heldAgent()))
	at = map[ID]message{}
	for i := range n {
		id, err := submit(s, text(size, i), envelope("alice@example.test"))
		must(t, err)
		ids = append(ids, id)
	}
	settleDown(s)
	must(t, s.flush())
	s.mu.Lock()
	for _, id := range ids {
		at[id] = *s.messages[id]
	}
	s.mu.Unlock()
	closeSpool(t, s)
	return ids, at
}

func segmentOf(m message) string { return fmt.Sprintf("/spool/%s%016x", segmentPrefix, m.segment.seq) }

func TestDamageInTheMiddleIsReportedAndTheRestIsKept(t *testing.T) {
	places := map[string]int64{"magic": 0, "type": 4, "durable": 17, "head length": 20, "header checksum": 37, "head": headerSize + 3}
	for what, offset := range places {
		for _, victim := range []int{0, 7, 18} { // of 20, in a log of two segments
			fsys := crash.New(1)
			ids, at := filled(t, fsys, 20, 4000)
			m := at[ids[victim]]
			flip(t, fsys, segmentOf(m), int64(m.offset)+offset)
			s := open(t, options(fsys, heldAgent()))
			for i, id := range ids {
				_, err := s.Show(id)
				if i == victim && !errors.Is(err, ErrUnknown) || i != victim && err != nil {
					t.Errorf("%s of message %d: message %d: %v", what, victim, i, err)
				}
			}
			if st := s.Stats(); st.Damaged != 1 {
				t.Errorf("%s of message %d: %d damages", what, victim, st.Damaged)
			}
			if list, _ := fsys.ReadDir("/spool/damaged"); len(list) != 1 {
				t.Errorf("%s of message %d: kept for inspection: %v", what, victim, list)
			}
			closeSpool(t, s)
		}
	}
}

func TestDamagedBodyFailsItsMessageAndIsReported(t *testing.T) {
	for _, size := range []int{3000, 20_000} { // in the log, and spilled
		fsys := crash.New(1)
		ids, at := filled(t, fsys, 30, size)
		m := at[ids[3]]
		name, offset := segmentOf(m), int64(m.offset)+int64(m.length)-100
		if m.spilled {
			name, offset = "/spool/spill/"+ids[3].String(), 100
		}
		flip(t, fsys, name, offset)
		a := newAgent()
		a.deliver = func(job *Job, _ *JobRecipient) Outcome {
			body, err := job.ReadAll(nil)
			lines, verifyErr := job.Verify(make([]byte, 1000))
			if (err == nil) != (verifyErr == nil) || err == nil && lines != int64(bytes.Count(body, []byte{'\n'})) {
				t.Errorf("size %d: read: %v, verified: %v, %d lines", size, err, verifyErr, lines)
			}
			if err != nil {
				return Outcome{Kind: Failed, Text: err.Error()}
			}
			return Outcome{Kind: Delivered}
		}
		s := open(t, options(fsys, a))
		_, err := s.Flush(Filter{})
		must(t, err)
		settleDown(s)
		must(t, s.Checkpoint())
		n := 0
		for sum, err := range s.List(Filter{State: StateFailed}) {
			if sum.ID != ids[3] {
				t.Errorf("size %d: %v failed: %v", size, sum.ID, err)
			}
			n++
		}
		if st := s.Stats(); n != 1 || st.Damaged == 0 || st.Messages != 1 {
			t.Errorf("size %d: %d failed, %+v", size, n, st)
		}
		closeSpool(t, s)
	}
}

func TestMissingBodyFailsItsMessageAndIsReported(t *testing.T) {
	fsys := crash.New(1)
	ids, _ := filled(t, fsys, 3, 20_000)
	must(t, fsys.Remove("/spool/spill/"+ids[1].String()))
	s := open(t, options(fsys, heldAgent()))
	for i, id := range ids {
		sum, err := s.Show(id)
		if failed := err == nil && sum.Recipients[0].State == StateFailed; i == 1 && !failed {
			// The addresses are still there.
			t.Errorf("message %d: %+v, %v", i, sum, err)
		}
	}
	if st := s.Stats(); st.Damaged != 1 {
		t.Errorf("%d damages", st.Damaged)
	}
	closeSpool(t, s)
}

func TestMissingSegmentIsReported(t *testing.T) {
	fsys := crash.New(1)
	ids, at := filled(t, fsys, 45, 4000)
	must(t, fsys.Remove(segmentOf(at[ids[22]])))
	s := open(t, options(fsys, heldAgent()))
	if st := s.Stats(); st.Damaged == 0 || st.Messages == 0 || st.Messages >= 45 {
		t.Errorf("%+v", st)
	}
	closeSpool(t, s)
}

func TestDamagedSegmentIsNeverRecycled(t *testing.T) {
	fsys := crash.New(1)
	ids, at := filled(t, fsys, 30, 4000)
	first := at[ids[0]]
	flip(t, fsys, segmentOf(first), int64(first.offset))
	s := open(t, options(fsys, newAgent()))
	_, err := s.Flush(Filter{})
	must(t, err)
	settleDown(s)
	must(t, s.Checkpoint())
	untilFreed(s)
	closeSpool(t, s)
	list, err := fsys.ReadDir("/spool/damaged")
	must(t, err)
	for _, d := range list {
		info, err := fsys.Stat("/spool/damaged/" + d.Name())
		must(t, err)
		if info.Size() != 64<<10 {
			t.Errorf("%s has %d bytes", d.Name(), info.Size())
		}
		if _, err := fsys.Stat("/spool/" + d.Name()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still in the log: %v", d.Name(), err)
		}
	}
	if len(list) != 1 {
		t.Errorf("kept for inspection: %v", list)
	}
}

func TestDamagedIndexIsNoLoss(t *testing.T) {
	for _, offset := range []int64{2, headerSize + 1, headerSize + 40} {
		fsys := crash.New(1)
		o := options(fsys, heldAgent())
		o.indexMin = 1
		s := open(t, o)
		want := map[ID][]byte{}
		for i := range 60 {
			id, err := submit(s, text(4000, i), envelope("alice@example.test"))
			must(t, err)
			want[id] = text(4000, i)
		}
		settleDown(s)
		must(t, s.flush())
		var first indexPlace
		for first.seq == 0 {
			s.nudge()
			s.mu.Lock()
			first = s.segments[0].index
			s.mu.Unlock()
		}
		for s.Stats().Segments < 6 { // so that an open record tells of it
			_, err := submit(s, text(4000, 0), envelope("bob@example.test"))
			must(t, err)
		}
		closeSpool(t, s)
		flip(t, fsys, s.segmentPath(first.seq), int64(first.offset)+offset)
		s = open(t, o)
		if n, _ := survivorsOf(t, s, want); n != len(want) {
			t.Errorf("offset %d: %d of %d messages", offset, n, len(want))
		}
		closeSpool(t, s)
	}
}
