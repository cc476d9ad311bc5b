// Package discord tells people of events through a Discord webhook, one embed a message.
//
// What comes back decides what the caller does with a message, by two methods of the error, so that
// it need not know this package:
//
//	answer             RetryAfter()   Permanent()
//	200, 204           no error
//	429                as told        false         nothing is sent before that time
//	408, 5xx, network  0              false         try again with a backoff
//	3xx, other 4xx     0              true          drop the message
//
// The webhook's URL is a secret, whoever has it can write: no error and no log line holds any of it.
package discord
