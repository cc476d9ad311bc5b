package grafana

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func decode(t *testing.T, file string, out any) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestDatasourcesAreServices reads what Grafana reads, by its schema, and holds it to docker-compose.yml.
func TestDatasourcesAreServices(t *testing.T) {
	t.Parallel()
	var file struct {
		APIVersion  int `yaml:"apiVersion"`
		Prune       bool
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `yaml:"isDefault"`
			Editable                     bool
			JSONData                     struct {
				TimeInterval     string `yaml:"timeInterval"`
				HTTPMethod       string `yaml:"httpMethod"`
				Implementation   string
				AlertmanagerUID  string `yaml:"alertmanagerUid"`
				ManageAlerts     bool   `yaml:"manageAlerts"`
				HandleGrafana    bool   `yaml:"handleGrafanaManagedAlerts"`
				ExemplarTraceIDs []struct {
					Name          string
					DatasourceUID string `yaml:"datasourceUid"`
				} `yaml:"exemplarTraceIdDestinations"`
			} `yaml:"jsonData"`
		}
	}
	decode(t, "provisioning/datasources/ia-continu.yml", &file)
	got := map[string]string{}
	defaults := 0
	for _, d := range file.Datasources {
		got[d.Type+" "+d.UID] = d.URL
		if d.IsDefault {
			defaults++
		}
		for _, e := range d.JSONData.ExemplarTraceIDs {
			if e.DatasourceUID != "jaeger" || e.Name != "trace_id" {
				t.Errorf("exemplars lead by %q to %q", e.Name, e.DatasourceUID)
			}
		}
	}
	want := map[string]string{
		"prometheus prometheus":     "http://prometheus:9090",
		"alertmanager alertmanager": "http://alertmanager:9093",
		"jaeger jaeger":             "http://jaeger:16686",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if defaults != 1 || file.APIVersion != 1 || !file.Prune {
		t.Errorf("%d default data sources, version %d, prune %v", defaults, file.APIVersion, file.Prune)
	}
}

func TestComposeMountsTheDashboards(t *testing.T) {
	t.Parallel()
	var file struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type    string
			FolderUID             string `yaml:"folderUid"`
			DisableDeletion       bool   `yaml:"disableDeletion"`
			AllowUIUpdates        bool   `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int    `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	decode(t, "provisioning/dashboards/ia-continu.yml", &file)
	if len(file.Providers) != 1 || file.Providers[0].Folder == "" || file.Providers[0].FolderUID == "" {
		t.Fatalf("providers: %+v", file.Providers)
	}
	var compose struct {
		Services map[string]struct {
			Volumes     []string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "../docker-compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	service := compose.Services["grafana"]
	inside := map[string]string{} // by the path in the container
	for _, v := range service.Volumes {
		parts := strings.Split(v, ":")
		inside[parts[1]] = parts[0]
	}
	path := file.Providers[0].Options.Path
	if inside[path] != "./grafana/dashboards" || inside["/etc/grafana/provisioning"] != "./grafana/provisioning" {
		t.Errorf("docker-compose.yml mounts %v; dashboards are looked for in %s", inside, path)
	}
	if runbooks != "/public/docs/runbooks.md" || inside["/usr/share/grafana/public/docs"] != "./docs" {
		t.Errorf("%s is linked; Grafana gives out what is in its folder public: %v", runbooks, inside)
	}
	home := service.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	var first loaded
	if err := json.Unmarshal([]byte(read(t, "dashboards/"+strings.TrimPrefix(home, path+"/"))), &first); err != nil || first.UID == "" {
		t.Errorf("the home dashboard %s: %+v, %v", home, first.UID, err)
	}
}
