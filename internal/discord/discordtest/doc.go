// Package discordtest is a Discord webhook for tests and tours: it takes what Discord takes, refuses
// what Discord refuses, and remembers what it took.
//
// It enforces the limits of embeds and the types of their values, asks callers to slow down, and
// fails on command. It imports nothing of the platform, so that it judges by Discord's rules and not
// by ours.
package discordtest
