// Package apiserver is the HTTP door of the platform: the routes, who may use them, what a request
// must look like, and how an error is told.
//
//	request ─▶ ServeHTTP (request id, metrics, log, panics) ─▶ router (routes.go)
//	        ─▶ enter (token, role, headers) ─▶ body (size, JSON) ─▶ huma (validation) ─▶ handler
//
// Everything that the routes do is done by others, through the small interfaces of ports.go. Routes
// are registered on one page, routes.go, with their access; all but /predict and the upload of files
// go through huma, which validates and documents them by the types of package api. An error becomes
// an RFC 9457 problem in one place, errors.go.
package apiserver
