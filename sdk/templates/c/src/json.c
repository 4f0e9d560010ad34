#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

typedef struct {
    const char *at;
    const char *end;
    int depth;
} reader;

static json *value(reader *in);

static void blanks(reader *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != '\0') in->at++;
}

static bool take(reader *in, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
    in->at += length;
    return true;
}

static json *new_value(json_kind kind) {
    json *made = calloc(1, sizeof(json));
    if (made == NULL) abort();
    made->kind = kind;
    return made;
}

static bool hex(reader *in, uint32_t *unit) {
    if (in->end - in->at < 4) return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *in->at++;
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10 : 16;
        if (digit == 16) return false;
        *unit = *unit * 16 + digit;
    }
    return true;
}

/* Reads what follows "\u" and writes it as UTF-8. */
static bool escape_unicode(reader *in, char **out) {
    uint32_t code, low;
    if (!hex(in, &code) || code == 0 || (code >= 0xDC00 && code <= 0xDFFF)) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (!take(in, "\\u") || !hex(in, &low) || low < 0xDC00 || low > 0xDFFF) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    char *to = *out;
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    *out = to;
    return true;
}

static const char *string(reader *in) {
    if (!take(in, "\"")) return NULL;
    const char *close = in->at;
    for (; close < in->end && *close != '"'; close++)
        if (*close == '\\' && ++close == in->end) return NULL;
    if (close == in->end) return NULL;
    /* No escape becomes longer than it is written. */
    char *text = malloc((size_t)(close - in->at) + 1);
    if (text == NULL) abort();
    char *to = text;
    while (in->at < in->end) {
        unsigned char c = (unsigned char)*in->at++;
        if (c == '"') {
            *to = '\0';
            return text;
        }
        if (c < 0x20) return NULL;
        if (c != '\\') {
            *to++ = (char)c;
            continue;
        }
        if (in->at == in->end) return NULL;
        char escape = *in->at++;
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        const char *known = escape == '\0' ? NULL : strchr(from, escape);
        if (known != NULL) {
            *to++ = into[known - from];
        } else if (escape != 'u' || !escape_unicode(in, &to)) {
            return NULL;
        }
    }
    return NULL;
}

static bool digits(reader *in) {
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return in->at > start;
}

static json *number(reader *in) {
    char text[64];
    const char *start = in->at;
    take(in, "-");
    if (!take(in, "0") && !digits(in)) return NULL;
    if (take(in, ".") && !digits(in)) return NULL;
    if (take(in, "e") || take(in, "E")) {
        if (!take(in, "-")) take(in, "+");
        if (!digits(in)) return NULL;
    }
    size_t length = (size_t)(in->at - start);
    if (length >= sizeof text) return NULL;
    memcpy(text, start, length);
    text[length] = '\0';
    json *made = new_value(JSON_NUMBER);
    made->number = strtod(text, NULL);
    return made;
}

/* Reads elements or members up to `close`. */
static json *several(reader *in, json_kind kind, const char *close) {
    json *made = new_value(kind);
    json **last = &made->first;
    blanks(in);
    if (take(in, close)) return made;
    do {
        const char *key = NULL;
        blanks(in);
        if (kind == JSON_OBJECT) {
            if ((key = string(in)) == NULL) return NULL;
            blanks(in);
            if (!take(in, ":")) return NULL;
        }
        if ((*last = value(in)) == NULL) return NULL;
        (*last)->key = key;
        last = &(*last)->next;
        blanks(in);
    } while (take(in, ","));
    return take(in, close) ? made : NULL;
}

static json *plain(reader *in) {
    json *made;
    if (in->at < in->end && *in->at == '"') {
        const char *text = string(in);
        if (text == NULL) return NULL;
        made = new_value(JSON_TEXT);
        made->text = text;
        return made;
    }
    if (take(in, "null")) return new_value(JSON_NULL);
    bool truth = take(in, "true");
    if (truth || take(in, "false")) {
        made = new_value(JSON_BOOL);
        made->truth = truth;
        return made;
    }
    return number(in);
}

static json *value(reader *in) {
    if (in->depth == DEPTH_MAX) return NULL;
    in->depth++;
    blanks(in);
    json *made = take(in, "{") ? several(in, JSON_OBJECT, "}") : take(in, "[") ? several(in, JSON_ARRAY, "]") : plain(in);
    in->depth--;
    return made;
}

const json *json_parse(const char *bytes, size_t length) {
    reader in = {bytes, bytes + length, 0};
    const json *made = value(&in);
    blanks(&in);
    return in.at == in.end ? made : NULL;
}

const json *json_member(const json *object, const char *key) {
    if (object == NULL || object->kind != JSON_OBJECT) return NULL;
    for (const json *member = object->first; member != NULL; member = member->next)
        if (strcmp(member->key, key) == 0) return member;
    return NULL;
}

const char *json_text(const json *object, const char *key) {
    const json *member = json_member(object, key);
    return member != NULL && member->kind == JSON_TEXT ? member->text : NULL;
}

bool json_integer(const json *object, const char *key, int64_t *number) {
    const json *member = json_member(object, key);
    if (member == NULL || member->kind != JSON_NUMBER) return false;
    if (member->number < -9007199254740991.0 || member->number > 9007199254740991.0) return false;
    *number = (int64_t)member->number;
    return (double)*number == member->number;
}

const char *json_quote(const char *text) {
    char *made = malloc(strlen(text) * 6 + 3);
    if (made == NULL) abort();
    char *to = made;
    *to++ = '"';
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20) {
            to += sprintf(to, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') *to++ = '\\';
        *to++ = (char)c;
    }
    *to++ = '"';
    *to = '\0';
    return made;
}
