//go:build integration

package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// A real API server takes both overlays, and real controllers make of them one pod, as it should be, with one volume.
func TestIntegrationControlPlane(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, overlay := range overlays {
		all := render(t, overlay)
		for _, r := range all {
			if r.Kind == "Namespace" {
				c.apply(t, r, "")
			}
		}
		for _, query := range []string{"&dryRun=All", ""} {
			for _, r := range all {
				c.apply(t, r, query)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
		c.makesThePod(t, "iacontinu-"+overlay, all)
		c.leadsToThePod(t, "iacontinu-"+overlay)
		c.replacesThePod(t, "iacontinu-"+overlay, all)
		c.refusesMore(t, "iacontinu-"+overlay)
	}
}

// pods are those of a namespace.
func (c *cluster) pods(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	c.get(t, "/api/v1/namespaces/"+namespace+"/pods", &pods)
	return pods.Items
}

// makesThePod waits for what the controllers make: one pod with the settings, and its volume.
func (c *cluster) makesThePod(t *testing.T, namespace string, all []Rendered) {
	t.Helper()
	c.eventually(t, "the StatefulSet makes its pod", func() bool { return len(c.pods(t, namespace)) > 0 })
	pods := c.pods(t, namespace)
	if len(pods) != 1 || pods[0].Name != "iacontinu-0" {
		t.Fatalf("%s: pods %v", namespace, pods)
	}
	if got, want := pods[0].Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, the[*corev1.ConfigMap](t, all, "").Name; got != want {
		t.Errorf("%s: the pod reads %s, want %s", namespace, got, want)
	}
	var claim corev1.PersistentVolumeClaim
	if !c.get(t, "/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/state-iacontinu-0", &claim) {
		t.Fatalf("%s: the pod has no volume", namespace)
	}
	want := the[*appsv1.StatefulSet](t, all, "").Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage()
	if got := claim.Spec.Resources.Requests.Storage(); got.Cmp(*want) != 0 {
		t.Errorf("%s: the volume is of %s, want %s", namespace, got, want)
	}
}

// endpoints are the addresses of a service, and whether each is ready.
func (c *cluster) endpoints(t *testing.T, namespace, service string) map[string]bool {
	t.Helper()
	var slices discoveryv1.EndpointSliceList
	c.get(t, "/apis/discovery.k8s.io/v1/namespaces/"+namespace+"/endpointslices?labelSelector=kubernetes.io/service-name="+service, &slices)
	all := map[string]bool{}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			for _, port := range s.Ports {
				all[fmt.Sprintf("%s:%d", e.Addresses[0], *port.Port)] = *e.Conditions.Ready
			}
		}
	}
	return all
}

// leadsToThePod says what a node would of the pod, and sees whom the services lead to.
func (c *cluster) leadsToThePod(t *testing.T, namespace string) {
	t.Helper()
	pod := "/api/v1/namespaces/" + namespace + "/pods/iacontinu-0"
	c.must(t, http.MethodPost, pod+"/binding", `{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "iacontinu-0"},
		"target": {"apiVersion": "v1", "kind": "Node", "name": "paper"}}`, "application/json")
	for _, ready := range []bool{false, true} {
		status := fmt.Sprintf(`{"status": {"phase": "Running", "podIP": "10.1.0.7", "podIPs": [{"ip": "10.1.0.7"}],
			"conditions": [{"type": "Ready", "status": %q}]}}`, map[bool]string{false: "False", true: "True"}[ready])
		c.must(t, http.MethodPatch, pod+"/status", status, "application/strategic-merge-patch+json")
		// Who scrapes finds it at once, who predicts when a model serves.
		for address, want := range map[string]bool{"app-pods 10.1.0.7:8001": true, "app 10.1.0.7:8000": ready, "ui 10.1.0.7:8501": ready} {
			service, at, _ := strings.Cut(address, " ")
			c.eventually(t, fmt.Sprintf("%s leads to %s, ready %t, when the pod is ready: %t", service, at, want, ready), func() bool {
				got, there := c.endpoints(t, namespace, service)[at]
				return there && got == want
			})
		}
	}
}

// replacesThePod changes a setting, and sees that the new pod comes when the old one has gone.
func (c *cluster) replacesThePod(t *testing.T, namespace string, all []Rendered) {
	t.Helper()
	before := c.pods(t, namespace)[0]
	for _, r := range all {
		name := the[*corev1.ConfigMap](t, all, "").Name
		if r.Kind == "ConfigMap" {
			r.Name += "-changed"
		}
		r.YAML = bytes.ReplaceAll(r.YAML, []byte(name), []byte(name+"-changed"))
		c.apply(t, r, "")
	}
	c.eventually(t, "the old pod is told to stop", func() bool { return c.pods(t, namespace)[0].DeletionTimestamp != nil })
	if grace := c.pods(t, namespace)[0].DeletionGracePeriodSeconds; *grace != *before.Spec.TerminationGracePeriodSeconds {
		t.Errorf("%s: the old pod has %d s to stop", namespace, *grace)
	}
	c.eventually(t, "nobody is led to a pod that stops", func() bool { return !c.endpoints(t, namespace, "app")["10.1.0.7:8000"] })
	// The node says that it has ended.
	c.must(t, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/pods/iacontinu-0", `{"gracePeriodSeconds": 0}`, "application/json")
	c.eventually(t, "the pod is replaced", func() bool {
		pods := c.pods(t, namespace)
		if len(pods) > 1 {
			t.Fatalf("%s: %d pods at once on one volume", namespace, len(pods))
		}
		return len(pods) == 1 && pods[0].UID != before.UID && strings.HasSuffix(pods[0].Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, "-changed")
	})
}

// refusesMore has the namespace refuse a pod that may do more than ours.
func (c *cluster) refusesMore(t *testing.T, namespace string) {
	t.Helper()
	pod := c.pods(t, namespace)[0]
	more := corev1.Pod{Spec: pod.Spec}
	more.APIVersion, more.Kind, more.Name = "v1", "Pod", "more"
	more.Spec.Containers[0].SecurityContext.Capabilities.Drop = nil
	text, err := json.Marshal(more)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := c.ask(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/pods", text, "application/json"); status != http.StatusForbidden || !bytes.Contains(answer, []byte("PodSecurity")) {
		t.Errorf("a pod that keeps its capabilities: %d %s", status, answer)
	}
}
