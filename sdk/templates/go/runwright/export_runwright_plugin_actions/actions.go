// Package export_runwright_plugin_actions is where the bindings look for what the engine calls; its name is theirs.
package export_runwright_plugin_actions

import (
	"guest/bindings/runwright_plugin_types"
	wit "guest/bindings/wit/types"
	"guest/runwright"
)

func Describe() runwright_plugin_types.PluginInfo { return runwright.Describe() }

func Plan(action, input string, context runwright_plugin_types.Context) wit.Result[runwright_plugin_types.Preview, runwright_plugin_types.PluginError] {
	return runwright.AnswerPlan(action, input, context)
}

func Run(action, input string, context runwright_plugin_types.Context) wit.Result[runwright_plugin_types.Outcome, runwright_plugin_types.PluginError] {
	return runwright.AnswerRun(action, input, context)
}

func Verify(action, input string, context runwright_plugin_types.Context) wit.Result[runwright_plugin_types.Verdict, runwright_plugin_types.PluginError] {
	return runwright.AnswerVerify(action, input, context)
}

func Undo(action, input string, undoData wit.Option[string], context runwright_plugin_types.Context) wit.Result[runwright_plugin_types.Outcome, runwright_plugin_types.PluginError] {
	return runwright.AnswerUndo(action, input, undoData, context)
}
