package tabular_test

import (
	"context"
	"fmt"
	"strings"

	"iacontinu/internal/tabular"
)

func ExampleOpenCSV() {
	file := "width;height;kind\n1.5;2;rose\n2.5;x;tulip\n3;4;tulip\n"
	csv, err := tabular.OpenCSV(strings.NewReader(file), tabular.CSVOptions{Target: "kind", SkipBad: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(csv.Features())
	report, err := csv.Read(context.Background(), func(rows tabular.Rows) error {
		fmt.Println(rows.Len(), rows.Features)
		return nil
	})
	fmt.Println(report.Rows, report.Classes, report.Bad, err)
	// Output:
	// [width height]
	// 2 [[1.5 3] [2 4]]
	// 2 [rose tulip] [line 3, column "height": not a number: "x"] <nil>
}
