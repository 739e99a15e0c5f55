package extauthz

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestADueContextIsOneWithADeadline compares it with the standard library's at
// every stage, whether or not somebody waits.
func TestADueContextIsOneWithADeadline(t *testing.T) {
	t.Parallel()
	type key struct{}
	tests := []struct {
		name string
		// act does what ends the context, or not.
		act  func(parent, end context.CancelFunc)
		want error
	}{
		{"nothing happens", func(_, _ context.CancelFunc) {}, nil},
		{"the time is nearly over", func(_, _ context.CancelFunc) { time.Sleep(time.Second - 1) }, nil},
		{"the time is over", func(_, _ context.CancelFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		{"the parent ends", func(parent, _ context.CancelFunc) { parent() }, context.Canceled},
		{"it is ended", func(_, end context.CancelFunc) { end() }, context.Canceled},
		{"it is ended twice", func(_, end context.CancelFunc) { end(); end() }, context.Canceled},
		{"it is ended, and then the time is over", func(_, end context.CancelFunc) { end(); time.Sleep(time.Minute) }, context.Canceled},
		{"the parent ends after the time", func(parent, _ context.CancelFunc) { time.Sleep(time.Minute); parent() }, context.DeadlineExceeded},
	}
	for _, test := range tests {
		for who, waits := range map[string]bool{"nobody waits": false, "somebody waits": true} {
			t.Run(test.name+"/"+who, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					parent, cancelParent := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
					defer cancelParent()
					d := &due{Context: parent, at: time.Now().Add(time.Second)}
					defer d.end()
					below, cancelBelow := context.Context(d), context.CancelFunc(func() {})
					if waits {
						below, cancelBelow = context.WithCancel(d)
					}
					defer cancelBelow()
					if at, ok := d.Deadline(); !ok || !at.Equal(time.Now().Add(time.Second)) {
						t.Errorf("deadline %v, %v", at, ok)
					}
					test.act(cancelParent, d.end)
					synctest.Wait()
					if err := d.Err(); waits && !errors.Is(err, test.want) {
						t.Errorf("error %v, want %v", err, test.want)
					}
					for _, ctx := range []context.Context{d, below, d} {
						// One that nobody waited for cannot know which came first.
						if err := ctx.Err(); (err == nil) != (test.want == nil) || waits && !errors.Is(err, test.want) {
							t.Errorf("error %v, want %v", err, test.want)
						}
						if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
							t.Errorf("cause %v, error %v", cause, ctx.Err())
						}
						if ctx.Value(key{}) != "v" {
							t.Error("the parent's value is lost")
						}
					}
					select {
					case <-d.Done():
						if test.want == nil {
							t.Error("done")
						}
					default:
						if test.want != nil {
							t.Error("not done")
						}
					}
				})
			})
		}
	}
}

// TestADueContextWakesWhoWaits at its end, and not before.
func TestADueContextWakesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		d := &due{Context: t.Context(), at: began.Add(time.Second)}
		defer d.end()
		<-d.Done()
		if after := time.Since(began); after != time.Second || !errors.Is(d.Err(), context.DeadlineExceeded) {
			t.Errorf("woken after %v: %v", after, d.Err())
		}
	})
}
