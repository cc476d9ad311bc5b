package mlflow

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

var record = flag.String("record", "", "URL of a real MLflow server that is empty: tell it the scenario and rewrite testdata/scenario.yaml")

const (
	recording = "testdata/scenario"
	// recordedURL stands in the recording for wherever the server was.
	recordedURL = "http://mlflow"
)

// The client says to a server what it said when the answers were recorded, byte for byte, and
// understands them.
func TestScenarioReplayed(t *testing.T) {
	t.Parallel()
	mode := recorder.ModeReplayOnly
	if *record != "" {
		mode = recorder.ModeRecordOnly
	}
	tape, err := recorder.New(recording, recorder.WithMode(mode), recorder.WithMatcher(sameRequest),
		recorder.WithHook(tidy, recorder.BeforeSaveHook), recorder.WithSkipRequestLatency(true))
	if err != nil {
		t.Fatal(err)
	}
	line := &counter{next: tape}
	url := recordedURL
	if *record != "" {
		url = *record
	}
	w := newWorld()
	tracker := w.tracker(t, Options{URL: url, Transport: line})
	tracker.render = render
	version, err := tracker.client.Version(t.Context())
	if err != nil || version != mlflowVersion {
		t.Errorf("the recorded server is %s, the models are written for %s (%v)", version, mlflowVersion, err)
	}
	scenario(t, tracker, w)
	if err := tape.Stop(); err != nil {
		t.Fatal(err)
	}
	recorded, err := cassette.Load(recording)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(line.n.Load()); n != len(recorded.Interactions) {
		t.Errorf("%d requests, %d recorded", n, len(recorded.Interactions))
	}
}

type counter struct {
	next http.RoundTripper
	n    atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.next.RoundTrip(r)
}

// sameRequest compares method, path, query, content type and body with a recorded request.
func sameRequest(r *http.Request, recorded cassette.Request) bool {
	if r.Method != recorded.Method || recordedURL+r.URL.RequestURI() != recorded.URL || r.Header.Get("Content-Type") != recorded.Headers.Get("Content-Type") {
		return false
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return written(r.Header, text) == recorded.Body
}

// written is a body as the recording has it. Of a picture only the size is kept: its bytes change with
// the compressor.
func written(h http.Header, body []byte) string {
	if kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")); kind != "image/png" {
		return string(body)
	}
	c, err := png.DecodeConfig(bytes.NewReader(body))
	if err != nil {
		return "no PNG: " + err.Error()
	}
	return fmt.Sprintf("a PNG of %d by %d", c.Width, c.Height)
}

// tidy leaves in the recording what the replay compares and answers with.
func tidy(i *cassette.Interaction) error {
	q, a := &i.Request, &i.Response
	q.URL = recordedURL + strings.TrimPrefix(q.URL, *record)
	q.Body = written(q.Headers, []byte(q.Body))
	q.Headers = http.Header{"Content-Type": q.Headers["Content-Type"]}
	a.Headers = http.Header{"Content-Type": a.Headers["Content-Type"]}
	q.Host, a.Duration = "", 0
	return nil
}

// A server of another version than the recorded one may answer otherwise: record anew.
func TestRecordedVersionOnServer(t *testing.T) {
	t.Parallel()
	if *server == "" {
		t.Skip("needs -server")
	}
	c, err := NewClient(Options{URL: *server})
	if err != nil {
		t.Fatal(err)
	}
	version, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := cassette.Load(recording)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range recorded.Interactions {
		if i.Request.URL == recordedURL+"/version" {
			if i.Response.Body != version {
				t.Errorf("the server is %s and the recording of %s; run the tests with -record against an empty server", version, i.Response.Body)
			}
			return
		}
	}
	t.Error("the recording does not name the server's version")
}
