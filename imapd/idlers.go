package imapd

import (
	"sync"
	"time"
)

// lookEvery is how often sessions in IDLE look for changes by themselves. Most
// changes are told at once by the store; those of other programs only where the
// kernel has room for another watch (inotify(7)), and a look costs nothing where
// it has.
const lookEvery = 20 * time.Second

// idlers are the mailboxes that sessions in IDLE wait for. There is a timer
// while there are any.
type idlers struct {
	every time.Duration

	mu    sync.Mutex
	boxes map[*selected]struct{}
	timer *time.Timer // nil: none is due
}

// enter adds a mailbox.
func (i *idlers) enter(b *selected) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.boxes == nil {
		i.boxes = make(map[*selected]struct{})
	}
	i.boxes[b] = struct{}{}
	i.arm()
}

// leave removes it.
func (i *idlers) leave(b *selected) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.boxes, b)
}

// arm sets the timer if it is needed. mu is held.
func (i *idlers) arm() {
	if i.timer == nil && len(i.boxes) > 0 {
		i.timer = time.AfterFunc(i.every, i.look)
	}
}

// look wakes all.
func (i *idlers) look() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for b := range i.boxes {
		b.waker.Wake()
	}
	i.timer = nil
	i.arm()
}
