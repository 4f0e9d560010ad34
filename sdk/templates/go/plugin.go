// The plugin {{name}}: two actions to start from.
package main

import (
	"strings"

	_ "guest/bindings/wit_exports"
	"guest/runwright"
)

type person struct {
	Name string `json:"name"`
}

type greeting struct {
	Text string `json:"text"`
}

func greet(input person, _ runwright.Context) (runwright.Outcome, error) {
	if strings.TrimSpace(input.Name) == "" {
		return runwright.Fail(runwright.InvalidInput, "name is empty")
	}
	return runwright.Unchanged(greeting{"Hello, " + input.Name + "!"})
}

type span struct {
	To     int `json:"to"`
	FailAt int `json:"fail-at"`
}

// How an action fails says what remains of it: see runwright.Kind.
func count(input span, context runwright.Context) (runwright.Outcome, error) {
	if input.To > 100 {
		return runwright.Fail(runwright.Permanent, "%d is more than this plugin can count", input.To)
	}
	for number := 1; number <= input.To; number++ {
		if number == input.FailAt {
			return runwright.Fail(runwright.Partial, "stopped at %d of %d", number, input.To)
		}
		runwright.Log("attempt %d: counted %d", context.Attempt, number)
	}
	return runwright.Changed(map[string]int{"counted": input.To})
}

func init() {
	runwright.Serve(runwright.Plugin{Name: "{{name}}", Version: "0.1.0", Summary: "Greets and counts", Actions: []runwright.Action{
		{
			Name: "greet", Summary: "Greets somebody", Effect: runwright.Read, Run: runwright.Typed(greet),
			Input: `{"type": "object", "additionalProperties": false, "required": ["name"],
				"properties": {"name": {"type": "string", "description": "Who is greeted"}}}`,
			Output: `{"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}`,
		},
		{
			Name: "count", Summary: "Counts, and shows how an action fails", Effect: runwright.Idempotent,
			Run: runwright.Typed(count),
			Input: `{"type": "object", "additionalProperties": false, "required": ["to"], "properties": {
				"to": {"type": "integer", "minimum": 1}, "fail-at": {"type": "integer", "minimum": 1}}}`,
			Output: `{"type": "object", "required": ["counted"], "properties": {"counted": {"type": "integer"}}}`,
		},
	}})
}

// The engine calls the plugin's actions; main is never called.
func main() {}
