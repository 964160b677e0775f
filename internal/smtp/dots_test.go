package smtp

import "testing"

func TestEncoderStuffsDotsAndEnds(t *testing.T) {
	for stored, wire := range map[string]string{
		"":                ".\r\n",
		"a\n":             "a\r\n.\r\n",
		"a":               "a\r\n.\r\n",
		".\n..\n.a\nb.\n": "..\r\n...\r\n..a\r\nb.\r\n.\r\n",
		"\n\n":            "\r\n\r\n.\r\n",
		"a\r\nb\r\n":      "a\r\nb\r\n.\r\n",
		"a\r":             "a\r\n.\r\n",
		"\x00.\n":         "\x00.\r\n.\r\n",
	} {
		var whole, bytewise BodyEncoder
		if got := string(whole.End(whole.Append(nil, []byte(stored)))); got != wire {
			t.Errorf("%q: got %q, want %q", stored, got, wire)
		}
		var got []byte
		for i := range stored {
			got = bytewise.Append(got, []byte(stored[i:i+1]))
		}
		if got = bytewise.End(got); string(got) != wire {
			t.Errorf("%q byte by byte: got %q, want %q", stored, got, wire)
		}
	}
}

func TestBareCRIsFoundInAnyCut(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "a\n": false, "a\r\nb\r\n": false, "a\r": false, "a\r\r\n": true, "\ra": true, "a\rb": true, "a\r\n\rb\n": true, "\r\n\r\n": false,
	} {
		var whole, bytewise BodyEncoder
		if got := whole.BareCR([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
		got := false
		for i := range text {
			piece := []byte(text[i : i+1])
			got = got || bytewise.BareCR(piece)
			bytewise.Append(nil, piece)
		}
		if got != want {
			t.Errorf("%q byte by byte: %v", text, got)
		}
	}
}
