// Package kubernetes renders the overlays beside it and holds them to the types of Kubernetes' API. It is a module of
// its own, so that the platform does not depend on all that this takes.
package kubernetes

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Rendered is one object of an overlay.
type Rendered struct {
	Kind, Name, Namespace string
	YAML                  []byte
	Object                runtime.Object
}

// Render makes the objects of an overlay, in the order in which they are to be applied. A field that its type does not
// have is an error.
func Render(overlay string) ([]Rendered, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var all []Rendered
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		object, _, err := strict.Decode(text, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %s %s: %w", overlay, r.GetKind(), r.GetName(), err)
		}
		all = append(all, Rendered{Kind: r.GetKind(), Name: r.GetName(), Namespace: r.GetNamespace(), YAML: text, Object: object})
	}
	return all, nil
}
