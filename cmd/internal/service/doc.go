// Package service wires each process: it opens what the process needs, hands each part what it uses
// of the others, and runs them. cmd/api, cmd/flow, cmd/worker and `iacontinu up` all run this code,
// so that one process with everything and three processes on one folder behave alike.
package service
