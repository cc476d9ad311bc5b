package deploy

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedCommandsOfCompose: who types in what the pages say meets no service that is not there, no folder that
// run --volume refuses, and no images but those of .env.
func TestDocumentedCommandsOfCompose(t *testing.T) {
	t.Parallel()
	services := readCompose(t).Services
	command := regexp.MustCompile("docker compose ([^`\n|<>&]*)")
	volume := regexp.MustCompile(`--volume ("[^"]*"|\S*)`)
	prefixed := regexp.MustCompile(`IACONTINU_(IMAGES|VERSION)=\S+[^\n` + "`" + `]* docker compose`)
	seen := 0
	for _, page := range []string{"../README.md", "../docs/install.md", "../docs/operations.md", "../docs/runbooks.md", "compose/single.yml"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "\\\n", "")
		for _, found := range prefixed.FindAllString(text, -1) {
			t.Errorf("%s: %s: for one command only; the next takes other images", page, found)
		}
		for _, line := range strings.Split(text, "\n") {
			for _, found := range volume.FindAllStringSubmatch(line, -1) {
				if source := strings.TrimPrefix(found[1], `"`); !regexp.MustCompile(`^(/|\$PWD/|\$\(realpath )`).MatchString(source) {
					t.Errorf("%s: --volume %s: no absolute path", page, found[1])
				}
			}
			for _, found := range command.FindAllStringSubmatch(volume.ReplaceAllString(line, ""), -1) {
				words := strings.Fields(found[1])
				i := slices.IndexFunc(words, func(w string) bool { return w == "run" || w == "exec" })
				if i < 0 {
					continue
				}
				words = slices.DeleteFunc(words[i+1:], func(w string) bool { return strings.HasPrefix(w, "-") })
				if seen++; len(words) == 0 || services[words[0]].Image == "" {
					t.Errorf("%s: docker compose %s: no such service", page, found[1])
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestSingleHasTheOperatorsCommands: they reach the platform, whose service has another name there.
func TestSingleHasTheOperatorsCommands(t *testing.T) {
	t.Parallel()
	var c struct {
		Services map[string]struct {
			Extends     struct{ Service string }
			Environment map[string]string
		}
	}
	readYAML(t, "compose/single.yml", &c)
	tools := c.Services["iacontinu"]
	if tools.Extends.Service != "iacontinu" || tools.Environment["API_URL"] != "http://platform:8000" {
		t.Errorf("it is %+v", tools)
	}
}
