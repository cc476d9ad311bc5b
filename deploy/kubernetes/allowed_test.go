package kubernetes

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What the pod may, said whole: who widens it has to say so here.
func TestThePodMayLittle(t *testing.T) {
	t.Parallel()
	room := resource.MustParse("1Gi")
	user, mode, rootChange := int64(10001), int32(0o440), corev1.FSGroupChangeOnRootMismatch
	type reach struct { // of the pod into its node
		HostNetwork, HostPID, HostIPC bool
		HostUsers                     *bool
		InitContainers, Containers    int
		Ports                         []corev1.ContainerPort
	}
	for _, overlay := range overlays {
		all := render(t, overlay)
		set := the[*appsv1.StatefulSet](t, all, "").Spec
		pod := set.Template.Spec
		c := pod.Containers[0]
		for _, test := range []struct {
			what      string
			got, want any
		}{
			{"the pod is nobody in particular", pod.SecurityContext, &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: &user, RunAsGroup: &user, FSGroup: &user, FSGroupChangePolicy: &rootChange,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			}},
			{"its program gets nothing more", c.SecurityContext, &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}},
			{"it is one program, apart from the node", reach{
				HostNetwork: pod.HostNetwork, HostPID: pod.HostPID, HostIPC: pod.HostIPC, HostUsers: pod.HostUsers,
				InitContainers: len(pod.InitContainers), Containers: len(pod.Containers), Ports: c.Ports,
			}, reach{Containers: 1, Ports: []corev1.ContainerPort{{Name: "api", ContainerPort: 8000}, {Name: "ui", ContainerPort: 8501}, {Name: "admin", ContainerPort: 8001}}}},
			{"of volumes it has a temporary one and the secrets", pod.Volumes, []corev1.Volume{
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &room}}},
				{Name: "secrets", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "iacontinu", DefaultMode: &mode, Items: []corev1.KeyToPath{
					{Key: "jwt-secret-key", Path: "jwt-secret-key"}, {Key: "admin-password", Path: "admin-password"},
				}}}},
			}},
			{"and its own, which stays when the platform is deleted", set.PersistentVolumeClaimRetentionPolicy, &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType, WhenScaled: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			}},
			{"the namespace takes no other pod", the[*corev1.Namespace](t, all, "").Labels, map[string]string{
				"pod-security.kubernetes.io/enforce":         "restricted",
				"pod-security.kubernetes.io/enforce-version": "latest",
			}},
		} {
			same(t, overlay+": "+test.what, test.got, test.want)
		}
	}
}

// The probes ask, on the port of the API, for paths that it serves.
func TestProbes(t *testing.T) {
	t.Parallel()
	paths := read(t, "../../internal/api")
	defaults := read(t, "../../cmd/internal/service", "../../cmd/internal/pages")
	for _, overlay := range overlays {
		all := render(t, overlay)
		c := the[*appsv1.StatefulSet](t, all, "").Spec.Template.Spec.Containers[0]
		settings := the[*corev1.ConfigMap](t, all, "").Data
		for _, test := range []struct {
			what, constant, path string
			probe                *corev1.Probe
		}{
			{"startup", "PathHealth", "/health", c.StartupProbe},
			{"liveness", "PathHealth", "/health", c.LivenessProbe},
			{"readiness", "PathReady", "/health/ready", c.ReadinessProbe},
		} {
			if test.probe == nil {
				t.Errorf("%s: there is no %s probe", overlay, test.what)
				continue
			}
			same(t, overlay+": the "+test.what+" probe", test.probe.ProbeHandler, corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: test.path, Port: intstr.FromString("api")},
			})
			if !regexp.MustCompile(`\b` + test.constant + ` += "` + test.path + `"\n`).MatchString(paths) {
				t.Errorf("the API does not serve %s", test.path)
			}
		}
		for _, p := range c.Ports {
			setting, number := strings.ToUpper(p.Name)+"_PORT", strconv.Itoa(int(p.ContainerPort))
			if settings[setting] != number && !strings.Contains(defaults, `env:"`+setting+`" envDefault:"`+number+`"`) {
				t.Errorf("%s: the program does not listen on %d for %s", overlay, p.ContainerPort, p.Name)
			}
		}
		if host := settings["ADMIN_HOST"]; host != "0.0.0.0" {
			t.Errorf("%s: who scrapes does not reach the admin listener at %q", overlay, host)
		}
	}
}

// What may come in and go out, said whole: an overlay has these policies and no other.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	in := func(from string, ports ...any) networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{From: namespace(from), Ports: tcp(ports...)}
	}
	out := func(to string, ports ...any) networkingv1.NetworkPolicyEgressRule {
		return networkingv1.NetworkPolicyEgressRule{To: namespace(to), Ports: tcp(ports...)}
	}
	udp, stream, dns := corev1.ProtocolUDP, corev1.ProtocolTCP, intstr.FromInt32(53)
	want := map[string]networkingv1.NetworkPolicySpec{
		"none": {PolicyTypes: both},
		"iacontinu": {
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "iacontinu"}},
			PolicyTypes: both,
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				in("ingress-nginx", "api", "ui"),
				in("monitoring", "admin"),
			},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: namespace("kube-system"), Ports: []networkingv1.NetworkPolicyPort{{Port: &dns, Protocol: &udp}, {Port: &dns, Protocol: &stream}}},
				out("tracking", 5000, 4200),
				out("monitoring", 9090, 9093, 3000, 3001, 4318),
				{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{
					CIDR:   "0.0.0.0/0",
					Except: []string{"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"},
				}}}, Ports: tcp(443)},
			},
		},
	}
	for _, overlay := range overlays {
		all := render(t, overlay)
		got := map[string]networkingv1.NetworkPolicySpec{}
		for _, r := range all {
			if p, ok := r.Object.(*networkingv1.NetworkPolicy); ok {
				got[p.Name] = p.Spec
			}
		}
		same(t, overlay, got, want)
		selector := labels.SelectorFromSet(want["iacontinu"].PodSelector.MatchLabels)
		if set := the[*appsv1.StatefulSet](t, all, ""); !selector.Matches(labels.Set(set.Spec.Template.Labels)) {
			t.Errorf("%s: the policy is not for the pod, which has %v", overlay, set.Spec.Template.Labels)
		}
	}
}

func namespace(name string) []networkingv1.NetworkPolicyPeer {
	return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}}}}
}

// tcp are ports by number or by the name that the pod gives them.
func tcp(ports ...any) []networkingv1.NetworkPolicyPort {
	var all []networkingv1.NetworkPolicyPort
	for _, p := range ports {
		port := intstr.FromString("")
		switch p := p.(type) {
		case string:
			port = intstr.FromString(p)
		case int:
			port = intstr.FromInt32(int32(p))
		}
		all = append(all, networkingv1.NetworkPolicyPort{Port: &port})
	}
	return all
}

// same compares what the API holds to be the same, such as an empty list and none.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if equality.Semantic.DeepEqual(got, want) {
		return
	}
	g, err := json.Marshal(got)
	w, werr := json.Marshal(want)
	if err != nil || werr != nil {
		t.Fatal(err, werr)
	}
	t.Errorf("%s\n got %s\nwant %s", what, g, w)
}
