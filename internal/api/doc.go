// Package api is the contract of the HTTP API: paths, JSON bodies and a typed client. The server,
// the web pages, the flow runner and the command line share it, so that none of them can drift from
// the others.
//
// Times are RFC 3339 in UTC with a Z, in whole seconds or milliseconds: 2026-11-23T17:00:00Z. Lists
// are newest first and never null. Errors are RFC 9457 problems; the client returns them as
// [*Problem]. Struct tags beside json (doc, minimum, enum, ...) are what the server validates and
// documents by; they cost the client nothing.
package api
