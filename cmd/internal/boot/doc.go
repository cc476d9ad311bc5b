// Package boot is what every process does before and after its own work: settings from the
// environment, logs, signals, the admin listener and the ordered stop. The compiler lets only cmd
// import it.
package boot
