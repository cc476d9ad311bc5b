package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	switch {
	case args[0] == "apply":
		all, err := Render(args[2])
		if err != nil {
			return err
		}
		for _, r := range all {
			if set, ok := r.Object.(*appsv1.StatefulSet); ok {
				line = "apply " + set.Namespace + " " + set.Spec.Template.Spec.Containers[0].Image
			}
		}
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
		calls            []string
		fails            bool
	}{
		{"it serves", image, "", []string{"get statefulset", apply, "rollout status"}, false},
		{"it does not", image, "BROKEN=1", []string{"get statefulset", apply, "rollout undo", "delete pod iacontinu-0", "rollout status"}, true},
		{"a tag may change", "ghcr.io/example/iacontinu:v1", "", nil, true},
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
			cmd := exec.Command("./deploy", "staging", test.image)
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
			}
		})
	}
}
