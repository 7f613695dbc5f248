/*
 * The ground that a translated component stands on in the kernel's BPF machine, where there are neither numbers with a point nor
 * jumps out of calls: see native.h for the other one.
 *
 * The instance is one value of a map.  Of its linear memory it has a window, which holds its data and as much behind and before as
 * there is room for; what lies outside, though the module might have it, is out of bounds.  What goes wrong is noted, spends all
 * fuel, and lets the call come to its end with whatever numbers; its result is dropped, and the instance answers no other.
 *
 * Each function is global, so that the kernel's verifier looks at it once, and not at each call.
 */
#ifndef KN_BPF_H
#define KN_BPF_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef u32 f32;
typedef u64 f64;

#include "ground.h"

#ifdef __bpf__
/* Weak, so that no caller knows what is in it, and leaves out parameters that it doesn't use: the verifier wants them. */
#define KN_SOFT __attribute__((noinline, weak))
#define KN_FUNCTION __attribute__((noinline, weak))
#else /* in a test's library: several of them don't know each other */
#define KN_SOFT static __attribute__((noinline, unused))
#define KN_FUNCTION static __attribute__((noinline, unused))
#endif
/* Not among constants that the linker may merge: libbpf looks for it in this section. */
#define KN_DATA static const volatile __attribute__((section(".rodata")))
#define KN_NOTHING u32 /* a global function has a result */
/* The compiler can't know what it is from here on, and must have it in a register. */
#define KN_OPAQUE(value) __asm__ volatile("" : "+r"(value))

typedef struct component {
    i64 fuel;
    u32 trapped, pages; /* what went wrong; pages of memory that the module has */
    u64 high, at;       /* the address behind the last of them that is in the window; where the last access was */
    u64 wide[KN_WIDE];  /* parameters of a function that has more than there are registers for */
    KN_GLOBALS
    u8 memory[KN_WINDOW + 8] __attribute__((aligned(8))); /* from the address KN_LOW on */
} component;

KN_INSIDE void kn_fault(component *m, u32 why) {
    m->trapped |= why & -((m->trapped - 1) >> 31); /* the first counts */
    m->fuel = 0;
}

#define kn_trap(m, why) do { kn_fault(m, why); goto out; } while (0)

/* may_goto (Linux 6.9), which clang 14 doesn't know: the verifier's own word that a loop ends.  Fuel is spent much earlier. */
#ifdef __bpf__
#define KN_MAY_END(label) \
    __asm__ volatile goto("1: .byte 0xe5; .byte 0; .long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .short 0" : : : : label)
#else
#define KN_MAY_END(label) do { } while (0)
#endif

#define kn_use(m, amount) do { \
    if ((m->fuel -= (amount)) < 0) kn_trap(m, KN_OUT_OF_FUEL); \
    KN_MAY_END(out); \
} while (0)
#define kn_enter(m, amount, bytes) do { \
    if (!m) return 0; \
    if ((m->fuel -= (amount)) < 0) kn_trap(m, KN_OUT_OF_FUEL); \
} while (0)
#define kn_leave(m, bytes) do { } while (0)
#define KN_LEFT out: __attribute__((unused)); return 0;

/* --- bits: clang 14 dies of its own __builtin_clzll for BPF; without branches, which the verifier would follow --- */

/* How many are set: by pairs, by fours, by bytes, all at once (Warren, Hacker's Delight, 5-1). */
KN_INSIDE u64 kn_ones(u64 x) {
    x -= x >> 1 & 0x5555555555555555ull;
    x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return x * 0x0101010101010101ull >> 56;
}

/* Zeros above the leading bit, and below the last one; 64 if there is none. */
KN_INSIDE u64 kn_above(u64 x) {
    x |= x >> 1;
    x |= x >> 2;
    x |= x >> 4;
    x |= x >> 8;
    x |= x >> 16;
    x |= x >> 32;
    return 64 - kn_ones(x);
}
KN_INSIDE u64 kn_below(u64 x) { return kn_ones(~x & (x - 1)); }

/* With much memory come loops over it: an access is a function of its own then, which the verifier looks at once. */
#if KN_WINDOW > KN_PAGE
#define KN_ACCESS KN_SOFT
#else
#define KN_ACCESS KN_INSIDE
#endif

/* --- memory --- */

/* Where it stands in the window; 0 if it is outside. */
KN_INSIDE u64 kn_at(component *m, u32 address, u32 offset, u32 bytes) {
    u64 at = (u64)address + offset;
    if (at < KN_LOW || at + bytes > (KN_GROWS ? m->high : KN_HIGH)) {
        kn_fault(m, KN_OUT_OF_BOUNDS);
        at = KN_LOW;
    }
    /* By way of memory: what comes from there the verifier doesn't trace back, so that it sees that all ways are alike. */
    *(volatile u64 *)&m->at = at - KN_LOW;
    at = *(volatile u64 *)&m->at;
    /* Once more for the verifier, on the register that is used. */
#if KN_WINDOW && !(KN_WINDOW & (KN_WINDOW - 1))
    return at & (KN_WINDOW - 1);
#else
    return at > KN_WINDOW ? 0 : at;
#endif
}

