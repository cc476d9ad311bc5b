package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// TestMain is kubectl for the script that deploys, if it says so: a cluster that renders what it is given, and in which a pod
// serves or, with BROKEN, does not until the step is undone.
func TestMain(m *testing.M) {
	calls := os.Getenv("KUBECTL_CALLS")
	if calls == "" {
		os.Exit(m.Run())
	}
	if err := kubectl(calls, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func kubectl(calls string, args []string) error {
	before, err := os.ReadFile(calls)
	if err != nil {
		return err
	}
	line := strings.Join(args, " ")
	if args[0] == "apply" || args[0] == "kustomize" {
		all, err := Render(args[len(args)-1])
		if err != nil {
			return err
		}
		for _, r := range all {
			if set, ok := r.Object.(*appsv1.StatefulSet); ok {
				line = "apply " + set.Namespace + " " + set.Spec.Template.Spec.Containers[0].Image
			}
		}
	}
	switch {
	case args[0] == "kustomize":
		fmt.Println("      - image: " + line[strings.LastIndex(line, " ")+1:])
		return nil
	case strings.Contains(line, "get statefulset"):
		fmt.Println("statefulset.apps/iacontinu")
	case strings.Contains(line, "rollout status") && os.Getenv("BROKEN") != "" && !strings.Contains(string(before), "rollout undo"):
		return os.ErrDeadlineExceeded
	}
	return os.WriteFile(calls, append(before, line+"\n"...), 0o600)
}

func TestDeploy(t *testing.T) {
	t.Parallel()
	image := "ghcr.io/example/iacontinu@sha256:" + strings.Repeat("ab", 32)
	apply := "apply iacontinu-staging " + image
	for _, test := range []struct {
		name, image, env string
		overlay          string // what takes the place of its images
		calls            []string
		fails            bool
	}{
		{"it serves", image, "", "", []string{"get statefulset", apply, "rollout status"}, false},
		{"it does not", image, "BROKEN=1", "", []string{"get statefulset", apply, "rollout undo", "delete pod iacontinu-0", "rollout status"}, true},
		{"a tag may change", "ghcr.io/example/iacontinu:v1", "", "", nil, true},
		{"kustomize wrote the overlay anew", image, "", "images:\n- digest: sha256:" + strings.Repeat("0", 64) + "\n  name: iacontinu\n  newName: registry.example:5000/other\n", []string{"get statefulset", apply, "rollout status"}, false},
		{"the overlay runs what it says itself", image, "", "patches: [{patch: '[{op: replace, path: /spec/template/spec/containers/0/image, value: \"\"}]', target: {kind: StatefulSet}}]\n", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			calls := filepath.Join(dir, "calls")
			self, err := os.Executable()
			if err == nil {
				err = os.Symlink(self, filepath.Join(dir, "kubectl"))
			}
			if err == nil {
				err = os.WriteFile(calls, nil, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			here := filepath.Join(dir, "kubernetes")
			for _, part := range []string{"base", "overlays"} {
				if err := os.CopyFS(filepath.Join(here, part), os.DirFS(part)); err != nil {
					t.Fatal(err)
				}
			}
			if test.overlay != "" {
				rewriteImages(t, filepath.Join(here, "overlays/staging/kustomization.yaml"), test.overlay)
			}
			script, err := filepath.Abs("deploy")
			if err == nil {
				err = os.Symlink(script, filepath.Join(here, "deploy"))
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(here, "deploy"), "staging", test.image)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "KUBECTL_CALLS="+calls, test.env)
			out, err := cmd.CombinedOutput()
			if (err != nil) != test.fails {
				t.Errorf("it ends with %v\n%s", err, out)
			}
			b, err := os.ReadFile(calls)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
			if len(b) == 0 {
				got = nil
			}
			if len(got) != len(test.calls) {
				t.Fatalf("it calls %q, want %q", got, test.calls)
			}
			for i, call := range test.calls {
				if !strings.Contains(got[i], call) {
					t.Errorf("call %d is %q, want %q", i, got[i], call)
				}
				if _, timeout, ok := strings.Cut(got[i], "--timeout "); ok {
					outlasts(t, timeout)
				}
			}
		})
	}
}

// rewriteImages has other lines in the place of a kustomization's images.
func rewriteImages(t *testing.T, file, images string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^images:.*\n(  .*\n)+`)
	if !block.Match(text) {
		t.Fatalf("%s has no images", file)
	}
	if err := os.WriteFile(file, block.ReplaceAllLiteral(text, []byte(images)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// outlasts: who undoes a step that is still within the time that the pod has for its start breaks off a migration. And
// the job that deploys has time for the step and for its undoing.
func outlasts(t *testing.T, timeout string) {
	t.Helper()
	waits, err := time.ParseDuration(timeout)
	if err != nil {
		t.Fatal(err)
	}
	pod := the[*appsv1.StatefulSet](t, render(t, "staging"), "").Spec.Template.Spec
	start := pod.Containers[0].StartupProbe
	needs := time.Second * time.Duration(int64(start.PeriodSeconds)*int64(start.FailureThreshold)+*pod.TerminationGracePeriodSeconds)
	if waits < needs+time.Minute { // to schedule and to pull
		t.Errorf("deploy waits %s, and a pod may take %s to stop and to start", waits, needs)
	}
	text, err := os.ReadFile("../../.github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	job := regexp.MustCompile(`timeout-minutes: (\d+)`).FindSubmatch(text)
	if job == nil {
		t.Fatal("deploy.yml has no timeout-minutes")
	}
	if minutes, err := strconv.Atoi(string(job[1])); err != nil || time.Duration(minutes)*time.Minute <= 2*waits {
		t.Errorf("deploy.yml ends after %d minutes, and deploy may wait twice %s, %v", minutes, waits, err)
	}
}

// An overlay runs an image that a release pushes: the one of its workflow's names that Compose's file builds as
// iacontinu, with the tag of the release that docs/install.md runs by Compose.
func TestOverlaysRunAPublishedImage(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for name, want := range map[string]string{
		"docker-compose.yml":            "image: ${IACONTINU_IMAGES:-iacontinu}/iacontinu:${IACONTINU_VERSION:-dev}\n",
		"deploy/docker/publish":         "git describe --tags --exact-match",
		".github/workflows/release.yml": "IACONTINU_IMAGES: ghcr.io/${{ github.repository }}\n",
		"docs/install.md":               "IACONTINU_IMAGES=",
	} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if texts[name] = string(text); !strings.Contains(texts[name], want) {
			t.Fatalf("%s does not say %q, by which this test knows the image", name, want)
		}
	}
	release := regexp.MustCompile(`IACONTINU_IMAGES=(\S+)\s+IACONTINU_VERSION=(v\S+)`).FindStringSubmatch(texts["docs/install.md"])
	if release == nil {
		t.Fatal("docs/install.md names no release")
	}
	for _, overlay := range overlays {
		image := the[*appsv1.StatefulSet](t, render(t, overlay), "").Spec.Template.Spec.Containers[0].Image
		if want := release[1] + "/iacontinu:" + release[2]; image != want {
			t.Errorf("%s runs %s, and docs/install.md knows the release %s", overlay, image, want)
		}
	}
}
