// Package interop holds tests that start the barid binary and let other
// programs use it: the mail clients that Debian ships, as their users run them,
// other mail servers, name servers, and a client that kills the server again and
// again while it sends.
//
// It has no code of its own. The ordinary tests bring their own other side: a
// script (dialogs_test.go), an attacker with a neighbour who must not notice
// (hostile_test.go), and a next hop that does what a test wants, right or wrong
// (station_test.go). Real programs need their packages (packages.txt), hosts in
// network namespaces (hosts_test.go) need root, and both the build tag interop:
//
//	go test -tags interop ./internal/interop
//
// A client that is not installed is a failed test that names the package, not
// a skipped one: a check that quietly does not run protects nothing. BARID=PATH
// in the environment tests that binary instead of one built from the tree.
//
// Every test starts a demo of its own, with free ports and an empty mailbox
// for alice and bob, and compares the octets that arrive with those that were
// sent: behind the lines that the server puts in front, the message must be
// the same to the last octet.
package interop
