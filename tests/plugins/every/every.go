// All that an action can answer.
package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	_ "guest/bindings/wit_exports"
	"guest/runwright"
)

type say struct {
	Say string `json:"say"`
}

var kinds = map[string]runwright.Kind{
	"invalid-input": runwright.InvalidInput, "denied": runwright.Denied, "transient": runwright.Transient,
	"permanent": runwright.Permanent, "partial": runwright.Partial, "unknown-outcome": runwright.UnknownOutcome,
	"cancelled": runwright.Cancelled,
}

func run(input say, context runwright.Context) (runwright.Outcome, error) {
	runwright.Progress(50, "half")
	switch input.Say {
	case "outcome":
		var config struct{ Key string }
		if err := json.Unmarshal(context.Config, &config); err != nil {
			return runwright.Outcome{}, err
		}
		said := []string{context.Step, strconv.Itoa(int(context.Attempt)), config.Key, "", ""}
		if runwright.Sleep(time.Millisecond) && !runwright.IsCancelled() {
			said[3], said[4] = "True", "False"
		}
		return runwright.Outcome{Output: map[string]any{"said": said}, Changed: true, UndoData: "kept"}, nil
	case "fault":
		return runwright.Outcome{}, errors.New("odd")
	}
	return runwright.Outcome{}, &runwright.Failure{
		Kind: kinds[input.Say], Message: "as asked", Code: "test.code", RetryAfter: 1500 * time.Millisecond,
	}
}

func plan(input string, _ runwright.Context) (string, error) {
	var wanted say
	err := json.Unmarshal([]byte(input), &wanted)
	return "would say " + wanted.Say, err
}

func verify(input string, _ runwright.Context) (runwright.Verdict, error) {
	var wanted say
	if err := json.Unmarshal([]byte(input), &wanted); err != nil {
		return runwright.Verdict{}, err
	}
	switch wanted.Say {
	case "outcome":
		return runwright.Verdict{Happened: &runwright.Outcome{Output: map[string]any{"said": []string{"before"}}}}, nil
	case "nothing":
		return runwright.Verdict{NotHappened: true}, nil
	}
	return runwright.Verdict{CannotTell: "nobody knows"}, nil
}

func undo(_, undoData string, _ runwright.Context) (runwright.Outcome, error) {
	return runwright.Changed(map[string]string{"undone": undoData})
}

func init() {
	input := `{"type": "object", "required": ["say"], "properties": {"say": {"type": "string"}}}`
	output := `{"type": "object"}`
	runwright.Serve(runwright.Plugin{Name: "hello", Version: "0.1.0", Summary: "Says everything", Actions: []runwright.Action{
		{
			Name: "every", Summary: "Says what it is asked to", Effect: runwright.Unsafe, Input: input, Output: output,
			Run: runwright.Typed(run), Plan: plan, Verify: verify, Undo: undo, Destructive: true, UndoSafeIfNotRun: true,
		},
		{
			Name: "plain", Summary: "Has nothing but run", Effect: runwright.Read, Input: input, Output: output,
			Run: runwright.Typed(run),
		},
	}})
}

func main() {}
