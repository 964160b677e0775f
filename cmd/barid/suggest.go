package main

import "fmt"

// didYouMean names the candidate that a mistyped word most likely meant, as
// an addition to a message; "" when nothing is near.
func didYouMean(word string, candidates []string) string {
	best, nearest := len(word)/2+2, ""
	for _, c := range candidates {
		if d := distance(word, c); d < best {
			best, nearest = d, c
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", nearest)
}

// distance is the number of letters to insert, delete or replace to make b of
// a (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
