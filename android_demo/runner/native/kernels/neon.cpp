// ARM64: NEON of ARMv8.0, which every 64-bit phone and board has.
#include <arm_neon.h>

#include "kernels.h"

namespace runner {
namespace neon {

#define LANES 4
#include "vectors.inl"

INLINE u32 mask(VI condition) {
  const uint32x4_t bits = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32((uint32x4_t)condition, bits));
}

#include "floats.inl"
#include "map.inl"

// A lookup in two registers costs what it costs in one, so tables have 32 entries: 5 channels. 16 filters are in the
// lanes of a vector, and a block is two of them.
constexpr u32 CHANNELS = 5, ENTRY = 32, FLUSH = 17, BLOCK = 32;
constexpr u8 NOWHERE = 0x80;  // An index whose entry is 0.
constexpr u32 lane_of(u32 filter) { return filter; }

struct Counts {
  alignas(64) u8 low[32][32], high[32][32];
  constexpr Counts() : low(), high() {
    for (int a = 0; a < 32; a++)
      for (int i = 0; i < 32; i++) {
        int n = 0;
        for (int b = 0; b < 5; b++) n += (a ^ i) >> b & 1;
        low[a][i] = u8(n), high[a][i] = u8(n << 4);
      }
  }
};
constexpr Counts COUNTS;

typedef int64_t i64;
INLINE u32 index_at(const u32* words, u32 count, u32 i);

// The tables of all indices of a pair of pixels. The pixel that is not there is not read.
INLINE void make(u8* to, const u32* a, const u32* b, bool has_a, bool has_b, u32 words, u32 indices, bool ones) {
  static const u8 zeros[32] = {};
  for (u32 i = 0; i < indices; i++, to += ENTRY) {
    const u8* low = has_a ? COUNTS.low[index_at(a, words, i)] : ones ? COUNTS.low[0] : zeros;
    const u8* high = has_b ? COUNTS.high[index_at(b, words, i)] : ones ? COUNTS.high[0] : zeros;
    vst1q_u8(to, vaddq_u8(vld1q_u8(low), vld1q_u8(high)));
    vst1q_u8(to + 16, vaddq_u8(vld1q_u8(low + 16), vld1q_u8(high + 16)));
  }
}

struct Target;
template <int PAIRS>
static void tile(const u8* tables, u64 pitch, const u32* offsets, const u8* weights, u32 groups, const Target* targets);

#include "tables.inl"

INLINE uint8x16x2_t table(const u8* p) {
  uint8x16x2_t t;  // Two loads become one of a pair; vld1q_u8_x2 would not.
  t.val[0] = vld1q_u8(p), t.val[1] = vld1q_u8(p + 16);
  return t;
}

template <int PAIRS>
static __attribute__((noinline)) void tile(const u8* tables, u64 pitch, const u32* offsets, const u8* weights,
                                           u32 groups, const Target* targets) {
  const uint8x16_t zero = vdupq_n_u8(0);
  uint16x8_t counts[PAIRS][2][2][2];  // Pixel of the pair, vector of filters, half of it.
  for (int p = 0; p < PAIRS; p++)
    for (int k = 0; k < 8; k++) counts[p][k >> 2][k >> 1 & 1][k & 1] = vdupq_n_u16(0);
  while (groups) {
    u32 left = groups < FLUSH ? groups : FLUSH;
    groups -= left;
    uint8x16_t all[PAIRS][2], high[PAIRS][2];
    for (int p = 0; p < PAIRS; p++)
      for (int f = 0; f < 2; f++) all[p][f] = high[p][f] = zero;
    do {
      uint8x16_t w[3][2];
      for (int k = 0; k < 3; k++)
        for (int f = 0; f < 2; f++) w[k][f] = vld1q_u8(weights + k * BLOCK + f * 16);
      const u8* t[3] = {tables + offsets[0], tables + offsets[1], tables + offsets[2]};
      offsets += 3, weights += 3 * BLOCK;
      for (int p = 0; p < PAIRS; p++) {
        uint8x16_t x[2];
        for (int k = 0; k < 3; k++) {
          const uint8x16x2_t entries = table(t[k] + p * pitch);
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
    } while (--left);
    for (int p = 0; p < PAIRS; p++)
      for (int f = 0; f < 2; f++) {
        const uint8x16_t second = high[p][f], first = vsubq_u8(all[p][f], vshlq_n_u8(second, 4));
        counts[p][0][f][0] = vaddw_u8(counts[p][0][f][0], vget_low_u8(first));
        counts[p][0][f][1] = vaddw_u8(counts[p][0][f][1], vget_high_u8(first));
        counts[p][1][f][0] = vaddw_u8(counts[p][1][f][0], vget_low_u8(second));
        counts[p][1][f][1] = vaddw_u8(counts[p][1][f][1], vget_high_u8(second));
      }
  }
  for (int p = 0; p < 2 * PAIRS; p++) {
    if (!targets[p].to) continue;
    const int16x8_t signs = vdupq_n_s16(targets[p].signs);
    for (int k = 0; k < 4; k++)
      vst1q_s16(targets[p].to + k * 8,
                vsubq_s16(signs, vreinterpretq_s16_u16(vshlq_n_u16(counts[p / 2][p % 2][k >> 1][k & 1], 1))));
  }
}

}  // namespace neon

extern const Kernels neon_kernels;
const Kernels neon_kernels = {
    "neon",
    CPU_NEON,
    neon::packed_bytes,
    neon::pack_tables,
    neon::scratch_bytes,
    neon::table_rows,
    neon::make_row,
    neon::tile_parts,
    neon::tile_part,
    neon::conv,
    neon::depthwise,
    neon::pool,
    neon::dense,
    neon::map,
    neon::softmax,
};

}  // namespace runner
