package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"barid/internal/vfs"
)

// Errors of Begin and Commit. Which reply they ask for is SMTP's business;
// these are the classes (RFC 3463).
var (
	// ErrFull: there is no room for the message now; 452 4.3.1.
	ErrFull = errors.New("spool: no room for messages")
	// ErrFailed: the message could not be made durable; 451 4.3.0. The spool
	// repairs itself in the background.
	ErrFailed = errors.New("spool: cannot make messages durable")
	// ErrClosed: the spool is closed or about to be; 421 4.3.2.
	ErrClosed = errors.New("spool: closed")
	// ErrDamaged: what was read is not what was written.
	ErrDamaged = errors.New("spool: damaged on disk")
	// ErrUnknown: there is no such message, or no such recipient of it.
	ErrUnknown = errors.New("spool: no such message")
	// ErrLayout is returned by Open: another version of the program has
	// written what is there. Nothing was changed.
	ErrLayout = errors.New("spool: written by another version, in another layout")
)

// Options say how a spool shall be. FS, Dir and at least one agent are needed;
// a zero value of the others means what stands beside it.
type Options struct {
	FS  vfs.FS
	Dir string // is made when missing
	// SegmentSize is the size of the files of the log in bytes; 16 MiB. At
	// least 64 KiB, at most 1 GiB. An envelope can take half of it.
	SegmentSize int64
	// SpillSize is how long a body may be to go into the log, in bytes;
	// 128 KiB. At most an eighth of SegmentSize.
	SpillSize int64
	// ReserveBytes is the free space below which no message is taken; 64 MiB.
	ReserveBytes int64
	Schedule     Schedule         // DefaultSchedule
	Agents       map[string]Agent // by the part of Dest before the first ':'; at most 16
	// Workers is how many deliveries run at a time for each agent; 8.
	// Negative: nothing is delivered and nothing expires, for tools that look
	// into the spool while the server is down. Then agents may be nil; their
	// names are what Commit takes.
	Workers int
	// Limits take the place of Workers for the agents that they name.
	Limits map[string]Limits
	// Destination says what is special about one destination key; nil:
	// nothing. It is called when the destination becomes known, while the
	// spool is locked: it must not call the spool, nor wait.
	Destination func(dest []byte) DestinationLimits
	// Reporter writes reports on failures, delays and successes. Without it
	// failed recipients are kept in the queue.
	Reporter Reporter
	// WarnAfter is the age at which a message that is still tried is
	// reported as late, once; 0: never.
	WarnAfter time.Duration
	// Observe is told of single events; nil: nobody is.
	Observe *Observer
	// CheckpointInterval is how long delivered messages wait under load until
	// they are synced together; 1 s. When idle it is a tenth of a second.
	CheckpointInterval time.Duration
	Now                func() time.Time // time.Now
	Log                *slog.Logger     // slog.Default

	indexMin       int           // for tests
	workerPatience time.Duration // for tests
}

// Limits are how much an agent does at a time; 0 means what stands beside it.
type Limits struct {
	Workers int // deliveries at a time; 8
	// Concurrency is how many deliveries to one destination may run at a
	// time, at most; Workers. How many do depends on the Health that jobs
	// report.
	Concurrency int
	// Recipients is how many recipients of a message go into one job; all.
	Recipients int
	// Adaptive makes the number of deliveries to a destination start low, rise
	// with success, and rest where nobody answers.
	Adaptive bool
	// Prompt has a delivery noted on the disk at once, and not at the next
	// checkpoint: for agents that would deliver a second time after a crash,
	// because they cannot see that they did.
	Prompt bool
}

// DestinationLimits are what is special about a destination; 0: nothing.
type DestinationLimits struct {
	Concurrency int           // takes the place of Limits.Concurrency
	Interval    time.Duration // between the beginnings of two deliveries, at least
}

// Spool is the durable queue. All methods may be called concurrently.
type Spool struct {
	fs                 vfs.FS
	dir                string
	segmentSize        int64
	spillSize          int64
	reserveBytes       int64
	checkpointInterval time.Duration
	retry              Schedule
	now                func() time.Time
	log                *slog.Logger
	observe            Observer
	lock               io.Closer

	commits commitLog
	writers sync.Pool // of *Writer
	tickets sync.Pool // of *record
	lastID  atomic.Uint64
	space   space
	stats   counters

	mu             sync.Mutex
	workerPatience time.Duration
	idle           bool // nothing is delivered
	reporter       Reporter
	warnAfter      time.Duration
	reports        reports
	messages       map[ID]*message
	ages           ages
	free           freeList[message]
	due            dueHeap
	destinations   destinationTable
	flows          map[flowKey]*flow
	freeFlows      freeList[flow]
	freeTasks      freeList[task]
	generation     uint64        // calls of schedule
	agents         []*agentQueue // sorted by name; does not change
	nobody         agentQueue    // of destinations that no agent serves
	segments       []*segment    // the log, oldest first; the last is the active one
	spares         []*spare
	spareFailed    time.Time
	sequence       uint64 // the last segment number given out
	indexMin       int    // messages in the queue from which on indexes are made
	base           uint64 // no segment number of the log is below
	outbox         outbox
	garbage        []ID       // bodies to be removed
	orphans        []ID       // messages refused by the log, whose bodies stay until it is in order
	unclaimed      *sync.Cond // a message is no longer claimed

	idleLog *sync.Cond // of commits.mu: nobody leads

	deliveries       context.Context // ends when Close cannot wait any longer
	cancelDeliveries context.CancelFunc
	workers          sync.WaitGroup
	background       sync.WaitGroup
	closing          chan struct{}
	dueChanged       chan struct{}
	flushSoon        chan struct{}
	keeperWork       chan struct{}
}

