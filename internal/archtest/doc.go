// Package archtest holds the shape of the module: which package may import which, and the few habits
// that no linter knows. It parses the sources; a test that asked the go command would be cached and
// miss a breach.
//
// The import rule. Only cmd wires. A package under internal imports leaves and nothing else of this
// module; a leaf imports nothing of it. A helper for tests in a subpackage (internal/discord/discordtest)
// counts as part of its parent; only internal/e2e, which runs the binaries, uses those of others.
package archtest
