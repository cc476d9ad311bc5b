package kubernetes

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

var overlays = []string{"staging", "production"}

func render(t *testing.T, overlay string) []Rendered {
	t.Helper()
	all, err := Render(filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// the is the only object of its type, or the one of that name.
func the[T any](t *testing.T, all []Rendered, name string) T {
	t.Helper()
	for _, r := range all {
		if object, ok := r.Object.(T); ok && (name == "" || r.Name == name) {
			return object
		}
	}
	var none T
	t.Fatalf("there is no %T %s", none, name)
	return none
}

// Both overlays hold what the README says, in a namespace of their own, and no secret.
func TestOverlaysAreComplete(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		all := render(t, overlay)
		var kinds []string
		for _, r := range all {
			kinds = append(kinds, r.Kind+"/"+strings.SplitN(r.Name, "-", 2)[0])
			if want := "iacontinu-" + overlay; r.Kind != "Namespace" && r.Namespace != want || r.Kind == "Namespace" && r.Name != want {
				t.Errorf("%s: %s %s is in the namespace %q", overlay, r.Kind, r.Name, r.Namespace)
			}
			if r.Kind == "Secret" {
				t.Errorf("%s: the secret %s lies in the repository", overlay, r.Name)
			}
		}
		slices.Sort(kinds)
		want := []string{
			"ConfigMap/settings", "Namespace/iacontinu", "NetworkPolicy/iacontinu", "NetworkPolicy/none", "Service/app", "Service/app",
			"Service/ui", "ServiceAccount/iacontinu", "StatefulSet/iacontinu",
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("%s has %q, want %q", overlay, kinds, want)
		}
		settings := the[*corev1.ConfigMap](t, all, "").Data
		if settings["ENVIRONMENT"] != overlay {
			t.Errorf("%s runs in the environment %q", overlay, settings["ENVIRONMENT"])
		}
		if image := the[*appsv1.StatefulSet](t, all, "").Spec.Template.Spec.Containers[0].Image; !regexp.MustCompile(`^[a-z.]+/.+:[\w.]+$`).MatchString(image) || strings.HasSuffix(image, ":latest") {
			t.Errorf("%s runs the image %s", overlay, image)
		}
	}
}

// An unknown field is found, and so the test above can fail.
func TestRenderIsStrict(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"kustomization.yaml": "resources: [service.yaml]\n",
		"service.yaml":       "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {port: 8000}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Render(dir); err == nil || !strings.Contains(err.Error(), `unknown field "spec.port"`) {
		t.Errorf("got %v", err)
	}
}

// One pod has the volume, alone, and runs with what it needs.
func TestThePod(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		all := render(t, overlay)
		set := the[*appsv1.StatefulSet](t, all, "")
		if *set.Spec.Replicas != 1 || len(set.Spec.VolumeClaimTemplates) != 1 ||
			!slices.Equal(set.Spec.VolumeClaimTemplates[0].Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}) {
			t.Errorf("%s: %d replicas on %v", overlay, *set.Spec.Replicas, set.Spec.VolumeClaimTemplates)
		}
		pod := set.Spec.Template.Spec
		c := pod.Containers[0]
		if !slices.Equal(c.Command, []string{"/app/iacontinu", "up"}) {
			t.Errorf("%s runs %q", overlay, c.Command)
		}
		if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks {
			t.Errorf("%s: the pod is told of the cluster: its token %t, its services %t", overlay, *pod.AutomountServiceAccountToken, *pod.EnableServiceLinks)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: resources %+v", overlay, c.Resources)
		}
		// The steps of a stop fit into the time that it has.
		if stop := c.Lifecycle.PreStop.Sleep.Seconds + 10; stop >= *pod.TerminationGracePeriodSeconds {
			t.Errorf("%s: it is killed after %d s, and needs up to %d", overlay, *pod.TerminationGracePeriodSeconds, stop)
		}
	}
}

// Each setting is one that `iacontinu up` reads, and each path of one lies on a volume.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	sources := read(t, "../../cmd/internal/service", "../../cmd/internal/pages", "../../cmd/internal/boot")
	for _, overlay := range overlays {
		all := render(t, overlay)
		c := the[*appsv1.StatefulSet](t, all, "").Spec.Template.Spec.Containers[0]
		settings := the[*corev1.ConfigMap](t, all, "")
		if c.EnvFrom[0].ConfigMapRef.Name != settings.Name {
			t.Errorf("%s: the pod reads %s, the settings are in %s", overlay, c.EnvFrom[0].ConfigMapRef.Name, settings.Name)
		}
		values := settings.Data
		for _, v := range the[*appsv1.StatefulSet](t, all, "").Spec.Template.Spec.Volumes {
			if v.Secret == nil {
				continue
			}
			for _, item := range v.Secret.Items {
				if !slices.Contains(slices.Collect(maps.Values(values)), "/run/secrets/iacontinu/"+item.Path) {
					t.Errorf("%s: no setting reads the secret %s", overlay, item.Key)
				}
			}
		}
		for _, e := range c.Env {
			values[e.Name] = ""
			if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
				t.Errorf("%s: %s has a value of its own", overlay, e.Name)
			}
		}
		for name, value := range values {
			if !strings.Contains(sources, `env:"`+strings.TrimSuffix(name, "_FILE")+`"`) {
				t.Errorf("%s: nothing reads %s", overlay, name)
			}
			path := strings.TrimPrefix(value, "sqlite:")
			if strings.HasPrefix(path, "/") && !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return strings.HasPrefix(path, m.MountPath+"/") }) {
				t.Errorf("%s: %s=%s is on no volume", overlay, name, value)
			}
		}
	}
}

// read is the text of all Go files of some folders.
func read(t *testing.T, dirs ...string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range dirs {
		files, err := fs.Glob(os.DirFS(dir), "*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// The services find the pod, by ports that it has; Prometheus finds it by its annotations, and by the name that
// prometheus/kubernetes.yml asks for.
func TestServicesAndScrapeFindThePod(t *testing.T) {
	t.Parallel()
	scrape, err := os.ReadFile("../../prometheus/kubernetes.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		all := render(t, overlay)
		set := the[*appsv1.StatefulSet](t, all, "")
		pod := set.Spec.Template
		ports := map[string]int32{}
		for _, p := range pod.Spec.Containers[0].Ports {
			ports[p.Name] = p.ContainerPort
		}
		for name, port := range map[string]int32{"app": 8000, "ui": 8501, "app-pods": 8001} {
			s := the[*corev1.Service](t, all, name).Spec
			if len(s.Ports) != 1 || s.Ports[0].Port != port || ports[s.Ports[0].TargetPort.String()] != port ||
				!labels.SelectorFromSet(s.Selector).Matches(labels.Set(pod.Labels)) {
				t.Errorf("%s: %s leads to %+v of %v", overlay, name, s.Ports, s.Selector)
			}
		}
		headless := the[*corev1.Service](t, all, set.Spec.ServiceName)
		if headless.Spec.ClusterIP != corev1.ClusterIPNone || !strings.Contains(string(scrape), "- "+headless.Name+"\n        port: 8001\n") {
			t.Errorf("%s: prometheus/kubernetes.yml does not ask for %s on 8001", overlay, headless.Name)
		}
		if a := pod.Annotations; a["prometheus.io/scrape"] != "true" || a["prometheus.io/port"] != "8001" || a["prometheus.io/path"] != "/metrics" {
			t.Errorf("%s: scrape annotations %v", overlay, a)
		}
	}
}
