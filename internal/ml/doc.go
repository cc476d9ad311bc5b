// Package ml holds the nouns of the platform: what a dataset, a model version, a prediction, a
// check, a job or a user is. Two or more packages speak of each of them; none of them does
// anything. The package imports the standard library only, so that every other may import it.
package ml