// Open opens the spool in o.Dir, reads what an earlier run left there, and
// begins to deliver it. vfs.ErrLocked if another process has the spool open.
func Open(o Options) (*Spool, error) {
	s, err := newSpool(&o)
	if err != nil {
		return nil, err
	}
	if err := s.prepareDir(); err != nil {
		return nil, err
	}
	if s.lock, err = s.fs.Lock(s.path("lock")); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		s.closeFiles()
		return nil, fmt.Errorf("spool: %w", err)
	}
	s.start()
	return s, nil
}

func newSpool(o *Options) (*Spool, error) {
	s := &Spool{
		fs: o.FS, dir: o.Dir, retry: o.Schedule, now: o.Now, log: o.Log,
		segmentSize:        orDefault(o.SegmentSize, 16<<20),
		spillSize:          orDefault(o.SpillSize, 128<<10),
		reserveBytes:       orDefault(o.ReserveBytes, 64<<20),
		checkpointInterval: orDefault(o.CheckpointInterval, time.Second),
		messages:           map[ID]*message{},
		flows:              map[flowKey]*flow{},
		destinations:       destinationTable{byKey: map[string]*destination{}, limits: o.Destination},
		idle:               o.Workers < 0,
		reports:            reports{work: make(chan struct{}, 1)},
		warnAfter:          o.WarnAfter,
		indexMin:           orDefault(o.indexMin, indexMin),
		workerPatience:     orDefault(o.workerPatience, workerPatience),
		closing:            make(chan struct{}),
		dueChanged:         make(chan struct{}, 1),
		flushSoon:          make(chan struct{}, 1),
		keeperWork:         make(chan struct{}, 1),
	}
	if !s.idle {
		s.reporter = o.Reporter
	}
	if o.Observe != nil {
		s.observe = *o.Observe
	}
	s.commits.spool = s
	s.idleLog = sync.NewCond(&s.commits.mu)
	s.unclaimed = sync.NewCond(&s.mu)
	s.deliveries, s.cancelDeliveries = context.WithCancel(context.Background())
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if len(s.retry.Pauses) == 0 {
		s.retry.Pauses = DefaultSchedule().Pauses
	}
	s.retry.Lifetime = orDefault(s.retry.Lifetime, DefaultSchedule().Lifetime)
	s.segmentSize = min(max(padded(s.segmentSize), 64<<10), 1<<30)
	s.spillSize = min(s.spillSize, s.segmentSize/8)
	return s, s.addAgents(o)
}

func orDefault[T int | int64 | time.Duration](v, byDefault T) T {
	if v <= 0 {
		return byDefault
	}
	return v
}

func (s *Spool) addAgents(o *Options) error {
	if len(o.Agents) == 0 || len(o.Agents) > 16 {
		return errors.New("spool: between 1 and 16 agents are needed")
	}
	for name, agent := range o.Agents {
		q := &agentQueue{name: name, agent: agent, limits: o.limitsOf(name), checkpoint: make(chan struct{}, 1)}
		s.agents = append(s.agents, q)
	}
	slices.SortFunc(s.agents, func(a, b *agentQueue) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return nil
}

// limitsOf are the limits of an agent with the defaults filled in.
func (o *Options) limitsOf(agent string) Limits {
	if o.Workers < 0 {
		return Limits{}
	}
	l := o.Limits[agent]
	l.Workers = orDefault(l.Workers, orDefault(o.Workers, 8))
	l.Concurrency = orDefault(l.Concurrency, l.Workers)
	return l
}

func (s *Spool) start() {
	for _, q := range s.agents {
		s.background.Add(1)
		if q.limits.Prompt {
			go s.runNotes(q)
		} else {
			go s.runCheckpoints(q)
		}
	}
	s.background.Add(3)
	go s.runClock()
	go s.runFlushes()
	go s.runKeeper()
	if !s.idle {
		s.background.Add(2)
		go s.runReports()
		go s.runSweeps()
	}
}

// Close ends the spool in order: no message is taken any more, running
// deliveries end, what was delivered is made durable and noted. When ctx ends
// before that, the context of running deliveries ends too; Close still waits for
// them. The error says that some deliveries may be repeated at the next start.
func (s *Spool) Close(ctx context.Context) error {
	if !s.commits.stopMessages() {
		return ErrClosed
	}
	stop := context.AfterFunc(ctx, s.cancelDeliveries)
	defer stop()
	s.mu.Lock()
	for _, q := range s.agents {
		q.closed = true
		for _, w := range q.idle {
			w.awake <- struct{}{}
		}
		q.idle = nil
	}
	s.mu.Unlock()
	s.workers.Wait()
	s.cancelDeliveries()
	err := s.Checkpoint()
	close(s.closing)
	s.background.Wait()
	s.removeGarbage()
	return errors.Join(err, s.commits.close(), s.closeFiles())
}

// stopMessages refuses messages from now on; false if that was done before.
func (l *commitLog) stopMessages() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.closing
	l.closing = true
	return !before
}

// close writes the close record, behind everything that was queued.
func (l *commitLog) close() error {
	r := &record{kind: typeClose, head: make([]byte, headerSize), wake: make(chan bool, 1)}
	r.seal()
	err := l.commit(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = ErrClosed
	for l.leading {
		l.spool.idleLog.Wait()
	}
	return err
}

func (s *Spool) closeFiles() error {
	var errs []error
	for _, seg := range s.segments {
		errs = append(errs, seg.file.Close())
	}
	for _, sp := range s.spares {
		errs = append(errs, sp.file.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
