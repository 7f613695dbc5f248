/*
 * What a frame costs, in ms of delay: for the driver and for the optimum.
 *
 * The E-model's rating (ITU-T G.107) loses 0.024 a ms by delay and 0.11 a ms more beyond 177 ms, as Cole and Rosenbluth have
 * it (Voice over IP performance monitoring, ACM SIGCOMM CCR 31(2), 2001; they have 177.3).  Divided by 0.024, each ms costs 1,
 * and one beyond the knee 110/24 more.
 */
#define FRAME_US 20000
#define KNEE_MS 177

static u32 late_price, scale_price, base;

static void prices(u32 late_ms, u32 scale_cost, u32 base_ms) {
    late_price = late_ms;
    scale_price = scale_cost;
    base = base_ms;
}

/* Whether a frame counts: it came, and there is a delay with which it could have been played. */
static inline u32 scores(i32 transit) { return transit >= 0 && transit <= (i32)KN_MOST_DELAY * 1000; }

static inline u32 is_late(i32 transit, u32 delay) { return transit > (i32)delay * 1000; }

static inline u64 delay_costs(u32 delay) {
    u32 whole = delay + base;
    return delay + (whole > KNEE_MS ? 110ull * (whole - KNEE_MS) / 24 : 0);
}

static inline u64 scaling_costs(u32 changed) { return (u64)scale_price * changed; }

static inline u64 late_costs(i32 transit, u32 delay) { return is_late(transit, delay) ? late_price : 0; }
