package metric

import (
	"math"
	"strconv"
	"strings"
)

// ContentType is what a Page is, for HTTP.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is what can be done with a value: the rate of a counter means
// something, that of a gauge does not.
type Kind string

// The kinds of family.
const (
	KindCounter   Kind = "counter"
	KindGauge     Kind = "gauge"
	KindHistogram Kind = "histogram"
)

// Page is one answer to who asks for metrics. The zero value is empty.
//
//	page   = *family
//	family = "# HELP " name " " help LF "# TYPE " name " " kind LF *sample
//	sample = name [ "{" label *( "," label ) "}" ] " " value LF
//	label  = name "=" DQUOTE *( char / "\\" / "\" DQUOTE / "\n" ) DQUOTE
type Page struct {
	text  []byte
	names map[string]bool
}

// Bytes is what was written so far.
func (p *Page) Bytes() []byte { return p.text }

// Family is metrics of one name that differ in their labels.
type Family struct {
	page   *Page
	name   string
	labels []string
}

// Family begins a family. Its samples are to follow before the next one
// begins.
func (p *Page) Family(kind Kind, name, help string, labels ...string) *Family {
	if p.names[name] || !isName(name) {
		panic("metric: a family cannot be named " + name)
	}
	if p.names == nil {
		p.names = map[string]bool{}
	}
	p.names[name] = true
	p.text = append(p.text, "# HELP "+name+" "+helpText(help)+"\n# TYPE "+name+" "+string(kind)+"\n"...)
	return &Family{p, name, labels}
}

// Counter writes a family of one sample that only grows.
func (p *Page) Counter(name, help string, value uint64) {
	p.Family(KindCounter, name, help).Sample(float64(value))
}

// Gauge writes a family of one sample.
func (p *Page) Gauge(name, help string, value float64) {
	p.Family(KindGauge, name, help).Sample(value)
}

// Histogram writes a family of one histogram.
func (p *Page) Histogram(name, help string, h *Histogram) {
	f := p.Family(KindHistogram, name, help)
	var count uint64
	for i := range h.buckets {
		count += h.buckets[i].Load()
		le := math.Inf(1)
		if i < len(h.bounds) {
			le = h.bounds[i]
		}
		f.line("_bucket", []string{"le"}, []string{number(le)}, float64(count))
	}
	f.line("_sum", nil, nil, math.Float64frombits(h.sum.Load()))
	f.line("_count", nil, nil, float64(count))
}

// Sample writes the value of one combination of labels, whose values are given
// in the order of the family's names.
func (f *Family) Sample(value float64, labels ...string) { f.line("", f.labels, labels, value) }

func (f *Family) line(suffix string, names, values []string, value float64) {
	if len(names) != len(values) {
		panic("metric: " + f.name + " does not have so many labels")
	}
	text := append(f.page.text, f.name+suffix...)
	for i, name := range names {
		text = append(text, "{,"[min(i, 1)])
		text = append(text, name+`="`+labelText(values[i])+`"`...)
	}
	if len(names) > 0 {
		text = append(text, '}')
	}
	f.page.text = append(text, " "+number(value)+"\n"...)
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case v == math.Trunc(v) && math.Abs(v) < 1<<53:
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func helpText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s)
}

// labelText escapes what came from outside: it has to be UTF-8.
func labelText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "\ufffd"))
}

// isName reports whether s can name a metric.
//
//	name = ( ALPHA / "_" / ":" ) *( ALPHA / DIGIT / "_" / ":" )
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
