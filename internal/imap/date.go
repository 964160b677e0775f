package imap

import (
	"strconv"
	"time"
)

// Day is a date without a time: days since 1970-01-01.
type Day int32

const secondsPerDay = 24 * 60 * 60

// DayOf is the date that a clock in the zone shows at a moment, given in
// seconds since 1970 and in minutes east of Greenwich.
func DayOf(unixSeconds int64, zoneMinutes int16) Day {
	local := unixSeconds + int64(zoneMinutes)*60
	day := local / secondsPerDay
	if local%secondsPerDay < 0 {
		day--
	}
	return Day(day)
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// Date consumes a date.
//
//	date = date-text / DQUOTE date-text DQUOTE      ; RFC 9051 section 9
func (t *Text) Date() (Day, Fault) {
	quoted := t.Byte('"')
	day, fault := t.dateText(false)
	if fault == "" && quoted && !t.Byte('"') {
		fault = "a date lacks its second quote"
	}
	return day, fault
}

// dateText consumes a date. fixed wants two digits or a space and one for the
// day.
//
//	date-text      = date-day "-" date-month "-" date-year  ; RFC 9051 section 9
//	date-day       = 1*2DIGIT
//	date-day-fixed = (SP DIGIT) / 2DIGIT
func (t *Text) dateText(fixed bool) (Day, Fault) {
	const bad = "a date is day-Mon-year, as in 1-Feb-2024"
	least := 1
	if fixed && !t.Byte(' ') {
		least = 2
	}
	day, ok := t.digits(least, 2)
	if !ok || !t.Byte('-') || len(*t) < len("Mon-yyyy") {
		return 0, bad
	}
	month := monthOf(t.take(3))
	dash := t.Byte('-')
	year, ok := t.digits(4, 4)
	if month == 0 || !dash || !ok {
		return 0, bad
	}
	at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if at.Day() != day || at.Month() != month {
		return 0, "there is no such date"
	}
	return DayOf(at.Unix(), 0), ""
}

func monthOf(name []byte) time.Month {
	for i, m := range months {
		if upper(name[0]) == m[0] && upper(name[1]) == upper(m[1]) && upper(name[2]) == upper(m[2]) {
			return time.Month(i + 1)
		}
	}
	return 0
}

// digits consumes a number of at least and at most so many digits.
func (t *Text) digits(least, most int) (int, bool) {
	v, n := 0, 0
	for ; n < most && n < len(*t) && digit.has((*t)[n]); n++ {
		v = v*10 + int((*t)[n]-'0')
	}
	if n < least {
		return 0, false
	}
	t.take(n)
	return v, true
}

// DateTime is a moment and the zone in which it was named.
type DateTime struct {
	Unix        int64 // seconds since 1970
	ZoneMinutes int16 // east of Greenwich
	Given       bool  // false: there was none
}

// DateTime consumes a date-time.
//
//	date-time = DQUOTE date-day-fixed "-" date-month "-" date-year
//	            SP time SP zone DQUOTE              ; RFC 9051 section 9
func (t *Text) DateTime() (d DateTime, fault Fault) {
	const bad = "a date-time is \"dd-Mon-yyyy hh:mm:ss +zzzz\""
	if !t.Byte('"') {
		return d, bad
	}
	day, fault := t.dateText(true)
	if fault != "" {
		return d, fault
	}
	space := t.Byte(' ')
	seconds, ok := t.timeOfDay()
	if !space || !ok || !t.Byte(' ') {
		return d, bad
	}
	zone, ok := t.zone()
	if !ok || !t.Byte('"') {
		return d, bad
	}
	return DateTime{int64(day)*secondsPerDay + int64(seconds) - int64(zone)*60, zone, true}, ""
}

// timeOfDay consumes a time of day. A leap second is the second before it.
//
//	time = 2DIGIT ":" 2DIGIT ":" 2DIGIT             ; RFC 9051 section 9
func (t *Text) timeOfDay() (seconds int, ok bool) {
	h, okH := t.digits(2, 2)
	colon := t.Byte(':')
	m, okM := t.digits(2, 2)
	colon = t.Byte(':') && colon
	s, okS := t.digits(2, 2)
	return (h*60+m)*60 + min(s, 59), okH && okM && okS && colon && h < 24 && m < 60 && s < 61
}

// zone consumes a time zone.
//
//	zone = ("+" / "-") 4DIGIT                       ; RFC 9051 section 9
func (t *Text) zone() (minutes int16, ok bool) {
	west := t.Byte('-')
	if !west && !t.Byte('+') {
		return 0, false
	}
	n, ok := t.digits(4, 4)
	minutes = int16(n/100*60 + n%100)
	if west {
		minutes = -minutes
	}
	return minutes, ok && n%100 < 60
}

// AppendDateTime appends a date-time (RFC 9051 section 9) for a moment in
// seconds since 1970 and a zone in minutes east of Greenwich. Years that do not
// have four digits become the nearest that do.
func AppendDateTime(out []byte, unixSeconds int64, zoneMinutes int16) []byte {
	const first, last = -62135596800, 253402300799 // 1 Jan 0001, 31 Dec 9999
	local := min(max(unixSeconds+int64(zoneMinutes)*60, first), last)
	t := time.Unix(local, 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	out = append(out, '"')
	out = appendPadded(out, day, ' ')
	out = append(out, '-')
	out = append(out, months[month-1]...)
	out = append(out, '-')
	out = appendPadded(out, year/100, '0')
	out = appendPadded(out, year%100, '0')
	out = append(out, ' ')
	out = appendPadded(out, hour, '0')
	out = append(out, ':')
	out = appendPadded(out, minute, '0')
	out = append(out, ':')
	out = appendPadded(out, second, '0')
	if zoneMinutes < 0 {
		out, zoneMinutes = append(out, " -"...), -zoneMinutes
	} else {
		out = append(out, " +"...)
	}
	out = appendPadded(out, int(zoneMinutes)/60, '0')
	out = appendPadded(out, int(zoneMinutes)%60, '0')
	return append(out, '"')
}

// appendPadded appends a number with at least two places.
func appendPadded(out []byte, n int, pad byte) []byte {
	if n < 10 {
		out = append(out, pad)
	}
	return strconv.AppendInt(out, int64(n), 10)
}
