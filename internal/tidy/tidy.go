// Package tidy holds the tests of the tree itself: who may import whom, where
// files may be modified, what must be documented, how long a function may
// grow, and whether the documents still tell the truth. It contains no code
// that runs in the program.
//
// Each failing check says what to do instead. The tables in these tests are
// the architecture; changing one is a decision and gets its reason in the
// commit that does it.
package tidy
