/* The plugin {{name}}: two actions to start from. */

#include <inttypes.h>
#include <string.h>

#include "runwright.h"

static rw_answer greet(const json *input, const rw_context *context) {
    (void)context;
    const char *name = json_text(input, "name");
    if (name == NULL) return rw_answer_of(RW_INVALID_INPUT, "name is missing or is no text");
    if (name[strspn(name, " ")] == '\0') return rw_answer_of(RW_INVALID_INPUT, "name is empty");
    const char *text = rw_format("Hello, %s!", name);
    return rw_answer_of(RW_UNCHANGED, "{\"text\":%s}", json_quote(text));
}

/* How an action fails says what remains of it: see rw_end in runwright.h. */
static rw_answer count(const json *input, const rw_context *context) {
    int64_t to, fail_at = 0;
    if (!json_integer(input, "to", &to)) return rw_answer_of(RW_INVALID_INPUT, "to is missing or is no whole number");
    json_integer(input, "fail-at", &fail_at);
    if (to > 100) return rw_answer_of(RW_PERMANENT, "%" PRId64 " is more than this plugin can count", to);
    for (int64_t number = 1; number <= to; number++) {
        if (number == fail_at) return rw_answer_of(RW_PARTIAL, "stopped at %" PRId64 " of %" PRId64, number, to);
        rw_log("attempt %" PRIu32 ": counted %" PRId64, context->attempt, number);
    }
    return rw_answer_of(RW_CHANGED, "{\"counted\":%" PRId64 "}", to);
}

static const rw_action actions[] = {
    {.name = "greet", .summary = "Greets somebody", .effect = RW_READ, .run = greet,
     .input_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\"],"
                     "\"properties\":{\"name\":{\"type\":\"string\",\"description\":\"Who is greeted\"}}}",
     .output_schema = "{\"type\":\"object\",\"required\":[\"text\"],\"properties\":{\"text\":{\"type\":\"string\"}}}"},
    {.name = "count", .summary = "Counts, and shows how an action fails", .effect = RW_IDEMPOTENT, .run = count,
     .input_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"to\"],\"properties\":{"
                     "\"to\":{\"type\":\"integer\",\"minimum\":1},\"fail-at\":{\"type\":\"integer\",\"minimum\":1}}}",
     .output_schema = "{\"type\":\"object\",\"required\":[\"counted\"],"
                      "\"properties\":{\"counted\":{\"type\":\"integer\"}}}"},
};

const rw_plugin rw_this = {"{{name}}", "0.1.0", "Greets and counts", actions, sizeof actions / sizeof *actions};
