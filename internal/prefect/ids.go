package prefect

import (
	"strings"

	"github.com/google/uuid"
)

// namespace is where the ids that follow from a run live. It must never change: what was reported
// under it would be reported again.
var namespace = uuid.MustParse("7d0a3b44-9c0e-5f8e-9a53-5be2c1f0a6d1")

// derived is the id of what parts name, the same in every process.
func derived(parts ...string) string {
	return uuid.NewSHA1(namespace, []byte(strings.Join(parts, "\x00"))).String()
}

// taskRunID is the id on the server of a step of a flow run.
func taskRunID(flowRunID, step string) string { return derived("task", flowRunID, step) }
