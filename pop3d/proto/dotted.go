package proto

import "bytes"

type encoder struct {
	within bool
	cr     bool
}

func (e *encoder) append(out, text []byte) []byte {
	for len(text) > 0 {
		if !e.within && text[0] == '.' {
			out = append(out, '.')
		}
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			e.within, e.cr = true, text[len(text)-1] == '\r'
			return append(out, text...)
		}
		out = append(out, text[:i]...)
		if i > 0 && text[i-1] == '\r' || i == 0 && e.cr {
			out = append(out, '\n')
		} else {
			out = append(out, '\r', '\n')
		}
		e.within, e.cr = false, false
		text = text[i+1:]
	}
	return out
}

func (e *encoder) end(out []byte) []byte {
	if e.within {
		out = append(out, '\r', '\n')
	}
	return append(out, ".\r\n"...)
}
