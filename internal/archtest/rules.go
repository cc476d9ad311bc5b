package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// leaves import nothing of the module and may be imported by every package.
var leaves = []string{
	"internal/ml", "internal/api", "internal/logreg", "internal/drift", "internal/forecast", "internal/synth",
	"internal/tabular", "internal/flowrun", "internal/onnx", "internal/chart", "internal/redact", "internal/tracing", "internal/summary", "internal/wording", "internal/bounds",
	"migrations", "docs",
}

// maxLines is the length at which a file is about more than one subject.
const maxLines = 500

// rule looks at one file and says what is wrong with it.
type rule func(*file) []string

var rules = []rule{
	importRule, environmentRule, sleepRule, initRule, registryRule, tracerRule, loggerRule, lengthRule,
}

// check returns every breach, sorted.
func check(files []*file) []string {
	var out []string
	for _, f := range files {
		for _, r := range rules {
			out = append(out, r(f)...)
		}
	}
	slices.Sort(out)
	return out
}

// importRule holds the direction of imports, in tests too: a test that needs a second package is a
// test of the wiring, and belongs to cmd or internal/e2e.
func importRule(f *file) []string {
	from := owner(f.folder)
	if from == "cmd" || from == "bench" || from == "deploy" {
		return nil // they wire; the compiler keeps cmd/internal to cmd
	}
	var out []string
	for _, imported := range f.internalImports() {
		to := owner(imported)
		switch {
		case to == from:
		case slices.Contains(leaves, from):
			out = append(out, fmt.Sprintf("%s: the leaf %s imports %s; a leaf imports nothing of this module", f.path, from, imported))
		case slices.Contains(leaves, to):
		case from == endToEnd && f.test && isFake(imported):
		default:
			out = append(out, fmt.Sprintf("%s: %s imports %s; only leaves (%s) may be imported here: declare the methods it needs as an interface and let cmd pass the value",
				f.path, from, imported, strings.Join(leaves, ", ")))
		}
	}
	return out
}

// endToEnd runs the binaries against fakes of the outside services.
const endToEnd = "internal/e2e"

// isFake reports whether a package is the fake of its parent's outside thing, such as
// internal/discord/discordtest.
func isFake(folder string) bool {
	parent, name := path.Split(folder)
	return name == path.Base(parent)+"test"
}

// owner is the package that a folder belongs to as far as the import rule goes: subpackages count as
// part of their parent.
func owner(folder string) string {
	parts := strings.Split(folder, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// environmentRule keeps configuration in cmd. Tests may hand a value to a process that they start, and what stands in
// for another server is set up as that one is.
func environmentRule(f *file) []string {
	if owner(f.folder) == "cmd" || f.test || strings.HasPrefix(f.folder, "deploy/docker/") {
		return nil
	}
	out := uses(f, "os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		"the environment is read in cmd alone: take the value in the Options")
	for _, imported := range f.imports {
		if strings.HasPrefix(imported, "github.com/caarlos0/env") {
			out = append(out, fmt.Sprintf("%s: imports %s; the environment is read in cmd alone", f.path, imported))
		}
	}
	return out
}

// sleepRule keeps guesses about time out of tests.
func sleepRule(f *file) []string {
	if !f.test {
		return nil
	}
	return uses(f, "time", []string{"Sleep"}, "a test waits for a signal, not for a while")
}

// initRule keeps effects out of an import.
func initRule(f *file) []string {
	var out []string
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			out = append(out, f.at(fn)+": func init; build it where it is used and pass it on")
		}
	}
	return out
}

// registryRule keeps metrics on the registerer that is passed in, so that several instances can live
// in one process.
func registryRule(f *file) []string {
	const why = "metrics go to the prometheus.Registerer passed in, never to the global one"
	out := uses(f, "github.com/prometheus/client_golang/prometheus",
		[]string{"DefaultRegisterer", "DefaultGatherer", "MustRegister", "Register", "Unregister"}, why)
	out = append(out, uses(f, "github.com/prometheus/client_golang/prometheus/promhttp", []string{"Handler"}, why)...)
	return append(out, usesUnless(f, "github.com/prometheus/client_golang/prometheus/promauto", []string{"With"}, why)...)
}

// tracerRule keeps the sending of spans to cmd, and the library's global state out: whoever begins a trace
// is passed a trace.Tracer.
func tracerRule(f *file) []string {
	var out []string
	for _, imported := range f.imports {
		name, found := strings.CutPrefix(imported, "go.opentelemetry.io/otel")
		sends := strings.HasPrefix(name, "/sdk") || strings.HasPrefix(name, "/exporters")
		if found && (name == "" || sends && owner(f.folder) != "cmd" && !f.test) {
			out = append(out, fmt.Sprintf("%s: imports %s; spans come of the trace.Tracer in the Options, and cmd alone sends them", f.path, imported))
		}
	}
	return out
}

// loggerRule keeps packages from writing where nobody told them to: whoever wires them passes the logger.
// An example may end by log.Fatal.
func loggerRule(f *file) []string {
	if f.test || owner(f.folder) == "cmd" || owner(f.folder) == "bench" || owner(f.folder) == "deploy" {
		return nil
	}
	const why = "lines go to the *slog.Logger passed in, or to slog.DiscardHandler, never to the global one"
	out := uses(f, "log/slog", []string{
		"Default", "SetDefault", "With", "Log", "LogAttrs", "Debug", "DebugContext", "Info", "InfoContext",
		"Warn", "WarnContext", "Error", "ErrorContext",
	}, why)
	return append(out, usesUnless(f, "log", []string{"New", "Logger"}, why)...)
}

// lengthRule keeps a file to one subject.
func lengthRule(f *file) []string {
	if f.lines <= maxLines || f.generated() {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d lines; over %d a file is about more than one subject", f.path, f.lines, maxLines)}
}

// uses reports mentions of the named members of an imported package.
func uses(f *file, pkg string, members []string, why string) []string {
	return mentions(f, pkg, why, func(m string) bool { return slices.Contains(members, m) })
}

// usesUnless reports mentions of all other members.
func usesUnless(f *file, pkg string, members []string, why string) []string {
	return mentions(f, pkg, why, func(m string) bool { return !slices.Contains(members, m) })
}

func mentions(f *file, pkg, why string, banned func(member string) bool) []string {
	var out []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && f.imports[x.Name] == pkg && banned(s.Sel.Name) {
			out = append(out, fmt.Sprintf("%s: %s.%s; %s", f.at(s), x.Name, s.Sel.Name, why))
		}
		return true
	})
	return out
}
