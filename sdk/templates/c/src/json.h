/* A small JSON reader (RFC 8259). What it allocates stays until the end of the call: every call has fresh memory. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind kind;
    bool truth;        /* of a bool */
    double number;     /* of a number */
    const char *text;  /* of a text; UTF-8, without a NUL inside */
    const char *key;   /* of a member of an object, else NULL */
    struct json *first; /* of an array or an object, else NULL */
    struct json *next;  /* the next element or member beside this one */
} json;

/* The value that `length` bytes hold; NULL if they are no JSON, are nested deeper than 64, a text holds a NUL, or a
 * number has more than 63 characters. */
const json *json_parse(const char *bytes, size_t length);

/* The member with this key; NULL if `object` is no object or has none. */
const json *json_member(const json *object, const char *key);

/* The text of a member; NULL if it is missing or is no text. */
const char *json_text(const json *object, const char *key);

/* Gives the whole number of a member; false if it is missing, is no number, or is not whole. */
bool json_integer(const json *object, const char *key, int64_t *number);

/* The text as a JSON string, with its quotes. */
const char *json_quote(const char *text);

#endif
