package auth

import (
	"net/netip"
	"testing"
)

func TestMailboxFieldsOfDovecot(t *testing.T) {
	for line, want := range map[string]Account{
		"x":                                      {},
		"x:1:2:Gecos:/home/u":                    {Home: "/home/u"},
		"x::::/home/u:/bin/sh":                   {Home: "/home/u"},
		"x::::/home/u::a=b c":                    {Home: "/home/u"},
		"x::::/home/u:::/m/u":                    {Home: "/home/u", Mail: "/m/u"},
		"x::::::userdb_home=/h":                  {Home: "/h"},
		"x::::/h::userdb_mail=maildir:~/Maildir": {Home: "/h", Mail: "/h/Maildir"},
		"x::::/h::userdb_mail=maildir:~/Maildir:INDEX=/i:LAYOUT=fs":               {Home: "/h", Mail: "/h/Maildir"},
		"x::::/h::userdb_mail=maildir:%h/%u/%n/%d/%%":                             {Home: "/h", Mail: "/h/u@d.test/u/d.test/%"},
		"x::::/h::userdb_mail=maildir:%{home}/%{user}":                            {Home: "/h", Mail: "/h/u@d.test"},
		"x::::/h::userdb_mail_path=/m/%{user|domain}/%{user|username}":            {Home: "/h", Mail: "/m/d.test/u"},
		"x::::::userdb_quota_rule=*:storage=1G":                                   {QuotaBytes: 1 << 30},
		"x::::::userdb_quota_rule=*:storage=100":                                  {QuotaBytes: 100 << 10},
		"x::::::userdb_quota_rule=*:bytes=100":                                    {QuotaBytes: 100},
		"x::::::userdb_quota_rule=*:storage=10MB:messages=1000":                   {QuotaBytes: 10 << 20, QuotaMessages: 1000},
		"x::::::userdb_quota_rule=Trash:storage=+10%%":                            {},
		"x::::::userdb_quota_rule=*:storage=1G  userdb_quota_rule2=Trash:ignore ": {QuotaBytes: 1 << 30},
		"x::::::userdb_quota_storage_size=5T userdb_quota_message_count=7":        {QuotaBytes: 5 << 40, QuotaMessages: 7},
		"x::::::userdb_quota_rule=*:ignore":                                       {},
	} {
		e, ok := cutEntry("u@d.test:" + line)
		if !ok {
			t.Fatal(line)
		}
		want.Name = "u@d.test"
		if got, err := e.account(e.foldedName()); err != nil || got != want {
			t.Errorf("%s:\n got %+v (%v)\nwant %+v", line, got, err, want)
		}
	}
}

func TestSizesThatMakeNoSense(t *testing.T) {
	for _, s := range []string{"", "G", "-1", "1X", "1GG", "1Gb2", "9999999999999G", "1.5G", "1 G"} {
		if n, err := parseSize(s, 1); err == nil {
			t.Errorf("%q is %d", s, n)
		}
	}
}

func TestAllowNets(t *testing.T) {
	for _, test := range []struct {
		nets, from string
		want       bool
	}{
		{"192.0.2.0/24", "192.0.2.255", true}, {"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/24", "::ffff:192.0.2.1", true}, {"::ffff:192.0.2.0/120", "192.0.2.1", true},
		{"::ffff:192.0.2.1", "192.0.2.1", true}, {"2001:db8::/32", "2001:db8::1", true},
		{"fe80::/10", "fe80::1%eth0", true}, {"local", "127.0.0.1", false}, {"1.2.3.4,local", "", true}, {"1.2.3.4", "", false},
		{"0.0.0.0/0", "2001:db8::1", false}, {"", "1.2.3.4", false},
	} {
		var from netip.Addr
		if test.from != "" {
			from = netip.MustParseAddr(test.from)
		}
		if got := netsAllow(test.nets, from); got != test.want {
			t.Errorf("%s from %q: %v", test.nets, test.from, got)
		}
	}
}
