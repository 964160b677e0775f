package spool

import (
	"fmt"
	"time"
)

// The keeper is the one goroutine that looks after the files of the spool: it
// reopens the log after a failure, frees and recycles segments, keeps spares,
// removes bodies, and moves messages that hold up an old segment.

const (
	reopenPauseMin = 50 * time.Millisecond
	reopenPauseMax = 5 * time.Second
	sparesMin      = 1 // made when missing
	sparesMax      = 2 // kept of freed segments
	sparePause     = 10 * time.Second
)

// nudge tells the keeper that there may be something to do.
func (s *Spool) nudge() { wake(s.keeperWork) }

func (s *Spool) runKeeper() {
	defer s.background.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause, work := reopenPauseMin, s.keeperWork
	for {
		select {
		case <-s.closing:
			return
		case <-work:
		case <-timer.C:
		}
		if err := s.keep(); err != nil {
			s.log.Error("spool: housekeeping failed, will be repeated", "after", pause, "err", err)
			timer.Reset(pause)
			pause = min(2*pause, reopenPauseMax)
			work = nil // not before the pause is over
		} else {
			pause, work = reopenPauseMin, s.keeperWork
		}
	}
}

func (s *Spool) keep() error {
	if err := s.commits.reopen(); err != nil {
		return err
	}
	s.dropOrphans()
	s.removeGarbage()
	if err := s.freeSegments(); err != nil {
		return err
	}
	s.keepSpare()
	if err := s.indexSegments(); err != nil {
		return err
	}
	return s.moveLeftovers()
}

// reopen begins a new segment after a failure, and with it takes messages
// again.
func (l *commitLog) reopen() error {
	l.mu.Lock()
	needed := (l.refuse == ErrFailed || l.refuse == ErrFull) && !l.leading
	l.mu.Unlock()
	if !needed {
		return nil
	}
	if err := l.begin(nil); err != nil {
		return err
	}
	l.mu.Lock()
	if !l.closing {
		l.refuse = nil
	}
	l.mu.Unlock()
	l.spool.log.Info("spool: reopened", "segment", l.active.seq)
	wake(l.spool.flushSoon)
	return nil
}

// begin makes a new active segment and writes its open record, which says
// where all older ones end. The given records stand behind it and become durable
// before it: as long as it is not there, what it says about older segments does
// not hold either.
func (l *commitLog) begin(more []*record) error {
	before := l.active
	seg, err := l.spool.newSegment()
	if err != nil {
		return err
	}
	l.install(seg)
	if err = l.writeFirst(more); err == nil {
		return nil
	}
	l.active = before
	s := l.spool
	s.mu.Lock()
	s.segments = s.segments[:len(s.segments)-1]
	s.mu.Unlock()
	s.discard(seg.file, s.segmentPath(seg.seq))
	return err
}

func (l *commitLog) writeFirst(more []*record) error {
	l.buffers = l.buffers[:0]
	open := l.addOpen()
	if len(more) == 0 {
		return l.flush(open, nil)
	}
	l.buffers = l.buffers[:0]
	end := open
	for _, r := range more {
		r.segment, r.offset = l.active, end
		end += l.add(r)
	}
	if _, err := l.active.file.WriteVAt(l.buffers, open); err != nil {
		return err
	}
	if err := l.active.file.Sync(); err != nil {
		return err
	}
	l.buffers = append(l.buffers[:0], l.open)
	return l.flush(end, nil)
}

// orphan keeps the body of a message that the log refused. Its record may be
// on the disk all the same, until the log has been reopened and says that it
// does not count; found by a start before that, it must not lack its body.
func (s *Spool) orphan(w *Writer) {
	if w.spill == nil {
		return
	}
	s.mu.Lock()
	s.orphans = append(s.orphans, w.id)
	s.mu.Unlock()
	s.nudge()
}

