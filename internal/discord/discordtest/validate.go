package discordtest

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"unicode/utf16"
)

// Discord's limits, in UTF-16 code units.
const (
	maxContent     = 2000
	maxUsername    = 80
	maxEmbeds      = 10
	maxTitle       = 256
	maxDescription = 4096
	maxFields      = 25
	maxFieldName   = 256
	maxFieldValue  = 1024
	maxFooter      = 2048
	maxAuthor      = 256
	maxTotal       = 6000 // over all embeds of a message
	maxColor       = 0xFFFFFF
)

// Problem is one thing wrong with a payload, as Discord names it.
type Problem struct {
	Path    string // such as embeds.0.fields.2.value
	Code    string
	Message string
}

type checker struct {
	problems []Problem
	total    int
}

// Validate judges the body of a webhook call. An empty result means that Discord would take it.
func Validate(body []byte) []Problem {
	var payload map[string]any
	if err := json.Unmarshal(body, &payload); err != nil {
		return []Problem{{Code: "50109", Message: "The request body contains invalid JSON."}}
	}
	c := &checker{}
	c.text("content", payload["content"], maxContent, false)
	c.text("username", payload["username"], maxUsername, false)
	if name, ok := payload["username"].(string); ok && matches(`(?i)clyde|discord`, name) {
		c.add("username", "USERNAME_INVALID_CONTAINS", `Username cannot contain "discord" or "clyde"`)
	}
	embeds := c.list("embeds", payload["embeds"], maxEmbeds)
	for i, e := range embeds {
		c.embed(fmt.Sprintf("embeds.%d", i), e)
	}
	if c.total > maxTotal {
		c.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")
	}
	if content, _ := payload["content"].(string); len(c.problems) == 0 && strings.TrimSpace(content) == "" && len(embeds) == 0 {
		return []Problem{{Code: "50006", Message: "Cannot send an empty message"}}
	}
	return c.problems
}

func (c *checker) add(path, code, message string) {
	c.problems = append(c.problems, Problem{path, code, message})
}

func (c *checker) embed(path string, v any) {
	e, ok := v.(map[string]any)
	if !ok {
		c.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
		return
	}
	c.total += c.text(path+".title", e["title"], maxTitle, false)
	c.total += c.text(path+".description", e["description"], maxDescription, false)
	c.part(path+".footer", e["footer"], "text", maxFooter)
	c.part(path+".author", e["author"], "name", maxAuthor)
	for i, f := range c.list(path+".fields", e["fields"], maxFields) {
		c.field(fmt.Sprintf("%s.fields.%d", path, i), f)
	}
	c.color(path+".color", e["color"])
	c.pattern(path+".timestamp", e["timestamp"], `^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$`, "DATETIME_TYPE_PARSE")
	c.pattern(path+".url", e["url"], `^(https?|attachment)://`, "URL_TYPE_INVALID_SCHEME")
}

// part checks the footer or the author: an object with one required text.
func (c *checker) part(path string, v any, key string, limit int) {
	if v == nil {
		return
	}
	p, ok := v.(map[string]any)
	if !ok {
		c.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
		return
	}
	c.total += c.text(path+"."+key, p[key], limit, true)
}

func (c *checker) field(path string, v any) {
	f, ok := v.(map[string]any)
	if !ok {
		c.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
		return
	}
	c.total += c.text(path+".name", f["name"], maxFieldName, true)
	c.total += c.text(path+".value", f["value"], maxFieldValue, true)
	if inline, set := f["inline"]; set {
		if _, ok := inline.(bool); !ok {
			c.add(path+".inline", "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
		}
	}
}

// text checks a string and returns its length.
func (c *checker) text(path string, v any, limit int, required bool) int {
	s, ok := v.(string)
	switch {
	case v == nil || (ok && strings.TrimSpace(s) == ""):
		if required {
			c.add(path, "BASE_TYPE_REQUIRED", "This field is required")
		}
	case !ok:
		c.add(path, "STRING_TYPE_CONVERT", "Could not interpret as string.")
	case length(s) > limit:
		c.add(path, "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", limit))
	}
	return length(s)
}

func (c *checker) list(path string, v any, limit int) []any {
	if v == nil {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		c.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
	}
	if len(l) > limit {
		c.add(path, "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", limit))
	}
	return l
}

func (c *checker) color(path string, v any) {
	if v == nil {
		return
	}
	n, ok := v.(float64)
	if !ok || n != math.Trunc(n) {
		c.add(path, "NUMBER_TYPE_COERCE", "Value is not int.")
	} else if n < 0 || n > maxColor {
		c.add(path, "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.")
	}
}

func (c *checker) pattern(path string, v any, expr, code string) {
	if v == nil {
		return
	}
	if s, ok := v.(string); !ok || !matches(expr, s) {
		c.add(path, code, fmt.Sprintf("Could not parse %v.", v))
	}
}

func matches(expr, s string) bool { return regexp.MustCompile(expr).MatchString(s) }

func length(s string) int { return len(utf16.Encode([]rune(s))) }
