package imapd

import (
	"cmp"
	"slices"
	"strings"

	"barid/internal/imap"
)

// threaded is what THREAD knows of a message that was found.
type threaded struct {
	number  uint32 // as it is told
	sent    int64  // seconds since 1970
	subject string // the base subject, folded
	reply   bool   // the subject says that it is a reply or was forwarded
	id      string // its Message-ID, "" without one
	// references are the identifiers of what it answers, the oldest first.
	references []string
}

// bySubject makes threads of messages, given by ascending numbers: those with
// the same base subject are answers to the first of them (RFC 5256 section 3,
// ORDEREDSUBJECT). The root is the child of node 0.
func bySubject(messages []threaded) []imap.ThreadNode {
	order := make([]int32, len(messages))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		x, y := &messages[a], &messages[b]
		return cmp.Or(strings.Compare(x.subject, y.subject), cmp.Compare(x.sent, y.sent))
	})
	var firsts []int32
	nodes := make([]imap.ThreadNode, len(messages)+1)
	last := int32(0) // of the answers to the last of firsts
	for i, at := range order {
		node := at + 1
		nodes[node].Number = messages[at].number
		switch {
		case i == 0 || messages[at].subject != messages[order[i-1]].subject:
			firsts, last = append(firsts, node), 0
		case last == 0:
			nodes[firsts[len(firsts)-1]].Child, last = node, node
		default:
			nodes[last].Next, last = node, node
		}
	}
	slices.SortFunc(firsts, func(a, b int32) int {
		return cmp.Or(cmp.Compare(messages[a-1].sent, messages[b-1].sent), cmp.Compare(a, b))
	})
	chain(nodes, 0, firsts)
	return nodes
}

// chain makes nodes the children of a parent, in their order.
func chain(nodes []imap.ThreadNode, parent int32, children []int32) {
	last := int32(0)
	for _, n := range children {
		nodes[n].Next = 0
		if last == 0 {
			nodes[parent].Child = n
		} else {
			nodes[last].Next = n
		}
		last = n
	}
	if last == 0 {
		nodes[parent].Child = 0
	}
}

// threads are threads while they are made by references (RFC 5256 section 3,
// REFERENCES; the numbers of its steps stand beside the code). A node without
// a message is a dummy. Node 0 is the root.
type threads struct {
	messages []threaded
	nodes    []threadNode
	byID     map[string]int32
}

type threadNode struct {
	message  int32 // its place among the messages; -1: a dummy
	parent   int32 // -1: none
	children []int32
}

// byReferences makes threads of messages, given by ascending numbers: answers
// stand below what they answer. The root is the child of node 0.
func byReferences(messages []threaded) []imap.ThreadNode {
	t := &threads{messages: messages, byID: make(map[string]int32, len(messages))}
	t.add(-1)
	own := make([]int32, len(messages))
	for i := range messages {
		own[i] = t.own(int32(i))
	}
	for i := range messages {
		t.link(own[i], messages[i].references)
	}
	var root []int32 // (2)
	for n := 1; n < len(t.nodes); n++ {
		if p := t.nodes[n].parent; p >= 0 {
			t.nodes[p].children = append(t.nodes[p].children, int32(n))
		} else {
			root = append(root, int32(n))
		}
	}
	t.nodes[0].children = root
	order := t.below()
	t.prune(order)
	t.sortDummies()
	t.sort(0)
	t.gather()
	order = t.below()
	for _, n := range slices.Backward(order) { // (6)
		t.sort(n)
	}
	return t.told()
}

func (t *threads) add(message int32) int32 {
	t.nodes = append(t.nodes, threadNode{message: message, parent: -1})
	return int32(len(t.nodes) - 1)
}

// own makes the node of a message. Of several with the same identifier it
// belongs to the first one (1A).
func (t *threads) own(message int32) int32 {
	n := t.add(message)
	if id := t.messages[message].id; id != "" {
		if _, taken := t.byID[id]; !taken {
			t.byID[id] = n
		}
	}
	return n
}

// link links what a message refers to, and the message to the last of it (1).
func (t *threads) link(n int32, references []string) {
	parent := int32(-1)
	for _, id := range references {
		at, found := t.byID[id]
		if !found {
			at = t.add(-1)
			t.byID[id] = at
		}
		if parent >= 0 && t.nodes[at].parent < 0 && !t.above(at, parent) {
			t.nodes[at].parent = parent
		}
		parent = at
	}
	t.nodes[n].parent = -1
	if parent >= 0 && !t.above(n, parent) {
		t.nodes[n].parent = parent
	}
}

