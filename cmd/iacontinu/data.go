package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"iacontinu/cmd/internal/service"
	"iacontinu/internal/datasets"
	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
)

// maxBadRowsShown bounds how many bad rows of a file are listed one by one.
const maxBadRowsShown = 20

// importCSV reads a file into a dataset.
func importCSV(c *call, args []string) error {
	target := c.flags.String("target", "", "name of the column to predict; it must hold two different values")
	name := c.flags.String("name", "", "name shown in the catalogue (the file's name)")
	var ignore []string
	c.flags.Func("ignore", "`names` of columns to leave out, separated by commas; once more for each name that has a comma itself", func(names string) error {
		ignore = append(ignore, names)
		return nil
	})
	decimal := c.flags.String("decimal", "", `what stands before the fraction of numbers, "." or ","; left out: found out from the file`)
	skipBad := c.flags.Bool("skip-bad", false, "leave bad rows out and list them, instead of refusing the file")
	files, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if *target == "" {
		return fmt.Errorf("--target is required: the column to predict: %w", errUsage)
	}
	sign, err := decimalSign(*decimal)
	if err != nil {
		return err
	}
	file, size, err := c.open(files[0])
	if err != nil {
		return err
	}
	defer file.Close()
	switch {
	case *name != "":
	case files[0] == "-":
		*name = "standard input"
	default:
		*name = filepath.Base(files[0])
	}
	return c.onFolder(func(p *service.Platform) error {
		started := time.Now()
		shown := newProgress(c.err, "read", size)
		set, report, err := p.Datasets.Import(c.ctx, io.TeeReader(file, shown), datasets.ImportSpec{
			Name: *name, Target: *target, Ignore: ignore, SkipBad: *skipBad, Decimal: sign,
		})
		shown.end()
		if err != nil {
			return err
		}
		c.imported(set, report, time.Since(started))
		return p.Audit(c.ctx, "import", fmt.Sprintf("imported %s as dataset %d", *name, set.ID),
			map[string]any{"generation_id": set.ID, "samples": set.Samples})
	})
}

// input is what comes by standard input.
func (c *call) input() (io.Reader, error) {
	if isTerminal(c.in) {
		return nil, errors.New("standard input is a terminal: add <FILE")
	}
	return c.in, nil
}

