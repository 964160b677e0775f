package proto

import (
	"testing"

	"barid/internal/dialog"
)

// fuzzSettings are the listeners that FuzzCut chooses from. The limits are
// small, so that they are met.
var fuzzSettings = [][][2]string{
	{{"mode", "mx"}},
	{{"mode", "submission"}, {"auth-cleartext", "yes"}},
	{{"mode", "lmtp"}, {"tls", "none"}},
	{{"mode", "mx"}, {"tls", "implicit"}, {"trust", "xclient"}, {"trust", "xforward"}},
	{{"mode", "submission"}, {"tls", "required"}},
	{{"mode", "lmtp"}, {"size-max", "100"}, {"header-max", "60"}, {"line-max", "50"}, {"received-max", "1"},
		{"rcpt-max", "2"}, {"rcpt-domain-max", "1"}, {"mail-max", "2"}, {"errors-max", "5"}, {"commands-max", "30"}},
	{{"mode", "mx"}, {"size-max", "100"}, {"header-max", "60"}, {"line-max", "50"}, {"received-max", "1"},
		{"rcpt-max", "2"}, {"rcpt-domain-max", "1"}, {"mail-max", "2"}, {"errors-max", "5"}, {"commands-max", "30"}},
}

// FuzzCut: whatever the client sends and however it is cut, the conversation
// is the same, and the door (see step, serve, commit) finds every promise
// kept.
func FuzzCut(f *testing.F) {
	for i, s := range scripts(f) {
		if input := s.Input(); len(input) < 3000 {
			f.Add(input, []byte{byte(i), 0, 7}, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, input, cuts []byte, which uint8) {
		if len(input) > 4000 {
			return
		}
		settings := fuzzSettings[int(which)%len(fuzzSettings)]
		dialog.CutEqual(t, input, cuts, func(pieces [][]byte) string {
			return play(t, settings, pieces)
		})
	})
}
