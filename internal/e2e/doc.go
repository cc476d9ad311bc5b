// Package e2e builds the binaries and runs them as a user would: on an empty folder, beside each
// other, killed, stopped, given wrong input. It has tests only.
package e2e
