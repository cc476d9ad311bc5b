// Package outbox tells outside services what they are owed: in order, each thing once, whatever they
// are doing meanwhile. What is owed lies in the store from the transaction that gave rise to it until a
// service has taken it. A service that is away costs nobody anything but a look every half minute.
package outbox
