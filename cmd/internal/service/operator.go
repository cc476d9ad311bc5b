package service

import (
	"archive/tar"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/auth"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// Accounts is the service that makes accounts and checks passwords and tokens.
func (p *Platform) Accounts(ctx context.Context) (*auth.Service, error) {
	signer, err := auth.NewSigner(p.Secret, nil)
	if err != nil {
		return nil, err
	}
	return auth.New(ctx, auth.Options{Signer: signer, Users: p.Store, Revocations: p.Store, Logger: p.Log})
}

// Audit records what an operator did, with the details that the API records of the same event. The deed itself
// is done, which an error says too.
func (p *Platform) Audit(ctx context.Context, event, message string, details map[string]any) error {
	all := map[string]any{"by": operatorName()}
	maps.Copy(all, details)
	text, _ := json.Marshal(all) // strings and numbers: cannot fail
	entry := ml.AuditEntry{Level: "INFO", Component: "cli", EventType: event, Message: message, Details: string(text), CreatedAt: time.Now()}
	if err := p.Store.Audit(ctx, entry); err != nil {
		return fmt.Errorf("%s; but that could not be recorded in the audit: %w", message, err)
	}
	return nil
}

// operatorName is the account of the operating system that runs a command, and its machine.
func operatorName() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// Activate makes a version serve, if its artifact can, and has people told in the same transaction.
func (p *Platform) Activate(ctx context.Context, name, actor string) (ml.Version, error) {
	v, err := p.Store.Version(ctx, name)
	if err != nil {
		return ml.Version{}, err
	}
	if err := p.canServe(v); err != nil {
		return ml.Version{}, err
	}
	before, err := p.active(ctx)
	if err != nil {
		return ml.Version{}, err
	}
	return p.Store.Activate(ctx, name, actor, p.tellActivation(ctx, "notice.model_activated", actor, before))
}

// Rollback makes the version serve that was active before the present one.
func (p *Platform) Rollback(ctx context.Context, actor string) (ml.Version, error) {
	before, err := p.active(ctx)
	if err != nil {
		return ml.Version{}, err
	}
	return p.Store.Rollback(ctx, actor, func(tx *sql.Tx, v ml.Version) error {
		if err := p.canServe(v); err != nil {
			return err
		}
		return p.tellActivation(ctx, "notice.rolled_back", actor, before)(tx, v)
	})
}

func (p *Platform) canServe(v ml.Version) error {
	if _, err := p.loadArtifact(v); err != nil {
		return &ml.Error{
			Code: ml.CodeUnprocessed, Message: "version " + v.Name + " can't serve: its artifact is missing or damaged",
			Remarks: []ml.Remark{{Code: "error.cannot_serve", Values: map[string]any{"version": v.Name}}}, Err: err,
		}
	}
	return nil
}

// tellActivation returns what owes people the message, to be called in the activating transaction.
func (p *Platform) tellActivation(ctx context.Context, title, actor string, before ml.Version) func(*sql.Tx, ml.Version) error {
	return func(tx *sql.Tx, v ml.Version) error {
		says := []ml.Remark{{Code: title}, {Code: "serving.by_hand", Values: map[string]any{"version": v.Name, "actor": actor}}}
		says = append(says, SchemaChange(before, v)...)
		if err := p.trackActivation(ctx, tx); err != nil {
			return err
		}
		return p.Queue.EnqueueNotifyTx(ctx, tx, ml.Event{
			Topic: ml.EventModel, State: v.Name, Severity: ml.SeverityInfo,
			Says:    says,
			Figures: []ml.Remark{{Code: "figure.accuracy", Values: map[string]any{"value": v.Accuracy}}},
			At:      time.Now().UTC(),
		})
	}
}

// active is the active version, the zero one if there is none.
func (p *Platform) active(ctx context.Context) (ml.Version, error) {
	v, err := p.Store.Active(ctx)
	if ml.CodeOf(err) == ml.CodeNotFound {
		return ml.Version{}, nil
	}
	return v, err
}

// SchemaChange says what clients must send now, and what they get, if the version after answers another
// question than the one before; nothing if it does not.
func SchemaChange(before, after ml.Version) []ml.Remark {
	if before.Name == "" || before.Schema.Equal(after.Schema) {
		return nil
	}
	return []ml.Remark{{Code: "serving.another"}, {Code: "serving.takes", Values: question(after.Schema)}, {Code: "serving.took", Values: question(before.Schema)}}
}

// question is what a classifier takes and what it answers.
func question(s ml.Schema) map[string]any {
	const most = 10
	names, more := s.Features, ""
	if len(names) > most {
		names, more = names[:most], ", ..."
	}
	return map[string]any{
		"count": len(s.Features), "features": strings.Join(names, ", ") + more,
		"target": s.Target, "first": s.Classes[0], "second": s.Classes[1],
	}
}

// Backup copies the database, the model versions and the datasets into a new folder and returns its
// size in bytes. The platform may run meanwhile: the database is copied as of one moment, and a file
// that it names is there before the row is. Keys and logs are left out. A backup that fails leaves
// nothing.
func (p *Platform) Backup(ctx context.Context, dir string) (size int64, err error) {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s is there already: name a new folder", dir)
	}
	for _, data := range []string{p.Folder.ModelsDir, p.Folder.DatasetsDir()} {
		switch in, err := inside(data, dir); {
		case err != nil:
			return 0, err
		case in:
			return 0, fmt.Errorf("%s is in %s, which the backup copies: name a folder elsewhere", dir, data)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return 0, err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), copyPattern)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if err := p.Store.Backup(ctx, filepath.Join(part, filepath.Base(string(p.Folder.Database)))); err != nil {
		return 0, err
	}
	for _, tree := range []struct{ from, to string }{
		{p.Folder.ModelsDir, "models"}, {p.Folder.DatasetsDir(), "datasets"},
	} {
		if _, err := copyTree(ctx, tree.from, filepath.Join(part, tree.to)); err != nil {
			return 0, err
		}
	}
	if size, err = syncTree(part); err != nil {
		return 0, err
	}
	if err := os.Rename(part, dir); err != nil {
		return 0, err
	}
	part = dir // what is removed if it may not last
	_, err = syncPath(filepath.Dir(dir))
	return size, err
}

