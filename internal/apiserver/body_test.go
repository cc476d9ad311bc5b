package apiserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/bounds"
	"iacontinu/internal/ml"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long, room := strings.Repeat(" ", maxJSON), strings.Repeat(" ", maxFields)
	for _, tt := range []struct {
		name, path, body string
		header           string
		status           int
	}{
		{"JSON", "/generate", `{"samples":5}`, "", 200},
		{"JSON with parameters", "/generate", `{"samples":5}`, "Content-Type: application/json; charset=utf-8", 200},
		{"JSON of a kind", "/generate", `{"samples":5}`, "Content-Type: application/vnd.x+json", 200},
		{"no type at all", "/generate", `{"samples":5}`, "Content-Type: ", 200},
		{"unknown fields", "/generate", `{"samples":5,"more":{"x":[1]}}`, "", 200},
		{"numeric string", "/generate", `{"samples":" 5 "}`, "", 200},
		{"whole number with a point", "/generate", `{"samples":5.0}`, "", 200},
		{"curl -d without a type", "/generate", `{"samples":5}`, "Content-Type: application/x-www-form-urlencoded", 415},
		{"text", "/generate", `{"samples":5}`, "Content-Type: text/plain", 415},
		{"nonsense type", "/generate", `{"samples":5}`, "Content-Type: /;;", 415},
		{"compressed", "/generate", `{"samples":5}`, "Content-Encoding: gzip", 415},
		{"empty where it may be", "/generate", ``, "", 200},
		{"empty of any type", "/retrain/conditional", ``, "Content-Type: application/x-www-form-urlencoded", 200},
		{"white space", "/generate", "\n \t", "", 200},
		{"null where it may be", "/generate", `null`, "", 200},
		{"empty where it must not be", "/auth/login", ``, "", 422},
		{"null where it must not be", "/auth/login", `null`, "", 422},
		{"cut off", "/generate", `{"samples":`, "", 422},
		{"two values", "/generate", `{"samples":5}{"samples":6}`, "", 422},
		{"NaN", "/generate", `{"samples":NaN}`, "", 422},
		{"single quotes", "/generate", `{'samples':5}`, "", 422},
		{"not UTF-8", "/generate", "{\"samples\":\xff}", "", 422},
		{"deep", "/generate", strings.Repeat("[", maxFields), "", 422},
		{"deep, to predict", "/predict", strings.Repeat("[", 100_000), "", 422},
		{"just within the limit", "/generate", `{"samples":5}` + room[:maxFields-13], "", 200},
		{"just over the limit", "/generate", `{"samples":5}` + room[:maxFields-12], "", 413},
		{"over the limit, to predict", "/predict", `{"features":[1,2]}` + long, "", 413},
		{"over the limit, to predict many", "/predict/batch", `{"instances":[[1,2]]}` + long, "", 413},
		{"over the limit, to login", "/auth/login", `{"username":"x","password":"y","z":[` + strings.Repeat("[],", 5000) + `[]]}`, "", 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := []string{}
			if tt.header != "" {
				header = append(header, tt.header)
			}
			r := b.send(t, "POST", tt.path, "user", tt.body, header...)
			if tt.status == 200 {
				if r.StatusCode != 200 {
					t.Errorf("status %d: %s", r.StatusCode, r.body)
				}
				return
			}
			p := problem(t, r, tt.status)
			if tt.status == 415 && p.Code != "unsupported_media_type" {
				t.Errorf("code %q", p.Code)
			}
			if tt.status == 422 && !slices.Equal(fields(p), []string{"body"}) {
				t.Errorf("fields %v, want the body", fields(p))
			}
		})
	}
}

