package loop

import "errors"

type proxyHeader struct{}

func parseProxy(in []byte) (proxyHeader, int, error) { return proxyHeader{}, 0, errors.New("not yet") }
func (c *Conn) rejectProxy(err error) verdict        { return c.finish(err) }
func (c *Conn) apply(proxyHeader)                    {}
