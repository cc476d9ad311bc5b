package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// readyLimit is generous: a first start hashes passwords and trains a first model.
const readyLimit = 60 * time.Second

// Server is a running service under comparison: one process or several on one folder.
type Server struct {
	Base      string // http://host:port
	Ready     time.Duration
	processes []*Process
}

// PIDs of the processes.
func (s *Server) PIDs() []int {
	pids := make([]int, len(s.processes))
	for i, p := range s.processes {
		pids[i] = p.PID()
	}
	return pids
}

// Stop ends the processes, the last started first.
func (s *Server) Stop() error {
	var errs []error
	for i := len(s.processes) - 1; i >= 0; i-- {
		errs = append(errs, s.processes[i].Stop())
	}
	return errors.Join(errs...)
}

// Database is the platform's database in a folder.
func Database(dir string) string { return filepath.Join(dir, "data", "ia_continu_solution.db") }

// StartUp runs `iacontinu up` on a folder and waits until a model serves.
func StartUp(ctx context.Context, bin, dir string, env ...string) (*Server, error) {
	return startPlatform(ctx, bin, dir, [][]string{{"iacontinu", "up"}}, env)
}

// StartApart runs api, worker and flow as processes of their own on one folder, all at once.
func StartApart(ctx context.Context, bin, dir string, env ...string) (*Server, error) {
	return startPlatform(ctx, bin, dir, [][]string{{"api"}, {"worker"}, {"flow"}}, env)
}

func startPlatform(ctx context.Context, bin, dir string, commands [][]string, extra []string) (*Server, error) {
	port, err := FreePort(ctx)
	if err != nil {
		return nil, err
	}
	base := "http://127.0.0.1:" + strconv.Itoa(port)
	env := append([]string{
		"IACONTINU_DEMO_USERS=true", "ENVIRONMENT=development",
		"API_HOST=127.0.0.1", "API_PORT=" + strconv.Itoa(port), "API_URL=" + base, "UI_HOST=127.0.0.1", "UI_PORT=0",
		"FLOW_PORT=0", "WORKER_PORT=0",
		"DATABASE_URL=sqlite:" + Database(dir),
		"MODELS_DIR=" + filepath.Join(dir, "models"), "LOGS_DIR=" + filepath.Join(dir, "logs"),
	}, extra...)
	s := &Server{Base: base}
	for _, c := range commands {
		path, err := filepath.Abs(filepath.Join(bin, c[0]))
		if err != nil {
			return nil, errors.Join(err, s.Stop())
		}
		log := filepath.Join(dir, c[0]+"-"+strconv.FormatInt(time.Now().UnixNano(), 36)+".out")
		p, err := Start(ctx, Command{Args: append([]string{path}, c[1:]...), Dir: dir, Env: env, Log: log})
		if err != nil {
			return nil, errors.Join(err, s.Stop())
		}
		s.processes = append(s.processes, p)
	}
	if s.Ready, err = s.processes[0].WaitReady(ctx, base+"/health/ready", readyLimit); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// StartService runs a single program that answers GET /health once it is ready.
func StartService(ctx context.Context, c Command, port int) (*Server, error) {
	s := &Server{Base: "http://127.0.0.1:" + strconv.Itoa(port)}
	p, err := Start(ctx, c)
	if err != nil {
		return nil, err
	}
	s.processes = append(s.processes, p)
	if s.Ready, err = p.WaitReady(ctx, s.Base+"/health", readyLimit); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Root is the folder of go.mod, from the working directory upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod in or above the working directory")
		}
		dir = up
	}
}
