package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mailboxArrivals counts what arrives in a mailbox that the server itself
// makes, with its first message.
type mailboxArrivals struct{ *mailCount }

// begin implements arrivals.
func (a *mailboxArrivals) begin(ctx context.Context, mailbox string, warmUp int) error {
	for end := time.Now().Add(patience); ; {
		n, err := countMessages([]string{mailbox})
		if n >= warmUp {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d messages in %s: %w", n, warmUp, mailbox, errors.Join(err, context.DeadlineExceeded))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	var err error
	a.mailCount, err = watchMaildirs([]string{mailbox})
	return err
}

func (a *mailboxArrivals) close() error {
	if a.mailCount == nil {
		return nil
	}
	return a.mailCount.close()
}
