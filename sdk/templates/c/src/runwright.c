#include "runwright.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bindings/plugin.h"

typedef exports_runwright_plugin_actions_outcome_t outcome_t;
typedef exports_runwright_plugin_actions_plugin_error_t error_t;
typedef exports_runwright_plugin_actions_context_t context_t;

/* The bindings want to be linked with a description of the world; `runwright plugin build` adds it from wit/ instead. */
void __component_type_object_force_link_plugin(void) {}

/* The bindings free what a call returned, so they get copies. */
static plugin_string_t copy(const char *text) {
    plugin_string_t made;
    plugin_string_dup(&made, text);
    return made;
}

static plugin_option_string_t copy_option(const char *text) {
    plugin_option_string_t made = {.is_some = text != NULL};
    if (text != NULL) made.val = copy(text);
    return made;
}

static const char *text_of(plugin_string_t string) {
    char *made = malloc(string.len + 1);
    if (made == NULL) abort();
    if (string.len > 0) memcpy(made, string.ptr, string.len);
    made[string.len] = '\0';
    return made;
}

static const char *format_list(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *made = length < 0 ? NULL : malloc((size_t)length + 1);
    if (made == NULL) abort();
    vsnprintf(made, (size_t)length + 1, format, again);
    va_end(again);
    return made;
}

const char *rw_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *made = format_list(format, arguments);
    va_end(arguments);
    return made;
}

rw_answer rw_answer_of(rw_end end, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    rw_answer answer = {.end = end, .text = format_list(format, arguments)};
    va_end(arguments);
    return answer;
}

void rw_log(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    plugin_string_t line = copy(format_list(format, arguments));
    va_end(arguments);
    runwright_plugin_log_log(RUNWRIGHT_PLUGIN_LOG_LEVEL_INFO, &line);
}

bool rw_cancelled(void) {
    return runwright_plugin_clock_cancelled();
}

static error_t failure(rw_answer answer) {
    error_t error = {0};
    runwright_plugin_types_error_info_t info = {
        copy(answer.text), copy_option(answer.code), copy_option(answer.details)};
    switch (answer.end) {
    case RW_INVALID_INPUT: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_INVALID_INPUT; break;
    case RW_DENIED: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_DENIED; break;
    case RW_PERMANENT: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_PERMANENT; break;
    case RW_PARTIAL: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_PARTIAL; break;
    case RW_CANCELLED: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_CANCELLED; return error;
    case RW_TRANSIENT:
        error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_TRANSIENT;
        error.val.transient.error = info;
        error.val.transient.retry_after_ms.is_some = answer.retry_after_ms > 0;
        error.val.transient.retry_after_ms.val = answer.retry_after_ms;
        return error;
    default: error.tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_UNKNOWN_OUTCOME; break;
    }
    error.val.permanent = info; /* the union's error-info lies at one place */
    return error;
}

static bool succeeded(rw_answer answer) {
    return answer.end == RW_UNCHANGED || answer.end == RW_CHANGED;
}

static outcome_t outcome(rw_answer answer) {
    return (outcome_t){copy(answer.text), answer.end == RW_CHANGED, copy_option(answer.undo_data)};
}

static bool settle(rw_answer answer, outcome_t *ret, error_t *err) {
    if (!succeeded(answer)) {
        *err = failure(answer);
        return false;
    }
    *ret = outcome(answer);
    return true;
}

/* A call, read: the action, its input and its context. */
typedef struct {
    const rw_action *action;
    const json *input;
    rw_context context;
} call;

static bool read_call(call *made, plugin_string_t *action, plugin_string_t *input, context_t *ctx, error_t *err) {
    const char *name = text_of(*action);
    for (size_t i = 0; i < rw_this.action_count; i++)
        if (strcmp(rw_this.actions[i].name, name) == 0) made->action = &rw_this.actions[i];
    if (made->action == NULL) {
        err->tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_UNKNOWN_ACTION;
        err->val.unknown_action = copy(name);
        return false;
    }
    made->input = json_parse((const char *)input->ptr, input->len);
    if (made->input == NULL) {
        *err = failure(rw_answer_of(RW_INVALID_INPUT, "the input is no JSON that this plugin can read"));
        return false;
    }
    made->context = (rw_context){
        .run = text_of(ctx->run),
        .step = text_of(ctx->step),
        .attempt = ctx->attempt,
        .key = text_of(ctx->idempotency_key),
        .deadline_ms = ctx->deadline_ms.is_some ? ctx->deadline_ms.val : 0,
        .target = ctx->target.is_some ? text_of(ctx->target.val) : NULL,
        .config = ctx->config.is_some ? json_parse((const char *)ctx->config.val.ptr, ctx->config.val.len) : NULL,
    };
    return true;
}

