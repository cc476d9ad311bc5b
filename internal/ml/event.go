package ml

import "time"

// EventTopic says what an event is about. Messages of one topic share a state and a cooldown.
type EventTopic string

// The topics that people are told of, and their states.
const (
	EventDrift   EventTopic = "drift"   // StateDrift, StateDrawnDrift, StateNewDataNeeded, StateStable
	EventModel   EventTopic = "model"   // the active version
	EventRetrain EventTopic = "retrain" // StateOK, StateRejected, StateFailed
	EventHealth  EventTopic = "health"  // StateUp, StateDown
	EventTest    EventTopic = "test"    // somebody asks whether messages arrive: sent each time
)

// The states of the topics, but for those of the model. Who makes an event and who judges whether it is news
// agree on them, and they are kept in the store.
const (
	StateDrift         = "drift"       // measured
	StateDrawnDrift    = "drawn_drift" // of a random number: what is measured after it is news all the same
	StateNewDataNeeded = "new_data_needed"
	StateStable        = "stable"

	StateUp   = "up"
	StateDown = "down"

	StateOK       = "ok"
	StateRejected = "rejected"
	StateFailed   = "failed"
)

// Severity chooses the colour of a message.
type Severity string

// The severities of an event.
const (
	SeveritySuccess Severity = "success"
	SeverityFailure Severity = "failure"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
	SeverityDrift   Severity = "drift"
)

// Event is something that people are told of when it changes the state of its topic.
type Event struct {
	Topic    EventTopic `json:"topic"`
	State    string     `json:"state"`
	Severity Severity   `json:"severity"`
	// Says is its title and the sentences below it, Figures are what stands under those.
	Says    []Remark  `json:"says,omitempty"`
	Figures []Remark  `json:"figures,omitempty"`
	At      time.Time `json:"at"`

	// Title, Text, Fields and Footer are the words for it, which whoever sends it fills in. Those of an earlier
	// program came with the event.
	Title  string       `json:"title,omitempty"`
	Text   string       `json:"text,omitempty"`
	Fields []EventField `json:"fields,omitempty"`
	Footer string       `json:"-"`
}

// EventField is a name and a value shown under an event's text.
type EventField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NotifyArgs are the arguments of the job that tells people of an event.
type NotifyArgs struct {
	Event Event `json:"event"`
	// RequestedBy is who asked for a test, empty for all other messages.
	RequestedBy string `json:"requested_by,omitempty"`
}

// Kind is the name of the job in the queue.
func (NotifyArgs) Kind() string { return "notify" }

// NotificationState is what people were last told about a topic. The zero value but for Topic
// stands for a topic that was never spoken of.
type NotificationState struct {
	Topic EventTopic
	// State is what people were last told, empty if nothing yet.
	State string
	// SentAt is when they were told, zero if they were not: the first good state is only recorded.
	SentAt time.Time
	// LatestAt is the At of the newest event seen, sent or not, kept to the millisecond: an older one
	// that comes later must not undo it.
	LatestAt time.Time
	// SendingUntil is set while a worker sends: until then no other worker sends on this topic.
	SendingUntil time.Time
	// Revision guards against two writers: a state is stored only if the stored revision is still
	// this one (0: there is no row), and then counts one up. Otherwise the error is CodeConflict.
	Revision int64
}
