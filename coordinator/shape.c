/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/shape.h"

#include <string.h>

#include "base/macros.h"

bool shape_solve(struct view shape, struct view name, char ret_id[static DEVICE_ID_MAX + 1])
{
    size_t stars = 0;
    for (size_t i = 0; i < shape.len; i++) {
        stars += shape.ptr[i] == '*';
    }
    size_t literal = shape.len - stars;
    if (stars == 0 || name.len <= literal || (name.len - literal) % stars != 0) {
        return false;
    }
    size_t id_len = (name.len - literal) / stars;
    const char *id = NULL;
    size_t at = 0;
    for (size_t i = 0; i < shape.len; i++) {
        if (shape.ptr[i] != '*') {
            if (name.ptr[at++] != shape.ptr[i]) {
                return false;
            }
            continue;
        }
        if (id == NULL) {
            id = name.ptr + at;
        } else if (memcmp(id, name.ptr + at, id_len) != 0) {
            return false;
        }
        at += id_len;
    }
    return view_copy(view_n(id, id_len), ret_id, DEVICE_ID_MAX + 1) == ERR_OK;
}

struct view shape_tail(struct view shape)
{
    size_t start = shape.len;
    for (size_t i = shape.len; i > 0 && shape.ptr[i - 1] != '*'; i--) {
        start = shape.ptr[i - 1] == '.' ? i : start;
    }
    return view_n(shape.ptr + start, shape.len - start);
}

bool shape_differs(struct view a, struct view b)
{
    size_t len = MIN(a.len, b.len);
    for (size_t i = 0; i < len && a.ptr[i] != '*' && b.ptr[i] != '*'; i++) {
        if (a.ptr[i] != b.ptr[i]) {
            return true;
        }
    }
    for (size_t i = 1; i <= len && a.ptr[a.len - i] != '*' && b.ptr[b.len - i] != '*'; i++) {
        if (a.ptr[a.len - i] != b.ptr[b.len - i]) {
            return true;
        }
    }
    return false;
}

/* The pattern in the place of each "*"; two stars in a row are one. */
static bool expand(struct view shape, struct view ids, char ret_glob[static SHAPE_GLOB_MAX + 1], size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < shape.len; i++) {
        struct view part = shape.ptr[i] == '*' ? ids : view_n(shape.ptr + i, 1);
        for (size_t k = 0; k < part.len; k++) {
            if (part.ptr[k] == '*' && len > 0 && ret_glob[len - 1] == '*') {
                continue;
            }
            if (len == SHAPE_GLOB_MAX) {
                return false;
            }
            ret_glob[len++] = part.ptr[k];
        }
    }
    *ret_len = len;
    return true;
}

static bool meets_here(const struct shape_search *search, size_t i, size_t j)
{
    char a = i < search->a_len ? search->a[i] : '\0';
    char b = j < search->b_len ? search->b[j] : '\0';
    if (a == '\0' && b == '\0') {
        return true;
    }
    bool found = false;
    if (a == '*') { /* ends here, or takes b's next; ids hold no dots */
        found = search->meets[i + 1][j] || (b != '\0' && b != '.' && b != '*' && search->meets[i][j + 1]);
    }
    if (b == '*') {
        found = found || search->meets[i][j + 1] || (a != '\0' && a != '.' && a != '*' && search->meets[i + 1][j]);
    }
    return found || (a == b && search->meets[i + 1][j + 1]);
}

bool shape_meet(struct shape_search *search, struct view a, struct view a_ids, struct view b, struct view b_ids)
{
    if (!expand(a, a_ids, search->a, &search->a_len) || !expand(b, b_ids, search->b, &search->b_len) ||
        shape_differs(view_n(search->a, search->a_len), view_n(search->b, search->b_len))) {
        return false;
    }
    for (size_t i = search->a_len + 1; i-- > 0;) {
        for (size_t j = search->b_len + 1; j-- > 0;) {
            search->meets[i][j] = meets_here(search, i, j);
        }
    }
    return search->meets[0][0] != 0;
}

/* What is put in where both are free: an id is not empty, and a short one may belong to another row. */
static const char *const fillers[] = {"1", "", "a", "x1", "7-z", "q0q"};

static bool takes(const struct shape_search *search, size_t i, size_t j)
{
    return i <= search->a_len && j <= search->b_len && search->meets[i][j] != 0;
}

bool shape_meet_name(const struct shape_search *search, unsigned attempt, char ret_name[static DNSNAME_SIZE])
{
    if (attempt >= ARRAY_LEN(fillers)) {
        return false;
    }
    size_t i = 0;
    size_t j = 0;
    size_t len = 0;
    while (i < search->a_len || j < search->b_len) {
        char a = i < search->a_len ? search->a[i] : '\0';
        char b = j < search->b_len ? search->b[j] : '\0';
        const char *put = "";
        size_t put_len = 0;
        if (a == '*' && b == '*') {
            put = fillers[attempt];
            put_len = strlen(put);
            bool first = takes(search, i + 1, j);
            i += first;
            j += !first;
        } else if (a == '*' && b != '\0' && b != '.' && takes(search, i, j + 1)) {
            put = &search->b[j++];
            put_len = 1;
        } else if (b == '*' && a != '\0' && a != '.' && takes(search, i + 1, j)) {
            put = &search->a[i++];
            put_len = 1;
        } else if (a == '*') {
            i++;
        } else if (b == '*') {
            j++;
        } else {
            put = &search->a[i++];
            put_len = 1;
            j++;
        }
        if (len + put_len > DNSNAME_MAX) {
            ret_name[0] = '\0'; /* no name; another attempt may be shorter */
            return true;
        }
        memcpy(ret_name + len, put, put_len);
        len += put_len;
    }
    ret_name[len] = '\0';
    return true;
}
