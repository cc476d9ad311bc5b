package tabular

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// CSVOptions say how a CSV file is read.
type CSVOptions struct {
	// Target is the name of the column with the classes. Required.
	Target string
	// Ignore names columns to leave out: each is the name of one, commas and all, or several separated by
	// commas. Every other column is a feature.
	Ignore []string
	// Decimal is what stands between the whole and the fraction of a number, a point or a comma. 0 finds
	// it out: a point, unless the first rows of a file that no comma separates tell of commas.
	Decimal byte
	// SkipBad leaves bad rows out and reports them; else the first one ends the reading.
	SkipBad bool
	// KeepBad is how many bad rows are kept for the report; all are counted. 0 means 100.
	KeepBad int
	// MaxRecord is the longest row in bytes; 0 means 1 MiB.
	MaxRecord int
	// MaxColumns is the largest number of columns; 0 means 4096.
	MaxColumns int
	// Parsers is how many goroutines parse; 0 means one a core.
	Parsers int

	blockSize int  // bytes read at once; 0 means 512 KiB
	careful   bool // parse every row the slow way
}

func (o CSVOptions) withDefaults() CSVOptions {
	o.KeepBad = cmp.Or(o.KeepBad, 100)
	o.MaxRecord = cmp.Or(o.MaxRecord, 1<<20)
	o.MaxColumns = cmp.Or(o.MaxColumns, 4096)
	o.Parsers = cmp.Or(o.Parsers, runtime.GOMAXPROCS(0))
	o.blockSize = cmp.Or(o.blockSize, 512<<10)
	return o
}

func (o CSVOptions) validate() error {
	switch {
	case o.Target == "":
		return errors.New("tabular: CSVOptions.Target must not be empty")
	case o.Decimal != 0 && o.Decimal != '.' && o.Decimal != ',':
		return errors.New("tabular: CSVOptions.Decimal must be a point or a comma")
	case o.KeepBad < 0:
		return errors.New("tabular: CSVOptions.KeepBad must not be negative")
	case o.MaxRecord < 1:
		return errors.New("tabular: CSVOptions.MaxRecord must be at least 1")
	case o.MaxColumns < 2:
		return errors.New("tabular: CSVOptions.MaxColumns must be at least 2")
	case o.Parsers < 1:
		return errors.New("tabular: CSVOptions.Parsers must be at least 1")
	}
	return nil
}

// CSVReport tells what was in a file that was read to its end.
type CSVReport struct {
	Rows int // good ones
	// Classes are the two values of the target by their codes: in the order in which they were
	// first seen.
	Classes [2]string
	// Decimal is what stood between the whole and the fraction of numbers.
	Decimal byte
	// Bad are the first bad rows, BadCount is the number of all.
	Bad      []RowError
	BadCount int
}

// CSV is a file whose header has been read.
type CSV struct {
	options CSVOptions
	blocks  blocks
	parser  parser
}

// OpenCSV reads the header of a comma, semicolon or tab separated file in UTF-8. An error that is a
// *FileError says what is wrong with the header; others come from r.
func OpenCSV(r io.Reader, o CSVOptions) (*CSV, error) {
	o = o.withDefaults()
	o.Target = oneLine(o.Target)
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &CSV{options: o, blocks: blocks{r: r, size: o.blockSize, limit: o.MaxRecord}}
	h, err := readHeader(&c.blocks, o)
	if err != nil {
		return nil, err
	}
	c.parser = parser{
		header: h, numbers: newNumbers(cmp.Or(o.Decimal, guessDecimal(&c.blocks, h))), delim: c.blocks.delim,
		skipBad: o.SkipBad, keepBad: max(o.KeepBad, 1), careful: o.careful,
	}
	return c, nil
}

// Features are the names of the features in the order of the file.
func (c *CSV) Features() []string { return c.parser.features }

// Target is the name of the target as the file's header has it.
func (c *CSV) Target() string { return c.options.Target }

