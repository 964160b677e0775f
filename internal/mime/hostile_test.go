package mime

import (
	"bytes"
	"testing"

	"barid/internal/message"
)

// TestHostileMessagesTakeLinearTime gives each reader a long run of what it
// could look at again and again. What is not linear takes hours.
func TestHostileMessagesTakeLinearTime(t *testing.T) {
	var e Encoder
	var s Searcher
	var m message.Structure
	needle := s.AppendNeedle(nil, []byte("needle"))
	var out []byte
	for _, piece := range []string{
		"=?", "=?a?q?", "=?a?b?QUJD", "=?utf-8?q?=C3?= ", "=?a?q?x?= =?b?q?y?=", "; a=b", "; name*0=\"", "; name*1*=''%41",
		"(", "\"", "<", "<a@b>,", "a:", "a b ", "\n a", "\u0308", "<style>", "<!--", "</", "&#", "&amp;", ">\n", "=\n", "=4", " ",
	} {
		long := bytes.Repeat([]byte(piece), (128<<10)/len(piece))
		for _, head := range []string{
			"From: ", "Subject: ", "Content-Type: text/plain; x=y", "Content-Disposition: x; name=",
			"Content-Language: ", "\n", "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n",
		} {
			m.Parse(append([]byte(head), long...))
			out = e.AppendEnvelope(out[:0], m.Header(0))
			out = e.AppendBodyStructure(out[:0], &m, true)
			out = s.AppendPreview(out[:0], &m)
			s.Message(&m, needle)
			media, _ := m.Media(0)
			out, _ = s.AppendParameter(out[:0], media.Parameters(), "name")
		}
	}
}
