package relay

import "testing"

func TestMessageGoesToTheMailExchangerOfTheDomain(t *testing.T) {
	s := newScene(t, "example.org 300 MX 10 mx.example.org\nmx.example.org 300 A 127.0.0.1\n")
	s.serve("127.0.0.1", whole)
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org delivered 2.0.0: ")
}
