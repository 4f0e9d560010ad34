// Package runwright is what a plugin in Go is made of. You need not change it; plugin.go is yours.
//
// Every call of the engine gets a fresh instance: nothing is remembered from call to call.
package runwright

import (
	"encoding/json"
	"fmt"
	"time"

	"guest/bindings/runwright_plugin_clock"
	"guest/bindings/runwright_plugin_log"
	wit "guest/bindings/wit/types"
)

// Effect is what one attempt of an action may do to the outside world.
type Effect uint8

const (
	// Read only reads: it is always safe to repeat.
	Read Effect = iota
	// Idempotent writes; repeating with the same key is safe.
	Idempotent
	// Unsafe writes; repeating may act twice, so the engine never repeats it blindly.
	Unsafe
)

// Context is what the engine says about a call.
type Context struct {
	Run, Step string
	// Attempt counts from 1.
	Attempt uint32
	// Key is the same for every attempt of this step.
	Key string
	// Deadline is the time left when the call starts; 0: none.
	Deadline time.Duration
	// Target is what the step is about, or "".
	Target string
	// Config is this plugin's part of runwright.toml as JSON, or nil.
	Config json.RawMessage
}

// Outcome is a success: what later steps see, whether anything outside is different now, and what undo gets back (text
// without secrets, or "").
type Outcome struct {
	Output   any
	Changed  bool
	UndoData string
}

// Changed is a success after which something outside is different.
func Changed(output any) (Outcome, error) { return Outcome{Output: output, Changed: true}, nil }

// Unchanged is a success after which all is as it was.
func Unchanged(output any) (Outcome, error) { return Outcome{Output: output}, nil }

// Kind says what remains of an attempt that failed, and so what the engine does next.
type Kind uint8

const (
	// InvalidInput: the input is wrong. Nothing happened.
	InvalidInput Kind = iota
	// Denied: a capability was refused. Nothing happened.
	Denied
	// Transient: nothing happened; it may work later, so the step is tried again.
	Transient
	// Permanent: nothing happened, and it will not work later.
	Permanent
	// Partial: it failed on the way; effects may remain, so undo applies.
	Partial
	// UnknownOutcome: the effect may or may not have happened; the engine asks verify, or a person.
	UnknownOutcome
	// Cancelled: cancelled before anything happened.
	Cancelled
)

// Failure is how an action fails. Any other error counts as UnknownOutcome.
type Failure struct {
	Kind Kind
	// Message is for people; never a secret in it.
	Message string
	// Code is for machines, such as "http.429", or "".
	Code string
	// RetryAfter counts for Transient; 0 leaves it to the runbook.
	RetryAfter time.Duration
}

func (failure *Failure) Error() string { return failure.Message }

// Fail is a failure of this kind with a message in the manner of fmt.
func Fail(kind Kind, format string, arguments ...any) (Outcome, error) {
	return Outcome{}, &Failure{Kind: kind, Message: fmt.Sprintf(format, arguments...)}
}

// Verdict says whether an attempt whose answer was lost happened: set Happened, or NotHappened, or say why it can't be
// told.
type Verdict struct {
	Happened    *Outcome
	NotHappened bool
	CannotTell  string
}

// Action is one action; New makes it of functions over your own types.
type Action struct {
	Name, Summary string
	Effect        Effect
	// Input and Output are JSON Schemas; the engine checks both.
	Input, Output string
	Run           func(input string, context Context) (Outcome, error)
	// Plan, Verify and Undo are nil where there are none. Plan says in a line what would be done.
	Plan   func(input string, context Context) (string, error)
	Verify func(input string, context Context) (Verdict, error)
	Undo   func(input, undoData string, context Context) (Outcome, error)
	// Destructive: it loses something that undo cannot bring back.
	Destructive bool
	// UndoSafeIfNotRun: undo does no harm where the action never happened.
	UndoSafeIfNotRun bool
}

// Typed makes a function over your own type one over JSON.
func Typed[Input any](run func(Input, Context) (Outcome, error)) func(string, Context) (Outcome, error) {
	return func(text string, context Context) (Outcome, error) {
		var input Input
		if err := json.Unmarshal([]byte(text), &input); err != nil {
			return Fail(InvalidInput, "the input does not fit: %v", err)
		}
		return run(input, context)
	}
}

// Plugin is a plugin.
type Plugin struct {
	Name, Version, Summary string
	Actions                []Action
}

// Log writes a line to the step's log, in the manner of fmt.
func Log(format string, arguments ...any) {
	runwright_plugin_log.Log(runwright_plugin_log.LevelInfo, fmt.Sprintf(format, arguments...))
}

// Progress tells people how far the step is, in percent.
func Progress(percent uint8, note string) { runwright_plugin_log.Progress(wit.Some(percent), note) }

// Sleep is false when the step was cancelled meanwhile.
func Sleep(duration time.Duration) bool {
	return runwright_plugin_clock.SleepMs(uint32(duration.Milliseconds()))
}

// IsCancelled is true once the step is cancelled: look now and then in what takes long.
func IsCancelled() bool { return runwright_plugin_clock.Cancelled() }
