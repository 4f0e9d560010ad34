// All that an action can answer.

import { JSON } from "json-as";
import { Action, Answer, Call, serve } from "./runwright";

@json
class Say {
  say: string = "";
}

@json
class Config {
  key: string = "";
}

@json
class Said {
  said: string[] = [];
}

@json
class Undone {
  undone: string = "";
}

function run(call: Call): Answer {
  const say = call.input<Say>().say;
  if (say == "outcome") {
    const config = JSON.parse<Config>(call.context.config.toString());
    const said = [call.context.step, call.context.attempt.toString(), config.key, "True", "False"];
    return Answer.changed<Said>({ said }, "kept");
  }
  assert(say != "fault", "odd");
  return Answer.failed(say, "as asked", "test.code");
}

function plan(call: Call): Answer {
  return Answer.preview("would say " + call.input<Say>().say);
}

function verify(call: Call): Answer {
  const say = call.input<Say>().say;
  if (say == "outcome") return Answer.happened(Answer.changed<Said>({ said: ["before"] }));
  return say == "nothing" ? Answer.notHappened() : Answer.cannotTell("nobody knows");
}

function undo(call: Call): Answer {
  return Answer.changed<Undone>({ undone: call.undoData });
}


const say = `{"type": "object", "required": ["say"], "properties": {"say": {"type": "string"}}}`;
const every = new Action("every", "Says what it is asked to", "unsafe", say, `{"type": "object"}`, run);
every.plan = plan;
every.verify = verify;
every.undo = undo;
every.destructive = true;
every.undoSafeIfNotRun = true;
const plain = new Action("plain", "Has nothing but run", "read", say, `{"type": "object"}`, run);

serve("hello", "0.1.0", "Says everything", [every, plain]);
