// Package onnx writes a fitted binary logistic classifier as an ONNX model, which Python, or anything
// else that runs ONNX, reads without us. The graph, in double precision:
//
//	features [N,k] ─ Sub mean ─ Div scale ─ Gemm coef, intercept ─ Sigmoid ─┬─ probability [N,1]
//	                                                                         └─ Greater 0.5 ─ Cast ─ label [N,1]
//
// It is a leaf and imports nothing of the module.
package onnx
