package e2e

import (
	"context"
	"database/sql"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the store's file is read as any other program would

	"iacontinu/internal/api"
)

// load predicts from several clients until the server goes away and remembers what was answered.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	acked []string
	grown chan struct{}
}

func startLoad(t *testing.T, client *api.Client, clients int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel, grown: make(chan struct{}, 1)}
	for i := range clients {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				answer, err := client.Predict(ctx, []float64{float64(i), -1})
				if err != nil {
					return // the server went away: what comes after is not promised
				}
				l.mu.Lock()
				l.acked = append(l.acked, answer.PredictionID)
				l.mu.Unlock()
				select {
				case l.grown <- struct{}{}:
				default:
				}
			}
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

// waitFor waits until that many predictions are answered.
func (l *load) waitFor(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		have := len(l.acked)
		l.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-l.grown:
		case <-timeout:
			t.Fatalf("only %d predictions answered within %s, want %d", have, patience, n)
		}
	}
}

// end stops the load and returns the ids of all answered predictions.
func (l *load) end() []string {
	l.cancel()
	l.wg.Wait()
	return l.acked
}

func (f *folder) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+f.database()+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// hasAll checks that each prediction is in the log exactly once.
func (f *folder) hasAll(t *testing.T, ids []string) {
	t.Helper()
	rows, err := f.open(t).QueryContext(t.Context(), "SELECT prediction_id, COUNT(*) FROM prediction_logs GROUP BY prediction_id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]int{}
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		stored[id] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, id := range ids {
		if stored[id] != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged predictions are not in the log exactly once", lost, len(ids))
	}
	t.Logf("%d acknowledged predictions are all there", len(ids))
}

// checkOneVersionAJob checks that no job made two versions and that one version is active.
func (f *folder) checkOneVersionAJob(t *testing.T) {
	t.Helper()
	var versions, jobs, active int
	err := f.open(t).QueryRowContext(t.Context(),
		"SELECT COUNT(*), COUNT(DISTINCT job_id), SUM(is_active) FROM models").Scan(&versions, &jobs, &active)
	if err != nil {
		t.Fatal(err)
	}
	if versions != jobs || active != 1 {
		t.Errorf("%d versions of %d jobs, %d active; want one a job and one active", versions, jobs, active)
	}
}

// nextPort is where the next free port is looked for. It lies below the ports that the system hands
// out by itself, so that no other listener or connection takes it before its process does; and
// elsewhere in each run of the tests.
var nextPort atomic.Int32

// freePort finds a port that is free, and stays so.
func freePort(t *testing.T) (url, port string) {
	t.Helper()
	nextPort.CompareAndSwap(0, int32(10_000+os.Getpid()%200*100))
	for range 100 {
		port = strconv.Itoa(int(nextPort.Add(1)))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return "http://127.0.0.1:" + port, port
	}
	t.Fatal("no free port")
	return "", ""
}
