// What a plugin in AssemblyScript is made of. You need not change this file; `assembly/plugin.ts` is yours.
//
// The engine starts the program anew for each call, writes one JSON request to its standard input, and reads one JSON
// response from its standard output. Lines on standard error are the step's log.

import { JSON } from "json-as";

/** What the engine says about a call. */
@json
export class Context {
  run: string = "";
  step: string = "";
  /** Counts from 1. */
  attempt: u32 = 1;
  /** The same for every attempt of this step. */
  @alias("idempotency-key")
  key: string = "";
  /** This plugin's part of runwright.toml, as JSON text. */
  config: JSON.Raw = new JSON.Raw("null");
}

@json
class Request {
  op: string = "";
  action: string = "";
  input: JSON.Raw = new JSON.Raw("null");
  @alias("undo-data")
  undoData: JSON.Raw = new JSON.Raw("null");
  context: Context = new Context();
}

/** What remains of an attempt that failed: it decides what the engine does next. */
export namespace Kind {
  /** The input is wrong. Nothing happened. */
  export const invalidInput = "invalid-input";
  /** A permission was refused. Nothing happened. */
  export const denied = "denied";
  /** Nothing happened; it may work later: the step is tried again. */
  export const transient = "transient";
  /** Nothing happened, and it will not work later. */
  export const permanent = "permanent";
  /** It failed on the way; effects may remain: undo applies. */
  export const partial = "partial";
  /** The effect may or may not have happened: the engine asks verify, or a person. */
  export const unknownOutcome = "unknown-outcome";
  /** Cancelled before anything happened. */
  export const cancelled = "cancelled";
}

/** How an action ended: the JSON text of the response. A trap, such as a failed assert, counts as a lost outcome. */
export class Answer {
  constructor(readonly response: string) {}

  /** Success, and something outside is different now; `undoData` is text that undo gets back, without secrets. */
  static changed<T>(output: T, undoData: string | null = null): Answer {
    const undo = undoData === null ? "null" : JSON.stringify(undoData);
    return new Answer(`{"ok":{"output":${JSON.stringify(output)},"changed":true,"undo-data":${undo}}}`);
  }

  /** Success, and all is as it was. */
  static unchanged<T>(output: T): Answer {
    return new Answer(`{"ok":{"output":${JSON.stringify(output)},"changed":false}}`);
  }

  /** A failure. The message is for people, without secrets; the code for machines, such as "http.429". */
  static failed(kind: string, message: string, code: string | null = null): Answer {
    const name = code === null ? "null" : JSON.stringify(code);
    return new Answer(`{"error":{"kind":"${kind}","message":${JSON.stringify(message)},"code":${name}}}`);
  }

  /** Plan's answer: what would be done, in a line. */
  static preview(summary: string): Answer {
    return new Answer(`{"ok":{"summary":${JSON.stringify(summary)}}}`);
  }

  /** Verify's answer: the lost attempt did nothing. */
  static notHappened(): Answer {
    return new Answer(`{"ok":"not-happened"}`);
  }

  /** Verify's answer: the lost attempt happened, and ended like this. */
  static happened(outcome: Answer): Answer {
    return new Answer(`{"ok":{"happened":${outcome.response.slice(6, -1)}}}`);
  }

  /** Verify's answer: it can't be known, and why. */
  static cannotTell(why: string): Answer {
    return new Answer(`{"ok":{"cannot-tell":${JSON.stringify(why)}}}`);
  }
}

/** One call of an action. */
export class Call {
  constructor(
    readonly context: Context,
    /** JSON text; `call.input<T>()` reads it. */
    readonly text: string,
    /** For undo: what run left for it, or "". */
    readonly undoData: string,
  ) {}

  /** The input as a class of yours, decorated with @json. */
  input<T>(): T {
    return JSON.parse<T>(this.text);
  }
}

/** One action. Its effect is "read", "idempotent" or "unsafe"; its schemas are JSON Schemas that the engine checks. */
export class Action {
  plan: ((call: Call) => Answer) | null = null;
  verify: ((call: Call) => Answer) | null = null;
  undo: ((call: Call) => Answer) | null = null;
  destructive: bool = false;
  undoSafeIfNotRun: bool = false;

  constructor(
    readonly name: string,
    readonly summary: string,
    readonly effect: string,
    readonly input: string,
    readonly output: string,
    readonly run: (call: Call) => Answer,
  ) {}

  describe(): string {
    return (
      `{"name":"${this.name}","summary":${JSON.stringify(this.summary)},"effect":"${this.effect}",` +
      `"input-schema":${this.input},"output-schema":${this.output},"destructive":${this.destructive},` +
      `"has-plan":${this.plan !== null},"has-verify":${this.verify !== null},"has-undo":${this.undo !== null},` +
      `"undo-safe-if-not-run":${this.undoSafeIfNotRun}}`
    );
  }
}

/** Writes a line to the step's log. */
export function log(message: string): void {
  process.stderr.write(message + "\n");
}

/** Reads the request and answers it. */
export function serve(name: string, version: string, summary: string, actions: Action[]): void {
  const request = JSON.parse<Request>(read());
  process.stdout.write(respond(request, name, version, summary, actions));
}

function respond(request: Request, name: string, version: string, summary: string, actions: Action[]): string {
  if (request.op == "describe") {
    const infos = actions.map<string>((action) => action.describe()).join(",");
    const facts = `"name":"${name}","version":"${version}","summary":${JSON.stringify(summary)}`;
    return `{"ok":{${facts},"actions":[${infos}]}}`;
  }
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    if (action.name != request.action) continue;
    const undo = request.undoData.toString();
    const call = new Call(request.context, request.input.toString(), undo == "null" ? "" : JSON.parse<string>(undo));
    const plan = action.plan;
    const verify = action.verify;
    const take = action.undo;
    if (request.op == "run") return action.run(call).response;
    if (request.op == "plan" && plan !== null) return plan(call).response;
    if (request.op == "verify" && verify !== null) return verify(call).response;
    if (request.op == "undo" && take !== null) return take(call).response;
  }
  return Answer.failed("unknown-action", request.action).response;
}

function read(): string {
  let text = new Uint8Array(0);
  const chunk = new ArrayBuffer(65536);
  for (;;) {
    const got = process.stdin.read(chunk);
    if (got <= 0) break;
    const longer = new Uint8Array(text.length + got);
    longer.set(text);
    longer.set(Uint8Array.wrap(chunk, 0, got), text.length);
    text = longer;
  }
  return String.UTF8.decode(text.buffer);
}
