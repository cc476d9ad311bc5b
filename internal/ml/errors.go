package ml

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// Code is the kind of an error that a caller must be able to tell from others.
type Code string

// The codes. An error without a code is internal: logged, and never shown.
const (
	CodeInvalid      Code = "invalid"       // the input is wrong, Fields say where
	CodeUnauthorized Code = "unauthorized"  // who are you
	CodeForbidden    Code = "forbidden"     // not with your role
	CodeNotFound     Code = "not_found"     //
	CodeConflict     Code = "conflict"      // not while things are as they are
	CodeTooLarge     Code = "too_large"     // the body is over the limit
	CodeUnprocessed  Code = "unprocessable" // understood, but it can't be done with this data
	CodeUnavailable  Code = "unavailable"   // try again later
	CodeStorageFull  Code = "storage_full"  // no space left on the disk
	CodeNotWritable  Code = "not_writable"  // a folder is read-only, or somebody else's
)

// Error is an error with a code and a message that may be shown to whoever asked.
type Error struct {
	Code    Code
	Message string
	// Fields name each wrong input.
	Fields []FieldError
	// Remarks are what the message says, for whoever words it in another language; nil if only the message is
	// known.
	Remarks []Remark
	// Err is the cause, for the log only.
	Err error
}

// FieldError says what is wrong with one input.
type FieldError struct {
	// Location is where the input was, such as body.features[1] or query.limit.
	Location string
	Message  string
	Value    any
}

// Errorf makes an error with a code.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Says adds what the message says, for whoever words it in another language, and returns e.
func (e *Error) Says(code string, values map[string]any) *Error {
	e.Remarks = append(e.Remarks, Remark{Code: code, Values: values})
	return e
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Location, f.Message)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of the first coded error in err's chain, empty if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// DiskFull reports whether the operating system refused to write for lack of space, of the disk or of
// somebody's quota.
func DiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Unwritten gives the error of a write to a folder the code that tells a caller what to do, unless it has
// one. folder is how the caller knows it, with its setting.
func Unwritten(err error, folder string) error {
	switch {
	case CodeOf(err) != "":
	case DiskFull(err):
		return &Error{Code: CodeStorageFull, Message: "the disk is full: make room for " + folder, Err: err}
	case errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission):
		return &Error{Code: CodeNotWritable, Message: folder + " can't be written: give the server and the worker the right to, and ask again", Err: err}
	}
	return err
}
