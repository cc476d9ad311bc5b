package apiserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

const csv = "a,y\n1,no\n2,yes\n"

// form is a multipart body; a field is a name and a value, a file a value that begins with @.
func form(t *testing.T, fields ...string) (body, header string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		var part io.Writer
		var err error
		value, file := strings.CutPrefix(fields[i+1], "@")
		if file {
			part, err = w.CreateFormFile(fields[i], `C:\data\real.csv`)
		} else {
			part, err = w.CreateFormField(fields[i])
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

func TestUpload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.report = ImportReport{Rows: 3, BadCount: 1, Bad: []api.BadRow{{Line: 4, Column: "a", Reason: "is no number"}}, CopyOf: 3}
	got, err := b.client(t, "user").Import(t.Context(), strings.NewReader(csv), api.Upload{Name: "dir/real.csv", Target: "y", SkipBad: true})
	if err != nil {
		t.Fatal(err)
	}
	want := api.ImportResponse{
		Dataset: api.Dataset{
			GenerationID: 8, SamplesCount: 2, CreatedAt: testNow, Source: "imported", Name: "real.csv", Features: []string{"a"},
			Target: "y", Classes: []string{"no", "yes"}, ClassCounts: []int{0, 0},
		},
		Rows: 3, BadCount: 1, Bad: []api.BadRow{{Line: 4, Column: "a", Reason: "is no number"}}, CopyOf: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if !cmp.Equal(b.imported[0], Import{Name: "real.csv", Target: "y", SkipBad: true}) || b.files[0] != csv {
		t.Errorf("imported %+v of %q", b.imported[0], b.files[0])
	}
	if got := b.events(); !slices.Equal(got, []string{"import"}) {
		t.Errorf("audit %v", got)
	}
}

func TestUploadForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, query string
		form        []string
		want        Import
		wrong       string // location
	}{
		{"fields first", "", []string{"target", "y", "skip_bad", "true", "name", "mine", "ignore", "id, when", "ignore", "Name, first", "file", "@" + csv}, Import{Name: "mine", Target: "y", Ignore: []string{"id, when", "Name, first"}, SkipBad: true}, ""},
		{"name of the file", "", []string{"target", "y", "file", "@" + csv}, Import{Name: "real.csv", Target: "y"}, ""},
		{"fields in the query", "?target=y", []string{"file", "@" + csv}, Import{Name: "real.csv", Target: "y"}, ""},
		{"other fields anywhere", "?target=y", []string{"note", "x", "file", "@" + csv, "submit", "go"}, Import{Name: "real.csv", Target: "y"}, ""},
		{"target after the file", "?target=y", []string{"file", "@" + csv, "target", "a"}, Import{}, "body.target"},
		{"two files", "?target=y", []string{"file", "@" + csv, "file", "@" + csv}, Import{}, "body.file"},
		{"no target", "", []string{"file", "@" + csv}, Import{}, "body.target"},
		{"too many to ignore", "?target=y", append(slices.Repeat([]string{"ignore", "a"}, 101), "file", "@"+csv), Import{}, "body.ignore"},
		{"no file", "?target=y", []string{"note", "x"}, Import{}, "body.file"},
		{"a name of two lines", "?target=y", []string{"name", "a\nb", "file", "@" + csv}, Import{}, "body.name"},
		{"a name that turns the text around", "?target=y", []string{"name", "a\u202eb", "file", "@" + csv}, Import{}, "body.name"},
		{"a name that ends in a blank", "?target=y", []string{"name", "a ", "file", "@" + csv}, Import{}, "body.name"},
		{"a name in the query", "?target=y&name=%1b[2J", []string{"file", "@" + csv}, Import{}, "body.name"},
		{"a name of two words", "?target=y&name=mes%20donn%C3%A9es", []string{"file", "@" + csv}, Import{Name: "mes données", Target: "y"}, ""},
		{"decimal commas", "?target=y&decimal=,", []string{"file", "@" + csv}, Import{Name: "real.csv", Target: "y", Decimal: ','}, ""},
		{"another decimal sign", "?target=y&decimal=comma", []string{"file", "@" + csv}, Import{}, "body.decimal"},
		{"skip_bad perhaps", "?target=y&skip_bad=perhaps", []string{"file", "@" + csv}, Import{}, "body.skip_bad"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			body, header := form(t, tt.form...)
			r := b.send(t, "POST", "/datasets"+tt.query, "user", body, header)
			if tt.wrong != "" {
				if got := fields(problem(t, r, 422)); !slices.Equal(got, []string{tt.wrong}) || len(b.imported) != 0 {
					t.Errorf("fields %v, want %s; imported %v", got, tt.wrong, b.imported)
				}
				return
			}
			if r.StatusCode != 201 || r.Header.Get("Location") != "/datasets/8" {
				t.Fatalf("%d %s %s", r.StatusCode, r.Header.Get("Location"), r.body)
			}
			if !cmp.Equal(b.imported[0], tt.want) || b.files[0] != csv {
				t.Errorf("imported %+v of %q, want %+v", b.imported[0], b.files[0], tt.want)
			}
		})
	}
}