// Read passes all rows to each, in order; the slices are valid during that call only. It returns
// what each returned, a RowError for the first bad row unless those are skipped, a *FileError if
// the file as a whole is no table of two classes, or the error of the reader. It may be called
// once. A Read of the reader that blocks must be ended by who owns the reader: Read waits for it
// when ctx is cancelled.
func (c *CSV) Read(ctx context.Context, each func(Rows) error) (CSVReport, error) {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	n := 2*c.options.Parsers + 2
	free, work, ordered := make(chan *block, n), make(chan *block, n), make(chan *block, n)
	for range n {
		free <- &block{parsed: make(chan struct{}, 1)}
	}
	var known atomic.Pointer[classes] // set when both are known
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case b := <-free:
				c.blocks.next(b)
				last := b.last
				// Neither blocks: there are no more blocks than room.
				ordered <- b
				work <- b
				if last {
					return nil
				}
			}
		}
	})
	for range c.options.Parsers {
		g.Go(func() error {
			for b := range work {
				if b.err == nil {
					if k := known.Load(); k != nil {
						c.parser.parse(b, *k, false)
					} else {
						c.parser.parse(b, classes{}, true)
					}
				}
				b.parsed <- struct{}{}
			}
			return nil
		})
	}
	m := merger{parser: &c.parser, known: &known, each: each, report: CSVReport{Decimal: c.parser.numbers.point}}
	err := func() error {
		for b := range ordered {
			<-b.parsed
			if err := m.take(b); err != nil {
				return err
			}
			if err := parent.Err(); err != nil {
				return err
			}
			free <- b
		}
		return parent.Err()
	}()
	cancel()
	_ = g.Wait() // the goroutines' only error is the cancellation
	if err == nil {
		err = m.finish(c.options.Target)
	}
	if err != nil {
		return m.report, err
	}
	return m.report, nil
}

// merger puts the blocks together again, in order.
type merger struct {
	parser  *parser
	classes classes
	known   *atomic.Pointer[classes]
	each    func(Rows) error
	report  CSVReport
}

func (m *merger) take(b *block) error {
	var codes [2]uint8
	if b.assumed && b.err == nil {
		merged, ok := m.classes.join(b.classes, &codes)
		if !ok || b.third {
			// Not every row can keep its class, or a row was held against the wrong ones.
			m.parser.parse(b, m.classes, false)
			merged, codes = b.classes, [2]uint8{0, 1}
		}
		m.classes = merged
		if merged.n == len(merged.values) {
			m.known.Store(&merged)
		}
		if codes != [2]uint8{0, 1} {
			for i, c := range b.rows.Target[:b.count] {
				b.rows.Target[i] = codes[c]
			}
		}
	}
	m.report.BadCount += b.badCount
	m.report.Bad = append(m.report.Bad, b.bad[:min(len(b.bad), m.parser.keepBad-len(m.report.Bad))]...)
	if b.badCount > 0 && !m.parser.skipBad {
		return m.refuse(b)
	}
	if b.err != nil {
		return b.err
	}
	m.report.Rows += b.count
	if b.count > 0 {
		rows := Rows{Features: make([][]float64, len(b.rows.Features)), Target: b.rows.Target[:b.count]}
		for j, f := range b.rows.Features {
			rows.Features[j] = f[:b.count]
		}
		if err := m.each(rows); err != nil {
			return err
		}
	}
	return nil
}

// refuse ends the reading at the bad row with which the block ends. If no row was good, whole columns
// may be the mistake.
func (m *merger) refuse(b *block) error {
	e := b.bad[0]
	if m.report.Rows == 0 && b.count == 0 && e.Column != "" {
		e.Reason += ignoreHint(m.parser.textColumns(b))
	}
	return e
}

// finish looks at the file as a whole.
func (m *merger) finish(target string) error {
	m.report.Classes = m.classes.values
	switch {
	case m.report.Rows == 0 && m.report.BadCount > 0:
		first := m.report.Bad[0]
		err := fileErrorf("file.no_good_row", told{"rows": m.report.BadCount}, "none of the %d rows is good; the first: %s", m.report.BadCount, first)
		err.Remarks = append(err.Remarks, first.Remarks()...)
		return err
	case m.report.Rows == 0:
		return fileErrorf("file.no_rows", nil, "the file has a header and no rows")
	case m.classes.n == 1:
		shown, only := quote(target), quote(m.classes.values[0])
		return fileErrorf("file.one_class", told{"target": shown, "class": only}, "the target %s is always %s: two values are needed", shown, only)
	}
	return nil
}

// join adds the classes of later rows to c. codes tells what becomes of theirs; ok is false if there
// are too many.
func (c classes) join(later classes, codes *[2]uint8) (joined classes, ok bool) {
	*codes = [2]uint8{0, 1}
	joined = c
	for i := range later.n {
		code, seen := joined.code([]byte(later.values[i]))
		if !seen {
			if code, ok = joined.add(later.values[i], later.lines[i]); !ok {
				return c, false
			}
		}
		codes[i] = code
	}
	return joined, true
}
