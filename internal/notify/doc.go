// Package notify decides which events people are told of, and when.
//
// Only a change of a topic's state is worth a message, at most one a cooldown. A Notifier is called
// once for each event, by a durable job, in any order and maybe again after a crash:
//
//	older than the newest event seen ........ nothing, the newer one has its own job
//	a worker is sending on this topic ....... come again shortly: what people know is about to change
//	same state as people were last told ..... nothing: drift, stable, drift in a row is no news
//	the first event ever, and a good state .. recorded, not told
//	within the cooldown ..................... come again at its end, when the lines above may hold
//	else .................................... told
//
// So whatever happened within a cooldown, what is told at its end is how things stand then.
//
// What was told is kept in the store, so a restart repeats nothing and two workers agree. A message
// is sent before it is recorded as told: a crash in between sends it twice rather than never, and as
// nobody knows then what people were told last, whatever comes next is told. If the
// receiver refuses for good, the message is dropped with a line in the log and counts as told, or each
// further event of that state would be refused again.
package notify
