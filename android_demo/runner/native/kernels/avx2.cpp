// x86-64 with AVX2 and FMA: every desktop and server since about 2015.
#include <immintrin.h>

#include "kernels.h"

namespace runner {
namespace avx2 {

#define LANES 8
#include "vectors.inl"

INLINE V maximum(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE V load_part(const i16* p, int n) { return load(p + n * LANES); }
INLINE u32 below(const V* a, const V* b) {
  return u32(_mm256_movemask_ps((__m256)(a[0] < b[0]))) | u32(_mm256_movemask_ps((__m256)(a[1] < b[1]))) << 8;
}

constexpr bool MULTIPLIES_LANES = false;  // A vector by a lane of another.
constexpr bool ADDS_DISTANCES = false;
#include "floats.inl"
#include "strips.inl"
#include "map.inl"
#include "means.inl"

// A shuffle looks up 32 indices in tables of 16 entries: 4 channels of 32 filters.
// With four pairs, compilers spill.
constexpr u32 BLOCK = 32, MOST_PAIRS = 3;

// Unpacking the lower and upper bytes of each half of a vector then gives filters 0 to 15 and 16 to 31 in order.
constexpr u32 lane_of(u32 filter) { return (filter & 7) | (filter & 8) << 1 | (filter & 16) >> 1; }

#include "nibbles.inl"

typedef int64_t i64;
#include "tables.inl"

INLINE __m256i table(const u8* p) { return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i*)p)); }
INLINE __m256i bytes(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }

template <int PAIRS, int KIND>
INLINE void tile_at(const Chunk& chunk, const Place& place) {
  constexpr bool SHARED = KIND == NEIGHBOURS || KIND == NEIGHBOURS_BY_TWO;
  const u8 *tables = chunk.tables + place.tables, *indices = chunk.indices;
  const u32* offsets = chunk.offsets;
  u32 groups = chunk.groups;
  const u64 stride = KIND == ANYWHERE ? chunk.stride : ENTRY;
  const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  __m256i all[PAIRS], high[PAIRS];
  for (int p = 0; p < PAIRS; p++) all[p] = high[p] = zero;
  const auto count = [&](int p, __m256i x) INLINED {
    all[p] = _mm256_add_epi8(all[p], x);
    high[p] = _mm256_add_epi8(high[p], _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
  };
  do {
    const __m256i w[3] = {bytes(indices), bytes(indices + BLOCK), bytes(indices + 2 * BLOCK)};
    indices += 3 * BLOCK;
    __m256i x[PAIRS];
    if constexpr (SHARED) {
      // Table by table, each for up to three pairs: taken pair by pair, compilers spill a sum.
      constexpr int STEP = KIND == NEIGHBOURS ? 1 : 2;
      const u8* const t = tables + *offsets++;
      unrolled<STEP * (PAIRS - 1) + 3>([&](auto n) INLINED {
        const __m256i entries = table(t + n.value * ENTRY);
        unrolled<3>([&](auto back) INLINED {
          constexpr int k = 2 - back.value, from = decltype(n)::value - k, p = from / STEP;
          if constexpr (from >= 0 && from % STEP == 0 && p < PAIRS) {
            const __m256i found = _mm256_shuffle_epi8(entries, w[k]);
            x[p] = k ? _mm256_add_epi8(x[p], found) : found;
            if (k == 2) count(p, x[p]);
          }
        });
      });
    } else {
      const u8* const t[3] = {tables + offsets[0], tables + offsets[1], tables + offsets[2]};
      offsets += 3;
      unrolled<PAIRS>([&](auto p) INLINED {
        unrolled<3>([&](auto k) INLINED {
          const __m256i found = _mm256_shuffle_epi8(table(t[k.value] + p.value * stride), w[k.value]);
          x[p.value] = k.value ? _mm256_add_epi8(x[p.value], found) : found;
        });
        count(p.value, x[p.value]);
      });
    }
  } while (--groups);
  alignas(64) i16 nowhere[BLOCK];
  i16* const counters[2] = {chunk.to + place.to, place.second ? chunk.to + place.to + chunk.half : nowhere};
  const u64 steps[2] = {chunk.step, place.second ? chunk.step : 0};
#pragma GCC unroll 4
  for (int p = 0; p < PAIRS; p++) {
    const __m256i second = high[p];
    const __m256i first = _mm256_sub_epi8(all[p], _mm256_andnot_si256(low, _mm256_slli_epi16(second, 4)));
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      __m256i* to = (__m256i*)(counters[h] + p * steps[h]);
      __m256i left[2];
      if (chunk.first) left[0] = left[1] = _mm256_set1_epi16(place.starts[2 * p + h]);
      else left[0] = _mm256_loadu_si256(to), left[1] = _mm256_loadu_si256(to + 1);
      left[0] = _mm256_sub_epi16(left[0], _mm256_unpacklo_epi8(h ? second : first, zero));
      left[1] = _mm256_sub_epi16(left[1], _mm256_unpackhi_epi8(h ? second : first, zero));
      if (chunk.last) left[0] = _mm256_add_epi16(left[0], left[0]), left[1] = _mm256_add_epi16(left[1], left[1]);
      _mm256_storeu_si256(to, left[0]), _mm256_storeu_si256(to + 1, left[1]);
    }
  }
}

template <int PAIRS, int KIND>
static __attribute__((noinline)) void tile(const Chunk& chunk, const Place* place, u32 places) {
  for (const Place* const end = place + places; place != end; place++) tile_at<PAIRS, KIND>(chunk, *place);
}

}  // namespace avx2

extern const FloatKernels avx2_floats;
const FloatKernels avx2_floats = {avx2::conv, avx2::depthwise, avx2::pool, avx2::dense, avx2::map, avx2::softmax};

extern const Kernels avx2_kernels;
const Kernels avx2_kernels = {
    "avx2",
    CPU_AVX2,
    avx2::packed_bytes,
    avx2::pack_tables,
    avx2::scratch_bytes,
    avx2::table_parts,
    avx2::make_tables,
    avx2::tile_parts,
    avx2::tile_part,
    &avx2_floats,
};

}  // namespace runner
