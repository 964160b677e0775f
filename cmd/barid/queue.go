package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"barid/internal/config"
)

const queueHelp = `
usage: barid queue [FLAG]... list [FILTER]... [-json|-mailq]
       barid queue [FLAG]... show ID... [-json]
       barid queue [FLAG]... cat ID
       barid queue [FLAG]... summary [-by WHAT] [FILTER]... [-json]
       barid queue [FLAG]... destinations [-dest DESTINATION] [-json]
       barid queue [FLAG]... hold|release|requeue|delete ID...|FILTER...
       barid queue [FLAG]... flush [ID...|FILTER...]

Looks at the queue and steers it: that of the running server, or, for root and
the server's user, the one on the disk when no server runs.

  list          the messages that wait, one line per recipient
  show          all that is known about a message, with the attempts so far
  cat           the text of a message
  summary       what waits for whom, by age
  destinations  what waits for whom, and how it goes there
  hold          keep from being delivered
  release       try held, failed and deferred mail now, as if it were new
  requeue       find the way anew, by the maps as they are now
  delete        remove for good
  flush         try what is deferred now

hold, release, requeue and delete need ids or a filter; -all is everything. An
ID of - reads ids from the standard input, one a line. Several filters choose
what all of them apply to. Filters choose recipients: of a message to several,
the others stay as they are. delete by a filter asks first, or needs -yes.

docs/queue.md tells more.

examples:
  barid queue summary
  barid queue list -state failed
  barid queue flush -dest example.org
  barid queue hold -from newsletter@ -newer 2h
  barid queue requeue -to @example.org
  barid queue delete -older 120h -reason 'mailbox full' -yes
  barid queue list -json | jq -r 'select(.sender=="MAILER-DAEMON").queue_id' | barid queue delete -

The JSON is one object per line. Those of messages have queue_name, queue_id,
arrival_time, message_size, sender and recipients (address, orig_address,
delay_reason) as postqueue -j of Postfix has them.

exit codes: 0 done, 1 failed for some or all, 2 wrong use, 69 there is neither a
server nor a spool, 75 try again, 77 not permitted
`

// queueOptions are the flags of barid queue.
type queueOptions struct {
	*options
	json, mailq, all, quiet, yes bool
	state, address, from, to     string
	dest, reason, by             string
	older, newer                 time.Duration
	rows                         int
}

func newQueueOptions() *queueOptions {
	q := &queueOptions{options: newOptions("queue", queueHelp)}
	q.BoolVar(&q.json, "json", false, "list, show, summary, destinations: one JSON object per line")
	q.BoolVar(&q.mailq, "mailq", false, "list: as mailq of Postfix prints it")
	q.BoolVar(&q.all, "all", false, "filter: every message")
	q.BoolVar(&q.quiet, "quiet", false, "say nothing on success")
	q.BoolVar(&q.yes, "yes", false, "delete: do not ask")
	q.StringVar(&q.state, "state", "", "filter: in `STATE`: ready, running, deferred, delivered, held or failed")
	q.StringVar(&q.from, "from", "", "filter: `TEXT` is part of the sender's address; <> is the null sender")
	q.StringVar(&q.to, "to", "", "filter: `TEXT` is part of the recipient's address")
	q.StringVar(&q.address, "address", "", "filter: `TEXT` is part of either")
	q.StringVar(&q.dest, "dest", "", "filter: it goes to `DESTINATION`, such as example.org, smtp:[mx.example.net]:587 or local:alice")
	q.StringVar(&q.reason, "reason", "", "filter: `TEXT` is part of the last outcome, such as 4.2.2 or 'timed out'")
	q.DurationVar(&q.older, "older", 0, "filter: arrived at least `DURATION` ago, such as 90m")
	q.DurationVar(&q.newer, "newer", 0, "filter: arrived at most `DURATION` ago")
	q.StringVar(&q.by, "by", "", "summary: by `WHAT`: destination (the default), domain, sender or reason")
	q.IntVar(&q.rows, "rows", 20, "summary: print `NUMBER` rows; 0 is all")
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
	cfg, err := q.load()
	if err != nil {
		return t.fail(err, exitFailure)
	}
	if r.Verb == "delete" && len(r.IDs) == 0 && !q.yes {
		if err := confirm(t, cfg, r); err != nil {
			return t.fail(err, exitUsage)
		}
	}
	return q.run(t, cfg, r)
}

// request turns the command line into a request.
func (q *queueOptions) request(in io.Reader) (*request, error) {
	if len(q.operands) == 0 {
		return nil, fmt.Errorf("queue: say %s; 'barid queue -h' explains", strings.Join(verbNames(), ", "))
	}
	r := &request{
		Verb: q.operands[0], IDs: q.operands[1:],
		State: q.state, From: q.from, To: q.to, Address: q.address, Dest: q.dest, Reason: q.reason, By: q.by,
		OlderSeconds: int64(q.older / time.Second), NewerSeconds: int64(q.newer / time.Second),
	}
	if findVerb(r.Verb) == nil {
		return nil, fmt.Errorf("queue: there is no command %q%s; 'barid queue -h' explains", r.Verb, didYouMean(r.Verb, verbNames()))
	}
	if err := q.check(r); err != nil {
		return nil, err
	}
	if slices.Equal(r.IDs, []string{"-"}) {
		return r, r.readIDs(in)
	}
	return r, nil
}

