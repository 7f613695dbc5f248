/* The driver's half of the ABI graphics/full/1: the component answers. */

KN_POLICY("kn_init") extern void kn_init(u32 period, u32 miss);
KN_POLICY("kn_vblank") extern f64 kn_vblank(u32 refreshes);
KN_POLICY("kn_commit") extern f64 kn_commit(u64 surface, u32 at);
KN_POLICY("kn_done") extern void kn_done(u32 work, u32 missed);

static u32 time_of(u32 commit);

static void begin(void) { kn_init(m.period, m.miss); }

static f64 frame_budget(u32 frame, u32 first, u32 end) {
    f64 budget = kn_vblank(m.refreshes[frame]);
    for (u32 i = first; i < end; i++) budget = kn_commit(m.salt[m.surface[i]], time_of(i));
    return budget;
}

static void frame_done(u32 frame, u32 first, u32 end, u32 missed) { kn_done(m.work[frame], missed); }
