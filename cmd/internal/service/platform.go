package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/shirou/gopsutil/v4/disk"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/apiserver"
	"iacontinu/internal/auth"
	"iacontinu/internal/datasets"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
	"iacontinu/internal/queue"
	"iacontinu/internal/store"
	"iacontinu/internal/tracing"
)

// Platform is what each process opens of the shared folder. `iacontinu up` opens it once for all.
type Platform struct {
	Folder   Folder
	Log      *slog.Logger
	Tracer   trace.Tracer // nil: no traces
	Registry boot.Registry
	Store    *store.Store
	Queue    *queue.Queue
	Datasets *datasets.Datasets
	Secret   []byte
	member   *presence.Member
	stack    boot.Stack
}

// Open opens the folder for a process of that name, making what is missing. Several processes may do
// so on an empty folder at the same moment.
func Open(ctx context.Context, f Folder, process string, log *slog.Logger) (*Platform, error) {
	return open(ctx, Process{Folder: f}, process, log, prometheus.NewRegistry())
}

func open(ctx context.Context, c Process, process string, log *slog.Logger, reg boot.Registry) (_ *Platform, err error) {
	f := c.Folder
	// Each line that is logged for a request carries its id, whichever package logs it.
	p := &Platform{Folder: f, Log: slog.New(apiserver.LogRequestID(log.Handler())), Registry: reg}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	traces, err := boot.OpenTraces(ctx, c.Traces, process, p.Log)
	if err != nil {
		return nil, err
	}
	p.stack.OnStop("traces", traces.Close) // after all that makes spans
	p.Tracer = traces.Tracer(tracing.Scope)
	for _, dir := range []struct{ setting, path string }{
		{"DATABASE_URL", f.DataDir()}, {"MODELS_DIR", f.ModelsDir},
	} {
		if err := writable(dir.path, 0); err != nil {
			return nil, fmt.Errorf("%s: %w", dir.setting, err)
		}
	}
	if p.member, err = presence.Join(f.DataDir(), process); err != nil {
		return nil, fmt.Errorf("join the processes on %s: %w", f.DataDir(), err)
	}
	p.stack.OnStop("presence", p.member.Close)
	if err := boot.RegisterBasics(reg, process, f.Environment, f.DataDir()); err != nil {
		return nil, fmt.Errorf("make the metrics registry: %w", err)
	}
	if err := p.openStore(ctx); err != nil {
		return nil, err
	}
	if p.Secret, err = p.secret(); err != nil {
		return nil, err
	}
	return p, nil
}

// writable makes a folder, and tells at the start and not at the first job if nothing can be made in
// it, or not that many bytes.
func writable(dir string, bytes int) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	_, err = probe.Write(make([]byte, bytes))
	return errors.Join(err, probe.Close(), os.Remove(probe.Name()))
}

func (p *Platform) openStore(ctx context.Context) (err error) {
	p.Store, err = store.Open(ctx, store.Options{
		Path:        string(p.Folder.Database),
		Synchronous: p.Folder.Synchronous,
		Logger:      p.Log,
		Registerer:  p.Registry,
	})
	if err != nil {
		return fmt.Errorf("DATABASE_URL: open %s: %w", p.Folder.Database, err)
	}
	p.stack.OnStop("store", p.Store.Close)
	if err := queue.Migrate(ctx, p.Store.Writer()); err != nil {
		return err
	}
	p.Queue, err = queue.New(queue.Options{
		DB:         p.Store.Writer(),
		Reader:     p.Store.Reader(),
		ClientID:   p.member.ID(),
		Alive:      p.alive,
		Answered:   p.answered,
		Tracer:     p.Tracer,
		Logger:     p.Log,
		Registerer: p.Registry,
	})
	if err != nil {
		return err
	}
	p.Datasets, err = datasets.New(datasets.Options{
		Catalogue:  p.Store,
		Dir:        p.Folder.DatasetsDir(),
		Builder:    p.member.ID(),
		Alive:      p.alive,
		Free:       p.free,
		Logger:     p.Log,
		Registerer: p.Registry,
	})
	return err
}

// Close closes what Open opened, last first.
func (p *Platform) Close() error { return p.stack.Stop() }

// free is how many bytes the disk of the database has left.
func (p *Platform) free(ctx context.Context) (uint64, error) {
	usage, err := disk.UsageWithContext(ctx, p.Folder.DataDir())
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}

// answered tells whether the job's result is stored.
func (p *Platform) answered(ctx context.Context, job int64) (bool, error) {
	progress, err := p.Store.Progress(ctx, job)
	return progress.Result != nil, err
}

// alive tells whether the process with that presence id still runs.
func (p *Platform) alive(id string) (bool, error) { return presence.Alive(p.Folder.DataDir(), id) }

// secret is the key that signs tokens. In development it is made on first start and lies in the data
// folder, where every process on it finds the same one.
func (p *Platform) secret() ([]byte, error) {
	if p.Folder.JWTSecret != "" {
		return []byte(p.Folder.JWTSecret), nil
	}
	secret, err := auth.LoadOrCreateSecret(p.Folder.secretFile())
	if err != nil {
		return nil, fmt.Errorf("JWT_SECRET_KEY is not set, and no key could be made: %w", err)
	}
	return secret, nil
}

// artifactDir is the folder of a version's artifact.
func (p *Platform) artifactDir(version string) string {
	return filepath.Join(p.Folder.ModelsDir, version)
}

// loadArtifact reads a version's artifact and checks that it is the one that the store means.
func (p *Platform) loadArtifact(v ml.Version) (*logreg.Artifact, error) {
	dir := p.artifactDir(v.Name)
	digest, err := logreg.Digest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("MODELS_DIR has no such version: set it to the folder of the model versions, restore that folder from a backup, or activate another version: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if v.Digest != "" && digest != v.Digest {
		return nil, fmt.Errorf("%s was changed after the training: its SHA-256 is %s, the store says %s", dir, digest, v.Digest)
	}
	return logreg.LoadArtifact(dir)
}