/* So many pages; the module's memory ends with them, or with the window. */
KN_INSIDE void kn_has(component *m, u32 pages) {
    u64 end = (u64)pages * KN_PAGE;
    m->pages = pages;
    m->high = end < KN_HIGH ? end : KN_HIGH;
}

#define KN_LOAD(type) \
    KN_ACCESS type kn_load_##type(component *m, u32 address, u32 offset) { \
        if (!m) return 0; \
        return *(type *)(m->memory + kn_at(m, address, offset, sizeof(type))); \
    } \
    KN_ACCESS u32 kn_store_##type(component *m, u32 address, u32 offset, type value) { \
        if (!m) return 0; \
        *(type *)(m->memory + kn_at(m, address, offset, sizeof(type))) = value; \
        return 0; \
    }
KN_EACH_ACCESS(KN_LOAD)

KN_INSIDE u32 kn_pages(component *m) { return m->pages; }

KN_FUNCTION u32 kn_grow(component *m, u32 pages, u32 most) {
    u32 before;
    kn_enter(m, 100, 0);
    before = m->pages;
    if ((u64)before + pages > most) return 0xffffffffu;
    kn_has(m, before + pages);
    return before;
    KN_LEFT
}

KN_INSIDE u32 kn_isOutside(component *m, u32 address, u32 bytes) {
    u64 end = (u64)address + bytes;
    if (end > (u64)m->pages * KN_PAGE) return 1;
    return bytes && (address < KN_LOW || end > KN_HIGH);
}

KN_FUNCTION u32 kn_fill(component *m, u32 to, u32 value, u32 bytes) {
    u32 i;
    kn_enter(m, bytes / 16, 0);
    if (kn_isOutside(m, to, bytes)) kn_trap(m, KN_OUT_OF_BOUNDS);
    for (i = 0; i < bytes; i++) {
        KN_MAY_END(out);
        kn_store_u8(m, to, i, (u8)value);
    }
    KN_LEFT
}

KN_FUNCTION u32 kn_copy(component *m, u32 to, u32 from, u32 bytes) {
    u32 i;
    kn_enter(m, bytes / 16, 0);
    if (kn_isOutside(m, to, bytes) || kn_isOutside(m, from, bytes)) kn_trap(m, KN_OUT_OF_BOUNDS);
    for (i = 0; i < bytes; i++) {
        u32 at = to <= from ? i : bytes - 1 - i;
        KN_MAY_END(out);
        kn_store_u8(m, to, at, kn_load_u8(m, from, at));
    }
    KN_LEFT
}

/* --- whole numbers; BPF divides without a sign alone --- */

#define KN_INTEGERS(bits, least) \
    KN_INSIDE u##bits kn_popcnt##bits(u##bits a) { return (u##bits)kn_ones(a); } \
    KN_INSIDE u##bits kn_clz##bits(u##bits a) { return (u##bits)kn_above(a) - (64 - bits); } \
    KN_INSIDE u##bits kn_ctz##bits(u##bits a) { return a ? (u##bits)kn_below(a) : bits; } \
    KN_INSIDE u##bits kn_div_u##bits(component *m, u##bits a, u##bits b) { \
        if (b) return a / b; \
        kn_fault(m, KN_DIVIDE_BY_ZERO); \
        return 0; \
    } \
    KN_INSIDE u##bits kn_rem_u##bits(component *m, u##bits a, u##bits b) { \
        if (b) return a % b; \
        kn_fault(m, KN_DIVIDE_BY_ZERO); \
        return 0; \
    } \
    KN_INSIDE u##bits kn_size##bits(u##bits a) { return a >> (bits - 1) ? -a : a; } \
    KN_INSIDE u##bits kn_div_s##bits(component *m, u##bits a, u##bits b) { \
        u##bits q = kn_div_u##bits(m, kn_size##bits(a), kn_size##bits(b)); \
        if (a == least && b == (u##bits)-1) kn_fault(m, KN_INTEGER_OVERFLOW); \
        return (a ^ b) >> (bits - 1) ? -q : q; \
    } \
    KN_INSIDE u##bits kn_rem_s##bits(component *m, u##bits a, u##bits b) { \
        u##bits r = kn_rem_u##bits(m, kn_size##bits(a), kn_size##bits(b)); \
        return a >> (bits - 1) ? -r : r; \
    }
KN_INTEGERS(32, 0x80000000u)
KN_INTEGERS(64, 0x8000000000000000ull)

#include "soft_float.h"

#endif
