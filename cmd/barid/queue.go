package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"barid/internal/config"
)

const queueHelp = `
usage: barid queue [-c FILE] [-o key=value]... [FILTER]... list [-json|-mailq]
       barid queue ... show ID...
       barid queue ... cat ID
       barid queue ... hold|release|delete ID...
       barid queue ... hold|release|delete FILTER...
       barid queue ... flush [FILTER]...

Looks at the queue of the running server and steers it.

  list     the messages that wait, one line per recipient
  show     all that is known about a message, with the attempts so far
  cat      the text of a message
  hold     keep messages without trying to deliver them
  release  let held and failed messages be tried again
  delete   remove messages for good
  flush    try what is deferred now

hold, release and delete need either ids or a filter. Mail that failed for
good is kept in the state failed until it is released or deleted.
`

// queueOptions are the flags of barid queue.
type queueOptions struct {
	*options
	json, mailq, all, quiet bool
	state, match, dest      string
	older                   time.Duration
}

func newQueueOptions(t terminal) *queueOptions {
	q := &queueOptions{options: newOptions(t, "queue", queueHelp)}
	f := q.flags
	f.BoolVar(&q.json, "json", false, "list, show: one JSON object per message")
	f.BoolVar(&q.mailq, "mailq", false, "list: as mailq of Postfix prints it")
	f.BoolVar(&q.all, "all", false, "filter: every message")
	f.BoolVar(&q.quiet, "quiet", false, "say nothing on success")
	f.StringVar(&q.state, "state", "", "filter: a recipient is in `STATE` (ready, running, deferred, delivered, held, failed)")
	f.StringVar(&q.match, "address", "", "filter: `TEXT` is part of the sender's or a recipient's address")
	f.StringVar(&q.dest, "dest", "", "filter: the destination begins with `TEXT`, such as local:alice")
	f.DurationVar(&q.older, "older", 0, "filter: arrived at least `DURATION` ago, such as 90m")
	return q
}

// queue is the subcommand.
func queue(t terminal, args []string) int {
	q := newQueueOptions(t)
	verb, args := splitVerb(args)
	if code, done := q.parse(t, args); done {
		return code
	}
	r, err := q.request(verb)
	if err != nil {
		return t.fail(err, exitUsage)
	}
	cfg, err := q.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if err := q.run(t, cfg, r); err != nil {
		return t.fail(err, exitFailure)
	}
	return exitOK
}

var queueVerbs = []string{"list", "show", "cat", "hold", "release", "delete", "flush"}

// splitVerb takes the verb out of the arguments, so that flags may stand on
// both sides of it.
func splitVerb(args []string) (verb string, rest []string) {
	i := slices.IndexFunc(args, func(a string) bool { return slices.Contains(queueVerbs, a) })
	if i < 0 {
		return "", args
	}
	return args[i], slices.Concat(args[:i], args[i+1:])
}

func (q *queueOptions) request(verb string) (*request, error) {
	r := &request{Verb: verb, IDs: q.flags.Args(), State: q.state, Match: q.match, Dest: q.dest, OlderSeconds: int64(q.older / time.Second)}
	filtered := q.all || q.state != "" || q.match != "" || q.dest != "" || q.older != 0
	switch {
	case verb == "":
		return nil, errors.New("queue: say list, show, cat, hold, release, delete or flush; 'barid queue -h' explains")
	case (verb == "list" || verb == "flush") && len(r.IDs) > 0:
		return nil, fmt.Errorf("queue %s: it takes filters, not ids", verb)
	case (verb == "show" || verb == "cat") && len(r.IDs) == 0:
		return nil, fmt.Errorf("queue %s: which message? 'barid queue list' shows the ids", verb)
	case verb != "list" && verb != "flush" && len(r.IDs) == 0 && !filtered:
		return nil, fmt.Errorf("queue %s: which messages? name ids, or a filter, or -all", verb)
	case len(r.IDs) > 0 && filtered:
		return nil, fmt.Errorf("queue %s: either ids or a filter", verb)
	}
	return r, nil
}

// run sends a request to the server and prints the answer as it comes.
func (q *queueOptions) run(t terminal, cfg *config.Config, r *request) error {
	conn, err := net.Dial("unix", cfg.Socket.Control)
	if err != nil {
		return exitWith(exitUnavailable, "the server does not answer (%w): is it running, with this configuration?", err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return err
	}
	out := bufio.NewWriter(t.out)
	defer out.Flush()
	in := json.NewDecoder(conn)
	show := q.printer(r.Verb)
	for {
		var a answer
		if err := in.Decode(&a); err != nil {
			return fmt.Errorf("the server's answer breaks off: %w", err)
		}
		switch {
		case a.Done && a.Error != "":
			return errors.New(a.Error)
		case a.Done:
			q.conclude(out, show, r.Verb, a.Count)
			return nil
		case a.Message != nil:
			show.print(out, a.Message)
		default:
			if err := raw(out, a.Body); err != nil {
				return err
			}
		}
	}
}

func (q *queueOptions) printer(verb string) printer {
	switch {
	case q.json:
		return lines{}
	case q.mailq:
		return new(mailq)
	case verb == "show":
		return details{}
	}
	return new(table)
}

func (q *queueOptions) conclude(out *bufio.Writer, show printer, verb string, count int) {
	switch verb {
	case "list", "show":
		show.end(out, count)
	case "cat":
	default:
		if !q.quiet {
			fmt.Fprintf(out, "%s: %d messages\n", verb, count)
		}
	}
}
