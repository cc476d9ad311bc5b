package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Command is a program to start.
type Command struct {
	Args []string
	Dir  string
	Env  []string // NAME=value, added to this process's environment
	Log  string   // file that receives its output
}

// Process is a started program.
type Process struct {
	name    string
	log     string
	cmd     *exec.Cmd
	done    chan struct{}
	Started time.Time
}

// Start runs a command in a process group of its own.
func Start(ctx context.Context, c Command) (*Process, error) {
	log, err := os.Create(c.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(cmd.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: filepath.Base(c.Args[0]), log: c.Log, cmd: cmd, done: make(chan struct{}), Started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	go func() {
		_ = cmd.Wait() // a signal of ours ends it: its status says nothing
		close(p.done)
	}()
	return p, nil
}

// PID is the process id; its group has the same number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and kills what is left of its group after ten seconds.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	var late error
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		late = fmt.Errorf("%s did not stop within 10 s of SIGTERM", p.name)
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
	return late
}

// WaitReady polls url until it answers 200 and returns how long that took from the start.
func (p *Process) WaitReady(ctx context.Context, url string, limit time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if statusOK(ctx, url) {
			return time.Since(p.Started), nil
		}
		select {
		case <-p.done:
			return 0, fmt.Errorf("%s ended before it was ready:\n%s", p.name, p.logTail())
		case <-ctx.Done():
			return 0, fmt.Errorf("%s did not answer %s within %v:\n%s", p.name, url, limit, p.logTail())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (p *Process) logTail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

func statusOK(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// FreePort is a port of the loopback address that nobody listens on now.
func FreePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return addr.Port, nil
}
