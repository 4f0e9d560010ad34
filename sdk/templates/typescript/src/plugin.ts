// The plugin {{name}}: two actions to start from.

import { action, changed, Failure, log, plugin, unchanged } from "./runwright";

const object = (properties: object, required: string[]) =>
  ({ type: "object", properties, required, additionalProperties: false });

const greet = action<{ name: string }, { text: string }>({
  summary: "Greets somebody",
  effect: "read",
  input: object({ name: { type: "string", description: "Who is greeted" } }, ["name"]),
  output: object({ text: { type: "string" } }, ["text"]),
  run({ name }) {
    if (name.trim() === "") throw new Failure("invalid-input", "name is empty");
    return unchanged({ text: `Hello, ${name}!` });
  },
});

// How an action fails says what remains of it: see Kind in runwright.ts.
const count = action<{ to: number; "fail-at"?: number }, { counted: number }>({
  summary: "Counts, and shows how an action fails",
  effect: "idempotent",
  input: object({ to: { type: "integer", minimum: 1 }, "fail-at": { type: "integer", minimum: 1 } }, ["to"]),
  output: object({ counted: { type: "integer" } }, ["counted"]),
  run({ to, "fail-at": failAt }, context) {
    if (to > 100) throw new Failure("permanent", `${to} is more than this plugin can count`);
    for (let number = 1; number <= to; number++) {
      if (number === failAt) throw new Failure("partial", `stopped at ${number} of ${to}`, { code: "count.stopped" });
      log(`attempt ${context.attempt}: counted ${number}`);
    }
    return changed({ counted: to });
  },
});

export const actions = plugin({
  name: "{{name}}",
  version: "0.1.0",
  summary: "Greets and counts",
  actions: { greet, count },
});
