"""What a plugin in Python is made of. You need not change this file; `plugin.py` is yours.

Every call of the engine gets a fresh instance: nothing is remembered from call to call.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Literal, Optional

from componentize_py_types import Err
from wit_world.imports import clock, log as logging, types


class Failure(Exception):
    """How an action fails: raise it. `kind` says what remains of the attempt, and so what the engine does next.

    A refused capability that is not caught counts as `denied`, any other exception as `unknown-outcome`: the effect may or
    may not have happened.
    `code` and `details` are for machines; `retry_after_ms` counts for `transient` only.
    """

    def __init__(self, kind: str, message: str, code: Optional[str] = None, details: Any = None,
                 retry_after_ms: Optional[int] = None):
        super().__init__(message)
        self.kind, self.code, self.details, self.retry_after_ms = kind, code, details, retry_after_ms


def invalid_input(message: str, **more: Any) -> Failure:
    """The input is wrong. Nothing happened."""
    return Failure("invalid-input", message, **more)


def denied(message: str, **more: Any) -> Failure:
    """A capability was refused. Nothing happened."""
    return Failure("denied", message, **more)


def transient(message: str, **more: Any) -> Failure:
    """Nothing happened; it may work later: the step is tried again."""
    return Failure("transient", message, **more)


def permanent(message: str, **more: Any) -> Failure:
    """Nothing happened, and it will not work later."""
    return Failure("permanent", message, **more)


def partial(message: str, **more: Any) -> Failure:
    """It failed on the way; effects may remain: undo applies."""
    return Failure("partial", message, **more)


def unknown_outcome(message: str, **more: Any) -> Failure:
    """The effect may or may not have happened: the engine asks verify, or a person."""
    return Failure("unknown-outcome", message, **more)


def cancelled() -> Failure:
    """Cancelled before anything happened."""
    return Failure("cancelled", "cancelled")


@dataclass
class Outcome:
    """A success: what later steps see, whether anything outside is different now, and what undo gets back (text
    without secrets)."""

    output: Any
    changed: bool = False
    undo_data: Optional[str] = None


@dataclass
class CannotTell:
    """Verify's answer when it can't be known whether the lost attempt happened, and why."""

    why: str


#: Verify's answer when the lost attempt did nothing.
NOT_HAPPENED = object()


@dataclass
class Action:
    """One action. `verify` answers an Outcome, NOT_HAPPENED or CannotTell; `undo` gets the undo data before the context;
    `plan` answers a text that says what would be done."""

    summary: str
    effect: Literal["read", "idempotent", "unsafe"]
    input: dict
    output: dict
    run: Callable
    plan: Optional[Callable] = None
    verify: Optional[Callable] = None
    undo: Optional[Callable] = None
    destructive: bool = False
    undo_safe_if_not_run: bool = False


def log(message: str, level: str = "info") -> None:
    """Writes a line to the step's log; level is trace, debug, info, warn or error."""
    logging.log(logging.Level[level.upper()], message)


def progress(percent: Optional[int], note: str) -> None:
    """Tells people how far the step is: a percentage, or None, and a word."""
    logging.progress(percent, note)


def sleep(ms: int) -> bool:
    """Sleeps; False: the step was cancelled meanwhile."""
    return clock.sleep_ms(ms)


def is_cancelled() -> bool:
    """True once the step is cancelled: look now and then in what takes long."""
    return clock.cancelled()


@dataclass
class Plugin:
    """The plugin: what the engine calls."""

    name: str
    version: str
    summary: str
    actions: dict[str, Action] = field(default_factory=dict)

    def describe(self) -> types.PluginInfo:
        infos = [
            types.ActionInfo(
                name, action.summary, json.dumps(action.input), json.dumps(action.output),
                types.Effect[action.effect.upper()], action.destructive, action.plan is not None,
                action.verify is not None, action.undo is not None, action.undo_safe_if_not_run, None)
            for name, action in self.actions.items()
        ]
        return types.PluginInfo(self.name, self.version, self.summary, infos)

    def plan(self, action: str, input: str, ctx: types.Context) -> types.Preview:
        return types.Preview(self._call(action, "plan", input, _readable(ctx)), [], None)

    def run(self, action: str, input: str, ctx: types.Context) -> types.Outcome:
        return _outcome(self._call(action, "run", input, _readable(ctx)))

    def verify(self, action: str, input: str, ctx: types.Context) -> types.Verdict:
        answer = self._call(action, "verify", input, _readable(ctx))
        if answer is NOT_HAPPENED:
            return types.Verdict_NotHappened()
        if isinstance(answer, CannotTell):
            return types.Verdict_CannotTell(answer.why)
        return types.Verdict_Happened(_outcome(answer))

    def undo(self, action: str, input: str, undo_data: Optional[str], ctx: types.Context) -> types.Outcome:
        return _outcome(self._call(action, "undo", input, undo_data, _readable(ctx)))

    def _call(self, action: str, verb: str, input: str, *rest: Any) -> Any:
        function = getattr(self.actions.get(action), verb, None)
        if function is None:
            raise Err(types.PluginError_UnknownAction(action))
        try:
            return function(json.loads(input), *rest)
        except Failure as failure:
            raise Err(_told(failure)) from failure
        except Exception as fault:
            raise Err(_fault(fault)) from fault


def _readable(ctx: types.Context) -> types.Context:
    ctx.config = None if ctx.config is None else json.loads(ctx.config)
    return ctx


def _outcome(outcome: Outcome) -> types.Outcome:
    return types.Outcome(json.dumps(outcome.output), outcome.changed, outcome.undo_data)


def _fault(fault: Exception) -> Any:
    """What the action did not catch, as the engine knows it."""
    refused = fault.value if isinstance(fault, Err) else None
    if type(refused).__name__.endswith("_Denied"):
        # The capability did nothing. An action that had acted before catches this and raises `partial`.
        why = str(getattr(refused, "value", "a capability was refused"))
        return types.PluginError_Denied(types.ErrorInfo(why, None, None))
    # Not known from where: the effect may have happened.
    message = f"a fault of the plugin: {type(fault).__name__}: {fault}"
    return types.PluginError_UnknownOutcome(types.ErrorInfo(message, None, None))


_KINDS = {
    "invalid-input": types.PluginError_InvalidInput,
    "denied": types.PluginError_Denied,
    "permanent": types.PluginError_Permanent,
    "partial": types.PluginError_Partial,
    "unknown-outcome": types.PluginError_UnknownOutcome,
}


def _told(failure: Failure) -> Any:
    """The failure as the engine knows it."""
    if failure.kind == "cancelled":
        return types.PluginError_Cancelled()
    details = None if failure.details is None else json.dumps(failure.details)
    info = types.ErrorInfo(str(failure), failure.code, details)
    if failure.kind == "transient":
        return types.PluginError_Transient(types.TransientError(info, failure.retry_after_ms))
    return _KINDS[failure.kind](info)
