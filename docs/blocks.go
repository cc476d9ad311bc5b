package docs

import (
	"fmt"
	"strings"
)

// Block is a piece of a page that readers type in and a test runs.
type Block struct {
	Where string // page and line
	// Commands of a console have the answer that the page shows; a block of sh is one command.
	Console  bool
	Commands []Command
}

// Command is what is typed in, with what the page shows as its answer.
type Command struct{ Text, Answer string }

// Executed are the blocks of a page below a line <!-- executed: MARK -->.
func Executed(page, text, mark string) []Block {
	var blocks []Block
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != "<!-- executed: "+mark+" -->" {
			continue
		}
		block := Block{Where: fmt.Sprintf("%s:%d", page, i+1)}
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
		}
		if block.Console = lines[i] == "```console"; !block.Console {
			block.Commands = []Command{{}}
		}
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			block.add(lines[i])
		}
		blocks = append(blocks, block)
	}
	return blocks
}

func (b *Block) add(line string) {
	text, typed := strings.CutPrefix(line, "$ ")
	if b.Console && typed {
		b.Commands = append(b.Commands, Command{Text: text})
		return
	}
	last := &b.Commands[len(b.Commands)-1]
	if b.Console {
		last.Answer += line + "\n"
	} else {
		last.Text += line + "\n"
	}
}
