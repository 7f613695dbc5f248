/*
 * The ground that a translated component stands on: an instance with its memory and fuel, and each instruction of WebAssembly
 * as C that has the same value to the bit.
 *
 * What goes wrong in a component ends its own call and nothing else: kn_trap leaves it by longjmp, and the instance answers no
 * further call.  There is no signal handler, and no state outside of instances: each may be used by another thread.
 */
#ifndef KN_NATIVE_H
#define KN_NATIVE_H

#include <float.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if FLT_EVAL_METHOD != 0 || defined(__FAST_MATH__)
#error "translated components need IEEE arithmetic in its own width: SSE2 on x86, and no -ffast-math"
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;
typedef double f64;

#include "ground.h"

#define KN_FUNCTION static
#define KN_DATA static const
#define KN_NOTHING void
#define KN_RARE __attribute__((noinline, cold, unused))

#define KN_STACK (256 << 10) /* bytes of the stack that nested calls may take, by an estimate that is never too low */

#ifndef KN_GLOBALS
#define KN_GLOBALS
#endif

typedef struct component {
    u8 *memory;
    u64 size; /* bytes of it that the module has */
    u64 room; /* bytes that it may have */
    i64 fuel;
    i32 stack, trapped;
    jmp_buf *escape;
    KN_GLOBALS /* the module's own, as the translation defines them */
} component;

__attribute__((noreturn)) KN_RARE static void kn_trap(component *m, int why) {
    m->trapped = why;
    longjmp(*m->escape, 1);
}

KN_INSIDE void kn_use(component *m, i64 fuel) {
    if (__builtin_expect((m->fuel -= fuel) < 0, 0)) kn_trap(m, KN_OUT_OF_FUEL);
}

KN_INSIDE void kn_enter(component *m, i64 fuel, i32 bytes) {
    kn_use(m, fuel);
    if (__builtin_expect((m->stack -= bytes) < 0, 0)) kn_trap(m, KN_STACK_OVERFLOW);
}

KN_INSIDE void kn_leave(component *m, i32 bytes) { m->stack += bytes; }

#define KN_LEFT /* where a function goes that goes wrong: nowhere, as kn_trap has left it */

/* --- memory: all that it may have is reserved at once, and taken from the system when it is written to --- */

KN_RARE static component *kn_make(u64 least, u64 most, i64 fuel) {
    component *m = calloc(1, sizeof *m);
    if (!m) return 0;
    m->size = least;
    m->room = most;
    m->fuel = fuel;
    if (most) {
        void *memory = mmap(0, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            free(m);
            return 0;
        }
        m->memory = memory;
    }
    return m;
}

KN_RARE static void kn_unmake(component *m) {
    if (m && m->room) munmap(m->memory, m->room);
    free(m);
}

KN_RARE static const char *kn_why(const component *m) {
    static const char *const words[] = {
        0, "unreachable", "out of bounds", "integer divide by zero", "integer overflow",
        "invalid conversion to integer", "a call of what is no such function", "out of fuel", "calls nested too deeply",
    };
    return words[m->trapped];
}

/* C{address + offset} can't wrap: both are of 32 bits. */
KN_INSIDE u8 *kn_at(component *m, u32 address, u32 offset, u32 bytes) {
    u64 at = (u64)address + offset;
    if (__builtin_expect(at + bytes > m->size, 0)) kn_trap(m, KN_OUT_OF_BOUNDS);
    return m->memory + at;
}

#define KN_LOAD(type) \
    KN_INSIDE type kn_load_##type(component *m, u32 address, u32 offset) { \
        type value; \
        memcpy(&value, kn_at(m, address, offset, sizeof value), sizeof value); \
        return value; \
    } \
    KN_INSIDE void kn_store_##type(component *m, u32 address, u32 offset, type value) { \
        memcpy(kn_at(m, address, offset, sizeof value), &value, sizeof value); \
    }
KN_EACH_ACCESS(KN_LOAD)

KN_INSIDE u32 kn_pages(component *m) { return (u32)(m->size / KN_PAGE); }

KN_RARE static u32 kn_grow(component *m, u32 pages, u32 most) {
    u64 before = m->size / KN_PAGE, after = before + pages;
    kn_use(m, 100);
    if (after > most || after * KN_PAGE > m->room) return 0xffffffffu;
    m->size = after * KN_PAGE;
    return (u32)before;
}

/* Sixteen bytes are as much work as an instruction. */
KN_RARE static void kn_fill(component *m, u32 to, u32 value, u32 bytes) {
    kn_use(m, bytes / 16);
    if ((u64)to + bytes > m->size) kn_trap(m, KN_OUT_OF_BOUNDS);
    if (bytes) memset(m->memory + to, (int)(value & 0xff), bytes);
}

KN_RARE static void kn_copy(component *m, u32 to, u32 from, u32 bytes) {
    kn_use(m, bytes / 16);
    if ((u64)to + bytes > m->size || (u64)from + bytes > m->size) kn_trap(m, KN_OUT_OF_BOUNDS);
    if (bytes) memmove(m->memory + to, m->memory + from, bytes);
}