// open is a file to read with its size, which is 0 for "-", standard input.
func (c *call) open(path string) (file io.ReadCloser, size int64, err error) {
	if path == "-" {
		in, err := c.input()
		return io.NopCloser(in), 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder: name one file of it", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// imported shows what became of a file, and what to do next.
func (c *call) imported(set ml.Dataset, report datasets.ImportReport, took time.Duration) {
	for i, bad := range report.Bad {
		if i == maxBadRowsShown {
			break
		}
		if bad.Column != "" {
			bad.Column += ": "
		}
		fmt.Fprintf(c.err, "line %d left out: %s%s\n", bad.Line, bad.Column, bad.Reason)
	}
	if report.BadCount > maxBadRowsShown {
		fmt.Fprintf(c.err, "and %d more rows left out\n", report.BadCount-maxBadRowsShown)
	}
	fmt.Fprintf(c.out, "dataset %d: %d rows of %d features from %s in %s\n", set.ID, set.Samples, len(set.Schema.Features), set.Name, took.Round(time.Millisecond))
	fmt.Fprintf(c.out, "  target %s: 0 is %q (%d rows), 1 is %q (%d rows)\n", set.Schema.Target,
		set.Schema.Classes[0], set.ClassCounts[0], set.Schema.Classes[1], set.ClassCounts[1])
	if report.CopyOf != 0 {
		fmt.Fprintf(c.out, "  the same rows are there already, as dataset %d; training takes them once (an administrator removes this copy by DELETE /datasets/%d)\n", report.CopyOf, set.ID)
	}
	if report.DecimalCommas {
		fmt.Fprintln(c.out, "  numbers were read with decimal commas (--decimal . if the comma means something else)")
	}
	if set.Samples < ml.MinRows || min(set.ClassCounts[0], set.ClassCounts[1]) < ml.MinClassRows {
		fmt.Fprintf(c.out, "  too small to train on alone: that takes %d rows, and %d of each class\n", ml.MinRows, ml.MinClassRows)
	} else {
		fmt.Fprintf(c.out, "train on it: %s\n", c.next("retrain --dataset %d", set.ID))
	}
}

// decimalSign reads the flag --decimal; 0 is for none given.
func decimalSign(text string) (byte, error) {
	switch text {
	case "":
		return 0, nil
	case ".", ",":
		return text[0], nil
	}
	return 0, fmt.Errorf(`--decimal must be "." or ",", not %q: %w`, text, errUsage)
}

// generate makes a dataset of generated rows.
func generate(c *call, args []string) error {
	var spec datasets.GenerateSpec
	c.flags.IntVar(&spec.Samples, "samples", 1000, fmt.Sprintf("number of rows, 1 to %d", synth.MaxSamples))
	c.flags.Uint64Var(&spec.Seed, "seed", 0, "same seed, same rows; 0 picks one")
	c.flags.StringVar(&spec.Drift, "drift", "", "none, covariate, concept or label; empty follows the hour")
	c.flags.Float64Var(&spec.Magnitude, "magnitude", 0, "how strong the drift is; 0 is its default")
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	return c.onFolder(func(p *service.Platform) error {
		shown := newProgress(c.err, "drawn", int64(spec.Samples))
		set, err := p.Datasets.Generate(c.ctx, spec, func(done int) { shown.set(int64(done)) })
		shown.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "dataset %d: %d rows, drift %s, seed %d\n", set.ID, set.Samples, driftName(set.Drift), set.Seed)
		return p.Audit(c.ctx, "generate", fmt.Sprintf("generated dataset %d of %d rows", set.ID, set.Samples),
			map[string]any{"generation_id": set.ID, "samples": set.Samples})
	})
}

func driftName(d string) string {
	if d == "" {
		return "of the hour"
	}
	return d
}

// backup copies everything that can't be made again into a new folder.
func backup(c *call, args []string) error {
	dirs, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if dirs[0] == "-" {
		return c.backupToOutput()
	}
	return c.onExisting(func(p *service.Platform) error {
		started := time.Now()
		size, err := p.Backup(c.ctx, dirs[0])
		if err != nil {
			return errors.Join(err, errors.New("no backup was made"))
		}
		fmt.Fprintf(c.out, "%s: %.1f MB in %s (database, model versions, datasets; no keys and no logs)\n",
			dirs[0], float64(size)/1e6, time.Since(started).Round(time.Millisecond))
		fmt.Fprintf(c.out, "where there are no data: %s restore %s\n", c.program, dirs[0])
		return nil
	})
}

// backupToOutput writes a backup to standard output, for where the command runs apart from who keeps backups.
func (c *call) backupToOutput() error {
	if isTerminal(c.out) {
		return errors.New("the backup is a tar archive, and standard output a terminal: add >FILE.tar")
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that ends early is an error, after which the copy in the data folder goes
	return c.onExisting(func(p *service.Platform) error {
		size, err := p.WriteBackup(c.ctx, c.out)
		if err != nil {
			return errors.Join(err, errors.New("what was written is no backup"))
		}
		fmt.Fprintf(c.err, "%.1f MB written (database, model versions, datasets; no keys and no logs)\n", float64(size)/1e6)
		return nil
	})
}

// restore copies a backup to where the settings have the platform's folders.
func restore(c *call, args []string) error {
	dirs, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	started := time.Now()
	size, err := int64(0), error(nil)
	if dirs[0] == "-" {
		in, errIn := c.input()
		if errIn != nil {
			return errIn
		}
		size, err = service.RestoreArchive(c.ctx, c.folder, in)
	} else {
		size, err = service.Restore(c.ctx, c.folder, dirs[0])
	}
	if err != nil {
		return errors.Join(err, errors.New("nothing was restored"))
	}
	fmt.Fprintf(c.out, "%s, %s and %s: %.1f MB of %s in %s\n", c.folder.Database, c.folder.ModelsDir, c.folder.DatasetsDir(),
		float64(size)/1e6, dirs[0], time.Since(started).Round(time.Millisecond))
	fmt.Fprintln(c.out, "the platform may start; the keys are no part of a backup: without JWT_SECRET_KEY as it was, all log in anew")
	return nil
}
