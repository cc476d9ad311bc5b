//go:build integration

package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// TestIntegrationTraces has a real OpenTelemetry collector take what TestTracesGoThroughAllProcesses sends to one in
// memory.
func TestIntegrationTraces(t *testing.T) {
	if *serversScript == "" || *serversFolder == "" {
		t.Skip("needs a real collector: make monitoring starts it")
	}
	endpoint, _ := freePort(t)
	address, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	start := exec.CommandContext(t.Context(), *serversScript, "start", *serversFolder, "collector")
	start.Env = append(start.Environ(), "COLLECTOR_PORT="+address.Port())
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start the collector: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		out, err := exec.Command(*serversScript, "stop", *serversFolder, "collector").CombinedOutput()
		if err != nil {
			t.Errorf("stop the collector: %v\n%s", err, out)
		}
	})
	kept := filepath.Join(*serversFolder, "collector", "traces.json")
	wholeTrace(t, tracedLoop(t, endpoint), func(t *testing.T) []span { return readSpans(t, kept) })
}

// readSpans reads what the collector has written: a request a line, the last one perhaps in part.
func readSpans(t *testing.T, path string) (spans []span) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1]))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		var got collect.ExportTraceServiceRequest
		if err := protojson.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		for _, s := range spansOf(&got) {
			s.trace, s.id, s.parent = asWritten(s.trace), asWritten(s.id), asWritten(s.parent)
			spans = append(spans, s)
		}
	}
	return spans
}

// asWritten is an id as it stands in OTLP's JSON: in hexadecimal, where protojson reads base64.
func asWritten(id string) string {
	b, _ := hex.DecodeString(id) // spansOf has encoded it
	return base64.StdEncoding.EncodeToString(b)
}
