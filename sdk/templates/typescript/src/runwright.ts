// What a plugin in TypeScript is made of. You need not change this file; `src/plugin.ts` is yours.
//
// Every call of the engine gets a fresh instance: nothing is remembered from call to call.

import clock from "runwright:plugin/clock@0.1.0";
import logging from "runwright:plugin/log@0.1.0";

/** What remains of an attempt that failed: it decides what the engine does next. */
export type Kind =
  | "invalid-input" // the input is wrong; nothing happened
  | "denied" // a capability was refused; nothing happened
  | "transient" // nothing happened; it may work later: the step is tried again
  | "permanent" // nothing happened, and it will not work later
  | "partial" // it failed on the way; effects may remain: undo applies
  | "unknown-outcome" // the effect may or may not have happened: the engine asks verify, or a person
  | "cancelled"; // cancelled before anything happened

/** For machines: a code such as "http.429", details, and when a transient failure may be tried again. */
export interface More {
  code?: string;
  details?: unknown;
  retryAfterMs?: number;
}

/**
 * How an action fails: throw it. The message is for people; never a secret in it.
 * Anything else that is thrown counts as "unknown-outcome".
 */
export class Failure extends Error {
  constructor(
    readonly kind: Kind,
    message: string,
    readonly more: More = {},
  ) {
    super(message);
  }
}

/** What the engine says about a call. */
export interface Context {
  run: string;
  step: string;
  /** Counts from 1. */
  attempt: number;
  /** The same for every attempt of this step. */
  idempotencyKey: string;
  /** Milliseconds left when the call starts. */
  deadlineMs: number | null;
  target: string | null;
  /** This plugin's part of runwright.toml. */
  config: unknown;
  traceparent: string | null;
}

/** A success. `undoData` is text that undo gets back: no secrets. */
export interface Outcome<Output> {
  output: Output;
  changed: boolean;
  undoData?: string;
}

/** Success, and something outside is different now. */
export const changed = <Output>(output: Output, undoData?: string): Outcome<Output> =>
  undoData === undefined ? { output, changed: true } : { output, changed: true, undoData };
/** Success, and all is as it was. */
export const unchanged = <Output>(output: Output): Outcome<Output> => ({ output, changed: false });

/** Whether an attempt whose answer was lost happened. */
export type Verdict<Output> = Outcome<Output> | "not-happened" | { cannotTell: string };

/** What an action would do. */
export interface Preview {
  summary: string;
  changes?: {
    kind: "none" | "create" | "update" | "delete" | "execute";
    subject: string;
    summary: string;
    before?: string | null;
    after?: string | null;
  }[];
  output?: unknown;
}

/** One action. `input` and `output` are JSON Schemas; the engine checks both. */
export interface Action<Input, Output> {
  summary: string;
  /** What one attempt may do outside: idempotent is safe to repeat with the same key, unsafe is never repeated blindly. */
  effect: "read" | "idempotent" | "unsafe";
  input: object;
  output: object;
  run(input: Input, context: Context): Outcome<Output>;
  plan?(input: Input, context: Context): Preview;
  verify?(input: Input, context: Context): Verdict<Output>;
  undo?(input: Input, undoData: string | null, context: Context): Outcome<unknown>;
  destructive?: boolean;
  undoSafeIfNotRun?: boolean;
}

/** An action whose input and output have these types. */
export const action = <Input, Output>(action: Action<Input, Output>): Action<any, unknown> => action;

/** Writes a line to the step's log. */
export const log = (message: string, level: "trace" | "debug" | "info" | "warn" | "error" = "info"): void =>
  logging.log(level, message);
/** Tells people how far the step is: a percentage, or null, and a word. */
export const progress = (percent: number | null, note: string): void => logging.progress(percent, note);
/** Sleeps; false: the step was cancelled meanwhile. */
export const sleep = (ms: number): boolean => clock.sleepMs(ms);
/** True once the step is cancelled: look now and then in what takes long. */
export const isCancelled = (): boolean => clock.cancelled();

interface Told extends Omit<Context, "config"> {
  config: string | null;
}

/** Makes what the engine calls of a plugin's name, version, summary and actions. */
export function plugin(facts: {
  name: string;
  version: string;
  summary: string;
  actions: Record<string, Action<any, unknown>>;
}) {
  const { actions, ...about } = facts;
  const describe = () => ({
    ...about,
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

  function call<Answer>(name: string, answer: (action: Action<any, unknown>) => Answer | undefined): Answer {
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    let answered: Answer | undefined;
    try {
      answered = action && answer(action);
    } catch (error) {
      throw told(error);
    }
    if (answered === undefined) throw { tag: "unknown-action", val: name };
    return answered;
  }

  return {
    describe,
    plan: (name: string, input: string, context: Told) =>
      call(name, (action) => action.plan && preview(action.plan(read(input), readable(context)))),
    run: (name: string, input: string, context: Told) =>
      call(name, (action) => outcome(action.run(read(input), readable(context)))),
    verify: (name: string, input: string, context: Told) =>
      call(name, (action) => action.verify && verdict(action.verify(read(input), readable(context)))),
    undo: (name: string, input: string, undoData: string | null, context: Told) =>
      call(name, (action) => action.undo && outcome(action.undo(read(input), undoData, readable(context)))),
  };
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure("invalid-input", `the input is no JSON: ${error}`);
  }
}

const readable = (told: Told): Context => ({ ...told, config: told.config === null ? null : JSON.parse(told.config) });

const outcome = ({ output, changed, undoData = undefined }: Outcome<unknown>) => ({
  output: JSON.stringify(output),
  changed,
  undoData: undoData ?? null,
});

function verdict(answer: Verdict<unknown>) {
  if (answer === "not-happened") return { tag: "not-happened" };
  if ("cannotTell" in answer) return { tag: "cannot-tell", val: answer.cannotTell };
  return { tag: "happened", val: outcome(answer) };
}

const preview = ({ summary, changes = [], output }: Preview) => ({
  summary,
  changes: changes.map((change) => ({ before: null, after: null, ...change })),
  output: output === undefined ? null : JSON.stringify(output),
});

// An error as the engine knows it.
function told(error: unknown) {
  if (!(error instanceof Failure)) {
    // What a capability refused did nothing. An action that had acted before catches that and throws `partial`.
    const refusal = (error as { payload?: { tag?: string; val?: string } } | null)?.payload;
    const refused = refusal?.tag === "denied";
    const message = refused ? (refusal?.val ?? "a capability was refused") : `a fault of the plugin: ${error}`;
    return { tag: refused ? "denied" : "unknown-outcome", val: { message, code: null, details: null } };
  }
  if (error.kind === "cancelled") return { tag: "cancelled" };
  const { code = null, details, retryAfterMs = null } = error.more;
  const info = { message: error.message, code, details: details === undefined ? null : JSON.stringify(details) };
  return error.kind === "transient"
    ? { tag: "transient", val: { error: info, retryAfterMs } }
    : { tag: error.kind, val: info };
}
