// What a plugin in JavaScript is made of. You need not change this file; `src/plugin.js` is yours.
//
// Every call of the engine gets a fresh instance: nothing is remembered from call to call.

import clock from "runwright:plugin/clock@0.1.0";
import logging from "runwright:plugin/log@0.1.0";

/**
 * How an action fails: throw it. `kind` says what remains of the attempt, and so what the engine does next.
 * Anything else that is thrown counts as "unknown-outcome": the effect may or may not have happened.
 */
export class Failure extends Error {
  /**
   * @param {"invalid-input"|"denied"|"transient"|"permanent"|"partial"|"unknown-outcome"|"cancelled"} kind
   * @param {string} message for people; never a secret in it
   * @param {{code?: string, details?: unknown, retryAfterMs?: number}} more `code` and `details` are for machines;
   *   `retryAfterMs` counts for "transient" only
   */
  constructor(kind, message, more = {}) {
    super(message);
    Object.assign(this, { kind, ...more });
  }
}

/** The input is wrong. Nothing happened. */
export const invalidInput = (message, more) => new Failure("invalid-input", message, more);
/** A capability was refused. Nothing happened. */
export const denied = (message, more) => new Failure("denied", message, more);
/** Nothing happened; it may work later: the step is tried again. */
export const transient = (message, more) => new Failure("transient", message, more);
/** Nothing happened, and it will not work later. */
export const permanent = (message, more) => new Failure("permanent", message, more);
/** It failed on the way; effects may remain: undo applies. */
export const partial = (message, more) => new Failure("partial", message, more);
/** The effect may or may not have happened: the engine asks verify, or a person. */
export const unknownOutcome = (message, more) => new Failure("unknown-outcome", message, more);
/** Cancelled before anything happened. */
export const cancelled = () => new Failure("cancelled", "cancelled");

/** Success, and something outside is different now. `undoData` is text that undo gets back: no secrets. */
export const changed = (output, undoData = null) => ({ output, changed: true, undoData });
/** Success, and all is as it was. */
export const unchanged = (output) => ({ output, changed: false, undoData: null });

/** Writes a line to the step's log. */
export const log = (message, level = "info") => logging.log(level, String(message));
/** Tells people how far the step is: a percentage, or null, and a word. */
export const progress = (percent, note) => logging.progress(percent, note);
/** Sleeps; false: the step was cancelled meanwhile. */
export const sleep = (ms) => clock.sleepMs(ms);
/** True once the step is cancelled: look now and then in what takes long. */
export const isCancelled = () => clock.cancelled();

/**
 * Makes what the engine calls of a plugin's name, version, summary and actions.
 *
 * An action has `summary`, `effect` ("read", "idempotent" or "unsafe"), `input` and `output` (JSON Schemas) and
 * `run(input, context)`. It may have `plan(input, context)` → {summary, changes, output},
 * `verify(input, context)` → an outcome, "not-happened" or {cannotTell: why}, `undo(input, undoData, context)`,
 * `destructive` and `undoSafeIfNotRun`.
 */
export function plugin({ name, version, summary, actions }) {
  const describe = () => ({
    name,
    version,
    summary,
    actions: Object.entries(actions).map(([name, action]) => ({
      name,
      summary: action.summary,
      inputSchema: JSON.stringify(action.input),
      outputSchema: JSON.stringify(action.output),
      effect: action.effect,
      destructive: action.destructive ?? false,
      hasPlan: action.plan !== undefined,
      hasVerify: action.verify !== undefined,
      hasUndo: action.undo !== undefined,
      undoSafeIfNotRun: action.undoSafeIfNotRun ?? false,
      defaults: null,
    })),
  });

  const call = (verb, name, answer) => {
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (action?.[verb] === undefined) throw { tag: "unknown-action", val: name };
    try {
      return answer(action);
    } catch (error) {
      throw told(error);
    }
  };

  return {
    describe,
    plan: (name, input, context) =>
      call("plan", name, (action) => preview(action.plan(read(input), readable(context)))),
    run: (name, input, context) => call("run", name, (action) => outcome(action.run(read(input), readable(context)))),
    verify: (name, input, context) =>
      call("verify", name, (action) => verdict(action.verify(read(input), readable(context)))),
    undo: (name, input, undoData, context) =>
      call("undo", name, (action) => outcome(action.undo(read(input), undoData ?? null, readable(context)))),
  };
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidInput(`the input is no JSON: ${error.message}`);
  }
}

const readable = (context) => ({ ...context, config: context.config == null ? null : JSON.parse(context.config) });

const outcome = ({ output, changed, undoData }) => ({ output: JSON.stringify(output), changed, undoData });

function verdict(answer) {
  if (answer === "not-happened") return { tag: "not-happened" };
  if (answer.cannotTell !== undefined) return { tag: "cannot-tell", val: answer.cannotTell };
  return { tag: "happened", val: outcome(answer) };
}

const preview = ({ summary, changes = [], output }) => ({
  summary,
  changes: changes.map((change) => ({ before: null, after: null, ...change })),
  output: output === undefined ? null : JSON.stringify(output),
});

// An error as the engine knows it.
function told(error) {
  if (!(error instanceof Failure)) {
    // What a capability refused did nothing. An action that had acted before catches that and throws `partial`.
    const refused = error?.payload?.tag === "denied";
    const message = refused ? (error.payload.val ?? "a capability was refused") : `a fault of the plugin: ${error}`;
    return { tag: refused ? "denied" : "unknown-outcome", val: { message, code: null, details: null } };
  }
  if (error.kind === "cancelled") return { tag: "cancelled" };
  const details = error.details === undefined ? null : JSON.stringify(error.details);
  const info = { message: error.message, code: error.code ?? null, details };
  if (error.kind === "transient") {
    return { tag: "transient", val: { error: info, retryAfterMs: error.retryAfterMs ?? null } };
  }
  return { tag: error.kind, val: info };
}
