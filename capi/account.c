#include "account.h"

#include "reactor.h"

/* Zero pages until a server has the slot with this number, as the slots. */
static struct account accounts[ACCOUNTS];

_Static_assert(sizeof(struct account) == 64, "a cache line each; account.go mirrors it");

struct account *account_at(uint32_t number)
{
    return &accounts[number & (ACCOUNTS - 1)];
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether who waits for the account has room now; account.go has the same. */
static bool roomy(const struct account *account)
{
    const uint64_t most = atomic_load_explicit(&account->most, memory_order_relaxed);
    const uint64_t queued = atomic_load_explicit(&account->queued, memory_order_relaxed);
    return queued == 0 || queued + least(ACCOUNT_ROOM, most) <= most;
}

void account_give(struct account *account, uint64_t n)
{
    uint32_t awaited = 1;
    atomic_fetch_sub(&account->queued, n); /* before awaited is read: who waits has set that before he looks at this */
    if (atomic_load(&account->awaited) != 0 && roomy(account) && atomic_compare_exchange_strong(&account->awaited, &awaited, 0))
        reactor_call();
}

uint64_t account_room(const struct account *account, uint64_t want, uint64_t own)
{
    const uint64_t mark = atomic_load_explicit(&account->high_water, memory_order_relaxed);
    const uint64_t most = atomic_load_explicit(&account->most, memory_order_relaxed);
    const uint64_t queued = atomic_load_explicit(&account->queued, memory_order_relaxed);
    if (own >= mark)
        return 0;
    const uint64_t floor = own < ACCOUNT_FLOOR ? ACCOUNT_FLOOR - own : 0;
    uint64_t room = queued < most ? most - queued : 0;
    if (room < floor)
        room = floor;
    return least(want, least(mark - own, room));
}

uint64_t account_take(struct account *account, uint64_t want, uint64_t own)
{
    const uint64_t mark = atomic_load_explicit(&account->high_water, memory_order_relaxed);
    const uint64_t most = atomic_load_explicit(&account->most, memory_order_relaxed);
    if (own >= mark)
        return 0;
    want = least(want, mark - own);
    const uint64_t floor = own < ACCOUNT_FLOOR ? ACCOUNT_FLOOR - own : 0;
    const uint64_t queued = atomic_fetch_add_explicit(&account->queued, want, memory_order_relaxed);
    uint64_t room = queued < most ? most - queued : 0;
    if (room < floor)
        room = floor;
    if (want <= room)
        return want;
    account_give(account, want - room);
    return room;
}

bool account_admit(struct account *account, uint64_t len)
{
    const uint64_t queued = atomic_fetch_add_explicit(&account->queued, len, memory_order_relaxed);
    if (len <= ACCOUNT_FLOOR || queued < atomic_load_explicit(&account->most, memory_order_relaxed))
        return true;
    account_give(account, len);
    return false;
}
