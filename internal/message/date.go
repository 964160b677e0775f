package message

import "time"

// ParseDate reads the value of a Date field: the moment in seconds since 1970,
// and the zone in minutes east of Greenwich. Obsolete forms are read: years of
// two and three digits, names of zones, comments anywhere, and missing seconds.
// Where time or zone are missing they are zero (RFC 5256 section 2.2).
//
//	date-time = [day-of-week ","] date time [CFWS]          ; RFC 5322 section 3.3
//	date      = day month year
//	time      = hour ":" minute [":" second] zone
//	obs-year  = [CFWS] 2*DIGIT [CFWS]                       ; section 4.3
func ParseDate(value []byte) (unixSeconds int64, zoneMinutes int16, ok bool) {
	t := text(value)
	t.white()
	t.letters() // the day of the week
	t.white()
	t.octet(',')
	t.white()
	day, digits := t.number()
	t.dashOrWhite()
	month := monthOf(t.letters())
	t.dashOrWhite()
	year, yearDigits := t.number()
	if digits == 0 || digits > 2 || month == 0 || yearDigits < 2 || yearDigits > 4 {
		return 0, 0, false
	}
	switch {
	case yearDigits == 2 && year < 50:
		year += 2000
	case yearDigits < 4:
		year += 1900
	}
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return 0, 0, false
	}
	seconds, zone := t.timeAndZone()
	return date.Unix() + seconds - int64(zone)*60, zone, true
}

// timeAndZone reads what follows the date, zero where that makes no sense.
func (t *text) timeAndZone() (seconds int64, zoneMinutes int16) {
	t.white()
	hour, digits := t.number()
	minute, second := 0, 0
	if digits > 0 {
		if t.white(); t.separator() {
			t.white()
			minute, _ = t.number()
			if t.white(); t.separator() {
				t.white()
				second, _ = t.number()
			}
		}
	}
	if hour > 23 || minute > 59 || second > 60 {
		return 0, 0
	}
	t.white()
	return int64(hour*3600 + minute*60 + min(second, 59)), t.zone()
}

// separator passes over what separates hours, minutes and seconds.
func (t *text) separator() bool { return t.octet(':') || t.octet('.') }

// zone reads a zone.
//
//	zone     = (FWS ("+" / "-") 4DIGIT) / obs-zone          ; RFC 5322 section 3.3
//	obs-zone = "UT" / "GMT" / "EST" / "EDT" / "CST" / "CDT" / "MST" / "MDT" /
//	           "PST" / "PDT" / %d65-73 / ...                ; section 4.3
func (t *text) zone() (minutes int16) {
	west := t.octet('-')
	if west || t.octet('+') {
		n, digits := t.number()
		if digits != 4 {
			return 0
		}
		if minutes = int16(n/100*60 + n%100); west {
			return -minutes
		}
		return minutes
	}
	name := t.letters()
	for _, z := range &zones {
		if equalFold(name, z.name) {
			return z.hours * 60
		}
	}
	return 0 // "equivalent to -0000 unless there is out-of-band information"
}

var zones = [...]struct {
	name  string
	hours int16
}{{"EDT", -4}, {"EST", -5}, {"CDT", -5}, {"CST", -6}, {"MDT", -6}, {"MST", -7}, {"PDT", -7}, {"PST", -8}}

var months = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

func monthOf(name []byte) time.Month {
	for i, m := range &months {
		if len(name) >= 3 && equalFold(name[:3], m) {
			return time.Month(i + 1)
		}
	}
	return 0
}

// letters reads a run of letters.
func (t *text) letters() []byte {
	n := 0
	for n < len(*t) && lower((*t)[n]) >= 'a' && lower((*t)[n]) <= 'z' {
		n++
	}
	letters := (*t)[:n]
	*t = (*t)[n:]
	return letters
}

// number reads a run of digits; above nine of them it is no number that a date
// can have.
func (t *text) number() (n, digits int) {
	for digits < len(*t) && (*t)[digits] >= '0' && (*t)[digits] <= '9' {
		n = min(n*10+int((*t)[digits]-'0'), 999_999_999)
		digits++
	}
	*t = (*t)[digits:]
	return n, digits
}

// dashOrWhite passes over what separates day, month and year.
func (t *text) dashOrWhite() {
	t.white()
	t.octet('-')
	t.white()
}
