// Package chart draws small charts as HTML: an SVG that is as wide as its place, the numbers as a table
// beside it, and nothing else. It sets classes and no styles, so that one style sheet gives the colours of
// light and dark pages and a strict Content-Security-Policy holds.
//
// Widths are percentages, heights pixels: a chart on a phone is narrower, and its words as large as on a desk.
//
//	Line  series over time or over another number, with limits and marks
//	Bars  one number for each of a few names, to both sides of zero if there are such
//	Strip a row of cells, one for each thing that happened, the latest last
//
// Each carries a name, its sentence for those who do not see it, and what app.js shows under a pointer
// (data-tip) and needs for choosing a time range (data-from, data-to in Unix seconds).
package chart
