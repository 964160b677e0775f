package route

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestTraceTellsEveryStep(t *testing.T) {
	s := gateway(t, "special.test smtp:[192.0.2.1]\ngone.test error:5.1.10 gone\n", func(s *site) {
		s.write(s.options.AliasFile, "sales: alice, away\naway: friend@remote.test, friend@special.test\nmembers: :include:"+s.file("list", "alice\n")+"\n")
		s.write(s.options.VirtualFile, "info@example.org sales@example.test\n@example.org alice@example.test\n")
		s.options.SenderFile = s.file("senders", "@example.test [smart.test]:587\n")
		s.options.RelayRecipientFile = s.file("recipients", "known@relayed.test\n")
	})
	dir := filepath.Dir(s.options.AliasFile) + "/"
	for _, c := range []struct {
		address  string
		mayRelay bool
		want     string
	}{
		{"alice+x@EXAMPLE.test", false, `
domain: domains: example.test -> ours
account: : alice+x@example.test -> alice@example.test`},
		{"info@example.org", false, `
domain: domains: example.org -> ours
virtual map: virtual:1: info@example.org -> sales@example.test
  alias map: aliases:1: sales -> alice, away
    account: : alice@example.test -> alice@example.test
    alias map: aliases:2: away -> friend@remote.test, friend@special.test
      next hop: : friend@remote.test -> smtp:remote.test
      transport map: transport:1: special.test -> smtp:[192.0.2.1]
      next hop: : friend@special.test -> smtp:[192.0.2.1]`},
		{"members@localhost", false, `
domain: hostname: localhost -> example.test
alias map: aliases:3: members -> :include:list
    account: : alice@example.test -> alice@example.test`},
		{"any@example.org", false, `
domain: domains: example.org -> ours
catch-all: virtual:2: @example.org -> alice@example.test
  account: : alice@example.test -> alice@example.test`},
		{"nobody@example.test", false, `
domain: domains: example.test -> ours`},
		{"postmaster@example.test", false, `
domain: domains: example.test -> ours
built-in name: : postmaster@example.test -> postmaster`},
		{"known@relayed.test", false, `
domain: relay.domains: relayed.test -> handed on for anybody
recipient map: recipients:1: known@relayed.test -> known@relayed.test
next hop: : known@relayed.test -> smtp:relayed.test`},
		{"x@remote.test", true, `
domain: : remote.test -> not ours, but the sender may relay
sender map: senders:1: @example.test -> smtp:[smart.test]:587
next hop: : x@remote.test -> smtp:[smart.test]:587`},
		{"gone@relayed.test", false, `
domain: relay.domains: relayed.test -> handed on for anybody
recipient map: recipients: gone@relayed.test -> `},
		{"x@gone.test", true, `
domain: : gone.test -> not ours, but the sender may relay
transport map: transport:2: gone.test -> error:5.1.10 gone`},
		{"x@remote.test", false, `
domain: : remote.test -> not ours, and the sender may not relay`},
		{"a b", false, ``},
	} {
		var to Targets
		v, steps := s.Trace([]byte(c.address), Sender{Address: []byte("me@example.test"), MayRelay: c.mayRelay}, &to)
		var got strings.Builder
		for _, step := range steps {
			fmt.Fprintf(&got, "\n%*s%s: %s: %s -> %s", 2*step.Depth, "", step.What, step.Where, step.From, step.To)
		}
		if text := strings.ReplaceAll(got.String(), dir, ""); text != c.want {
			t.Errorf("%s:%s\nwant%s", c.address, text, c.want)
		}
		var again Targets
		if w := s.Resolve([]byte(c.address), Sender{Address: []byte("me@example.test"), MayRelay: c.mayRelay}, &again); w != v || outcome(w, &again) != outcome(v, &to) {
			t.Errorf("%s: Trace says %+v, Resolve %+v", c.address, v, w)
		}
	}
}
