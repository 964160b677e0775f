package smtpd

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"barid/spool"
)

// letter is a message as it left the spool.
type letter struct {
	id              spool.ID
	from, envid     string
	account, client string
	ret             spool.Ret
	kind            spool.Body
	utf8            bool
	to              []addressee
	text            string
}

type addressee struct {
	address, original, orcpt, dest string
	notify                         spool.Notify
}

// postman is the agent of the spool: he keeps the letters.
type postman struct {
	accepted func() int // how many letters the spool has taken
	refuse   bool       // he leaves them in the spool

	mu      sync.Mutex
	changed *sync.Cond
	begun   map[spool.ID]int // recipients of letters that are not complete
	letters []letter
	damaged error
}

func newPostman() *postman {
	p := &postman{begun: map[spool.ID]int{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *postman) Deliver(_ context.Context, job *spool.Job) {
	if p.refuse {
		for i := range job.Recipients {
			job.Recipients[i].Outcome = spool.Outcome{Kind: spool.Deferred, RetryAfter: time.Hour}
		}
		return
	}
	body, err := job.ReadAll(nil)
	e := &job.Envelope
	l := letter{
		id: job.ID, from: string(e.ReturnPath), envid: string(e.EnvID), account: string(e.Account), client: string(e.Client),
		ret: e.Ret, kind: e.Body, utf8: e.SMTPUTF8, text: string(body),
	}
	for _, r := range e.Recipients {
		l.to = append(l.to, addressee{string(r.Address), string(r.Original), string(r.ORcpt), string(r.Dest), r.Notify})
	}
	for i := range job.Recipients {
		job.Recipients[i].Outcome = spool.Outcome{Kind: spool.Delivered}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun[job.ID] += len(job.Recipients); p.begun[job.ID] == len(e.Recipients) {
		delete(p.begun, job.ID)
		p.letters = append(p.letters, l)
	}
	if err != nil {
		p.damaged = err
	}
	p.changed.Broadcast()
}

func (p *postman) Sync() error { return nil }

// all gives the letters, in the order in which they were accepted, once he
// has all that the spool has taken.
func (p *postman) all() []letter {
	n := p.accepted()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.letters) < n {
		p.changed.Wait()
	}
	letters := slices.Clone(p.letters)
	slices.SortFunc(letters, func(a, b letter) int { return int(int64(a.id) - int64(b.id)) })
	return letters
}

// boxOf gives the letters for an account.
func (p *postman) boxOf(account string) (box []letter) {
	for _, l := range p.all() {
		if slices.ContainsFunc(l.to, func(to addressee) bool { return to.dest == "local:"+account }) {
			box = append(box, l)
		}
	}
	return box
}

// only gives the one letter that there is.
func (h *house) only() letter {
	h.t.Helper()
	letters := h.post.all()
	if len(letters) != 1 {
		h.t.Fatalf("%d messages came through, not one", len(letters))
	}
	return letters[0]
}

// received gives the field that the door has put in front, unfolded, and the
// text as it was sent.
func (l letter) received() (field, text string) {
	end := 0
	for {
		n := strings.IndexByte(l.text[end:], '\n') + 1
		end += n
		if n == 0 || end == len(l.text) || l.text[end] != '\t' {
			break
		}
	}
	field = strings.ReplaceAll(strings.TrimSuffix(l.text[:end], "\n"), "\n\t", " ")
	return field, l.text[end:]
}

// wantNothingLeft fails when the spool has a file for a message that was not
// accepted, or a session kept a writer. No session may be open.
func (h *house) wantNothingLeft() {
	h.t.Helper()
	h.post.all()
	must(h.t, h.spool.Checkpoint())
	must(h.t, h.spool.Close(context.Background()))
	if h.disk != nil {
		entries, err := h.disk.ReadDir("/spool/spill")
		must(h.t, err)
		for _, e := range entries {
			h.t.Errorf("left behind: spill/%s", e.Name())
		}
	}
	for i, g := range h.guests.all {
		if g.state.taken || g.state.lent {
			h.t.Errorf("session %d was closed as %+v", i, g.state)
		}
	}
	if err := h.post.damaged; err != nil {
		h.t.Error(err)
	}
}
