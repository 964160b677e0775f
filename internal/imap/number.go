package imap

import "math"

// Number consumes a number.
//
//	number = 1*DIGIT    ; (0 <= n < 4,294,967,296)  ; RFC 9051 section 9
func (t *Text) Number() (uint32, Fault) {
	save := *t
	n, fault := t.Number64()
	if fault == "" && n > math.MaxUint32 {
		*t = save
		fault = "a number is too large"
	}
	return uint32(n), fault
}

// NZNumber consumes a number that is not 0.
//
//	nz-number = digit-nz *DIGIT                     ; RFC 9051 section 9
func (t *Text) NZNumber() (uint32, Fault) {
	if t.Peek() == '0' {
		return 0, "a number must not begin with 0"
	}
	return t.Number()
}

// Number64 consumes a number of 63 bits.
//
//	number64 = 1*DIGIT                              ; RFC 9051 section 9
//	           ; (0 <= n <= 9,223,372,036,854,775,807)
func (t *Text) Number64() (int64, Fault) {
	v, n := int64(0), 0
	for ; n < len(*t) && digit.has((*t)[n]); n++ {
		d := int64((*t)[n] - '0')
		if v > (math.MaxInt64-d)/10 {
			return 0, "a number is too large"
		}
		v = v*10 + d
	}
	if n == 0 {
		return 0, "a number was expected"
	}
	t.take(n)
	return v, ""
}

// NZNumber64 consumes a number of 63 bits that is not 0.
func (t *Text) NZNumber64() (int64, Fault) {
	save := *t
	n, fault := t.Number64()
	if fault == "" && n == 0 {
		*t = save
		fault = "a number must not be 0"
	}
	return n, fault
}