// aboveMax is how far up a thread is looked for a loop. Beyond that there is
// taken to be one, so that mail which was made for it cannot make THREAD take
// the square of its time.
const aboveMax = 1000

// above reports whether a node is the other one, or above it.
func (t *threads) above(n, other int32) bool {
	for range aboveMax {
		if other < 0 {
			return false
		}
		if other == n {
			return true
		}
		other = t.nodes[other].parent
	}
	return true
}

// below lists all nodes below the root, each before those below it. Threads may
// be deep, so nothing here calls itself.
func (t *threads) below() (order []int32) {
	stack := slices.Clone(t.nodes[0].children)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], t.nodes[n].children...)
		order = append(order, n)
	}
	return order
}

// prune removes dummies (3). What is below a node is pruned before it.
func (t *threads) prune(order []int32) {
	for _, n := range slices.Backward(order) {
		t.splice(n)
	}
	t.splice(0)
}

// splice puts the children of dummies in their place.
func (t *threads) splice(parent int32) {
	children := t.nodes[parent].children
	if !slices.ContainsFunc(children, t.isDummy) {
		return
	}
	var kept []int32
	for _, n := range children {
		below := t.nodes[n].children
		switch {
		case !t.isDummy(n), parent == 0 && len(below) > 1:
			kept = append(kept, n)
			continue
		case kept == nil:
			kept = below // not copied again and again in a row of dummies
		default:
			kept = append(kept, below...)
		}
		t.nodes[n].children = nil
	}
	t.nodes[parent].children = kept
}

func (t *threads) isDummy(n int32) bool { return t.nodes[n].message < 0 }

// head is the message that a node is sorted and gathered by: its own, or of a
// dummy that of the first child.
func (t *threads) head(n int32) *threaded {
	if t.isDummy(n) {
		n = t.nodes[n].children[0]
	}
	return &t.messages[t.nodes[n].message]
}

// sortDummies sorts what is below the dummies, which are children of the root
// (4).
func (t *threads) sortDummies() {
	for _, n := range t.nodes[0].children {
		if t.isDummy(n) {
			t.sort(n)
		}
	}
}

// sort sorts the children of a node.
func (t *threads) sort(parent int32) {
	slices.SortFunc(t.nodes[parent].children, func(a, b int32) int {
		x, y := t.head(a), t.head(b)
		return cmp.Or(cmp.Compare(x.sent, y.sent), cmp.Compare(x.number, y.number))
	})
}

// gather puts threads with the same subject together (5).
func (t *threads) gather() {
	root := t.nodes[0].children
	table := t.subjects(root)
	gone := make(map[int32]bool)
	var made []int32
	for _, n := range root {
		subject := t.head(n).subject
		first, found := table[subject]
		if !found || first == n || subject == "" {
			continue
		}
		switch {
		case t.isDummy(first) && t.isDummy(n):
			t.nodes[first].children = append(t.nodes[first].children, t.nodes[n].children...)
			t.nodes[n].children, gone[n] = nil, true
		case t.isDummy(first) || t.head(n).reply && !t.head(first).reply && !t.isDummy(n):
			t.nodes[first].children = append(t.nodes[first].children, n)
			gone[n] = true
		default:
			dummy := t.add(-1)
			t.nodes[dummy].children = []int32{first, n}
			t.sort(dummy)
			gone[first], gone[n] = true, true
			table[subject] = dummy
			made = append(made, dummy)
		}
	}
	kept := slices.DeleteFunc(append(root, made...), func(n int32) bool { return gone[n] })
	t.nodes[0].children = kept
}

// subjects chooses for each subject the thread that others are put to (5B).
func (t *threads) subjects(root []int32) map[string]int32 {
	table := make(map[string]int32, len(root))
	for _, n := range root {
		m := t.head(n)
		if m.subject == "" {
			continue
		}
		first, found := table[m.subject]
		if !found || !t.isDummy(first) && (t.isDummy(n) || t.head(first).reply && !m.reply) {
			table[m.subject] = n
		}
	}
	return table
}

// told is the tree as package imap tells it.
func (t *threads) told() []imap.ThreadNode {
	nodes := make([]imap.ThreadNode, len(t.nodes))
	for n := range t.nodes {
		if m := t.nodes[n].message; m >= 0 {
			nodes[n].Number = t.messages[m].number
		}
		chain(nodes, int32(n), t.nodes[n].children)
	}
	return nodes
}
