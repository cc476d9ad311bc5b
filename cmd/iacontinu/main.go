// Command iacontinu is the whole platform in one binary: `up` runs it, the other commands operate it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	_ "time/tzdata" // pages are in their viewers' time zones, which the machine may not know
	"unicode"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

func main() {
	os.Exit(run(os.Args[0], os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// command is one of the operator's commands.
type command struct {
	name, args, summary string
	run                 func(c *call, args []string) error
	settings            any // that it reads, for its --help
}

// synopsis is how the command is typed.
func (c command) synopsis() string { return strings.TrimSpace("iacontinu " + c.name + " " + c.args) }

func commands() []command {
	folder, client := &service.Folder{}, &service.ClientConfig{}
	return []command{
		{"migrate up", "", "bring the database to this release's schema, as every start does", migrateUp, folder},
		{"migrate down", "[--to VERSION] [--force]", "take the schema's last step back, by force with what rows have in its columns; the platform must be stopped", migrateDown, folder},
		{"migrate status", "", "list the schema's steps, and when the database took each", migrateStatus, folder},
		{"user list", "", "list the accounts", userList, folder},
		{"user add", "NAME [--role user|admin] [--email E]", "make an account; the password is read from standard input", userAdd, folder},
		{"user passwd", "NAME", "set a password, read from standard input; the user's tokens become invalid", userPasswd, folder},
		{"import", "FILE.csv|- --target COLUMN [--ignore A,B] [--decimal ,] [--skip-bad] [--name N]", "read a table of numbers into a dataset", importCSV, folder},
		{"generate", "[--samples N] [--seed S] [--drift KIND] [--magnitude M]", "make a dataset of generated rows", generate, folder},
		{"model list", "[--limit N]", "list the model versions", modelList, folder},
		{"model activate", "VERSION", "make a version serve", modelActivate, folder},
		{"model rollback", "", "make the version before the active one serve", modelRollback, folder},
		{"retrain", "[--dataset ID] [--c C] [--balanced] [--seed S] [--wait T | --async]", "have the running platform train a version", retrain, client},
		{"job", "NUMBER", "show how a retraining stands", showJob, client},
		{"predict", "VALUE... | NAME=VALUE...", "ask the running platform for one prediction", predict, client},
		{"status", "", "show on one page how the running platform is; exit code 1 if something needs a look", status, client},
		{"backup", "DIR|-", "copy database, artifacts and datasets into a new folder, or to standard output as a tar archive, while it runs", backup, folder},
		{"kuma provision", "", "set Uptime Kuma up: account, monitors, Discord, status page and the key for Prometheus; again, it changes nothing", kumaProvision, &service.KumaConfig{}},
		{"secrets share", "FROM TO NAME:UID...", "copy secrets from a folder to another, each for the user who reads it; Compose calls it", shareSecrets, folder},
		{"restore", "DIR|-", "copy a backup, from standard input as a tar archive, to where the settings say, if nothing is there", restore, folder},
	}
}

// call is one run of a command.
type call struct {
	ctx      context.Context
	program  string // as it was called
	environ  []string
	in       io.Reader
	out, err io.Writer
	flags    *flag.FlagSet
	folder   service.Folder
}

// next is a command to type after this one, for the same platform.
func (c *call) next(format string, args ...any) string {
	line := c.program + " " + fmt.Sprintf(format, args...)
	for _, name := range []string{"API_URL", "API_PORT", "MODELS_DIR", "DATABASE_URL"} {
		if value := c.setting(name); value != "" {
			line = name + "=" + shellWord(value) + " " + line
		}
	}
	return line
}

// setting is what the environment says of one, the last word if it says it twice.
func (c *call) setting(name string) (value string) {
	for _, setting := range c.environ {
		if v, ok := strings.CutPrefix(setting, name+"="); ok {
			value = v
		}
	}
	return value
}

// shellWord quotes a text that a shell would not take as it is.
func shellWord(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/.:_-+,@%=", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// errUsage marks an error of the command line, which ends in exit code 2.
var errUsage = errors.New("see --help")

func run(program string, args, environ []string, in io.Reader, out, stderr io.Writer) int {
	if len(args) > 1 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	if len(args) > 0 && args[0] == "up" {
		return up(args[1:], environ, out, stderr)
	}
	if len(args) == 0 {
		overview(stderr)
		return boot.ExitUsage
	}
	if args[0] == "help" || isHelp(args[0]) {
		overview(out)
		return boot.ExitOK
	}
	if args[0] == "--version" || args[0] == "version" {
		fmt.Fprintln(out, "iacontinu", boot.Version())
		return boot.ExitOK
	}
	cmd, rest, ok := find(args)
	if !ok {
		return noCommand(args, out, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once, as one that reads a pipe on which nothing comes
	c := &call{ctx: ctx, program: program, environ: environ, in: in, out: out, err: stderr}
	c.flags = flag.NewFlagSet("iacontinu "+cmd.name, flag.ContinueOnError)
	c.flags.SetOutput(io.Discard) // what is wrong is said below, in one line
	if err := boot.Load(&c.folder, environ); err != nil && !slices.ContainsFunc(rest, isHelp) {
		fmt.Fprintf(stderr, "iacontinu %s: settings are wrong:\n%v\nsee iacontinu %s --help\n", cmd.name, err, cmd.name)
		return boot.ExitUsage
	}
	err := cmd.run(c, rest)
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintf(stderr, "iacontinu %s: interrupted; nothing half-done is kept\n", cmd.name)
		return boot.ExitError
	case errors.Is(err, flag.ErrHelp):
		usage(out, cmd, c.flags)
		return boot.ExitOK
	case err == nil:
		return boot.ExitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "iacontinu %s: %s\nUsage: %s; more: iacontinu %s --help\n", cmd.name,
			strings.TrimSuffix(err.Error(), ": "+errUsage.Error()), cmd.synopsis(), cmd.name)
		return boot.ExitUsage
	default:
		fmt.Fprintf(stderr, "iacontinu %s: %v\n", cmd.name, describe(err))
		return boot.ExitError
	}
}

// isHelp reports whether an argument asks for help, which wrong settings must not keep from anyone.
func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// find takes the longest command that the arguments begin with.
func find(args []string) (cmd command, rest []string, ok bool) {
	for _, c := range commands() {
		if len(args) > 1 && c.name == args[0]+" "+args[1] {
			return c, args[2:], true
		}
		if c.name == args[0] {
			return c, args[1:], true
		}
	}
	return command{}, nil, false
}

// noCommand answers what is no command: the first word of some, or a misspelt one.
func noCommand(args []string, out, stderr io.Writer) int {
	given, there := args[0], slices.DeleteFunc(commands(), func(c command) bool { return !strings.HasPrefix(c.name, args[0]+" ") })
	names := []string{"up"}
	if len(there) > 0 {
		if len(args) > 1 && (isHelp(args[1]) || args[1] == "help") {
			fmt.Fprintf(out, "Usage: iacontinu %s COMMAND [--help]\n\n", args[0])
			printCommands(out, there)
			return boot.ExitOK
		}
		given, names = strings.Join(args[:min(len(args), 2)], " "), nil
	} else {
		there = commands()
	}
	for _, c := range there {
		names = append(names, c.name)
	}
	fmt.Fprintf(stderr, "iacontinu: there is no command %q, but: %s; see iacontinu --help\n", given, strings.Join(names, ", "))
	return boot.ExitUsage
}

// parse reads flags wherever they stand among the arguments and checks how many arguments are left.
func (c *call) parse(args []string, least, most int) ([]string, error) {
	var positional []string
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", err, errUsage)
		}
		args = c.flags.Args()
		if len(args) == 0 {
			break
		}
		// "-1.5" and "--" end the flags; anything else goes on with them.
		positional = append(positional, args[0])
		args = args[1:]
	}
	switch n := len(positional); {
	case n < least:
		return nil, fmt.Errorf("an argument is missing: %w", errUsage)
	case n > most:
		return nil, fmt.Errorf("unexpected argument %q: %w", positional[most], errUsage)
	}
	return positional, nil
}

// onExisting is onFolder for commands about what is there already.
func (c *call) onExisting(work func(p *service.Platform) error) error {
	if err := c.hasDatabase(); err != nil {
		return err
	}
	return c.onFolder(work)
}

// hasDatabase refuses a place without a database, so that no new folder is made where a command was called in
// the wrong one.
func (c *call) hasDatabase() error {
	path := string(c.folder.Database)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s: call this in the platform's folder, or set DATABASE_URL", path)
	}
	return nil
}

// onFolder opens the shared folder for a command, making what is missing, and closes it. Only
// warnings are logged, to standard error.
func (c *call) onFolder(work func(p *service.Platform) error) error {
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := service.Open(c.ctx, c.folder, "cli", log)
	if err != nil {
		return err
	}
	if m := p.Store.Migration(); m.From == 0 && m.Legacy == nil {
		fmt.Fprintf(c.err, "%s was not there, and was made: this is the folder of a new platform now\n", c.folder.Database)
	}
	return errors.Join(work(p), p.Close())
}

func overview(w io.Writer) {
	fmt.Fprintln(w, "iacontinu keeps one tabular classifier good in production.")
	fmt.Fprintln(w, "\nUsage: iacontinu COMMAND [--help]")
	fmt.Fprintln(w)
	printCommands(w, append([]command{{name: "up", summary: "run API, worker and periodic check in one process"}}, commands()...))
	fmt.Fprintln(w, "\nThe commands work on the folder that DATABASE_URL and MODELS_DIR name, beside a running")
	fmt.Fprintln(w, "platform or without one; retrain, job and predict ask the platform at API_URL.")
}

func printCommands(w io.Writer, list []command) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, c := range list {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", c.name, c.args, c.summary)
	}
	_ = tw.Flush() // a terminal or a pipe: nobody is left to tell
}

func usage(w io.Writer, cmd command, flags *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: %s\n\n%s\n", cmd.synopsis(), cmd.summary)
	if hasFlags(flags) {
		fmt.Fprintln(w)
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	fmt.Fprintln(w, "\nSettings (environment, default, meaning):")
	boot.PrintSettings(w, cmd.settings)
}

func hasFlags(flags *flag.FlagSet) bool {
	found := false
	flags.VisitAll(func(*flag.Flag) { found = true })
	return found
}
