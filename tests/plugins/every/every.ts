// All that an action can answer.

import secrets from "runwright:plugin/secrets@0.1.0";

import { action, changed, type Context, Failure, isCancelled, type Kind, type Outcome, plugin, progress, sleep } from "./runwright";

interface Say {
  say: string;
}

function run({ say }: Say, context: Context): Outcome<object> {
  progress(50, "half");
  if (say === "outcome") {
    const { key } = context.config as { key: string };
    const said = [context.step, String(context.attempt), key, sleep(1) ? "True" : "", isCancelled() ? "" : "False"];
    return changed({ said }, "kept");
  }
  if (say === "refused") secrets.get("none");
  if (say === "fault") throw new TypeError("odd");
  throw new Failure(say as Kind, "as asked", { code: "test.code", details: { a: 1 }, retryAfterMs: 1500 });
}

const input = { type: "object", required: ["say"], properties: { say: { type: "string" } } };

const every = action<Say, object>({
  summary: "Says what it is asked to",
  effect: "unsafe",
  input,
  output: { type: "object" },
  destructive: true,
  undoSafeIfNotRun: true,
  run,
  plan: ({ say }) => ({ summary: `would say ${say}`, changes: [{ kind: "update", subject: "it", summary: "said" }] }),
  verify({ say }) {
    if (say === "outcome") return changed({ said: ["before"] });
    return say === "nothing" ? "not-happened" : { cannotTell: "nobody knows" };
  },
  undo: (_, undoData) => changed({ undone: undoData }),
});

const plain = action<Say, object>({
  summary: "Has nothing but run",
  effect: "read",
  input,
  output: { type: "object" },
  run,
});

export const actions = plugin({ name: "hello", version: "0.1.0", summary: "Says everything", actions: { every, plain } });
