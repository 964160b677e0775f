package pop3d

import (
	"sync"
	"time"
)

// delays keeps accounts from logging in too often (RFC 2449 6.5). It holds one
// entry for each account that logged in during the last least, or a little
// longer.
type delays struct {
	least time.Duration // 0: nobody has to wait

	mu    sync.Mutex
	last  map[string]time.Time
	sweep time.Time // when the entries that are over go
}

// mayEnter reports whether the account's last login is long enough ago.
func (d *delays) mayEnter(account string, now time.Time) bool {
	if d.least <= 0 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last, found := d.last[account]
	return !found || now.Sub(last) >= d.least
}

// entered notes a login.
func (d *delays) entered(account string, now time.Time) {
	if d.least <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || now.After(d.sweep) {
		d.forget(now)
	}
	d.last[account] = now
}

func (d *delays) forget(now time.Time) {
	fresh := make(map[string]time.Time)
	for account, last := range d.last {
		if now.Sub(last) < d.least {
			fresh[account] = last
		}
	}
	d.last, d.sweep = fresh, now.Add(d.least)
}
