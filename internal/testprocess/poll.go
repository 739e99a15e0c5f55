package testprocess

import (
	"errors"
	"time"
)

// Patience with a process on a busy machine.
const Patience = 30 * time.Second

// pause between two looks.
const pause = 10 * time.Millisecond

// Poll tries until there is no error, a final one, or [Patience] ends.
func Poll(try func() (final bool, err error)) error {
	deadline := time.After(Patience)
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		final, err := try()
		if err == nil || final {
			return err
		}
		select {
		case <-ticker.C:
		case <-deadline:
			return errors.Join(errors.New("patience is at its end"), err)
		}
	}
}