// copyPattern names the folder that a backup is made in.
const copyPattern = ".backup-*"

// dropCopies removes what backups and restores that were killed left in the data folder. None takes a day.
func (p *Platform) dropCopies() error {
	const age = 24 * time.Hour
	return errors.Join(removeAged(p.Folder.DataDir(), copyPattern, age), removeAged(p.Folder.DataDir(), unpackedPattern, age))
}

// WriteBackup writes a backup as a tar archive, which is whole once this has returned without an error. Until then a
// copy lies in the data folder, since what is copied goes on changing.
func (p *Platform) WriteBackup(ctx context.Context, to io.Writer) (size int64, err error) {
	part, err := os.MkdirTemp(p.Folder.DataDir(), copyPattern)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	dir := filepath.Join(part, "backup")
	if size, err = p.Backup(ctx, dir); err != nil {
		return 0, err
	}
	archive := tar.NewWriter(writer(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return to.Write(b)
	}))
	return size, errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close())
}

// writer is a function that writes.
type writer func(b []byte) (int, error)

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) { return w(b) }

// inside reports whether path, which need not be there, is in a folder or the folder itself, by whatever links.
func inside(folder, path string) (bool, error) {
	folder, errFolder := realPath(folder)
	path, errPath := realPath(path)
	if err := errors.Join(errFolder, errPath); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel), err
}

// realPath is a path without links, as far as it is there.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	there, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return there, err
	}
	parent, err := realPath(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}

// copyTree copies the finished files of a folder and returns what it made, parents first; those that are
// being written have names that begin with a dot, and one that retention removes meanwhile is no loss.
func copyTree(ctx context.Context, from, to string) (made []string, err error) {
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if rel != "." && d.Name()[0] == '.' {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, rel)
		err = copyEntry(path, target, d)
		switch {
		case err == nil:
			made = append(made, target)
		case errors.Is(err, fs.ErrNotExist), rel == "." && errors.Is(err, fs.ErrExist):
			return nil
		}
		return err
	})
	return made, err
}

// copyEntry makes a folder or copies a file.
func copyEntry(from, to string, d fs.DirEntry) error {
	if d.IsDir() {
		return os.Mkdir(to, 0o750)
	}
	return copyFile(from, to, fs.ModePerm)
}

// copyFile copies to a new file, as open to others as the old one but at most to those of most, and leaves
// none after an error.
func copyFile(from, to string, most fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	// A backup may be write-protected, and what is made of it must still be of use to its owner.
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()&most|0o600)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// syncTree forces all files of a folder to the disk and adds up their sizes.
func syncTree(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n, err := syncPath(path)
		if !d.IsDir() {
			size += n
		}
		return err
	})
	return size, err
}

// syncPath forces a file, or the names in a folder, to the disk and returns its size.
func syncPath(path string) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Sync()
}

// ClientConfig is the configuration of the commands that ask the running platform.
type ClientConfig struct {
	APIURL string    `env:"API_URL" help:"where the API is; left out: http://localhost:API_PORT"`
	Port   boot.Port `env:"API_PORT" envDefault:"8000" help:"port of the API on this machine"`
	Folder
}

// url is where the API is.
func (c ClientConfig) url() string {
	if c.APIURL != "" {
		return c.APIURL
	}
	return "http://" + boot.HostPort("localhost", c.Port)
}

// NewClient returns a client of the platform at API_URL that acts as a service of that name, with the
// key that the platform has: a client makes none.
func NewClient(c ClientConfig, name string) (*api.Client, error) {
	secret := []byte(c.JWTSecret)
	if len(secret) == 0 {
		if _, err := os.Stat(c.secretFile()); err != nil {
			return nil, fmt.Errorf("no signing key in %s: call this in the platform's folder, or set DATABASE_URL or JWT_SECRET_KEY as the platform has it", c.DataDir())
		}
		var err error
		if secret, err = auth.LoadOrCreateSecret(c.secretFile()); err != nil {
			return nil, err
		}
	}
	return newClient(c.url(), secret, name)
}

func newClient(url string, secret []byte, name string) (*api.Client, error) {
	signer, err := auth.NewSigner(secret, nil)
	if err != nil {
		return nil, err
	}
	return api.New(url, api.Options{
		Token: signer.ServiceTokens(name), UserAgent: "iacontinu-" + name,
		HTTPClient: &http.Client{Transport: tracing.Transport(http.DefaultTransport)},
	})
}
