package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"iacontinu/internal/ml"
)

const (
	fileSuffix    = ".parquet"
	summarySuffix = ".summary.json"
	tempSuffix    = ".tmp"
)

// file is where the rows of a dataset lie.
func (d *Datasets) file(id int64) string {
	return filepath.Join(d.o.Dir, strconv.FormatInt(id, 10)+fileSuffix)
}

// summaryFile is where what is told of the rows lies.
func (d *Datasets) summaryFile(id int64) string {
	return filepath.Join(d.o.Dir, strconv.FormatInt(id, 10)+summarySuffix)
}

// fileID is the dataset one of whose files has that name.
func fileID(name string) (id int64, ok bool) {
	digits, ok := strings.CutSuffix(name, fileSuffix)
	if !ok {
		digits, ok = strings.CutSuffix(name, summarySuffix)
	}
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && strconv.FormatInt(id, 10) == digits
}

// tempFile is a new name for a file being written. It tells who writes it.
func (d *Datasets) tempFile() string {
	return filepath.Join(d.o.Dir, fmt.Sprintf(".%s.%016x%s", d.o.Builder, rand.Uint64(), tempSuffix))
}

// tempBuilder is who writes the temporary file of that name.
func tempBuilder(name string) (builder string, ok bool) {
	name, ok = strings.CutSuffix(name, tempSuffix)
	if !ok || !strings.HasPrefix(name, ".") {
		return "", false
	}
	end := strings.LastIndexByte(name, '.')
	if end < 2 {
		return "", false
	}
	return name[1:end], true
}

func (d *Datasets) removeFile(id int64) error {
	return errors.Join(removeIfThere(d.file(id)), removeIfThere(d.summaryFile(id)))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// stored gives errors of the disk the code that tells a caller what to do.
func stored(err error) error {
	return ml.Unwritten(err, "the folder of the datasets (beside the file of DATABASE_URL)")
}