KN_RARE static void kn_place(component *m, u32 to, const u8 *data, u32 bytes) {
    if ((u64)to + bytes > m->size) kn_trap(m, KN_OUT_OF_BOUNDS);
    if (bytes) memcpy(m->memory + to, data, bytes);
}

/* --- whole numbers --- */

#define KN_INTEGERS(bits, least, clz, ctz, popcount) \
    KN_INSIDE u##bits kn_clz##bits(u##bits a) { return a ? (u##bits)clz(a) : bits; } \
    KN_INSIDE u##bits kn_ctz##bits(u##bits a) { return a ? (u##bits)ctz(a) : bits; } \
    KN_INSIDE u##bits kn_popcnt##bits(u##bits a) { return (u##bits)popcount(a); } \
    KN_INSIDE u##bits kn_div_u##bits(component *m, u##bits a, u##bits b) { \
        if (!b) kn_trap(m, KN_DIVIDE_BY_ZERO); \
        return a / b; \
    } \
    KN_INSIDE u##bits kn_rem_u##bits(component *m, u##bits a, u##bits b) { \
        if (!b) kn_trap(m, KN_DIVIDE_BY_ZERO); \
        return a % b; \
    } \
    KN_INSIDE u##bits kn_div_s##bits(component *m, u##bits a, u##bits b) { \
        if (!b) kn_trap(m, KN_DIVIDE_BY_ZERO); \
        if (a == least && b == (u##bits)-1) kn_trap(m, KN_INTEGER_OVERFLOW); \
        return (u##bits)((i##bits)a / (i##bits)b); \
    } \
    KN_INSIDE u##bits kn_rem_s##bits(component *m, u##bits a, u##bits b) { \
        if (!b) kn_trap(m, KN_DIVIDE_BY_ZERO); \
        return b == (u##bits)-1 ? 0 : (u##bits)((i##bits)a % (i##bits)b); \
    }
KN_INTEGERS(32, 0x80000000u, __builtin_clz, __builtin_ctz, __builtin_popcount)
KN_INTEGERS(64, 0x8000000000000000ull, __builtin_clzll, __builtin_ctzll, __builtin_popcountll)

/* --- numbers with a point: every result that is none has the same bits; signs are moved as bits --- */

KN_INSIDE u32 kn_bits32(f32 a) { u32 bits; memcpy(&bits, &a, 4); return bits; }
KN_INSIDE u64 kn_bits64(f64 a) { u64 bits; memcpy(&bits, &a, 8); return bits; }
KN_INSIDE f32 kn_f32(u32 bits) { f32 a; memcpy(&a, &bits, 4); return a; }
KN_INSIDE f64 kn_f64(u64 bits) { f64 a; memcpy(&a, &bits, 8); return a; }

/* Equal numbers of min and max differ in the sign of zero alone. */
#define KN_FLOATS(bits, nan, sign, suffix) \
    KN_INSIDE f##bits kn_nan##bits(f##bits a) { return a == a ? a : kn_f##bits(nan); } \
    KN_INSIDE f##bits kn_abs##bits(f##bits a) { return kn_f##bits(kn_bits##bits(a) & ~sign); } \
    KN_INSIDE f##bits kn_neg##bits(f##bits a) { return kn_f##bits(kn_bits##bits(a) ^ sign); } \
    KN_INSIDE f##bits kn_copysign##bits(f##bits a, f##bits b) { \
        return kn_f##bits((kn_bits##bits(a) & ~sign) | (kn_bits##bits(b) & sign)); \
    } \
    KN_INSIDE u32 kn_eq##bits(f##bits a, f##bits b) { return a == b; } \
    KN_INSIDE u32 kn_ne##bits(f##bits a, f##bits b) { return a != b; } \
    KN_INSIDE u32 kn_lt##bits(f##bits a, f##bits b) { return a < b; } \
    KN_INSIDE u32 kn_gt##bits(f##bits a, f##bits b) { return a > b; } \
    KN_INSIDE u32 kn_le##bits(f##bits a, f##bits b) { return a <= b; } \
    KN_INSIDE u32 kn_ge##bits(f##bits a, f##bits b) { return a >= b; } \
    KN_INSIDE f##bits kn_add##bits(f##bits a, f##bits b) { return kn_nan##bits(a + b); } \
    KN_INSIDE f##bits kn_sub##bits(f##bits a, f##bits b) { return kn_nan##bits(a - b); } \
    KN_INSIDE f##bits kn_mul##bits(f##bits a, f##bits b) { return kn_nan##bits(a * b); } \
    KN_INSIDE f##bits kn_div##bits(f##bits a, f##bits b) { return kn_nan##bits(a / b); } \
    KN_INSIDE f##bits kn_ceil##bits(f##bits a) { return kn_nan##bits(__builtin_ceil##suffix(a)); } \
    KN_INSIDE f##bits kn_floor##bits(f##bits a) { return kn_nan##bits(__builtin_floor##suffix(a)); } \
    KN_INSIDE f##bits kn_trunc##bits(f##bits a) { return kn_nan##bits(__builtin_trunc##suffix(a)); } \
    KN_INSIDE f##bits kn_nearest##bits(f##bits a) { return kn_nan##bits(__builtin_rint##suffix(a)); } \
    KN_INSIDE f##bits kn_sqrt##bits(f##bits a) { return kn_nan##bits(__builtin_sqrt##suffix(a)); } \
    KN_INSIDE f##bits kn_min##bits(f##bits a, f##bits b) { \
        if (a != a || b != b) return kn_f##bits(nan); \
        if (a == b) return kn_f##bits(kn_bits##bits(a) | kn_bits##bits(b)); \
        return a < b ? a : b; \
    } \
    KN_INSIDE f##bits kn_max##bits(f##bits a, f##bits b) { \
        if (a != a || b != b) return kn_f##bits(nan); \
        if (a == b) return kn_f##bits(kn_bits##bits(a) & kn_bits##bits(b)); \
        return a > b ? a : b; \
    } \
    KN_INSIDE f##bits kn_convert_f##bits##_i32_s(u32 a) { return (f##bits)(i32)a; } \
    KN_INSIDE f##bits kn_convert_f##bits##_i32_u(u32 a) { return (f##bits)a; } \
    KN_INSIDE f##bits kn_convert_f##bits##_i64_s(u64 a) { return (f##bits)(i64)a; } \
    KN_INSIDE f##bits kn_convert_f##bits##_i64_u(u64 a) { return (f##bits)a; }
