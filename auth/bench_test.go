package auth

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"barid/internal/vfs"
)

var somewhere = netip.MustParseAddr("192.0.2.1")

func BenchmarkLoginRemembered(b *testing.B) {
	s := open(b, "alice@example.test:"+bcryptSecret+"\n")
	user, password := []byte("alice@example.test"), []byte("secret")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Password(user, password, somewhere); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoginRememberedParallel(b *testing.B) {
	s := open(b, "alice@example.test:"+bcryptSecret+"\n")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		user, password := []byte("alice@example.test"), []byte("secret")
		for pb.Next() {
			if _, err := s.Password(user, password, somewhere); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLoginHashed(b *testing.B) {
	written, err := newSecret([]byte("secret"), HashOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for name, field := range map[string]string{"ARGON2ID": written.field, "SHA512-CRYPT": shaSecret, "BLF-CRYPT-5": bcryptSecret, "SCRAM": "{SCRAM-SHA-256}" + scramSecret, "PLAIN": "{PLAIN}secret"} {
		b.Run(name, func(b *testing.B) {
			s := open(b, "alice@example.test:"+field+"\n", func(o *Options) { o.CacheTTL = -1 })
			user, password := []byte("alice@example.test"), []byte("secret")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Password(user, password, somewhere); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoginSCRAM(b *testing.B) {
	s := open(b, "alice:{SCRAM-SHA-256}"+scramSecret+"\n")
	b.ReportAllocs()
	for b.Loop() { // the client's side, dearer, is in it
		if _, err := scramLogin(b, s, "SCRAM-SHA-256", "n,,", "", "alice", "secret"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	s := open(b, "alice@example.test:"+bcryptSecret+"::::/home/alice::userdb_quota_rule=*:storage=1G\n")
	user := []byte("alice@example.test")
	b.ReportAllocs()
	for b.Loop() {
		s.Lookup(user)
	}
}

// million is a file of 10^6 accounts as we write them.
func million() string {
	var text strings.Builder
	noise := make([]byte, 48)
	for i := range 1_000_000 {
		_, _ = rand.Read(noise)
		fmt.Fprintf(&text, "user%06d@example%d.test:{ARGON2ID}%s::::/srv/mail/%d::userdb_quota_rule=*:storage=1G\n",
			i, i%100, formatArgon2(defaultWork, noise[:16], noise[16:]), i)
	}
	return text.String()
}

func BenchmarkReadMillionAccounts(b *testing.B) {
	s := open(b, million())
	b.SetBytes(int64(len(s.users.Load().text)))
	b.ReportAllocs()
	var u *users
	for b.Loop() {
		var err error
		if u, err = load(&s.o, s.file); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	b.ReportMetric(float64(len(u.text)+4*len(u.table))/float64(u.count), "bytes/account")
}

func BenchmarkLookupAmongMillion(b *testing.B) {
	s := open(b, million())
	i := 0
	names := make([][]byte, 1<<16)
	for i := range names {
		n := i * 15
		names[i] = fmt.Appendf(nil, "user%06d@example%d.test", n, n%100)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Lookup(names[i&0xffff]); !ok {
			b.Fatal("not found")
		}
		i++
	}
}

func BenchmarkAddUser(b *testing.B) {
	dir := b.TempDir()
	i := 0
	for b.Loop() {
		i++
		if err := AddUser(vfs.Disk{}, dir+"/users", NewUser{Name: fmt.Sprint("user", i)}, []byte("secret"), HashOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
