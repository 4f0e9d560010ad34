// All that an action can answer.

import secrets from "runwright:plugin/secrets@0.1.0";

import { changed, Failure, isCancelled, plugin, progress, sleep } from "./runwright.js";

function run({ say }, context) {
  progress(50, "half");
  if (say === "outcome") {
    const said = [context.step, String(context.attempt), context.config.key, sleep(1) ? "True" : "", isCancelled() ? "" : "False"];
    return changed({ said }, "kept");
  }
  if (say === "refused") secrets.get("none");
  if (say === "fault") throw new TypeError("odd");
  throw new Failure(say, "as asked", { code: "test.code", details: { a: 1 }, retryAfterMs: 1500 });
}

const input = { type: "object", required: ["say"], properties: { say: { type: "string" } } };
const common = { effect: "unsafe", input, output: { type: "object" }, run };

export const actions = plugin({
  name: "hello",
  version: "0.1.0",
  summary: "Says everything",
  actions: {
    every: {
      ...common,
      summary: "Says what it is asked to",
      destructive: true,
      undoSafeIfNotRun: true,
      plan: ({ say }) => ({ summary: `would say ${say}`, changes: [{ kind: "update", subject: "it", summary: "said" }] }),
      verify: ({ say }) =>
        say === "outcome" ? changed({ said: ["before"] }) : say === "nothing" ? "not-happened" : { cannotTell: "nobody knows" },
      undo: (_, undoData) => changed({ undone: undoData }),
    },
    plain: { ...common, summary: "Has nothing but run" },
  },
});
