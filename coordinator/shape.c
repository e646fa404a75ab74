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

/* Attempts differ in what is put in where both are free (an id is not empty, and a short one may belong to another
 * row), in which star ends first there, and in whether a star takes what it can or as little as it can. */
static const char *const fillers[] = {"1", "", "a", "x1", "7-z", "q0q"};
#define SECOND_ENDS_FIRST 1u
#define STARS_TAKE_LITTLE 2u
#define WAYS              4u

static bool takes(const struct shape_search *search, size_t i, size_t j)
{
    return i <= search->a_len && j <= search->b_len && search->meets[i][j] != 0;
}

struct walk {
    size_t i, j; /* in a and b */
    const char *put;
    size_t put_len;
};

/* One star faces a letter, a dot or the end of the other: takes it, or ends. */
static void step_star(const struct shape_search *search, bool star_in_a, bool little, struct walk *walk)
{
    size_t at = star_in_a ? walk->j : walk->i;
    const char *other = star_in_a ? search->b : search->a;
    bool at_end = at == (star_in_a ? search->b_len : search->a_len);
    size_t a_step = star_in_a ? 0 : 1;
    bool may_take = !at_end && other[at] != '.' && takes(search, walk->i + a_step, walk->j + 1 - a_step);
    bool may_end = takes(search, walk->i + 1 - a_step, walk->j + a_step);
    bool take = may_take && !(little && may_end);
    walk->put = &other[at];
    walk->put_len = take ? 1 : 0;
    walk->i += take ? a_step : 1 - a_step;
    walk->j += take ? 1 - a_step : a_step;
}

static void step(const struct shape_search *search, unsigned attempt, struct walk *walk)
{
    unsigned way = attempt % WAYS;
    char a = walk->i < search->a_len ? search->a[walk->i] : '\0';
    char b = walk->j < search->b_len ? search->b[walk->j] : '\0';
    if (a == '*' && b == '*') {
        bool second = (way & SECOND_ENDS_FIRST) != 0;
        bool first = takes(search, walk->i + 1, walk->j) && !(second && takes(search, walk->i, walk->j + 1));
        walk->put = fillers[attempt / WAYS];
        walk->put_len = strlen(walk->put);
        walk->i += first;
        walk->j += !first;
    } else if (a == '*' || b == '*') {
        step_star(search, a == '*', (way & STARS_TAKE_LITTLE) != 0, walk);
    } else {
        walk->put = &search->a[walk->i++];
        walk->put_len = 1;
        walk->j++;
    }
}

bool shape_meet_name(const struct shape_search *search, unsigned attempt, char ret_name[static DNSNAME_SIZE])
{
    struct walk walk = {0};
    size_t len = 0;
    ret_name[0] = '\0';
    if (attempt >= ARRAY_LEN(fillers) * WAYS) {
        return false;
    }
    while (walk.i < search->a_len || walk.j < search->b_len) {
        step(search, attempt, &walk);
        if (len + walk.put_len > DNSNAME_MAX) {
            ret_name[0] = '\0'; /* no name; another attempt may be shorter */
            return true;
        }
        memcpy(ret_name + len, walk.put, walk.put_len);
        len += walk.put_len;
    }
    ret_name[len] = '\0';
    return true;
}
