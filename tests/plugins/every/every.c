/* All that an action can answer. */

#include <string.h>

#include "runwright.h"

static const struct {
    const char *name;
    rw_end end;
} ends[] = {
    {"invalid-input", RW_INVALID_INPUT}, {"denied", RW_DENIED},   {"transient", RW_TRANSIENT},
    {"permanent", RW_PERMANENT},         {"partial", RW_PARTIAL}, {"unknown-outcome", RW_UNKNOWN_OUTCOME},
    {"cancelled", RW_CANCELLED},         {"fault", 99},
};

static rw_answer run(const json *input, const rw_context *context) {
    const char *say = json_text(input, "say");
    if (strcmp(say, "outcome") == 0) {
        rw_answer answer = rw_answer_of(
            RW_CHANGED, "{\"said\":[%s,\"%u\",%s,\"True\",%s]}", json_quote(context->step), (unsigned)context->attempt,
            json_quote(json_text(context->config, "key")), rw_cancelled() ? "\"\"" : "\"False\"");
        answer.undo_data = "kept";
        return answer;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (strcmp(ends[i].name, say) != 0) continue;
        rw_answer answer = rw_answer_of(ends[i].end, "as asked");
        answer.code = "test.code";
        answer.details = "{\"a\":1}";
        answer.retry_after_ms = 1500;
        return answer;
    }
    return rw_answer_of(RW_PERMANENT, "what is %s?", say);
}

static const char *plan(const json *input, const rw_context *context) {
    (void)context;
    return rw_format("would say %s", json_text(input, "say"));
}

static rw_answer verify(const json *input, const rw_context *context) {
    (void)context;
    const char *say = json_text(input, "say");
    if (strcmp(say, "outcome") == 0) return rw_answer_of(RW_CHANGED, "{\"said\":[\"before\"]}");
    if (strcmp(say, "nothing") == 0) return (rw_answer){.end = RW_NOT_HAPPENED};
    return rw_answer_of(RW_UNKNOWN_OUTCOME, "nobody knows");
}

static rw_answer undo(const json *input, const char *undo_data, const rw_context *context) {
    (void)input, (void)context;
    return rw_answer_of(RW_CHANGED, "{\"undone\":%s}", undo_data == NULL ? "null" : json_quote(undo_data));
}

#define SAY "{\"type\":\"object\",\"required\":[\"say\"],\"properties\":{\"say\":{\"type\":\"string\"}}}"

static const rw_action actions[] = {
    {.name = "every", .summary = "Says what it is asked to", .effect = RW_UNSAFE, .input_schema = SAY,
     .output_schema = "{\"type\":\"object\"}", .run = run, .plan = plan, .verify = verify, .undo = undo,
     .destructive = true, .undo_safe_if_not_run = true},
    {.name = "plain", .summary = "Has nothing but run", .effect = RW_READ, .input_schema = SAY,
     .output_schema = "{\"type\":\"object\"}", .run = run},
};

const rw_plugin rw_this = {"hello", "0.1.0", "Says everything", actions, sizeof actions / sizeof *actions};
