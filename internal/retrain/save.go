package retrain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// maxReference bounds the window that drift is measured against. Beyond some thousand rows the tests
// find differences too small to matter, and cost more.
const maxReference = 2000

// save writes the artifact. A rejected version is saved too: an administrator may look at it and
// activate it by hand. A save that fails leaves nothing behind.
func (j *job) save(context.Context) (err error) {
	if err := os.MkdirAll(j.options.ModelsDir, 0o755); err != nil {
		return stored(fmt.Errorf("make the folder of models: %w", err))
	}
	j.digest, err = j.artifact().Save(j.dir(j.name))
	return stored(err)
}

// stored gives errors of the disk the code that tells a caller what to do.
func stored(err error) error { return ml.Unwritten(err, "the folder of the models (MODELS_DIR)") }

// artifact is the version as it is kept. All of it follows from the job, so that a repeated job makes
// the same bytes.
func (j *job) artifact() *logreg.Artifact {
	return &logreg.Artifact{
		Version:         j.name,
		Features:        j.schema.Features,
		Target:          j.schema.Target,
		Classes:         j.schema.Classes,
		Model:           *j.model,
		Metrics:         j.quality,
		Options:         j.fitOptions(),
		Seed:            j.seed,
		Fit:             j.fit,
		DatasetIDs:      j.datasetIDs(),
		DataFingerprint: j.fingerprint,
		TrainingSamples: j.sides.train.Len(),
		HoldoutSamples:  j.sides.holdout.Len(),
		CreatedAt:       j.created,
		Reference:       reference(j.sides.train, j.seed),
	}
}

// reference draws the window from the rows that the model was trained on: they are what it knows.
func reference(train ml.Columns, seed uint64) [][]float64 {
	n := train.Len()
	if n <= maxReference {
		return train.Features
	}
	random := rand.New(rand.NewPCG(seed, streamReference))
	rows := make([]int, 0, maxReference)
	// Selection sampling, one pass: Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S.
	for i := range n {
		if random.IntN(n-i) < maxReference-len(rows) {
			rows = append(rows, i)
		}
	}
	return pick(train, slices.Clip(rows)).Features
}