// A misspelt option changes what is imported, here which columns: the answer names it.
func TestUploadNamesWhatItIgnores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body, header := form(t, "note", "x", "Name", "mine", "note", "y", "file", "@"+csv, "submit", "go")
	for _, tt := range []struct {
		query, body, header string
		want                []string
	}{
		{"?target=y&ingore=b&Skip_bad=true", csv, "Content-Type: text/csv", []string{"Skip_bad", "ingore"}},
		{"?target=y&sep=%3B", body, header, []string{"Name", "note", "sep", "submit"}},
		{"?target=y&ignore=a&skip_bad=true", csv, "Content-Type: text/csv", nil},
	} {
		r := b.send(t, "POST", "/datasets"+tt.query, "user", tt.body, tt.header)
		got := into[api.ImportResponse](t, r).IgnoredFields
		slices.Sort(got)
		if r.StatusCode != 201 || !slices.Equal(got, tt.want) || tt.want == nil && strings.Contains(r.body, "ignored") {
			t.Errorf("%s: %d %s, want %q ignored", tt.query, r.StatusCode, r.body, tt.want)
		}
	}
}

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		name, query, body, header string
		status                    int
	}{
		{"no target", "", csv, "Content-Type: text/csv", 422},
		{"a query that is half read", "?target=y&ignore=a;b", csv, "Content-Type: text/csv", 422},
		{"JSON", "?target=y", csv, "Content-Type: application/json", 415},
		{"what curl calls it", "?target=y", csv, "Content-Type: application/x-www-form-urlencoded", 415},
		{"compressed", "?target=y", csv, "Content-Encoding: gzip", 415},
		{"a form without a boundary", "?target=y", csv, "Content-Type: multipart/form-data", 422},
		{"a form that is none", "?target=y", csv, "Content-Type: multipart/form-data; boundary=x", 422},
		{"a form cut off", "?target=y", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\na,y\n1", "Content-Type: multipart/form-data; boundary=x", 400},
		{"a long target", "?target=" + strings.Repeat("y", 201), csv, "Content-Type: text/csv", 422},
	} {
		p := problem(t, b.send(t, "POST", "/datasets"+tt.query, "user", tt.body, tt.header), tt.status)
		if p.Code != "invalid" && tt.status == 422 {
			t.Errorf("%s: %+v", tt.name, p)
		}
		for _, f := range p.Errors {
			if strings.Contains(f.Message, "multipart:") || strings.Contains(f.Message, "param") { // words of this program
				t.Errorf("%s: %+v", tt.name, f)
			}
		}
	}
	if len(b.imported) != 0 {
		t.Errorf("imported %v", b.imported)
	}

	b.fail = &ml.Error{
		Code: ml.CodeInvalid, Message: "line 70000 can't be used", Fields: []ml.FieldError{{Location: "line 70000, column a", Message: "is no number", Value: "x"}},
		Remarks: []ml.Remark{{Code: "file.bad_row", Values: map[string]any{"line": 70000.0}}},
	}
	p := problem(t, b.send(t, "POST", "/datasets?target=y", "user", csv, "Content-Type: text/csv"), 422)
	if got := fields(p); !slices.Equal(got, []string{"line 70000, column a"}) {
		t.Errorf("a bad line: %+v", p)
	}
	if diff := cmp.Diff([]api.Remark{{Code: "file.bad_row", Values: map[string]any{"line": 70000.0}}}, p.Remarks); diff != "" {
		t.Errorf("what it says (-want +got):\n%s", diff)
	}
	if got := b.events(); len(got) != 0 {
		t.Errorf("audit of what was refused: %v", got)
	}
}

// A client that goes away in the middle of a file leaves nothing behind.
func TestUploadCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.importFail = ml.Errorf(ml.CodeInvalid, "line 3 ends in the middle") // true, and not the reason
	conn, err := net.Dial("tcp", b.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /datasets?target=y HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\n"+csv)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	conn.Close()
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answer %q, want 400", answer)
	}
	if len(b.imported) != 0 {
		t.Error("half a file was imported")
	}
}

func TestUploadIsBounded(t *testing.T) {
	t.Parallel()
	b := newUploadBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/datasets", strings.NewReader("0123456789")), nil, time.Minute)
	defer b.answer()
	b.left = 10
	if got, err := io.ReadAll(b); err != nil || len(got) != 10 {
		t.Errorf("a body of the limit: %q, %v", got, err)
	}
	b = newUploadBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/datasets", strings.NewReader("0123456789x")), nil, time.Minute)
	defer b.answer()
	b.left = 10
	_, err := io.ReadAll(b)
	if ml.CodeOf(err) != ml.CodeTooLarge || !errors.Is(b.err, err) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); ml.CodeOf(err) != ml.CodeTooLarge {
		t.Errorf("reading on: %v", err)
	}
}

