package spool

// freeList keeps values for reuse, at most freeMax; the rest is left to the
// collector.
type freeList[T any] []*T

const freeMax = 4096

func (l *freeList[T]) get() *T {
	n := len(*l)
	if n == 0 {
		return new(T)
	}
	v := (*l)[n-1]
	*l = (*l)[:n-1]
	return v
}

func (l *freeList[T]) put(v *T) {
	if len(*l) < freeMax {
		*l = append(*l, v)
	}
}

// fifo is a queue in a ring.
type fifo[T any] struct {
	ring  []T // length is a power of two
	head  int
	count int
}

func (q *fifo[T]) push(v T) {
	if q.count == len(q.ring) {
		bigger := make([]T, max(2*len(q.ring), 64))
		for i := range q.count {
			bigger[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = bigger, 0
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = v
	q.count++
}

func (q *fifo[T]) pop() T {
	var none T
	v := q.ring[q.head]
	q.ring[q.head] = none
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.count--; q.count == 0 && len(q.ring) > 1<<16 {
		*q = fifo[T]{}
	}
	return v
}