/* An action without the verb is unknown for it. */
static bool lacks(const rw_action *action, error_t *err) {
    err->tag = RUNWRIGHT_PLUGIN_TYPES_PLUGIN_ERROR_UNKNOWN_ACTION;
    err->val.unknown_action = copy(action->name);
    return false;
}

void exports_runwright_plugin_actions_describe(exports_runwright_plugin_actions_plugin_info_t *ret) {
    runwright_plugin_types_action_info_t *infos = calloc(rw_this.action_count, sizeof *infos);
    if (infos == NULL) abort();
    for (size_t i = 0; i < rw_this.action_count; i++) {
        const rw_action *action = &rw_this.actions[i];
        infos[i] = (runwright_plugin_types_action_info_t){
            .name = copy(action->name),
            .summary = copy(action->summary),
            .input_schema = copy(action->input_schema),
            .output_schema = copy(action->output_schema),
            .effect = (runwright_plugin_types_effect_t)action->effect,
            .destructive = action->destructive,
            .has_plan = action->plan != NULL,
            .has_verify = action->verify != NULL,
            .has_undo = action->undo != NULL,
            .undo_safe_if_not_run = action->undo_safe_if_not_run,
        };
    }
    *ret = (exports_runwright_plugin_actions_plugin_info_t){
        copy(rw_this.name), copy(rw_this.version), copy(rw_this.summary), {infos, rw_this.action_count}};
}

bool exports_runwright_plugin_actions_plan(plugin_string_t *action, plugin_string_t *input, context_t *ctx,
                                           exports_runwright_plugin_actions_preview_t *ret, error_t *err) {
    call made = {0};
    if (!read_call(&made, action, input, ctx, err)) return false;
    if (made.action->plan == NULL) return lacks(made.action, err);
    *ret = (exports_runwright_plugin_actions_preview_t){.summary = copy(made.action->plan(made.input, &made.context))};
    return true;
}

bool exports_runwright_plugin_actions_run(plugin_string_t *action, plugin_string_t *input, context_t *ctx,
                                          outcome_t *ret, error_t *err) {
    call made = {0};
    if (!read_call(&made, action, input, ctx, err)) return false;
    return settle(made.action->run(made.input, &made.context), ret, err);
}

bool exports_runwright_plugin_actions_verify(plugin_string_t *action, plugin_string_t *input, context_t *ctx,
                                             exports_runwright_plugin_actions_verdict_t *ret, error_t *err) {
    call made = {0};
    if (!read_call(&made, action, input, ctx, err)) return false;
    if (made.action->verify == NULL) return lacks(made.action, err);
    rw_answer answer = made.action->verify(made.input, &made.context);
    if (succeeded(answer)) {
        ret->tag = RUNWRIGHT_PLUGIN_TYPES_VERDICT_HAPPENED;
        ret->val.happened = outcome(answer);
    } else if (answer.end == RW_NOT_HAPPENED) {
        ret->tag = RUNWRIGHT_PLUGIN_TYPES_VERDICT_NOT_HAPPENED;
    } else if (answer.end == RW_UNKNOWN_OUTCOME) {
        ret->tag = RUNWRIGHT_PLUGIN_TYPES_VERDICT_CANNOT_TELL;
        ret->val.cannot_tell = copy(answer.text);
    } else {
        *err = failure(answer);
        return false;
    }
    return true;
}

bool exports_runwright_plugin_actions_undo(plugin_string_t *action, plugin_string_t *input,
                                           plugin_string_t *maybe_undo_data, context_t *ctx, outcome_t *ret,
                                           error_t *err) {
    call made = {0};
    if (!read_call(&made, action, input, ctx, err)) return false;
    if (made.action->undo == NULL) return lacks(made.action, err);
    const char *data = maybe_undo_data == NULL ? NULL : text_of(*maybe_undo_data);
    return settle(made.action->undo(made.input, data, &made.context), ret, err);
}
