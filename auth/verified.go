package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	stdhash "hash"
	"io"
	"sync"
	"time"
)

// digest stands for a user and a password: HMAC-SHA-256 with a key that this
// process made up. It is worth nothing outside of it.
type digest [sha256.Size]byte

// digester computes digests without allocating.
type digester struct{ pool sync.Pool }

type keyedHash struct {
	mac  stdhash.Hash
	room [nameMax + 8]byte
	sum  digest
}

func newDigester(random io.Reader) (*digester, error) {
	key := make([]byte, sha256.Size)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	d := new(digester)
	d.pool.New = func() any { return &keyedHash{mac: hmac.New(sha256.New, key)} }
	return d, nil
}

// sum is the digest of a user, by name, and a password. The name's length in
// front keeps the two apart.
func (d *digester) sum(user string, password []byte) digest {
	k := d.pool.Get().(*keyedHash)
	defer d.pool.Put(k)
	k.mac.Reset()
	head := binary.BigEndian.AppendUint64(k.room[:0], uint64(len(user)))
	k.mac.Write(append(head, user...))
	k.mac.Write(password)
	k.mac.Sum(k.sum[:0])
	return k.sum
}

// verified remembers which passwords were found right, so that thousands of
// logins a second do not each pay the hash, and for a moment which were found
// wrong, so that a client that tries the same wrong password over and over
// does not either.
//
// It belongs to one reading of the file. A new reading inherits the entries
// whose line is the same to the letter.
type verified struct {
	mu      sync.Mutex
	ttl     time.Duration
	max     int
	right   map[uint32]rightPassword // by offset of the line
	wrong   map[digest]struct{}      // since wrongAt
	wrongAt time.Time
}

type rightPassword struct {
	digest  digest
	expires time.Time
	account *Account // its own memory, not the file's
	nets    string
}

const (
	wrongTTL = time.Minute
	wrongMax = 4096
)

func newVerified(o *Options) *verified {
	return &verified{ttl: o.CacheTTL, max: o.CacheMax, right: map[uint32]rightPassword{}, wrong: map[digest]struct{}{}}
}

// isRight finds an entry and prolongs it: what is used stays.
func (v *verified) isRight(at uint32, d *digest, now time.Time) (rightPassword, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r, ok := v.right[at]
	if !ok || now.After(r.expires) || !hmac.Equal(r.digest[:], d[:]) {
		return rightPassword{}, false
	}
	if left := r.expires.Sub(now); left < v.ttl-v.ttl/8 {
		r.expires = now.Add(v.ttl)
		v.right[at] = r
	}
	return r, true
}

func (v *verified) putRight(at uint32, r rightPassword, now time.Time) {
	if v.ttl <= 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, there := v.right[at]; !there && len(v.right) >= v.max {
		v.makeRoom(now)
	}
	r.expires = now.Add(v.ttl)
	v.right[at] = r
}

// makeRoom drops what has expired among a few entries, and one in any case.
// A map is iterated from a random place, so nothing better is known about
// the victim.
func (v *verified) makeRoom(now time.Time) {
	looked := 0
	for at, r := range v.right {
		if looked == 0 || now.After(r.expires) {
			delete(v.right, at)
		}
		if looked++; looked == 16 {
			return
		}
	}
}

// isWrong reports whether this very password was found wrong a moment ago.
func (v *verified) isWrong(d *digest, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.wrongAt) > wrongTTL {
		return false
	}
	_, ok := v.wrong[*d]
	return ok
}

func (v *verified) putWrong(d *digest, now time.Time) {
	if v.ttl <= 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.wrongAt) > wrongTTL || len(v.wrong) >= wrongMax {
		clear(v.wrong)
		v.wrongAt = now
	}
	v.wrong[*d] = struct{}{}
}

// inherit takes over from an older reading what is still true.
func (v *verified) inherit(old, now *users) {
	o := old.verified
	o.mu.Lock()
	defer o.mu.Unlock()
	for at, r := range o.right {
		line := old.line(at)
		e, _ := cutEntry(line)
		if same, to, ok := now.find(appendFolded(nil, e.name)); ok && same == line {
			v.right[to] = r
		}
	}
}
