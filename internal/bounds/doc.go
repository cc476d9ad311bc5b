// Package bounds keeps what strangers can ask for within what a process has: its connections, and how much of
// something goes on at once.
package bounds
