// Package harness is what the comparison programs share: starting and stopping a server as a user
// would, waiting until it answers, reading its processor time and memory from /proc, and driving it
// with wrk. It is for Linux.
package harness
