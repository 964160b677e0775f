package wire

import (
	"bytes"
	"testing"
)

func TestQueriesAreAsTheStandardDrawsThem(t *testing.T) {
	name, _ := AppendName(nil, "example.org")
	question := "\x07example\x03org\x00\x00\x0f\x00\x01"
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{ID: 0xabcd, Type: MX}, "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question},
		{Query{ID: 1, Type: MX, Authentic: true}, "\x00\x01\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00" + question},
		{Query{ID: 1, Type: MX, UDPSize: 1232}, "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" + question + "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"},
	} {
		got := AppendQuery(nil, name, c.q)
		if string(got) != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
		m, err := Parse(got)
		if err != nil || !m.RecursionDesired || m.Response || m.ID != c.q.ID || m.Question.Type != MX || m.Question.Class != IN || m.UDPSize != c.q.UDPSize || m.Authentic != c.q.Authentic || !m.Question.Name.Is(name) {
			t.Errorf("%+v: reads as %+v, %v", c.q, m, err)
		}
		if !bytes.Equal(got[HeaderSize:HeaderSize+QuestionSize(name)], []byte(question)) {
			t.Errorf("the question is not where it should be")
		}
	}
}

func TestTypesHaveNames(t *testing.T) {
	for _, n := range typeNames() {
		if got, ok := ParseType(n.t.String()); !ok || got != n.t || n.t.String() != n.name {
			t.Errorf("%v is %v, %v", n, got, ok)
		}
	}
	if got, ok := ParseType("mx"); !ok || got != MX {
		t.Errorf("mx is %v, %v", got, ok)
	}
	if _, ok := ParseType("OPT"); ok {
		t.Error("OPT can be asked for")
	}
	if s := OPT.String() + Type(257).String(); s != "OPTTYPE257" {
		t.Error(s)
	}
}