KN_FLOATS(32, 0x7fc00000u, 0x80000000u, f)
KN_FLOATS(64, 0x7ff8000000000000ull, 0x8000000000000000ull, )
KN_INSIDE f32 kn_demote(f64 a) { return kn_nan32((f32)a); }
KN_INSIDE f64 kn_promote(f32 a) { return kn_nan64((f64)a); }

/* In range are the numbers between C{below} and C{above}, or C{below} itself where C{least} is >=. */
#define KN_TRUNCATE(to, of, sign, type, least, below, above, lowest, highest) \
    KN_INSIDE u##to kn_trunc_i##to##_##of##_##sign(component *m, of a) { \
        if (a != a) kn_trap(m, KN_BAD_CONVERSION); \
        if (!(a least below && a < above)) kn_trap(m, KN_INTEGER_OVERFLOW); \
        return (u##to)(type)a; \
    } \
    KN_INSIDE u##to kn_sat_i##to##_##of##_##sign(of a) { \
        if (a != a) return 0; \
        if (!(a least below)) return lowest; \
        return a < above ? (u##to)(type)a : highest; \
    }
KN_TRUNCATE(32, f32, s, i32, >=, -0x1p31f, 0x1p31f, 0x80000000u, 0x7fffffffu)
KN_TRUNCATE(32, f32, u, u32, >, -1.0f, 0x1p32f, 0u, 0xffffffffu)
KN_TRUNCATE(32, f64, s, i32, >, -0x1.00000002p31, 0x1p31, 0x80000000u, 0x7fffffffu)
KN_TRUNCATE(32, f64, u, u32, >, -1.0, 0x1p32, 0u, 0xffffffffu)
KN_TRUNCATE(64, f32, s, i64, >=, -0x1p63f, 0x1p63f, 0x8000000000000000ull, 0x7fffffffffffffffull)
KN_TRUNCATE(64, f32, u, u64, >, -1.0f, 0x1p64f, 0ull, 0xffffffffffffffffull)
KN_TRUNCATE(64, f64, s, i64, >=, -0x1p63, 0x1p63, 0x8000000000000000ull, 0x7fffffffffffffffull)
KN_TRUNCATE(64, f64, u, u64, >, -1.0, 0x1p64, 0ull, 0xffffffffffffffffull)

/* --- the processor's ways with numbers: a host may have changed them, as -ffast-math does for whole programs --- */

#if defined(__x86_64__)
#define KN_ROUNDING 0x1f80u /* to nearest, subnormals kept, no exceptions */
KN_INSIDE u32 kn_rounding(void) {
    u32 found = __builtin_ia32_stmxcsr();
    if (__builtin_expect((found & ~0x3fu) != KN_ROUNDING, 0)) __builtin_ia32_ldmxcsr(KN_ROUNDING);
    return found;
}
KN_INSIDE void kn_rounding_back(u32 found) {
    if (__builtin_expect((found & ~0x3fu) != KN_ROUNDING, 0)) __builtin_ia32_ldmxcsr(found);
}
#elif defined(__aarch64__)
KN_INSIDE u32 kn_rounding(void) {
    u64 found;
    __asm__ volatile("mrs %0, fpcr" : "=r"(found));
    if (__builtin_expect(found != 0, 0)) __asm__ volatile("msr fpcr, %0" : : "r"((u64)0));
    return (u32)found;
}
KN_INSIDE void kn_rounding_back(u32 found) {
    if (__builtin_expect(found != 0, 0)) __asm__ volatile("msr fpcr, %0" : : "r"((u64)found));
}
#else
#error "translated components run on x86-64 and aarch64"
#endif

#endif