// A misspelt field changes what is done, here on which data is retrained: the answer names it, whichever
// answer it is.
func TestIgnoredFieldsAreNamed(t *testing.T) {
	t.Parallel()
	many, names := map[string]int{}, []string{}
	for i := range maxProblems + 1 {
		names = append(names, fmt.Sprintf("x%03d", i))
		many[names[i]] = i
	}
	body, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, body string
		result           ml.RetrainResult
		prefer           string
		status           int
		want             []string
	}{
		{"activated", "/retrain", `{"datasetid":7,"Balanced":true,"another":{"seed":1}}`, better(), "", 200, []string{"Balanced", "another", "datasetid"}},
		{"rejected", "/retrain", `{"datasetid":7}`, rejected(), "", 200, []string{"datasetid"}},
		{"goes on", "/retrain", `{"datasetid":7}`, better(), "respond-async", 202, []string{"datasetid"}},
		{"no need", "/retrain/conditional", `{"threshold":0.99}`, better(), "", 200, []string{"threshold"}},
		{"forced", "/retrain/conditional", `{"force_retrain":true,"threshold":0.99}`, better(), "", 200, []string{"threshold"}},
		{"rows", "/generate", `{"samples":5,"sead":3}`, better(), "", 200, []string{"sead"}},
		{"a name as long as a book", "/generate", `{"` + strings.Repeat("x", 1000) + `":3}`, better(), "", 200, []string{strings.Repeat("x", 80) + "..."}},
		{"more names than an answer has", "/retrain", string(body), better(), "", 200, names[:maxProblems]},
		{"nothing to name", "/retrain", `{"dataset_id":7}`, better(), "", 200, nil},
		{"no body", "/retrain", ``, better(), "", 200, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.finish(tt.result)
			r := b.send(t, "POST", tt.path, "user", tt.body, "Prefer: "+tt.prefer)
			got := into[struct {
				Ignored []string `json:"ignored_fields"`
			}](t, r)
			if r.StatusCode != tt.status || !slices.Equal(got.Ignored, tt.want) || tt.want == nil && strings.Contains(r.body, "ignored") {
				t.Errorf("%d %s, want %d with %q ignored", r.StatusCode, r.body, tt.status, tt.want)
			}
		})
	}
}

// A name in another case is another name: what the bounds of a field do not see does not reach it.
func TestNamesInAnotherCaseAreNotTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finish(better())
	r := b.send(t, "POST", "/retrain", "user", `{"c":0.5,"C":-4,"SEED":7}`)
	if r.StatusCode != 200 || b.enqueued[0].C != 0.5 || b.enqueued[0].Seed != 0 || !strings.Contains(r.body, `"ignored_fields":["C","SEED"]`) {
		t.Errorf("%d %s, job %+v", r.StatusCode, r.body, b.enqueued)
	}
	r = b.send(t, "POST", "/retrain/conditional", "user", `{"accuracy_threshold":0.5,"ACCURACY_THRESHOLD":7}`)
	if got := into[api.ConditionalResponse](t, r); got.Threshold != 0.5 || !slices.Equal(got.IgnoredFields, []string{"ACCURACY_THRESHOLD"}) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// A body that ends too early or has no length is treated as any other.
func TestChunkedBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, status := range map[string]int{`{"samples":5}`: 200, strings.Repeat("x", maxFields+1): 413} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", b.server.URL()+"/generate", io.MultiReader(strings.NewReader(body)))
		req.Header.Set("Authorization", "Bearer user")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%d bytes in chunks: %d, want %d", len(body), resp.StatusCode, status)
		}
	}
}

// A body in chunks that are none is its sender's fault: the answer says so, and the log has no error for it.
func TestMalformedChunks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/auth/login", "/generate", "/predict", "/predict/batch", "/datasets?target=y"} {
		kind, begin := "application/json", ""
		if strings.HasPrefix(path, "/datasets") {
			kind, begin = "text/csv", "6\r\na,b,y\n\r\n"
		}
		for _, chunk := range []string{"ZZ\r\n", "5\r\nabcdeXX\r\n", "5;" + strings.Repeat("x", 9000) + "\r\nabcde\r\n", "FFFFFFFFFFFFFFFFFF\r\n"} {
			conn, err := net.Dial("tcp", b.server.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n%s%s",
				path, kind, begin, chunk)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s with %.10q: %v", path, chunk, err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			p := problem(t, reply{resp, string(text)}, http.StatusBadRequest)
			if !strings.Contains(p.Detail, "chunks are malformed") {
				t.Errorf("%s with %.10q: %s", path, chunk, text)
			}
		}
	}
	if strings.Contains(b.log.String(), `"level":"ERROR"`) {
		t.Errorf("errors in the log:\n%s", b.log)
	}
}