// A stop ends the files that are still coming: their senders are told to come again, and nothing of
// them is kept.
func TestStopEndsUploads(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"one that pauses": "", "one that goes on": "1,0\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(_ *world, o *Options) { o.StopPatience = time.Minute })
			b.importFail = ml.Errorf(ml.CodeInvalid, "line 3 ends in the middle") // true, and not the reason
			conn, answers := b.sending(t, "user")
			fmt.Fprint(conn, csv)
			stopped := make(chan error, 1)
			go func() { stopped <- b.stop() }()
			<-b.server.stopping
			for range 3 {
				fmt.Fprint(conn, more)
			}
			r, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
				t.Errorf("answer %s, Retry-After %q; want 503 and when to come again", r.Status, r.Header.Get("Retry-After"))
			}
			conn.Close()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			if len(b.imported) != 0 {
				t.Error("half a file was imported")
			}
		})
	}
}

// sending begins to send a file that does not end, and returns when the server reads it.
func (b *testBundle) sending(t *testing.T, who string) (conn net.Conn, answers *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", b.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /datasets?target=y HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n", who)
	answers = bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") { // the file is asked for
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return conn, answers
}

// Files that are on their way cost memory: few are at once, and one that ends makes place for another. An
// administrator has a place yet when others have theirs.
func TestUploadsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range maxUploads - adminUploads - callerUploads {
		if done, _ := b.server.uploads.Take(fmt.Sprint(i)); done == nil {
			t.Fatal("no place")
		}
	}
	var conns []net.Conn
	for range callerUploads {
		conn, _ := b.sending(t, "user")
		conns = append(conns, conn)
	}
	refused := func(who string, status int) {
		t.Helper()
		r := b.send(t, "POST", "/datasets?target=y", who, csv, "Content-Type: text/csv")
		if p := problem(t, r, status); !strings.Contains(p.Detail, "being uploaded") || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v, Retry-After %q", who, p, r.Header.Get("Retry-After"))
		}
	}
	refused("user", http.StatusTooManyRequests)
	refused("other", http.StatusServiceUnavailable)
	b.sending(t, "admin")
	refused("admin", http.StatusServiceUnavailable)
	for _, conn := range conns {
		conn.Close()
	}
	untilInUse(t, b.server.uploads, maxUploads-callerUploads)
	if r := b.send(t, "POST", "/datasets?target=y", "other", csv, "Content-Type: text/csv"); r.StatusCode != http.StatusCreated {
		t.Errorf("in the place of one that has ended: %d %s", r.StatusCode, r.body)
	}
}

// A sender that pauses, or that sends a byte now and then, does not hold its place for ever.
func TestSlowUploadIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, drip := range map[string]string{"pauses": "", "drips": "1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(_ *world, o *Options) { o.UploadPatience = 50 * time.Millisecond })
			conn, answers := b.sending(t, "user")
			ended := make(chan struct{})
			defer func() { <-ended }()
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				defer close(ended)
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						fmt.Fprint(conn, drip)
					case <-stop:
						return
					}
				}
			}()
			r, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if r.StatusCode != http.StatusRequestTimeout || b.server.uploads.InUse() != 0 {
				t.Errorf("answer %s with %d places taken; want 408 and none", r.Status, b.server.uploads.InUse())
			}
		})
	}
}

// slowBody sends 256 KiB at the end of each pause, or ends by its deadline.
type slowBody struct {
	http.ResponseWriter
	pause    time.Duration
	left     int
	deadline time.Time
}

func (s *slowBody) SetReadDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

func (s *slowBody) SetWriteDeadline(time.Time) error { return nil }

func (s *slowBody) Close() error { return nil }

// Read implements io.Reader.
func (s *slowBody) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if rest := time.Until(s.deadline); rest < s.pause {
		<-time.After(rest)
		return 0, os.ErrDeadlineExceeded
	}
	<-time.After(s.pause)
	s.left--
	return min(len(p), uploadPace), nil
}

// A slow sender that keeps the pace is heard out, though it takes longer than any single wait may, and so is one
// that pauses; but one that never keeps the pace is not, and the whole is bounded too.
func TestUploadsMayBeSlowAndNotEndless(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pause  time.Duration
		pieces int
		took   time.Duration
		err    error
	}{
		{9 * time.Second, 70, 70 * 9 * time.Second, nil},
		{50 * time.Second, 1, 50 * time.Second, nil},
		{12 * time.Second, 70, 310 * time.Second, os.ErrDeadlineExceeded},
		{9 * time.Second, 4000, time.Hour, os.ErrDeadlineExceeded}, // within the limit of bytes
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowBody{ResponseWriter: httptest.NewRecorder(), pause: tt.pause, left: tt.pieces}
			b := newUploadBody(s, httptest.NewRequest(http.MethodPost, "/datasets", s), nil, time.Minute)
			defer b.answer()
			began, p := time.Now(), make([]byte, uploadPace)
			var err error
			for err == nil {
				_, err = b.Read(p)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if took := time.Since(began); took != tt.took || !errors.Is(err, tt.err) {
				t.Errorf("%d pieces, one in %v: ended after %v by %v, want %v by %v", tt.pieces, tt.pause, took, err, tt.took, tt.err)
			}
		})
	}
}
