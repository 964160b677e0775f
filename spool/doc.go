// Package spool is the durable queue: what it has accepted is on stable storage
// and is delivered, or waits where an operator sees it; nothing is lost.
//
// A message comes in through a Writer. Commit returns when it is durable, and
// shares its sync with everybody who commits at the same time (commit.go). From
// then on the spool decides when the message is tried: each destination has its
// own queue, where senders take turns (flow.go), and rests when nobody answers
// there (window.go). How it is tried, is up to an Agent that is chosen by the
// destination key of each recipient (worker.go). What an
// agent reports as delivered is forgotten only after a checkpoint: the agent has
// made many deliveries durable at once, and the log says so (checkpoint.go). The rest
// waits in memory, in about 180 bytes per message, and is tried again by the Schedule.
// What failed for good, and what is late, is told to its sender by messages that
// a Reporter writes (report.go).
//
// On disk there is a log of segments and nothing else but large bodies;
// docs/spool.md draws it, lists the states of a recipient by number, what recovery
// makes of each (recover.go), and the one window in which a message can be
// delivered twice. A log and not a file per message, because creating a file
// costs more than writing a message, and a sync for each would cost more than
// all the rest. Not a database, because the queue is written once, read once,
// and thrown away.
//
// Invariants:
//   - Commit returns nil only after a sync that covered the whole record.
//   - After a write or sync that failed nothing more is written to that segment.
//   - Segments are freed oldest first, and only without live messages; so what
//     ends a message never disappears before what began it.
//   - Memory never runs ahead of the disk where that could lose mail: a recipient
//     is final (StateDone, StateDeleted) for good only when its entry is durable.
package spool
