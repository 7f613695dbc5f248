/* What both grounds of a translated component have in common, native.h and bpf.h, once their types are there. */
#ifndef KN_GROUND_H
#define KN_GROUND_H

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "translated components need a little-endian machine"
#endif

#define KN_PAGE 65536u
#define KN_INSIDE static inline __attribute__((always_inline, unused))

/* What may go wrong. */
enum {
    KN_FINE,
    KN_UNREACHABLE,
    KN_OUT_OF_BOUNDS,
    KN_DIVIDE_BY_ZERO,
    KN_INTEGER_OVERFLOW,
    KN_BAD_CONVERSION,
    KN_BAD_CALL,
    KN_OUT_OF_FUEL,
    KN_STACK_OVERFLOW,
};

/* X(type) for each type that memory is read and written by. */
#define KN_EACH_ACCESS(X) X(u8) X(u16) X(u32) X(u64) X(i8) X(i16) X(i32) X(f32) X(f64)

#define KN_ROTATIONS(bits) \
    KN_INSIDE u##bits kn_rotl##bits(u##bits a, u##bits b) { return a << (b & (bits - 1)) | a >> (-b & (bits - 1)); } \
    KN_INSIDE u##bits kn_rotr##bits(u##bits a, u##bits b) { return a >> (b & (bits - 1)) | a << (-b & (bits - 1)); }
KN_ROTATIONS(32)
KN_ROTATIONS(64)

#endif
