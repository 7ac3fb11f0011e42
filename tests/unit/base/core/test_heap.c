/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/core/heap.h"
#include "base/core/list.h"
#include "base/core/rng.h"

#define ITEMS 200

/* After every random step the first item is the least of those that are in. */
static void test_heap_behaves_like_an_array(void **state)
{
    struct heap_item items[ITEMS];
    struct rng rng;
    struct heap h;

    (void)state;
    rng_seeded_init(&rng, 11);
    heap_init(&h);
    for (int i = 0; i < ITEMS; i++)
        heap_item_init(&items[i]);
    assert_null(heap_first(&h));
    for (int step = 0; step < 5000; step++) {
        struct heap_item *it = &items[rng_below(&rng, ITEMS)];
        int64_t least = INT64_MAX;

        if (rng_below(&rng, 3) == 0)
            heap_remove(&h, it);
        else
            heap_put(&h, it, (int64_t)rng_below(&rng, 1000) - 500);
        for (int i = 0; i < ITEMS; i++)
            if (items[i].at != HEAP_NOWHERE && items[i].key < least)
                least = items[i].key;
        if (h.n == 0)
            assert_null(heap_first(&h));
        else
            assert_int_equal(heap_first(&h)->key, least);
    }
    heap_free(&h);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(items[i].at, HEAP_NOWHERE);
        heap_remove(&h, &items[i]); /* harmless */
    }
}

static void test_heap_gives_in_order(void **state)
{
    struct heap_item items[ITEMS];
    struct rng rng;
    struct heap h;
    int64_t last = INT64_MIN;

    (void)state;
    rng_seeded_init(&rng, 12);
    heap_init(&h);
    for (int i = 0; i < ITEMS; i++) {
        heap_item_init(&items[i]);
        heap_put(&h, &items[i], (int64_t)rng_below(&rng, 100));
    }
    for (int i = 0; i < ITEMS; i++) {
        struct heap_item *it = heap_first(&h);

        assert_true(it->key >= last);
        last = it->key;
        heap_remove(&h, it);
    }
    assert_null(heap_first(&h));
    heap_free(&h);
}

struct thing {
    int number;
    struct list link;
};

static void test_list(void **state)
{
    struct thing things[4];
    struct list head;
    int sum = 0;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    for (int i = 0; i < 4; i++) {
        things[i].number = i;
        list_init(&things[i].link);
        list_remove(&things[i].link); /* in no list: harmless */
    }
    list_add_tail(&head, &things[1].link);
    list_add_tail(&head, &things[2].link);
    list_add_head(&head, &things[0].link);
    LIST_EACH (it, &head)
        sum = sum * 10 + LIST_ENTRY(it, struct thing, link)->number;
    assert_int_equal(sum, 12); /* 0, 1, 2 */
    list_remove(&things[1].link);
    assert_true(list_is_empty(&things[1].link));
    assert_ptr_equal(LIST_ENTRY(head.next->next, struct thing, link), &things[2]);
    while (!list_is_empty(&head))
        list_remove(head.next);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_behaves_like_an_array),
        cmocka_unit_test(test_heap_gives_in_order),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
