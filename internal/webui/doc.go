// Package webui is the web pages of the platform, for people. They talk to the API alone, by its client and
// with the token of who looks: what a page shows and does is what the API lets that person see and do.
//
//	request -> headers, CrossOriginProtection -> session -> page's load (API) -> layout.html + page.html
//	GET /live/PAGE -> the same load every two seconds -> the parts of the page that changed, as events
//
// A page is a file of Go and one of HTML under pages. Its parts are templates, each of which renders one
// element with the id of its name: app.js puts a newer one in its place. Everything but that, and what a
// pointer shows on a chart, works without scripts: links, forms, <details> and popovers.
//
// Nothing is kept here but the open streams; the session is the API's token in a cookie.
package webui
