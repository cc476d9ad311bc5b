// Package kuma sets an Uptime Kuma 2 up and tells it that the periodic check lives.
//
// Uptime Kuma has no REST API for its settings: its own pages speak socket.io over a websocket, and so
// does Provision:
//
//	dial -> open (0{...}) -> connect (40) -> info
//	     -> needSetup, setup if nobody has an account yet -> login
//	     -> the server sends its lists: monitors, notifications, API keys
//	     -> notification, monitors, status page, API key: each is made, changed, or left as it is
//
// Things are known by their names. What people set beside that is left alone, and nothing is removed,
// so a second run changes nothing.
//
// A Pusher sends the heartbeat of a push monitor, one HTTP request each.
package kuma
