/* What a plugin in C is made of. You need not change this file; `src/plugin.c` is yours.
 *
 * What is allocated in a call stays until its end: every call of the engine gets fresh memory, so nothing needs to be
 * freed, and nothing is remembered from call to call.
 */
#ifndef RUNWRIGHT_H
#define RUNWRIGHT_H

#include "json.h"

/* What one attempt of an action may do to the outside world. */
typedef enum {
    RW_READ,       /* only reads: always safe to repeat */
    RW_IDEMPOTENT, /* writes; repeating with the same idempotency key is safe */
    RW_UNSAFE,     /* writes; repeating may act twice: the engine never repeats it blindly */
} rw_effect;

/* What the engine says about a call. */
typedef struct {
    const char *run, *step;
    uint32_t attempt;         /* counts from 1 */
    const char *key;          /* idempotency key: the same for every attempt of this step */
    uint32_t deadline_ms;     /* milliseconds left when the call starts; 0: none */
    const char *target;       /* or NULL */
    const json *config;       /* this plugin's part of runwright.toml, or NULL */
} rw_context;

/* How a call ended: what remains of it decides what the engine does next. */
typedef enum {
    RW_UNCHANGED,       /* it succeeded, and all is as it was */
    RW_CHANGED,         /* it succeeded, and something outside is different now */
    RW_INVALID_INPUT,   /* the input is wrong; nothing happened */
    RW_DENIED,          /* a capability was refused; nothing happened */
    RW_TRANSIENT,       /* nothing happened; it may work later: the step is tried again */
    RW_PERMANENT,       /* nothing happened, and it will not work later */
    RW_PARTIAL,         /* it failed on the way; effects may remain: undo applies */
    RW_UNKNOWN_OUTCOME, /* the effect may or may not have happened: verify, or a person decides */
    RW_CANCELLED,       /* cancelled before anything happened */
    RW_NOT_HAPPENED,    /* only of verify: the lost attempt did nothing */
} rw_end;

/* An answer. Of a success `text` is the output, as JSON; of a failure the message for people, without secrets. */
typedef struct {
    rw_end end;
    const char *text;
    const char *undo_data;   /* of a success: text that undo gets back, or NULL; no secrets */
    const char *code;        /* of a failure: for machines, e.g. "http.429", or NULL */
    const char *details;     /* of a failure: JSON, or NULL */
    uint32_t retry_after_ms; /* of RW_TRANSIENT: 0 leaves it to the runbook */
} rw_answer;

/* An action. `run` is needed; `plan`, `verify` and `undo` are NULL where there are none. `plan` says in a line what would
 * be done, and changes nothing. */
typedef struct {
    const char *name, *summary;
    rw_effect effect;
    const char *input_schema, *output_schema; /* JSON Schema 2020-12 */
    rw_answer (*run)(const json *input, const rw_context *context);
    const char *(*plan)(const json *input, const rw_context *context);
    rw_answer (*verify)(const json *input, const rw_context *context);
    rw_answer (*undo)(const json *input, const char *undo_data, const rw_context *context);
    bool destructive, undo_safe_if_not_run;
} rw_action;

/* The plugin. */
typedef struct {
    const char *name, *version, *summary;
    const rw_action *actions;
    size_t action_count;
} rw_plugin;

/* Yours: defined in src/plugin.c. */
extern const rw_plugin rw_this;

/* An answer of this kind; the text is written as printf writes it. */
rw_answer rw_answer_of(rw_end end, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text that printf would write, in memory of its own. */
const char *rw_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line for the step's log. */
void rw_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True once the step is cancelled: look now and then in what takes long. */
bool rw_cancelled(void);

#endif
