package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"barid/internal/metric"
)

// metricsService is the name of the door for those who watch the server.
const metricsService = "metrics"

// watchers answers those who watch the server, by HTTP. It is small on
// purpose: two pages, few connections, short patience.
type watchers struct {
	http *http.Server
	wait sync.WaitGroup
}

// Bounds of the door for watchers. It asks nobody for a password, so it may
// cost next to nothing.
const (
	watchersMax     = 16
	watcherPatience = 10 * time.Second
	watcherHeader   = 8 << 10 // bytes of a request
)

// serveWatchers answers on the sockets until close.
func serveWatchers(sockets []net.Listener, metrics func(*metric.Page), health func() error) *watchers {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var p metric.Page
		metrics(&p)
		w.Header().Set("Content-Type", metric.ContentType)
		_, _ = w.Write(p.Bytes()) // whoever is gone needs no answer
	})
	pages.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := health(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	w := &watchers{http: &http.Server{
		Handler: pages, MaxHeaderBytes: watcherHeader,
		ReadTimeout: watcherPatience, WriteTimeout: watcherPatience, IdleTimeout: time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // about clients that nobody needs
	}}
	slots := make(chan struct{}, watchersMax)
	for _, l := range sockets {
		w.wait.Go(func() { _ = w.http.Serve(&narrowDoor{l, slots}) }) // ErrServerClosed, at the end
	}
	return w
}

// close ends the service.
func (w *watchers) close() {
	ctx, cancel := context.WithTimeout(context.Background(), answerPatience)
	defer cancel()
	if err := w.http.Shutdown(ctx); err != nil {
		w.http.Close()
	}
	w.wait.Wait()
}

// narrowDoor serves as many connections as there are slots, and lets others
// wait.
type narrowDoor struct {
	net.Listener
	slots chan struct{}
}

// Accept implements net.Listener.
func (d *narrowDoor) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d.slots <- struct{}{}
	return &slotted{Conn: c, leave: sync.OnceFunc(func() { <-d.slots })}, nil
}

// slotted is a connection that gives its slot back when it is closed.
type slotted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *slotted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// health says why the server would take no message now; nil when it would.
func (s *server) health() error {
	if s.stopping.Load() {
		return errors.New("the server is about to end")
	}
	w := s.spool.Writer()
	defer w.Release()
	_, err := w.Begin()
	return err
}
