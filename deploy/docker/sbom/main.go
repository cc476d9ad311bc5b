// Command sbom writes what a Go program is made of as CycloneDX, from what its linker noted in it: sbom PROGRAM VERSION
// [PURL...]. A PURL names what was linked and is no module. The same program gives the same bytes: nothing is dated.
package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

type bom struct {
	Format      string `json:"bomFormat"`
	SpecVersion string `json:"specVersion"`
	Version     int    `json:"version"`
	Metadata    struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

// named is the component of a package URL, pkg:KIND/NAME@VERSION.
func named(kind, purl string) component {
	name, version, _ := strings.Cut(purl, "@")
	_, name, _ = strings.Cut(name, "/")
	return component{Type: kind, Ref: purl, Name: name, Version: strings.ReplaceAll(version, "%2B", "+"), PURL: purl}
}

// module is the package URL of a Go module, in which a plus would be read as a space.
func module(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("PROGRAM and VERSION are needed")
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	b := bom{Format: "CycloneDX", SpecVersion: "1.6", Version: 1}
	b.Metadata.Component = named("application", module(info.Path, args[1]))
	b.Components = append(b.Components, named("library", module("stdlib", strings.TrimPrefix(info.GoVersion, "go"))))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, named("library", module(m.Path, m.Version)))
	}
	for _, purl := range args[2:] {
		b.Components = append(b.Components, named("library", purl))
	}
	return json.NewEncoder(out).Encode(b)
}
