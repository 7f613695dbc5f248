/*
 * The clairvoyant reference, part of driver.c: of the ready tasks those run that have the shortest time to run left; of equal
 * ones that which came first.  With one CPU and no cost of switches nothing has a lower mean response time (Schrage, A
 * proof of the optimality of the shortest remaining processing time discipline, Operations Research 16(3), 1968).  It is
 * no bound for slowdowns, which a task's size divides, nor with more CPUs.
 */
static u32 *waiting, *place, waitings; /* the ready slots that don't run, in no order; by slot: where it is among them */

static void kn_init(u32 slots, u32 cpus, u64 quantum) {
    waiting = (u32 *)m.adapter;
    place = waiting + slots;
    waitings = 0;
}

static void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 time) {
    place[slot] = waitings;
    waiting[waitings++] = slot;
}

static u32 kn_pick(u64 time) {
    u32 best = waiting[0];
    for (u32 i = 1; i < waitings; i++) {
        u32 slot = waiting[i];
        if (m.left[slot] < m.left[best] || (m.left[slot] == m.left[best] && m.task[slot] < m.task[best])) best = slot;
    }
    u32 moved = waiting[--waitings];
    waiting[place[best]] = moved;
    place[moved] = place[best];
    return best;
}

static void kn_ran(u32 slot, u64 ran, u64 time) { kn_arrive(slot, 0, 0, 0, time); }

static void kn_done(u32 slot, u64 ran, u64 time) {}
