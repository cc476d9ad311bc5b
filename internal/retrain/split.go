package retrain

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"iacontinu/internal/ml"
)

const (
	// holdoutShare is the part of the rows that judges.
	holdoutShare = 0.2
	// Each draw of a job has a stream of its own, so that none depends on how much another one drew.
	streamSplit     = 1
	streamReference = 2
)

// sides are the rows to learn from and those that judge.
type sides struct {
	train, holdout ml.Columns
	// rows are the places of the holdout's rows in the data, rising.
	rows []int
	// byTime tells that the holdout is the newest rows; else it is a stratified draw.
	byTime bool
}

// split sets the sides. Rows of several datasets are split by time, unless one side would then lack a
// class: accuracy on one class alone says nothing.
func (j *job) split(context.Context) error {
	if err := checkRows(j.data, j.schema); err != nil {
		return err
	}
	if len(j.parts) > 1 {
		if s := splitByTime(j.data); bothClasses(s.train) && bothClasses(s.holdout) {
			j.sides = s
			return nil
		}
	}
	j.sides = splitStratified(j.data, j.seed)
	return nil
}

// checkRows refuses data that no model can be learnt from and judged by.
func checkRows(data ml.Columns, schema ml.Schema) error {
	if n := data.Len(); n < ml.MinRows {
		return refused(ml.CodeUnprocessed, "error.few_rows", map[string]any{"rows": n, "want": ml.MinRows})
	}
	counts := classCounts(data)
	for class, n := range counts {
		switch {
		case n == 0:
			return refused(ml.CodeUnprocessed, "error.one_class", map[string]any{"rows": data.Len(), "target": schema.Target, "class": schema.Classes[1-class]})
		case n < ml.MinClassRows:
			return refused(ml.CodeUnprocessed, "error.rare_class", map[string]any{
				"count": n, "rows": data.Len(), "target": schema.Target, "class": schema.Classes[class], "want": ml.MinClassRows,
			})
		}
	}
	return nil
}

func classCounts(c ml.Columns) (counts [2]int) {
	for _, y := range c.Target {
		counts[y]++
	}
	return counts
}

func bothClasses(c ml.Columns) bool {
	counts := classCounts(c)
	return counts[0] > 0 && counts[1] > 0
}

// splitByTime holds out the newest rows. Both sides share memory with data.
func splitByTime(data ml.Columns) sides {
	n := data.Len()
	cut := n - share(n)
	rows := make([]int, 0, n-cut)
	for i := cut; i < n; i++ {
		rows = append(rows, i)
	}
	return sides{train: data.Slice(0, cut), holdout: data.Slice(cut, n), rows: rows, byTime: true}
}

// splitStratified holds out the same share of each class, at least one row of it, drawn by the seed.
func splitStratified(data ml.Columns, seed uint64) sides {
	random := rand.New(rand.NewPCG(seed, streamSplit))
	var rows []int
	for class := range uint8(2) {
		var members []int
		for i, y := range data.Target {
			if y == class {
				members = append(members, i)
			}
		}
		random.Shuffle(len(members), func(a, b int) { members[a], members[b] = members[b], members[a] })
		rows = append(rows, members[:max(1, share(len(members)))]...)
	}
	slices.Sort(rows)
	return sides{train: pick(data, others(rows, data.Len())), holdout: pick(data, rows), rows: rows}
}

// share is how many of n rows are held out.
func share(n int) int { return int(math.Round(float64(n) * holdoutShare)) }

// others are the numbers below n that are not in the rising list.
func others(list []int, n int) []int {
	rest := make([]int, 0, n-len(list))
	for i := range n {
		if len(list) > 0 && list[0] == i {
			list = list[1:]
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// pick copies rows.
func pick(data ml.Columns, rows []int) ml.Columns {
	out := ml.Columns{Features: make([][]float64, len(data.Features)), Target: make([]uint8, len(rows))}
	for i, row := range rows {
		out.Target[i] = data.Target[row]
	}
	for f, column := range data.Features {
		out.Features[f] = make([]float64, len(rows))
		for i, row := range rows {
			out.Features[f][i] = column[row]
		}
	}
	return out
}
