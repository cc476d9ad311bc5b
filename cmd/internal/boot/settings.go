package boot

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	wrong := map[string]error{} // by setting
	for _, s := range Settings(config) {
		if err := resolve(s, values); err != nil {
			wrong[s.Name] = err
		}
	}
	if err := parse(config, values, wrong); err != nil {
		return err
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		problems = append(problems, wrong[name])
	}
	if v, ok := config.(interface{ Validate() error }); ok {
		for _, err := range flat(v.Validate()) {
			name, _, _ := strings.Cut(err.Error(), ":")
			if wrong[name] == nil { // else it judges a value that is not there
				problems = append(problems, err)
			}
		}
	}
	return errors.Join(problems...)
}

// parse fills the struct from the values. It adds the settings that can't be read to the wrong ones and
// gives them their defaults, so that the others can be judged beside them.
func parse(config any, values map[string]string, wrong map[string]error) error {
	err := env.ParseWithOptions(config, env.Options{Environment: values})
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	for _, e := range all.Errors {
		var failed env.ParseError
		if !errors.As(e, &failed) {
			return err
		}
		walk(reflect.TypeOf(config).Elem(), func(f reflect.StructField) {
			if name := f.Tag.Get("env"); f.Name == failed.Name && f.Type == failed.Type {
				wrong[name] = fmt.Errorf("%s: %w", name, inWords(f.Type, values[name], failed.Err))
				delete(values, name)
			}
		})
	}
	return env.ParseWithOptions(config, env.Options{Environment: values})
}

// inWords says what a setting may be, where the library speaks of Go.
func inWords(t reflect.Type, value string, err error) error {
	switch t {
	case reflect.TypeFor[slog.Level]():
		return fmt.Errorf("%q is not one of DEBUG, INFO, WARN, ERROR", value)
	case reflect.TypeFor[bool]():
		return fmt.Errorf("%q is not one of true, false", value)
	case reflect.TypeFor[int]():
		return fmt.Errorf("%q is not a whole number", value)
	}
	return err
}

// flat are the errors that were joined, one by one.
func flat(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flat(e)...)
	}
	return all
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

// withoutUser hides who is named in a URL and by which password. Where what is before the last @ is not
// quite a user it is hidden as well: nobody reads that in a log.
func withoutUser(value string) string {
	scheme, rest, isURL := strings.Cut(value, "://")
	if at := strings.LastIndex(rest, "@"); isURL && at >= 0 {
		return scheme + "://(set)" + rest[at:]
	}
	return value
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
			case f.Type.Kind() == reflect.Pointer: // a setting that may be absent
				value := ""
				if !v.Field(i).IsNil() {
					value = fmt.Sprint(v.Field(i).Elem().Interface())
				}
				out = append(out, name+"="+value)
			default:
				out = append(out, fmt.Sprintf("%s=%s", name, withoutUser(fmt.Sprint(v.Field(i).Interface()))))
			}
		}
	}
	visit(v)
	slices.Sort(out)
	return out
}
