package sasl

import (
	_ "embed"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Unicode normalisation form KC as of Unicode 3.2 (UAX #15): decompose fully,
// order the marks, compose. The two tables are text, a record per line and
// ascending, and are searched where they lie: nothing is built at start, and
// what is not used is never read into memory.

// decompositions holds a character and its full compatibility decomposition
// per line.
//
//go:embed decompositions.txt
var decompositions string

// compositions holds two characters and their primary composite per line.
//
//go:embed compositions.txt
var compositions string

// Hangul syllables are computed (Unicode 3.2, 3.11).
const (
	hangulS, hangulL, hangulV, hangulT = 0xAC00, 0x1100, 0x1161, 0x11A7
	countL, countV, countT             = 19, 21, 28
	countS                             = countL * countV * countT
)

// normalize turns s into form KC.
func normalize(s []rune) []rune {
	out := make([]rune, 0, len(s)+8)
	for _, r := range s {
		out = appendDecomposed(out, r)
	}
	orderMarks(out)
	return compose(out)
}

func appendDecomposed(out []rune, r rune) []rune {
	if i := r - hangulS; i >= 0 && i < countS {
		out = append(out, hangulL+i/(countV*countT), hangulV+i%(countV*countT)/countT)
		if t := i % countT; t != 0 {
			out = append(out, hangulT+t)
		}
		return out
	}
	if to, ok := lookUp(decompositions, string(r)); ok {
		return append(out, []rune(to)...)
	}
	return append(out, r)
}

// lookUp finds the line that begins with key in an ascending text and returns
// the rest of it. UTF-8 sorts like code points, and in neither table is a
// key the beginning of another.
func lookUp(lines, key string) (string, bool) {
	begin, end := 0, len(lines)
	for begin < end {
		middle := begin + (end-begin)/2
		start := strings.LastIndexByte(lines[begin:middle], '\n') + 1 + begin
		stop := start + strings.IndexByte(lines[start:], '\n')
		line := lines[start:stop]
		switch {
		case strings.HasPrefix(line, key):
			return line[len(key):], true
		case line < key:
			begin = stop + 1
		default:
			end = start
		}
	}
	return "", false
}

// orderMarks sorts each run of combining marks by class, keeping the order of
// equals.
func orderMarks(s []rune) {
	for i := 0; i < len(s); i++ {
		from := i
		for i < len(s) && combiningClass(s[i]) != 0 {
			i++
		}
		slices.SortStableFunc(s[from:i], func(a, b rune) int {
			return int(combiningClass(a)) - int(combiningClass(b))
		})
	}
}

func combiningClass(r rune) uint8 {
	i := sort.Search(len(combiningClasses), func(i int) bool { return combiningClasses[i].last >= r })
	if i < len(combiningClasses) && combiningClasses[i].first <= r {
		return combiningClasses[i].class
	}
	return 0
}

// compose joins each character with the last starter before it, unless one in
// between has the same or a higher class ("blocked"). It works in place.
func compose(s []rune) []rune {
	starter, size := -1, 0
	var before uint8 // class of the character kept last
	for _, r := range s {
		class := combiningClass(r)
		adjacent := starter == size-1
		if starter >= 0 && (adjacent || before < class && before != 0) {
			if joined, ok := composite(s[starter], r); ok {
				s[starter] = joined
				continue
			}
		}
		if class == 0 {
			starter = size
		}
		before = class
		s[size] = r
		size++
	}
	return s[:size]
}

// composite is the primary composite of two characters.
func composite(a, b rune) (rune, bool) {
	if l, v := a-hangulL, b-hangulV; l >= 0 && l < countL && v >= 0 && v < countV {
		return hangulS + (l*countV+v)*countT, true
	}
	if i, t := a-hangulS, b-hangulT; i >= 0 && i < countS && i%countT == 0 && t > 0 && t < countT {
		return a + t, true
	}
	to, ok := lookUp(compositions, string([]rune{a, b}))
	r, _ := utf8.DecodeRuneInString(to)
	return r, ok
}
