// Package mime is what IMAP tells of a stored message: ENVELOPE and
// BODYSTRUCTURE, the pieces that a section names, and the text that people
// read, out of its encodings and character sets, for SEARCH, SORT, THREAD and
// PREVIEW. Where things are in a message package message knows; how a client is
// told package imap does.
//
// Reading never fails: what is broken is told as it stands, in the way that
// harms the client least. Text is given as UTF-8, its characters as they came;
// it is compared as i;unicode-casemap does (RFC 5051), see Folder.
//
// The types here hold memory that is used again, so that in steady state
// nothing is allocated; each serves one goroutine at a time.
package mime
