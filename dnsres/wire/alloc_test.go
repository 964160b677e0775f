//go:build !race

package wire

import "testing"

func TestQueryAndAnswerDoNotAllocate(t *testing.T) {
	msgs := [][]byte{readMessage(t, "testdata/messages/01-mx-compressed.hex"), readMessage(t, "testdata/messages/05-srv-tlsa.hex")}
	if n := testing.AllocsPerRun(1000, func() { ask() }); n != 0 {
		t.Errorf("building a query allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		for _, msg := range msgs {
			walk(msg)
		}
	}); n != 0 {
		t.Errorf("walking an answer allocates %v times", n)
	}
}

// ask builds a query as the resolver does.
func ask() int {
	var nameBuffer [NameMax]byte
	var random [NameMax/8 + 1]byte
	var buffer [512]byte
	name, err := AppendName(nameBuffer[:0], "mail.example.org")
	if err != nil {
		return 0
	}
	msg := AppendQuery(buffer[:0], name, Query{ID: 1, Type: MX, UDPSize: 1232})
	MixCase(msg[HeaderSize:], random[:])
	return len(msg)
}

// walk reads an answer as the resolver does.
func walk(msg []byte) (octets int) {
	var text, canonical [4 * NameMax]byte
	m, err := Parse(msg)
	if err != nil {
		return 0
	}
	name := m.Question.Name.AppendWire(canonical[:0])
	for records := m.Answers(); ; {
		r, ok := records.Next()
		if !ok {
			return octets
		}
		if target, ok := r.Target(); ok && r.Name.Is(name) {
			octets += len(target.AppendTo(text[:0])) + int(r.Preference())
		}
		octets += len(r.Association().Data) + int(r.Service().Port)
	}
}

func BenchmarkQuery(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

func BenchmarkAnswer(b *testing.B) {
	msg := readMessage(b, "testdata/messages/01-mx-compressed.hex")
	b.ReportAllocs()
	for b.Loop() {
		walk(msg)
	}
}
