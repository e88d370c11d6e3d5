// ARM64: NEON of ARMv8.0, which every 64-bit phone and board has.
#include <arm_neon.h>

#include "kernels.h"

namespace runner {
namespace neon {

#include "neon.inl"

INLINE V maximum(V a, V b) { return (V)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
// Vector n of a group: two share a load.
INLINE V load_part(const i16* p, int n) {
  const int16x8_t v = vld1q_s16(p + n / 2 * 8);
  return (V)vcvtq_f32_s32(n % 2 ? vmovl_high_s16(v) : vmovl_s16(vget_low_s16(v)));
}
INLINE u32 below(const V* a, const V* b) {
  const uint32x4_t bits[4] = {{1, 2, 4, 8}, {1 << 4, 1 << 5, 1 << 6, 1 << 7}, {1 << 8, 1 << 9, 1 << 10, 1 << 11},
                              {1 << 12, 1 << 13, 1 << 14, 1 << 15}};
  uint32x4_t all = vandq_u32((uint32x4_t)(a[0] < b[0]), bits[0]);
  for (int n = 1; n < 4; n++) {
    __asm__("" : "+w"(all));  // One `bit` for each, whatever the compiler knows of `all`.
    all = vbslq_u32(bits[n], (uint32x4_t)(a[n] < b[n]), all);
  }
  return vaddvq_u32(all);
}

constexpr bool MULTIPLIES_LANES = true;  // A vector by a lane of another.
#include "floats.inl"
#include "strips.inl"
#include "map.inl"

// A lookup in two registers costs what it costs in one, so tables have 32 entries: 5 channels. 16 filters are in the
// lanes of a vector, and a block is two of them.
constexpr u32 CHANNELS = 5, ENTRY = 32, CHUNK = 17, BLOCK = 32, TOGETHER = 3, MOST_PAIRS = 4;
constexpr u8 NOWHERE = 0x80;  // An index whose entry is 0.
constexpr u32 lane_of(u32 filter) { return filter; }

#include "counts.inl"

typedef int64_t i64;

INLINE uint8x16x2_t table(const u8* p) {
  uint8x16x2_t t;  // Two loads become one of a pair; vld1q_u8_x2 would not.
  t.val[0] = vld1q_u8(p), t.val[1] = vld1q_u8(p + 16);
  return t;
}

// 12 indices of a pixel of so many words from bit 60 i on. Nothing behind the pixel is read: the last 8 bytes are
// shifted further.
INLINE u64 twelve(const u32* pixel, u32 words, u32 i) {
  if (words == 1) return *pixel;
  const u32 wanted = i * 60 / 8, last = words * 4 - 8, at = wanted < last ? wanted : last;
  u64 v;
  __builtin_memcpy(&v, (const u8*)pixel + at, 8);
  return v >> (i * 60 - at * 8);
}
constexpr u32 TWELVE = 12;

// f(where its table is, index of the one pixel, of the other), for twelve indices.
template <u32 TOGETHER, u32 K = 0, class F>
INLINE void each_index(u64 a, u64 b, u8* to, u64 pitch, F f) {
  f(to + K % TOGETHER * 32, u32(a >> 5 * K) & 31, u32(b >> 5 * K) & 31);
  if constexpr (K + 1 < TWELVE) each_index<TOGETHER, K + 1>(a, b, K % TOGETHER + 1 < TOGETHER ? to : to + pitch, pitch, f);
}

template <u32 TOGETHER, class F>
INLINE void make_with(u8* to, u64 pitch, const u32* a, const u32* b, u32 words, u32 indices, F f) {
  u32 i = 0;
  for (; indices >= TWELVE; indices -= TWELVE, i++, to += TWELVE / TOGETHER * pitch)
    each_index<TOGETHER>(twelve(a, words, i), twelve(b, words, i), to, pitch, f);
  if (!indices) return;
  u64 v = twelve(a, words, i), w = twelve(b, words, i);
  for (u32 k = 0;; v >>= 5, w >>= 5) {
    f(to + k * 32, u32(v) & 31, u32(w) & 31);
    if (!--indices) return;
    if (++k == TOGETHER) k = 0, to += pitch;
  }
}

// The tables of all indices of a pair of pixels, null if they are not there.
template <u32 TOGETHER>
INLINE void make(u8* to, u64 pitch, const u32* a, const u32* b, u32 words, u32 indices, bool ones) {
  static const u8 zeros[32] = {};
  const uint8x16x2_t low = table(ones ? COUNTS.low[0] : zeros), high = table(ones ? COUNTS.high[0] : zeros);
  const auto put = [](u8* at, uint8x16x2_t x, uint8x16x2_t y) {
    vst1q_u8(at, vaddq_u8(x.val[0], y.val[0])), vst1q_u8(at + 16, vaddq_u8(x.val[1], y.val[1]));
  };
  if (a && b)
    make_with<TOGETHER>(to, pitch, a, b, words, indices,
              [=](u8* at, u32 v, u32 w) { put(at, table(COUNTS.low[v]), table(COUNTS.high[w])); });
  else if (a)
    make_with<TOGETHER>(to, pitch, a, a, words, indices, [=](u8* at, u32 v, u32) { put(at, table(COUNTS.low[v]), high); });
  else if (b)
    make_with<TOGETHER>(to, pitch, b, b, words, indices, [=](u8* at, u32, u32 w) { put(at, low, table(COUNTS.high[w])); });
  else
    for (u32 i = 0; i < indices; i++) put(to + i / TOGETHER * pitch + i % TOGETHER * 32, low, high);
}

#include "tables.inl"
#include "neon_loops.inl"

// The same with an offset for each lookup.
template <int PAIRS>
INLINE void count_anywhere(const u8* tables, const u32* offsets, const u8* indices, u32 groups, u64 stride,
                           uint8x16_t (*all)[2], uint8x16_t (*high)[2]) {
  for (int p = 0; p < PAIRS; p++)
    for (int f = 0; f < 2; f++) all[p][f] = high[p][f] = vdupq_n_u8(0);
  do {
    uint8x16_t w[3][2];
    for (int k = 0; k < 3; k++)
      for (int f = 0; f < 2; f++) w[k][f] = vld1q_u8(indices + k * BLOCK + f * 16);
    const u8* t[3] = {tables + offsets[0], tables + offsets[1], tables + offsets[2]};
    offsets += 3, indices += 3 * BLOCK;
    for (int p = 0; p < PAIRS; p++) {
      uint8x16_t x[2];
      for (int k = 0; k < 3; k++) {
        const uint8x16x2_t entries = table(t[k] + p * stride);
        for (int f = 0; f < 2; f++) {
          const uint8x16_t n = vqtbl2q_u8(entries, w[k][f]);
          x[f] = k ? vaddq_u8(x[f], n) : n;
        }
      }
      for (int f = 0; f < 2; f++) {
        all[p][f] = vaddq_u8(all[p][f], x[f]);
        high[p][f] = vsraq_n_u8(high[p][f], x[f], 4);
      }
    }
  } while (--groups);
}

template <int PAIRS, int KIND>
static __attribute__((noinline)) void tile(const Chunk& chunk, const Place* place, u32 places) {
  for (const Place* const end = place + places; place != end; place++) {
    uint8x16_t all[PAIRS][2], high[PAIRS][2];
    const u8* const tables = chunk.tables + place->tables;
    if constexpr (KIND == ANYWHERE) {
      constexpr int FIRST = PAIRS < 2 ? PAIRS : 2;  // With more at a time, compilers spill.
      const u64 stride = chunk.stride;
      count_anywhere<FIRST>(tables, chunk.offsets, chunk.indices, chunk.groups, stride, all, high);
      if constexpr (PAIRS > FIRST)
        count_anywhere<PAIRS - FIRST>(tables + FIRST * stride, chunk.offsets, chunk.indices, chunk.groups, stride,
                                      all + FIRST, high + FIRST);
    } else count<PAIRS, KIND>(tables, chunk.offsets, chunk.indices, chunk.groups, all, high);
    i16 nowhere[BLOCK];
    i16* const counters[2] = {chunk.to + place->to, place->second ? chunk.to + place->to + chunk.half : nowhere};
    const u64 steps[2] = {chunk.step, place->second ? chunk.step : 0};
    const auto flush = [&](auto first, auto last) INLINED {
      unrolled<2 * PAIRS>([&](auto pixel) INLINED {
        constexpr int p = pixel.value / 2, h = pixel.value % 2;
        i16* to = counters[h] + p * steps[h];
        uint16x8_t left[4];
        unrolled<4>([&](auto k) INLINED {
          left[k.value] = vreinterpretq_u16_s16(first.value ? vdupq_n_s16(place->starts[2 * p + h])
                                                            : vld1q_s16(to + 8 * k.value));
        });
        unrolled<2>([&](auto f) INLINED {
          const uint8x16_t upper = high[p][f.value];
          const uint8x16_t n = h ? upper : vmlsq_u8(all[p][f.value], upper, vdupq_n_u8(16));
          left[2 * f.value] = vsubw_u8(left[2 * f.value], vget_low_u8(n));
          left[2 * f.value + 1] = vsubw_high_u8(left[2 * f.value + 1], n);
        });
        unrolled<4>([&](auto k) INLINED {
          if (last.value) left[k.value] = vshlq_n_u16(left[k.value], 1);
          vst1q_s16(to + 8 * k.value, vreinterpretq_s16_u16(left[k.value]));
        });
      });
    };
    if (chunk.first) chunk.last ? flush(Constant<1>{}, Constant<1>{}) : flush(Constant<1>{}, Constant<0>{});
    else chunk.last ? flush(Constant<0>{}, Constant<1>{}) : flush(Constant<0>{}, Constant<0>{});
  }
}

}  // namespace neon

extern const FloatKernels neon_floats;
const FloatKernels neon_floats = {neon::conv, neon::depthwise, neon::pool, neon::dense, neon::map, neon::softmax};

extern const Kernels neon_kernels;
const Kernels neon_kernels = {
    "neon",
    CPU_NEON,
    neon::packed_bytes,
    neon::pack_tables,
    neon::scratch_bytes,
    neon::table_parts,
    neon::make_tables,
    neon::tile_parts,
    neon::tile_part,
    &neon_floats,
};

}  // namespace runner
