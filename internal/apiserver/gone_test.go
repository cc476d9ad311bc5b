package apiserver

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"iacontinu/internal/ml"
)

// rolledBack is a database that waits, where it is told to, until the request is over, and then knows only that
// its transaction is.
type rolledBack struct {
	*world
	entered chan struct{} // nil: it does not wait
}

func (r rolledBack) Generate(ctx context.Context, _ Generate) (ml.Dataset, error) {
	if r.entered != nil {
		close(r.entered)
		<-ctx.Done()
	}
	return ml.Dataset{}, fmt.Errorf("store: begin dataset: %w", sql.ErrTxDone)
}

// A client that leaves is no fault of the server's; a transaction that is over too early is.
func TestAClientThatLeavesIsNoError(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	b := setup(t, func(w *world, o *Options) { o.Datasets = rolledBack{w, entered} })
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL()+"/generate", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer user")
	go func() { <-entered; leave() }()
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Fatalf("who left is answered: %s", res.Status)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if log := b.log.String(); strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, `"status":499`) {
		t.Errorf("the log says\n%s", log)
	}
	b = setup(t, func(w *world, o *Options) { o.Datasets = rolledBack{w, nil} })
	p := problem(t, b.send(t, "POST", "/generate", "user", ""), 500)
	if line := lineWith(b.log.String(), p.RequestID); !strings.Contains(line, `"level":"ERROR"`) {
		t.Errorf("of a request that goes on the log says %q", line)
	}
}
