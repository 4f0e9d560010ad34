"""All that an action can answer."""

from wit_world.imports import secrets

from runwright import NOT_HAPPENED, Action, CannotTell, Failure, Outcome, Plugin, is_cancelled, progress, sleep


def run(input, context):
    progress(50, "half")
    if input["say"] == "outcome":
        said = [context.step, str(context.attempt), context.config["key"], str(sleep(1)), str(is_cancelled())]
        return Outcome({"said": said}, changed=True, undo_data="kept")
    if input["say"] == "refused":
        secrets.get("none")
    if input["say"] == "fault":
        raise ValueError("odd")
    raise Failure(input["say"], "as asked", code="test.code", details={"a": 1}, retry_after_ms=1500)


def plan(input, context):
    return f"would say {input['say']}"


def verify(input, context):
    if input["say"] == "outcome":
        return Outcome({"said": ["before"]}, changed=True)
    return NOT_HAPPENED if input["say"] == "nothing" else CannotTell("nobody knows")


def undo(input, undo_data, context):
    return Outcome({"undone": undo_data}, changed=True)


SAY = {"type": "object", "required": ["say"], "properties": {"say": {"type": "string"}}}

plugin = Plugin("hello", "0.1.0", "Says everything", {
    "every": Action("Says what it is asked to", "unsafe", SAY, {"type": "object"}, run, plan, verify, undo,
                    destructive=True, undo_safe_if_not_run=True),
    "plain": Action("Has nothing but run", "read", SAY, {"type": "object"}, run),
})