// Many clients send all of a body before they read the answer. Those must get the answer to a refused
// body of 100 MB too, and not a broken connection, whatever it is refused for.
func TestHugeBodyGetsItsAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		path, token, contentType string
		status                   int
	}{
		{"/generate", "user", "application/json", http.StatusRequestEntityTooLarge},
		{"/predict", "user", "application/json", http.StatusRequestEntityTooLarge},
		{"/predict", "", "application/json", http.StatusUnauthorized},
		{"/datasets?target=y", "", "text/csv", http.StatusUnauthorized},
		{"/datasets", "user", "text/csv", http.StatusUnprocessableEntity}, // no target named
		{"/models/rollback", "user", "application/json", http.StatusForbidden},
	} {
		conn, err := net.Dial("tcp", b.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		const size = 100 << 20
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			tt.path, tt.token, tt.contentType, size)
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range size / len(chunk) {
			if _, err := conn.Write(chunk); err != nil {
				t.Fatalf("%s: the connection broke while sending: %v", tt.path, err)
			}
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || !resp.Close || resp.ContentLength <= 0 {
			t.Errorf("%s: %d, close %v, length %d; want %d, closed, with its length", tt.path, resp.StatusCode, resp.Close, resp.ContentLength, tt.status)
		}
	}
}

// An answer that does not need the body does not wait for it long, and the connection goes on if it has come.
func TestAnswersDoNotWaitForBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.LingerPatience = time.Millisecond })
	for request, status := range map[string]int{
		"POST /predict": 401, "POST /nowhere": 404, "PUT /predict": 405, "GET /health": 200, "GET /docs": 200,
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			c := b.dial(t, "127.0.0.1")
			head := request + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
			for i := range 2 {
				if got := c.Ask(t, head+fmt.Sprintf("%100s", "")); got != status {
					t.Errorf("request %d, whole: status %d, want %d", i, got, status)
				}
			}
			if err := c.SetDeadline(time.Now().Add(readPatience / 3)); err != nil {
				t.Fatal(err)
			}
			if got := c.Ask(t, head+"{"); got != status {
				t.Errorf("its body does not come: status %d, want %d", got, status)
			}
			if got := c.Ask(t, whole); got != 0 {
				t.Errorf("status %d from what follows half a body", got)
			}
		})
	}
}

// An error in the middle of a body in chunks does not break it off: what its client sends still is waited for.
func TestErrorsInTheMiddleOfChunks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.dial(t, "127.0.0.1")
	if status := c.Ask(t, "POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"); status != 401 {
		t.Fatalf("status %d", status)
	}
	for deadline := time.Now().Add(10 * time.Second); b.server.listener.(*bounds.Listener).Waiting() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the rest is not waited for within 10 s")
		}
	}
	fmt.Fprint(c, "1234\r\n0\r\n\r\n")
	if n, err := c.Answers.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%d more bytes, %v; want an orderly end", n, err)
	}
}

// A client that asks first (Expect: 100-continue) is refused before it sends anything.
func TestHugeBodyIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn, err := net.Dial("tcp", b.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /generate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", 100<<20)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413 at once", resp.StatusCode)
	}
}

func TestAnswersNeverRepeatSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.UserLogins, o.AddressLogins = 100, 100 })
	const secret = "hunter2-hunter2"
	for _, tt := range [][2]string{
		{"/auth/login", `{"username":"testuser","password":"` + secret + `"}`},
		{"/auth/login", `{"password":"` + secret + `"}`},
		{"/auth/login", `{"username":"testuser","password":"` + secret + `","USERNAME":5}`},
		{"/auth/login", `"` + secret + `"`},
		{"/auth/login", `{"username":"testuser","password":"` + secret + `"`},
		{"/auth/login", `{"username":"testuser","password":{"x":"` + secret + `"}}`},
		{"/auth/register", `{"username":"x","email":"x","password":"` + strings.Repeat(secret, 10) + `"}`},
		{"/auth/password", `{"old_password":"` + secret + `","new_password":"x"}`},
		{"/auth/password", `{"old_password":"` + secret + `","new_password":"long-enough"}`},
	} {
		r := b.send(t, "POST", tt[0], "admin", tt[1])
		if r.StatusCode < 400 || strings.Contains(r.body, secret) {
			t.Errorf("%s %s: %d %s", tt[0], tt[1], r.StatusCode, r.body)
		}
	}
	r := b.send(t, "GET", "/auth/me?password="+secret, secret, "")
	if strings.Contains(r.body, secret) || strings.Contains(b.log.String(), secret) {
		t.Errorf("a secret is in the answer or in the log:\n%s\n%s", r.body, b.log.String())
	}
	for _, e := range b.audits {
		if strings.Contains(e.Details+e.Message, secret) {
			t.Errorf("audit entry %+v", e)
		}
	}
}
