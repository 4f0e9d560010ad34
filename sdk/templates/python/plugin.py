"""The plugin {{name}}: two actions to start from."""

from runwright import Action, Outcome, Plugin, invalid_input, log, partial, permanent


def greet(input, context):
    if not input["name"].strip():
        raise invalid_input("name is empty")
    return Outcome({"text": f"Hello, {input['name']}!"})


def count(input, context):
    """How an action fails says what remains of it: see Failure in runwright.py."""
    to = input["to"]
    if to > 100:
        raise permanent(f"{to} is more than this plugin can count")
    for number in range(1, to + 1):
        if number == input.get("fail-at"):
            raise partial(f"stopped at {number} of {to}", code="count.stopped")
        log(f"attempt {context.attempt}: counted {number}")
    return Outcome({"counted": to}, changed=True)


def record(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


NUMBER = {"type": "integer", "minimum": 1}

plugin = Plugin("{{name}}", "0.1.0", "Greets and counts", {
    "greet": Action(
        "Greets somebody", effect="read", run=greet,
        input=record(["name"], name={"type": "string", "description": "Who is greeted"}),
        output=record(["text"], text={"type": "string"}),
    ),
    "count": Action(
        "Counts, and shows how an action fails", effect="idempotent", run=count,
        input=record(["to"], **{"to": NUMBER, "fail-at": NUMBER}),
        output=record(["counted"], counted=NUMBER),
    ),
})
