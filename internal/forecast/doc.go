// Package forecast fits a straight line through a series of equally spaced values by least squares
// and says when the line will reach a limit: how many more model versions until the accuracy is
// below its floor, how many more checks until a drift score is above its threshold.
//
// It says nothing rather than something unfounded: see [Line.Cross].
package forecast
