// Package onnx writes a fitted classifier as an ONNX model, which Python reads without us.
package onnx
