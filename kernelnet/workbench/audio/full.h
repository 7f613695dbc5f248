/* The driver's half of the ABI audio/full/1: the component itself answers. */

KN_POLICY("kn_init") extern void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms);
KN_POLICY("kn_arrive") extern void kn_arrive(i32 ahead, u32 transit);
KN_POLICY("kn_target") extern f64 kn_target(u32 delay);

static void call_begins(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {
    kn_init(late_ms, scale_cost, down_ms, up_ms, base_ms);
}

static void frame_arrives(i32 ahead, u32 transit) { kn_arrive(ahead, transit); }

static f64 wanted(u32 delay) { return kn_target(delay); }
