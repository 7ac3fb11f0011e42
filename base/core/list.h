/* SPDX-License-Identifier: ISC */
/* base/core/list.h - intrusive doubly linked list.
 *
 * The link lives in the element, so adding and removing cannot fail. A head is a link
 * that points at itself; an element that is in no list does too. */
#ifndef BASE_CORE_LIST_H
#define BASE_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The struct that holds `field` at address `link`. */
#define LIST_ENTRY(link, type, field)                                                    \
    ((type *)(void *)((char *)(link)-offsetof(type, field)))
/* `it` is a struct list *; do not remove `it` inside (take the head in a loop for that). */
#define LIST_EACH(it, head)                                                              \
    for (struct list *it = (head)->next; it != (head); it = it->next)

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}
static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_add_tail(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void list_add_head(struct list *head, struct list *l)
{
    list_add_tail(head->next, l);
}
/* Safe on an element that is in no list. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#endif
