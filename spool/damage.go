package spool

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// damage reports that bytes which were good once are bad now, and keeps the
// file for inspection: it gets another name in damaged/, which costs nothing,
// and is not reused.
func (s *Spool) damage(file, what string, offset int64) {
	s.stats.damaged.Add(1)
	kept := filepath.Join(s.dir, damagedDir, filepath.Base(file))
	err := s.fs.MkdirAll(filepath.Dir(kept), 0o700)
	if err == nil {
		err = s.fs.Link(file, kept)
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = s.fs.SyncDir(filepath.Dir(kept))
	}
	s.log.Error("spool: damage on disk", "file", file, "what", what, "offset", offset, "kept_as", kept, "err", err)
}

// damageSegment is damage in a segment, which will then not be recycled.
func (s *Spool) damageSegment(seg *segment, what string, offset int64) {
	s.mu.Lock()
	seg.suspect = true
	s.mu.Unlock()
	s.damage(s.segmentPath(seg.seq), what, offset)
}

// reportBody is damage in the message of a job.
func (s *Spool) reportBody(j *Job) {
	if j.spilled {
		s.damage(j.SpillPath(), "the body of "+j.ID.String(), 0)
		return
	}
	s.damageSegment(j.segment, "the message "+j.ID.String(), j.offset)
}
