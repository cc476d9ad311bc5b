package boot

import (
	"errors"
	"fmt"
)

// Stack closes what a process opened, last opened first. Register each thing the moment it exists,
// so that a failure half way through the start closes just what was opened.
type Stack struct {
	closers []closer
}

type closer struct {
	name string
	fn   func() error
}

// OnStop registers fn under a name for errors.
func (s *Stack) OnStop(name string, fn func() error) {
	s.closers = append(s.closers, closer{name, fn})
}

// Stop runs all that was registered, last first, whatever fails. It may be called twice.
func (s *Stack) Stop() error {
	var errs []error
	for len(s.closers) > 0 {
		last := s.closers[len(s.closers)-1]
		s.closers = s.closers[:len(s.closers)-1]
		if err := last.fn(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}