// dropOrphans makes garbage of the orphans once the log is in order.
func (s *Spool) dropOrphans() {
	s.mu.Lock()
	orphans := s.orphans
	s.orphans = nil
	s.mu.Unlock()
	inOrder := s.commits.inOrder()
	s.mu.Lock()
	defer s.mu.Unlock()
	if inOrder {
		s.garbage = append(s.garbage, orphans...)
	} else {
		s.orphans = append(s.orphans, orphans...)
	}
}

// inOrder reports whether the log takes records. A batch that was refused
// before this is called lies behind an end that is durable.
func (l *commitLog) inOrder() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refuse == nil
}

// removeGarbage removes the bodies of messages that are gone.
func (s *Spool) removeGarbage() {
	s.mu.Lock()
	ids := s.garbage
	s.garbage = nil
	s.mu.Unlock()
	for _, id := range ids {
		s.removeSpill(id)
	}
}

// freeSegments frees the oldest segments as long as they hold nothing alive.
// The directory is synced after each: should the names come and go in another
// order, a message could come back without the entry that ended it.
func (s *Spool) freeSegments() error {
	for {
		s.mu.Lock()
		seg := s.segments[0]
		dead := len(s.segments) > 1 && seg.live == 0 && seg.pins == 0
		recycle := dead && !seg.suspect && len(s.spares) < sparesMax
		s.mu.Unlock()
		if !dead {
			return nil
		}
		if err := s.freeOldest(seg, recycle); err != nil {
			return err
		}
	}
}

func (s *Spool) freeOldest(seg *segment, recycle bool) error {
	name := s.segmentPath(seg.seq)
	if size, err := seg.file.Size(); err != nil || size != s.segmentSize {
		recycle = false
	}
	sp := &spare{name: s.path(fmt.Sprintf("%s%016x", sparePrefix, seg.seq)), file: seg.file}
	if !seg.gone {
		if err := s.unname(name, sp.name, recycle); err != nil {
			return err
		}
		seg.gone, seg.recycled = true, recycle
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return err
	}
	s.mu.Lock()
	s.segments = append(s.segments[:0], s.segments[1:]...)
	if seg.recycled {
		s.spares = append(s.spares, sp)
	}
	s.mu.Unlock()
	if seg.recycled {
		return nil
	}
	return seg.file.Close()
}

func (s *Spool) unname(name, spareName string, recycle bool) error {
	if recycle {
		return s.fs.Rename(name, spareName)
	}
	return s.fs.Remove(name)
}

// keepSpare makes a spare when there is none. It is filled with zeros, since
// writing into blocks that were written before needs no journal commit at the
// sync. Without a spare the spool works too, so failing is no error.
func (s *Spool) keepSpare() {
	s.mu.Lock()
	missing := len(s.spares) < sparesMin && s.now().Sub(s.spareFailed) >= sparePause
	s.mu.Unlock()
	if !missing {
		return
	}
	bytes, _, err := s.fs.Free(s.dir)
	if err == nil && bytes < s.reserveBytes+s.segmentSize {
		err = ErrFull
	}
	if err == nil {
		err = s.makeSpare()
	}
	if err != nil {
		s.mu.Lock()
		s.spareFailed = s.now()
		s.mu.Unlock()
		s.log.Warn("spool: no spare segment", "err", err)
	}
}

func (s *Spool) makeSpare() error {
	seq := s.takeSequence()
	raw, name := s.path(fmt.Sprintf("%s%016x", rawPrefix, seq)), s.path(fmt.Sprintf("%s%016x", sparePrefix, seq))
	file, err := s.allocated(raw)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(256<<10, s.segmentSize))
	for at := int64(0); at < s.segmentSize && err == nil; at += int64(len(zeros)) {
		_, err = file.WriteAt(zeros[:min(int64(len(zeros)), s.segmentSize-at)], at)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = s.fs.Rename(raw, name)
	}
	if err != nil {
		s.discard(file, raw)
		return err
	}
	s.mu.Lock()
	s.spares = append(s.spares, &spare{name: name, file: file})
	s.mu.Unlock()
	return nil
}
