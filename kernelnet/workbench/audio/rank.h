/* The driver's half of the ABI audio/rank/1: keeps what there is to know of what came, and asks the component, one pure
 * function, for the next frame's delay. */

KN_POLICY("kn_delay")
extern f64 kn_delay(f64 last, f64 mean, f64 dev, f64 q95, f64 q99, f64 peak, f64 trend, f64 sincelate, f64 fill,
                    f64 current);

#define WINDOW 500u
#define BEFORE 5u
#define SMOOTHED (1.0 / 32)
#define FALLS (1.0 / 256)
#define LONGEST 10000u

static u32 came; /* frames, in all */
static f64 lasts[BEFORE];
static f64 last, mean, dev, peak, trend;
static u32 sincelate;
static i32 newest = -1; /* its number less that of the frame whose delay is asked for next */

/* --- quantiles of the last frames: how many of them have each transit, in whole ms -------------------------------- */

typedef struct {
    u32 permille;
    u32 at, upto; /* the quantile, and how many don't exceed it */
} quantile;

static unsigned short window[WINDOW];
static u32 count[KN_MOST_DELAY + 1];
static quantile q95 = {950, 0, 0}, q99 = {990, 0, 0};

static void changed(quantile *q, u32 transit, u32 by) {
    if (transit <= q->at) q->upto += by;
}

static void settle(quantile *q, u32 many) {
    u32 least = (many * q->permille + 999) / 1000;
    while (q->upto < least) q->upto += count[++q->at];
    while (q->at && q->upto - count[q->at] >= least) q->upto -= count[q->at--];
}

static void remember(u32 transit) {
    u32 ms = (transit + 999) / 1000, place = came % WINDOW;
    if (ms > KN_MOST_DELAY) ms = KN_MOST_DELAY;
    if (came >= WINDOW) {
        count[window[place]]--;
        changed(&q95, window[place], -1u);
        changed(&q99, window[place], -1u);
    }
    window[place] = (unsigned short)ms;
    count[ms]++;
    changed(&q95, ms, 1);
    changed(&q99, ms, 1);
    u32 many = came < WINDOW ? came + 1 : WINDOW;
    settle(&q95, many);
    settle(&q99, many);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void call_begins(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {}

static void frame_arrives(i32 ahead, u32 transit) {
    f64 x = (f64)transit / 1000.0;
    remember(transit);
    if (!came) mean = peak = x;
    mean += (x - mean) * SMOOTHED;
    dev += (__builtin_fabs(x - mean) - dev) * SMOOTHED;
    peak = kn_max(x, peak - (peak - mean) * FALLS);
    trend = came < BEFORE ? 0.0 : x - lasts[came % BEFORE];
    lasts[came % BEFORE] = x;
    last = x;
    if (ahead < -1) sincelate = 0;
    if (!came || ahead > newest) newest = ahead;
    came++;
}

static f64 wanted(u32 delay) {
    f64 target = kn_delay(last, mean, dev, (f64)q95.at, (f64)q99.at, peak, trend, (f64)sincelate, (f64)(newest + 1),
                          (f64)delay);
    if (sincelate < LONGEST) sincelate++;
    newest--; /* the next time another frame is asked for */
    return target;
}
