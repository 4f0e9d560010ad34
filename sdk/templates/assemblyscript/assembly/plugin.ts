// The plugin {{name}}: two actions to start from.

import { Action, Answer, Call, Kind, log, serve } from "./runwright";

@json
class Person {
  name: string = "";
}

@json
class Greeting {
  text: string = "";
}

function greet(call: Call): Answer {
  const name = call.input<Person>().name;
  if (name.trim() == "") return Answer.failed(Kind.invalidInput, "name is empty");
  return Answer.unchanged<Greeting>({ text: `Hello, ${name}!` });
}

@json
class Span {
  to: i32 = 0;
  @optional
  @alias("fail-at")
  failAt: i32 = 0;
}

@json
class Counted {
  counted: i32 = 0;
}

// How an action fails says what remains of it: see Kind in runwright.ts.
function count(call: Call): Answer {
  const input = call.input<Span>();
  if (input.to > 100) return Answer.failed(Kind.permanent, `${input.to} is more than this plugin can count`);
  for (let number = 1; number <= input.to; number++) {
    if (number == input.failAt) return Answer.failed(Kind.partial, `stopped at ${number} of ${input.to}`);
    log(`attempt ${call.context.attempt}: counted ${number}`);
  }
  return Answer.changed<Counted>({ counted: input.to });
}

const named = `{"type": "object", "additionalProperties": false, "required": ["name"],
  "properties": {"name": {"type": "string", "description": "Who is greeted"}}}`;
const greeting = `{"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}`;
const span = `{"type": "object", "additionalProperties": false, "required": ["to"],
  "properties": {"to": {"type": "integer", "minimum": 1}, "fail-at": {"type": "integer", "minimum": 1}}}`;
const counted = `{"type": "object", "required": ["counted"], "properties": {"counted": {"type": "integer"}}}`;

serve("{{name}}", "0.1.0", "Greets and counts", [
  new Action("greet", "Greets somebody", "read", named, greeting, greet),
  new Action("count", "Counts, and shows how an action fails", "idempotent", span, counted, count),
]);
