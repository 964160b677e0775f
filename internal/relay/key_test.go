package relay

import "testing"

func TestKeysHaveOneSpelling(t *testing.T) {
	for in, canonical := range map[string]string{
		"smtp:example.org":            "smtp:example.org",
		"smtp:EXAMPLE.org.:2525":      "smtp:example.org:2525",
		"smtp:münchen.example":        "smtp:xn--mnchen-3ya.example",
		"smtp:[mx.example.net]":       "smtp:[mx.example.net]",
		"smtp:[MX.example.net]:587":   "smtp:[mx.example.net]:587",
		"smtp:[192.0.2.1]:25":         "smtp:[192.0.2.1]:25",
		"smtp:[2001:DB8::1]:25":       "smtp:[2001:db8::1]:25",
		"smtp:[IPv6:2001:db8:0::1]":   "smtp:[2001:db8::1]",
		"smtp:[::ffff:192.0.2.1]":     "smtp:[192.0.2.1]",
		"lmtp:unix:/run/x.sock":       "lmtp:unix:/run/x.sock",
		"lmtp:unix:/run/a b:c":        "lmtp:unix:/run/a b:c",
		"lmtp:[host.example]:2424":    "lmtp:[host.example]:2424",
		"lmtp:inet:host.example:2424": "lmtp:[host.example]:2424",
		"lmtp:host.example":           "lmtp:[host.example]",
		"lmtp:inet:[192.0.2.1]:24":    "lmtp:[192.0.2.1]:24",
		"lmtp:192.0.2.1:24":           "lmtp:[192.0.2.1]:24",
		"smtp:localhost":              "smtp:localhost",
	} {
		k, err := ParseKey(in)
		if err != nil || k.String() != canonical {
			t.Errorf("%s: %s, %v", in, k, err)
		}
	}
}

func TestKeysThatMakeNoSenseAreRefused(t *testing.T) {
	for _, in := range []string{
		"", "smtp", "smtp:", "local:alice", "SMTP:example.org", "smtp:192.0.2.1", "smtp:2001:db8::1", "smtp:[192.0.2.1", "smtp:[192.0.2.1]25",
		"smtp:example.org:", "smtp:example.org:0", "smtp:example.org:65536", "smtp:example.org:+25", "smtp:example.org:25:25", "smtp:[]", "smtp:[fe80::1%eth0]",
		"smtp:a b", "smtp:user@example.org", "smtp:[[192.0.2.1]]", "lmtp:", "lmtp:unix:", "lmtp:unix:relative", "lmtp:unix:/", "lmtp:unix:/a\x00b",
	} {
		if k, err := ParseKey(in); err == nil {
			t.Errorf("%q is %s", in, k)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{"smtp:example.org:2525", "smtp:[IPv6:2001:db8::1]:25", "lmtp:unix:/run/x", "lmtp:inet:host:24", "smtp:[::1]:", "smtp:xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		k, err := ParseKey(in)
		if err != nil {
			if k != (Key{}) {
				t.Fatalf("%q is refused, and still %+v", in, k)
			}
			return
		}
		again, err := ParseKey(k.String())
		if err != nil || again != k {
			t.Fatalf("%q is %+v, written %s, which is %+v, %v", in, k, k, again, err)
		}
	})
}
