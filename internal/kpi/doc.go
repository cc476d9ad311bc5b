// Package kpi tells what the platform is used for and what data it has. The figures are read from the
// store in the background and never in a scrape, which they would make as slow as the store is.
package kpi
