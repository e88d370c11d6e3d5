// ARM64 with dot products (ARMv8.2), for CPUs that count bits in four vectors at a time and look up in two: Cortex-X1 and
// what was made of it. Others are faster with the tables of neon.cpp.
//
// A word of 16 filters is four vectors: `eor`, `cnt`, and `sdot` adds the counts of four bytes, with a factor, to a sum. Of
// a pixel's words x1, x2, ... parities are kept: p1 = x1, p2 = x1 ^ x2, p3 = x1 ^ x2 ^ x3, ... A full adder of what is
// counted so far, whose parity is p1, and of x2 and x3 has the carry
//   p2 ? x3 : p1,   where p2 is set x3 = ~p3,   so that it is   p2 ? ~p3 : p1
// and what remains to be counted is p3: two words cost two `eor`, one `bsl`, one `cnt` and one `sdot`, five instructions,
// where it takes six to count each by itself. The xor of two words' parities is the parity of their xor. Weights are kept as
// ~p3, ~p7, ~p11, ... in these places; carries at p5, p9, ... are complements then, whose counts are taken off what there
// would be were they all set.
// (Harley and Seal's counter, as in avx512.cpp, whose carries are not added up further: `sdot` multiplies for nothing.)
#include <arm_neon.h>

#include "kernels.h"

namespace runner {

extern const Kernels neon_kernels;
extern const FloatKernels neon_floats;

namespace dotprod {

#include "neon.inl"

typedef uint8x16_t Word;  // Four times the same.
constexpr u32 MOST = 2, KINDS = 1;
INLINE u32 words_of(u32, u32 words) { return words; }
INLINE bool is_encoded(u32) { return true; }

#include "bits.inl"

// Parities are kept of an odd number of words; the last one of an even number is counted alone.
INLINE u32 chain(u32 words) { return words - 1 | 1; }

static void encode_filter(u32* to, const u32* from, u32 words) {
  u32 parity = 0;
  for (u32 i = 0; i < chain(words); i++) parity ^= from[i], to[i * BLOCK] = i % 4 == 2 ? ~parity : parity;
  if (words % 2 == 0) to[(words - 1) * BLOCK] = from[words - 1];
}
static void encode_pixel(Word* to, const u32* from, u32 words) {
  const auto put = [&](u32 i, u32 word) INLINED { to[i] = vreinterpretq_u8_u32(vdupq_n_u32(word)); };
  u32 parity = 0;
  for (u32 i = 0; i < chain(words); i++) parity ^= from ? from[i] : 0, put(i, parity);
  if (words % 2 == 0) put(words - 1, from ? from[words - 1] : 0);
}

constexpr int VECTORS = sizeof(Bits) / sizeof(Word);

#include "dotprod_loops.inl"

static __attribute__((noinline)) void run_tile(const Job& job, const Tile& tile) {
  const u32 steps = chain(job.words) / 2;
  const u64 pairs = steps / 2, tail = (steps % 2 ? STEP : 0) | (job.words % 2 ? 0 : SINGLE);
  // As much as is taken off for each step should no carry be set, or all where complements are counted.
  const i32 start = tile.signs - i32(64 * steps * tile.groups.count[0]);
  const u32 second = tile.pixels - 1;  // A single pixel stands for two.
  const Word *const x0 = job.input + tile.from[0], *const x1 = job.input + tile.from[second];
  const Bits* weights = job.weights;
  u64 output = job.output;
  u32 filters = job.filters;
  for (u32 block = job.blocks; block; block--, weights += job.next_weights, output += BLOCK, filters -= BLOCK) {
    int32x4_t sums[MOST][VECTORS];
    for (u32 p = 0; p < MOST; p++)
      for (int32x4_t& sum : sums[p]) sum = vdupq_n_s32(start);
    const Group* group = tile.groups.first;
    for (u32 n = tile.groups.count[0]; n; n--, group++)
      add_tap(sums, x0 + group->from, x1 + group->from, weights + group->weights, pairs, tail);
    i16* const to = job.map.data + job.map.channel(output);
    for (u32 p = 0; p < MOST; p++) {
      int16x8_t results[VECTORS / 2];
      for (int v = 0; v < VECTORS / 2; v++)
        results[v] = vuzp1q_s16(vreinterpretq_s16_s32(sums[p][2 * v]), vreinterpretq_s16_s32(sums[p][2 * v + 1]));
      i16* const pixel = to + tile.to[p ? second : 0];
      if (filters >= BLOCK) __builtin_memcpy(pixel, results, sizeof results);
      else __builtin_memcpy(pixel, results, filters * sizeof(i16));
    }
  }
}

static RunTile* tile_of(u32) { return run_tile; }

static void convolve(const BinaryConv& c, u32 part) {
  const Area a = convolve_area(c, part);
  if (c.means.corners) add_pixels(c, c.means.sums_of(c, part), a.from, a.to, a.first, a.last);
}

constexpr Kernels kernels(const char* name, u64 needs, const Kernels* way_back) {
  return {name,         CPU_NEON | CPU_DOTPROD | needs,
          packed_bytes, pack,
          scratch_bytes, copied_rows,
          copy_row,     parts,
          convolve,     &neon_floats,
          way_back};
}

}  // namespace dotprod

// Threads may run on processors of several kinds, and these kernels lose on most of them; so they have a way back.
extern const Kernels dotprod_kernels, dotprod_only_kernels;
const Kernels dotprod_kernels = dotprod::kernels("dotprod", CPU_COUNTS_FASTER, &neon_kernels);
const Kernels dotprod_only_kernels = dotprod::kernels("dotprod-only", 0, nullptr);

}  // namespace runner
