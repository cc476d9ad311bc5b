package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "iacontinu"

// file is one parsed source file.
type file struct {
	path    string // from the root of the module, with slashes
	folder  string // its package, "." for the root
	test    bool
	lines   int
	syntax  *ast.File
	set     *token.FileSet
	imports map[string]string // name in this file to import path
}

// at is where a node lies, for a message.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}

// generated files say so in a line of their own before the package clause.
func (f *file) generated() bool { return ast.IsGenerated(f.syntax) }

// internalImports are the packages of this module that the file imports, from the root.
func (f *file) internalImports() []string {
	var out []string
	for _, spec := range f.syntax.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

// parse reads every Go file of the module in fsys but testdata, hidden folders and build products.
func parse(fsys fs.FS) ([]*file, error) {
	var files []*file
	set := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && skipped(d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		f, err := parseFile(fsys, set, p)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func skipped(folder string) bool {
	return strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_") ||
		slices.Contains([]string{"testdata", "node_modules", "bin", "build", "data", "models", "logs"}, folder)
}

func parseFile(fsys fs.FS, set *token.FileSet, p string) (*file, error) {
	src, err := fs.ReadFile(fsys, p)
	if err != nil {
		return nil, err
	}
	syntax, err := parser.ParseFile(set, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{
		path: p, folder: path.Dir(p), test: strings.HasSuffix(p, "_test.go"),
		lines: bytes.Count(src, []byte("\n")), syntax: syntax, set: set, imports: map[string]string{},
	}
	for _, spec := range syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		f.imports[importName(spec, imported)] = imported
	}
	return f, nil
}

// importName is the name by which a file speaks of an import: given, or the last element of the path.
// That guess is right for every package that a rule names.
func importName(spec *ast.ImportSpec, imported string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path.Base(imported)
}
