package main

import (
	"net"
	"sync"
)

// counting is a connection that gives its place back when it ends.
type counting struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *counting) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}