func verbNames() (names []string) {
	for _, v := range verbs() {
		names = append(names, v.name)
	}
	return names
}

// check refuses what is most likely not meant.
func (q *queueOptions) check(r *request) error {
	if _, err := parseState(r.State); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if _, err := findAgeKey(r.By); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	v := findVerb(r.Verb)
	filtered := q.all || q.older != 0 || q.newer != 0 || q.state+q.address+q.from+q.to+q.dest+q.reason != ""
	switch named := len(r.IDs) > 0; {
	case named && (v.one == nil || v.name == "list"):
		return fmt.Errorf("queue %s: it takes filters, not ids; 'barid queue show' takes ids", r.Verb)
	case (v.name == "show" || v.name == "cat") && !named:
		return fmt.Errorf("queue %s: which message? 'barid queue list' shows the ids", r.Verb)
	case v.all == nil && !named && !filtered:
		return fmt.Errorf("queue %s: which messages? name ids, or a filter, or -all", r.Verb)
	case v.name == "destinations" && (q.all || q.older != 0 || q.newer != 0 || q.state+q.address+q.from+q.to+q.reason != ""):
		return errors.New("queue destinations: the only filter is -dest; 'barid queue summary' takes others")
	case named && filtered:
		return fmt.Errorf("queue %s: either ids or a filter", r.Verb)
	case q.older < 0 || q.newer < 0:
		return errors.New("queue: -older and -newer want a time that has passed")
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

// confirm asks whether all that a filter chooses shall be deleted.
func confirm(t terminal, cfg *config.Config, r *request) error {
	if _, err := openConsole(t.in); err != nil {
		return errors.New("queue delete: by a filter it needs -yes; 'barid queue list' with the same filter shows what would go")
	}
	look, recipients := *r, 0
	look.Verb = "list"
	last, err := ask(cfg, &look, func(a *answer) error {
		if a.Message != nil {
			recipients += max(len(a.Message.Recipients), 1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if last.Count == 0 {
		return exitWith(exitOK, "queue delete: no message is like that, nothing to do")
	}
	fmt.Fprintf(t.err, "delete %s (%s) for good? [y/N] ", counted(last.Count, "message"), counted(recipients, "recipient"))
	word, _ := bufio.NewReader(t.in).ReadString('\n')
	if word = strings.ToLower(strings.TrimSpace(word)); word != "y" && word != "yes" {
		return exitWith(exitFailure, "queue delete: nothing was deleted")
	}
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// run has the request done and prints the answer as it comes.
func (q *queueOptions) run(t terminal, cfg *config.Config, r *request) int {
	out := bufio.NewWriter(t.out)
	p := &answerPrinter{t: t, out: out, verb: r.Verb, show: q.printer(r.Verb)}
	last, err := ask(cfg, r, p.print)
	if err == nil {
		_, err = out.Write(q.conclude(p.show, r.Verb, last.Count))
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return t.fail(err, exitFailure)
	}
	return p.code
}

func (q *queueOptions) printer(verb string) printer {
	switch {
	case q.json:
		return lines{}
	case q.mailq:
		return new(mailq)
	case verb == "show", verb == "cat":
		return details{}
	case verb == "summary":
		return &ages{limit: q.rows}
	case verb == "destinations":
		return new(destinationTable)
	}
	return new(table)
}

// conclude is what stands at the end of an answer.
func (q *queueOptions) conclude(show printer, verb string, count int) []byte {
	switch {
	case !findVerb(verb).changes:
		return show.end(nil, count)
	case q.quiet:
		return nil
	}
	return fmt.Appendf(nil, "%s: %s\n", verb, counted(count, "message"))
}

// answerPrinter prints the lines of an answer.
type answerPrinter struct {
	t    terminal
	out  *bufio.Writer
	verb string
	show printer
	code int
}

func (p *answerPrinter) print(a *answer) error {
	switch {
	case a.Failed != "":
		p.t.complain("%s", a.Failed)
		p.code = exitFailure
		return nil
	case a.Progress > 0:
		p.t.progress("%s: %s so far", p.verb, counted(a.Progress, "message"))
		return nil
	}
	_, err := p.out.Write(append(p.show.line(nil, a), a.Body...))
	return err
}

// progress tells people at a terminal that there is some. The next line takes
// its place.
func (t terminal) progress(format string, args ...any) {
	if f, ok := t.err.(io.Reader); ok { // a file
		if _, err := openConsole(f); err == nil {
			fmt.Fprintf(t.err, format+" ...\r", args...)
		}
	}
}
