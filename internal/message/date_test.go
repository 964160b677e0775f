package message

import (
	"net/mail"
	"testing"
	"time"
)

func TestDatesOfAnyAgeAreRead(t *testing.T) {
	for value, want := range map[string]string{
		"Fri, 21 Nov 1997 09:55:06 -0600":                              "1997-11-21T09:55:06-06:00",
		"Thu,\n 13\n Feb\n 1969\n 23:32\n -0330 (Newfoundland (Time))": "1969-02-13T23:32:00-03:30",
		"21 Nov 97 09:55:06 GMT":                                       "1997-11-21T09:55:06Z",
		"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600":              "1997-11-21T09:55:06-06:00",
		"1 Jan 49 00:00 EDT":                                           "2049-01-01T00:00:00-04:00",
		"1 Jan 50 00:00 pst":                                           "1950-01-01T00:00:00-08:00",
		"1 Jan 100 00:00 Z":                                            "2000-01-01T00:00:00Z",
		"Sat, 31 Dec 2016 23:59:60 +0000":                              "2016-12-31T23:59:59Z",
		"Mon, 2 Mar 2020":                                              "2020-03-02T00:00:00Z",
		"Mon, 2 Mar 2020 10:00":                                        "2020-03-02T10:00:00Z",
		"Mon, 2 Mar 2020 25:00 +0100":                                  "2020-03-02T00:00:00Z",
		"Mon 2-March-2020 10:00:00 Q":                                  "2020-03-02T10:00:00Z",
	} {
		seconds, zone, ok := ParseDate([]byte(value))
		got := time.Unix(seconds, 0).In(time.FixedZone("", int(zone)*60)).Format(time.RFC3339)
		if !ok || got != want {
			t.Errorf("%q: %s, %v, want %s", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "x", "32 Jan 2000 00:00:00 +0000", "30 Feb 2000 00:00 +0000", "1 Foo 2000", "1 Jan 20000", "1 Jan"} {
		if seconds, _, ok := ParseDate([]byte(value)); ok {
			t.Errorf("%q is %d", value, seconds)
		}
	}
}

func FuzzDateAgreesWithNetMail(f *testing.F) {
	f.Add("Fri, 21 Nov 1997 09:55:06 -0600")
	f.Add("1 Jan 50 00:00 EST")
	f.Fuzz(func(t *testing.T, value string) {
		seconds, _, ok := ParseDate([]byte(value))
		want, err := mail.ParseDate(value)
		if err != nil {
			return
		}
		zone := want.Format("MST")
		if _, offset := want.Zone(); offset == 0 && zone != "UTC" && zone != "GMT" && zone != "" {
			return // a name, of which package time knows only that it is one
		}
		if !ok || seconds != want.Unix() && want.Year() >= 1950 && want.Year() <= 2049 {
			t.Fatalf("%q: %d, %v, net/mail says %d", value, seconds, ok, want.Unix())
		}
	})
}
