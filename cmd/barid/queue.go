package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const queueHelp = `
usage: barid queue [FLAG]... list [FILTER]... [-json|-mailq]
       barid queue [FLAG]... show ID... [-json]
       barid queue [FLAG]... cat ID
       barid queue [FLAG]... hold|release|delete ID...|FILTER...
       barid queue [FLAG]... flush [ID...|FILTER...]

Looks at the queue and steers it: that of the running server, or, for root and
the server's user, the one on the disk when no server runs.

  list     the messages that wait, one line per recipient
  show     all that is known about a message, with the attempts so far
  cat      the text of a message
  hold     keep messages without trying to deliver them
  release  try held, failed and deferred messages now, as if they were new
  delete   remove messages for good
  flush    try what is deferred now

hold, release and delete need ids or a filter; -all is all messages. An ID of -
reads ids from the standard input, one a line. Several filters choose what all
of them apply to.

Mail that failed for good stays in the queue, in the state failed, until it is
released or deleted.

examples:
  barid queue list -state failed
  barid queue hold -address @example.org
  barid queue delete -older 120h -state failed
  barid queue list -json | jq -r 'select(.sender=="MAILER-DAEMON").queue_id' | barid queue delete -

The JSON is one object per message and line. queue_name, queue_id, arrival_time,
message_size, sender and recipients (address, orig_address, delay_reason) are as
postqueue -j of Postfix has them.

exit codes: 0 done, 1 failed for some or all, 2 wrong use, 69 there is neither a
server nor a spool, 75 try again, 77 not permitted
`

// queueOptions are the flags of barid queue.
type queueOptions struct {
	*options
	json, mailq, all, quiet bool
	state, address, dest    string
	older                   time.Duration
}

func newQueueOptions() *queueOptions {
	q := &queueOptions{options: newOptions("queue", queueHelp)}
	q.BoolVar(&q.json, "json", false, "list, show: one JSON object per message")
	q.BoolVar(&q.mailq, "mailq", false, "list: as mailq of Postfix prints it")
	q.BoolVar(&q.all, "all", false, "filter: every message")
	q.BoolVar(&q.quiet, "quiet", false, "say nothing on success")
	q.StringVar(&q.state, "state", "", "filter: a recipient is in `STATE`: ready, running, deferred, delivered, held or failed")
	q.StringVar(&q.address, "address", "", "filter: `TEXT` is part of the sender's or a recipient's address")
	q.StringVar(&q.dest, "dest", "", "filter: the destination begins with `TEXT`, such as local:alice")
	q.DurationVar(&q.older, "older", 0, "filter: arrived at least `DURATION` ago, such as 90m")
	return q
}

// queue is the subcommand.
func queue(t terminal, args []string) int {
	q := newQueueOptions()
	if code, done := q.parse(t, args, -1); done {
		return code
	}
	r, err := q.request(t.in)
	if err != nil {
		return t.fail(err, exitUsage)
	}
	return q.run(t, r)
}

// request turns the command line into a request.
func (q *queueOptions) request(in io.Reader) (*request, error) {
	if len(q.operands) == 0 {
		return nil, errors.New("queue: say list, show, cat, hold, release, delete or flush; 'barid queue -h' explains")
	}
	r := &request{
		Verb: q.operands[0], IDs: q.operands[1:],
		State: q.state, Address: q.address, Dest: q.dest, OlderSeconds: int64(q.older / time.Second),
	}
	if findVerb(r.Verb) == nil {
		var names []string
		for _, v := range verbs() {
			names = append(names, v.name)
		}
		return nil, fmt.Errorf("queue: there is no command %q%s; 'barid queue -h' explains", r.Verb, didYouMean(r.Verb, names))
	}
	if r.State != "" {
		if _, err := parseState(r.State); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	if err := q.check(r); err != nil {
		return nil, err
	}
	if slices.Equal(r.IDs, []string{"-"}) {
		return r, r.readIDs(in)
	}
	return r, nil
}

// check refuses what is most likely not meant.
func (q *queueOptions) check(r *request) error {
	filtered := q.all || q.state != "" || q.address != "" || q.dest != "" || q.older != 0
	switch named := len(r.IDs) > 0; {
	case r.Verb == "list" && named:
		return errors.New("queue list: it takes filters, not ids; 'barid queue show' takes ids")
	case (r.Verb == "show" || r.Verb == "cat") && !named:
		return fmt.Errorf("queue %s: which message? 'barid queue list' shows the ids", r.Verb)
	case r.Verb != "list" && r.Verb != "flush" && !named && !filtered:
		return fmt.Errorf("queue %s: which messages? name ids, or a filter, or -all", r.Verb)
	case named && filtered:
		return fmt.Errorf("queue %s: either ids or a filter", r.Verb)
	case q.older < 0:
		return errors.New("queue: -older wants a time that has passed")
	}
	return nil
}

// readIDs takes the first word of each line, without the mark that mailq puts
// behind an id.
func (r *request) readIDs(in io.Reader) error {
	r.IDs = nil
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			if len(r.IDs) == 0 {
				return exitWith(exitOK, "queue %s: no ids on the standard input, nothing to do", r.Verb)
			}
			return lines.Err()
		}
		if words := strings.Fields(lines.Text()); len(words) > 0 {
			r.IDs = append(r.IDs, strings.TrimRight(words[0], "*!"))
		}
	}
}

// run has the request done and prints the answer as it comes.
func (q *queueOptions) run(t terminal, r *request) int {
	cfg, err := q.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	out := bufio.NewWriter(t.out)
	show, code := q.printer(r.Verb), exitOK
	last, err := ask(cfg, r, func(a *answer) error {
		if a.Failed != "" {
			t.complain("%s", a.Failed)
			code = exitFailure
			return nil
		}
		if a.Message == nil {
			_, err := out.Write(a.Body)
			return err
		}
		_, err := out.Write(show.message(nil, a.Message))
		return err
	})
	if err == nil {
		_, err = out.Write(q.conclude(show, r.Verb, last.Count))
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return t.fail(err, exitFailure)
	}
	return code
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

// conclude is what stands at the end of an answer.
func (q *queueOptions) conclude(show printer, verb string, count int) []byte {
	switch {
	case verb == "list" || verb == "show":
		return show.end(nil, count)
	case verb == "cat" || q.quiet:
		return nil
	case count == 1:
		return fmt.Appendf(nil, "%s: 1 message\n", verb)
	}
	return fmt.Appendf(nil, "%s: %d messages\n", verb, count)
}
