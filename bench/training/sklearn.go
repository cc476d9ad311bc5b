package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// solvers of scikit-learn with this objective.
var solvers = []string{"lbfgs", "newton-cg", "newton-cholesky"}

// sklearn is a Python process that has the data in memory and fits on request.
type sklearn struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	file    string
}

// startSklearn writes the data to a file and starts Python on it.
func startSklearn(ctx context.Context, python, script string, d data) (_ *sklearn, err error) {
	file, err := d.write()
	if err != nil {
		return nil, err
	}
	s := &sklearn{file: file}
	defer func() {
		if err != nil {
			_ = os.Remove(file)
		}
	}()
	s.command = exec.CommandContext(ctx, python, script, file, fmt.Sprint(len(d.y)), fmt.Sprint(len(d.x)))
	s.command.Stderr = os.Stderr
	if s.in, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	return s, s.command.Start()
}

// write puts the rows and then the labels into a temporary file.
func (d data) write() (name string, err error) {
	f, err := os.CreateTemp("", "training-*.bin")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	var number [8]byte
	for i := range d.y {
		for _, column := range d.x {
			binary.NativeEndian.PutUint64(number[:], math.Float64bits(column[i]))
			if _, err := w.Write(number[:]); err != nil {
				return "", err
			}
		}
	}
	if _, err := w.Write(d.y); err != nil {
		return "", err
	}
	return f.Name(), w.Flush()
}

// way is a way to fit by scikit-learn.
type way struct {
	solver  string
	threads int
}

// ways are all solvers, with one BLAS thread and with as many as there are processors: several
// are often slower than one.
func ways() []way {
	var all []way
	for _, solver := range solvers {
		all = append(all, way{solver, 1})
		if n := runtime.NumCPU(); n > 1 {
			all = append(all, way{solver, n})
		}
	}
	return all
}

func (s *sklearn) fit(by way, d data, b *best) error {
	if _, err := fmt.Fprintln(s.in, by.solver, by.threads); err != nil {
		return err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	var answer struct {
		Seconds    float64   `json:"seconds"`
		Iterations int       `json:"iterations"`
		Coef       []float64 `json:"coef"`
		Intercept  float64   `json:"intercept"`
		Warnings   []string  `json:"warnings"`
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return err
	}
	b.take(time.Duration(answer.Seconds * float64(time.Second)))
	b.name = fmt.Sprintf("%s, threads: %d", by.solver, by.threads)
	b.iterations = answer.Iterations
	b.objective = d.objective(answer.Coef, answer.Intercept)
	b.remark = strings.Join(answer.Warnings, "; ")
	return nil
}

// stop ends the process and removes the data.
func (s *sklearn) stop() error {
	return errors.Join(s.in.Close(), s.command.Wait(), os.Remove(s.file))
}
