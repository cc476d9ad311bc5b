package presence

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Members lists the ids of the processes that live on dir now.
func Members(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, folder, "*-*-*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("presence: list members: %w", err)
	}
	var alive []string
	for _, path := range paths {
		held, err := probe(path)
		if err != nil {
			return nil, fmt.Errorf("presence: list members: %w", err)
		}
		if held {
			alive = append(alive, strings.TrimSuffix(filepath.Base(path), suffix))
		}
	}
	return alive, nil
}
