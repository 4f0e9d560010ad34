package runwright

import (
	"encoding/json"
	"errors"
	"time"

	"guest/bindings/runwright_plugin_types"
	wit "guest/bindings/wit/types"
)

type (
	toldContext = runwright_plugin_types.Context
	toldError   = runwright_plugin_types.PluginError
	toldOutcome = runwright_plugin_types.Outcome
	toldPreview = runwright_plugin_types.Preview
	toldVerdict = runwright_plugin_types.Verdict
)

var served Plugin

// Serve says which plugin this is; call it in an init function.
func Serve(plugin Plugin) { served = plugin }

// Describe is the engine's describe.
func Describe() runwright_plugin_types.PluginInfo {
	info := runwright_plugin_types.PluginInfo{Name: served.Name, Version: served.Version, Summary: served.Summary}
	for _, action := range served.Actions {
		info.Actions = append(info.Actions, runwright_plugin_types.ActionInfo{
			Name:             action.Name,
			Summary:          action.Summary,
			InputSchema:      action.Input,
			OutputSchema:     action.Output,
			Effect:           uint8(action.Effect),
			Destructive:      action.Destructive,
			HasPlan:          action.Plan != nil,
			HasVerify:        action.Verify != nil,
			HasUndo:          action.Undo != nil,
			UndoSafeIfNotRun: action.UndoSafeIfNotRun,
			Defaults:         wit.None[string](),
		})
	}
	return info
}

// AnswerPlan is the engine's plan.
func AnswerPlan(name, input string, context toldContext) wit.Result[toldPreview, toldError] {
	action := find(name)
	if action == nil || action.Plan == nil {
		return wit.Err[toldPreview](runwright_plugin_types.MakePluginErrorUnknownAction(name))
	}
	summary, err := action.Plan(input, readable(context))
	if err != nil {
		return wit.Err[toldPreview](told(err))
	}
	return wit.Ok[toldPreview, toldError](toldPreview{Summary: summary, Output: wit.None[string]()})
}

// AnswerRun is the engine's run.
func AnswerRun(name, input string, context toldContext) wit.Result[toldOutcome, toldError] {
	action := find(name)
	if action == nil {
		return wit.Err[toldOutcome](runwright_plugin_types.MakePluginErrorUnknownAction(name))
	}
	return settled(action.Run(input, readable(context)))
}

// AnswerVerify is the engine's verify.
func AnswerVerify(name, input string, context toldContext) wit.Result[toldVerdict, toldError] {
	action := find(name)
	if action == nil || action.Verify == nil {
		return wit.Err[toldVerdict](runwright_plugin_types.MakePluginErrorUnknownAction(name))
	}
	verdict, err := action.Verify(input, readable(context))
	if err != nil {
		return wit.Err[toldVerdict](told(err))
	}
	if verdict.Happened != nil {
		outcome, err := outcomeOf(*verdict.Happened)
		if err != nil {
			return wit.Err[toldVerdict](told(err))
		}
		return wit.Ok[toldVerdict, toldError](runwright_plugin_types.MakeVerdictHappened(outcome))
	}
	if verdict.NotHappened {
		return wit.Ok[toldVerdict, toldError](runwright_plugin_types.MakeVerdictNotHappened())
	}
	return wit.Ok[toldVerdict, toldError](runwright_plugin_types.MakeVerdictCannotTell(verdict.CannotTell))
}

// AnswerUndo is the engine's undo.
func AnswerUndo(name, input string, undoData wit.Option[string], context toldContext) wit.Result[toldOutcome, toldError] {
	action := find(name)
	if action == nil || action.Undo == nil {
		return wit.Err[toldOutcome](runwright_plugin_types.MakePluginErrorUnknownAction(name))
	}
	return settled(action.Undo(input, text(undoData), readable(context)))
}

func find(name string) *Action {
	for i := range served.Actions {
		if served.Actions[i].Name == name {
			return &served.Actions[i]
		}
	}
	return nil
}

func readable(context toldContext) Context {
	read := Context{
		Run:     context.Run,
		Step:    context.Step,
		Attempt: context.Attempt,
		Key:     context.IdempotencyKey,
		Target:  text(context.Target),
	}
	if context.DeadlineMs.IsSome() {
		read.Deadline = time.Duration(context.DeadlineMs.Some()) * time.Millisecond
	}
	if config := text(context.Config); config != "" {
		read.Config = json.RawMessage(config)
	}
	return read
}

func settled(outcome Outcome, err error) wit.Result[toldOutcome, toldError] {
	if err != nil {
		return wit.Err[toldOutcome](told(err))
	}
	answer, err := outcomeOf(outcome)
	if err != nil {
		return wit.Err[toldOutcome](told(err))
	}
	return wit.Ok[toldOutcome, toldError](answer)
}

func outcomeOf(outcome Outcome) (toldOutcome, error) {
	output, err := json.Marshal(outcome.Output)
	return toldOutcome{Output: string(output), Changed: outcome.Changed, UndoData: option(outcome.UndoData)}, err
}

// told is an error as the engine knows it.
func told(err error) toldError {
	failure := &Failure{Kind: UnknownOutcome, Message: err.Error()}
	errors.As(err, &failure)
	info := runwright_plugin_types.ErrorInfo{
		Message: failure.Message, Code: option(failure.Code), Details: wit.None[string](),
	}
	switch failure.Kind {
	case InvalidInput:
		return runwright_plugin_types.MakePluginErrorInvalidInput(info)
	case Denied:
		return runwright_plugin_types.MakePluginErrorDenied(info)
	case Permanent:
		return runwright_plugin_types.MakePluginErrorPermanent(info)
	case Partial:
		return runwright_plugin_types.MakePluginErrorPartial(info)
	case Cancelled:
		return runwright_plugin_types.MakePluginErrorCancelled()
	case Transient:
		after := wit.None[uint32]()
		if failure.RetryAfter > 0 {
			after = wit.Some(uint32(failure.RetryAfter.Milliseconds()))
		}
		return runwright_plugin_types.MakePluginErrorTransient(
			runwright_plugin_types.TransientError{Error: info, RetryAfterMs: after})
	default:
		return runwright_plugin_types.MakePluginErrorUnknownOutcome(info)
	}
}

func text(option wit.Option[string]) string {
	if option.IsSome() {
		return option.Some()
	}
	return ""
}

func option(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}
