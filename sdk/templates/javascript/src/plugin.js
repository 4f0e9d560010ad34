// The plugin {{name}}: two actions to start from.

import { changed, invalidInput, log, partial, permanent, plugin, unchanged } from "./runwright.js";

function greet({ name }) {
  if (name.trim() === "") throw invalidInput("name is empty");
  return unchanged({ text: `Hello, ${name}!` });
}

// How an action fails says what remains of it: see Failure in runwright.js.
function count({ to, "fail-at": failAt }, context) {
  if (to > 100) throw permanent(`${to} is more than this plugin can count`);
  for (let number = 1; number <= to; number++) {
    if (number === failAt) throw partial(`stopped at ${number} of ${to}`, { code: "count.stopped" });
    log(`attempt ${context.attempt}: counted ${number}`);
  }
  return changed({ counted: to });
}

const object = (properties, required) => ({ type: "object", properties, required, additionalProperties: false });

export const actions = plugin({
  name: "{{name}}",
  version: "0.1.0",
  summary: "Greets and counts",
  actions: {
    greet: {
      summary: "Greets somebody",
      effect: "read",
      input: object({ name: { type: "string", description: "Who is greeted" } }, ["name"]),
      output: object({ text: { type: "string" } }, ["text"]),
      run: greet,
    },
    count: {
      summary: "Counts, and shows how an action fails",
      effect: "idempotent",
      input: object({ to: { type: "integer", minimum: 1 }, "fail-at": { type: "integer", minimum: 1 } }, ["to"]),
      output: object({ counted: { type: "integer" } }, ["counted"]),
      run: count,
    },
  },
});
