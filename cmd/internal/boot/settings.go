package boot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caarlos0/env/v11"
)

// Setting describes one environment variable that a process reads.
type Setting struct {
	Name    string
	Default string
	Help    string
	Secret  bool // may also come from the file that NAME_FILE names
}

// Settings lists the settings of a configuration struct in the order of its fields. Fields carry
// the tags env, envDefault, help and, for a secret, secret:"true"; embedded structs are walked.
func Settings(config any) []Setting {
	var out []Setting
	walk(reflect.TypeOf(config).Elem(), func(f reflect.StructField) {
		out = append(out, Setting{
			Name:    f.Tag.Get("env"),
			Default: f.Tag.Get("envDefault"),
			Help:    f.Tag.Get("help"),
			Secret:  f.Tag.Get("secret") == "true",
		})
	})
	return out
}

func walk(t reflect.Type, visit func(reflect.StructField)) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("env") != "" {
			visit(f)
		} else if f.Type.Kind() == reflect.Struct {
			walk(f.Type, visit)
		}
	}
}

// Load fills the configuration struct from the environment, a list of NAME=value. A secret may lie
// in the file that NAME_FILE names. An empty value means the default, as Compose passes unset
// variables on as empty ones. The error names each wrong setting, and never the value of a secret.
func Load(config any, environ []string) error {
	values := env.ToMap(environ)
	var problems []error
	for _, s := range Settings(config) {
		if err := resolve(s, values); err != nil {
			problems = append(problems, err)
		}
	}
	if err := env.ParseWithOptions(config, env.Options{Environment: values}); err != nil {
		problems = append(problems, named(config, err)...)
	}
	if v, ok := config.(interface{ Validate() error }); ok && len(problems) == 0 {
		if err := v.Validate(); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// resolve replaces NAME_FILE by the file's content and drops an empty value.
func resolve(s Setting, values map[string]string) error {
	if values[s.Name] == "" {
		delete(values, s.Name)
	}
	path := values[s.Name+"_FILE"]
	if !s.Secret || path == "" {
		return nil
	}
	if _, both := values[s.Name]; both {
		return fmt.Errorf("%s and %s_FILE are both set: keep one", s.Name, s.Name)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s_FILE: %w", s.Name, err)
	}
	values[s.Name] = strings.TrimSpace(string(content))
	if values[s.Name] == "" {
		return fmt.Errorf("%s_FILE: %s is empty", s.Name, path)
	}
	return nil
}

// named turns the library's errors, which name Go fields, into errors that name settings.
func named(config any, err error) []error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	var out []error
	for _, e := range all.Errors {
		var parse env.ParseError
		if !errors.As(e, &parse) {
			out = append(out, e)
			continue
		}
		walk(reflect.TypeOf(config).Elem(), func(f reflect.StructField) {
			if f.Name == parse.Name && f.Type == parse.Type {
				out = append(out, fmt.Errorf("%s: %w", f.Tag.Get("env"), parse.Err))
			}
		})
	}
	return out
}

// PrintSettings writes a table of the settings for --help.
func PrintSettings(w io.Writer, config any) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range Settings(config) {
		name, def := s.Name, s.Default
		if s.Secret {
			name += "[_FILE]"
		}
		if def == "" {
			def = "-"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", name, def, s.Help)
	}
	_ = tw.Flush() // the writer below is a terminal or a pipe: nobody is left to tell
}

// Masked lists NAME=value of the settings in force, secrets hidden, for the start-up log.
func Masked(config any) []string {
	v := reflect.ValueOf(config).Elem()
	var out []string
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := f.Tag.Get("env")
			switch {
			case name == "" && f.Type.Kind() == reflect.Struct:
				visit(v.Field(i))
			case name == "":
			case f.Tag.Get("secret") == "true" && !v.Field(i).IsZero():
				out = append(out, name+"=(set)")
			default:
				out = append(out, fmt.Sprintf("%s=%v", name, v.Field(i).Interface()))
			}
		}
	}
	visit(v)
	slices.Sort(out)
	return out
}
