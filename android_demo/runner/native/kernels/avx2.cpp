// x86-64 with AVX2 and FMA: every desktop and server since about 2015.
#include <immintrin.h>

#include "kernels.h"

namespace runner {
namespace avx2 {

#define LANES 8
#include "vectors.inl"

INLINE V maximum(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE V load_part(const i16* p, int n) { return load(p + n * LANES); }
INLINE u32 masks(const VI* conditions) {
  return u32(_mm256_movemask_ps((__m256)conditions[0])) | u32(_mm256_movemask_ps((__m256)conditions[1])) << 8;
}

constexpr bool MULTIPLIES_LANES = false;  // A vector by a lane of another.
constexpr bool ADDS_DISTANCES = false, ADDS_PAIRS = false;
#include "floats.inl"
#include "map.inl"
#include "means.inl"

// A shuffle looks up 32 indices in tables of 16 entries: 4 channels of 32 filters.
// With four pairs, compilers spill.
constexpr u32 CHANNELS = 4, ENTRY = 16, CHUNK = 21, BLOCK = 32, TOGETHER = 1, MOST_PAIRS = 3;
constexpr u8 NOWHERE = 0x80;  // An index whose entry is 0.

// Unpacking the lower and upper bytes of each half of a vector then gives filters 0 to 15 and 16 to 31 in order.
constexpr u32 lane_of(u32 filter) { return (filter & 7) | (filter & 8) << 1 | (filter & 16) >> 1; }

struct Counts {
  alignas(64) u8 low[16][16], high[16][16];
  constexpr Counts() : low(), high() {
    for (int a = 0; a < 16; a++)
      for (int i = 0; i < 16; i++) {
        int n = 0;
        for (int b = 0; b < 4; b++) n += (a ^ i) >> b & 1;
        low[a][i] = u8(n), high[a][i] = u8(n << 4);
      }
  }
};
constexpr Counts COUNTS;

INLINE __m128i entry(const u8* p) { return _mm_load_si128((const __m128i*)p); }

template <class First, class Second>
INLINE void make_with(u8* to, u64 pitch, const u32* a, const u32* b, u32 indices, First first, Second second) {
  for (u32 i = 0; i < indices; i += 8) {
    const u32 v = *a++, w = *b++, some = indices - i < 8 ? indices - i : 8;
    for (u32 k = 0; k < some; k++, to += pitch)
      _mm_store_si128((__m128i*)to, _mm_add_epi8(first(v >> 4 * k & 15), second(w >> 4 * k & 15)));
  }
}

// The tables of all indices of a pair of pixels, null if they are not there.
template <u32 TOGETHER>
INLINE void make(u8* to, u64 pitch, const u32* a, const u32* b, u32 words, u32 indices, bool ones) {
  (void)words;
  const auto low = [](u32 v) { return entry(COUNTS.low[v]); };
  const auto high = [](u32 v) { return entry(COUNTS.high[v]); };
  const __m128i low_outside = ones ? entry(COUNTS.low[0]) : _mm_setzero_si128();
  const __m128i high_outside = ones ? entry(COUNTS.high[0]) : _mm_setzero_si128();
  const auto low_none = [=](u32) { return low_outside; };
  const auto high_none = [=](u32) { return high_outside; };
  if (a && b) make_with(to, pitch, a, b, indices, low, high);
  else if (a) make_with(to, pitch, a, a, indices, low, high_none);
  else if (b) make_with(to, pitch, b, b, indices, low_none, high);
  else
    for (u32 i = 0; i < indices; i++, to += pitch)
      _mm_store_si128((__m128i*)to, _mm_add_epi8(low_outside, high_outside));
}

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
  const u64 stride = KIND == ANYWHERE ? chunk.stride : KIND == NEIGHBOURS_BY_TWO ? 2 * ENTRY : ENTRY;
  const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  __m256i all[PAIRS], high[PAIRS];
  for (int p = 0; p < PAIRS; p++) all[p] = high[p] = zero;
  do {
    const __m256i w0 = bytes(indices), w1 = bytes(indices + BLOCK), w2 = bytes(indices + 2 * BLOCK);
    const u8* t0 = tables + offsets[0];
    const u8 *t1 = SHARED ? t0 + ENTRY : tables + offsets[1], *t2 = SHARED ? t0 + 2 * ENTRY : tables + offsets[2];
    offsets += SHARED ? 1 : 3, indices += 3 * BLOCK;
#pragma GCC unroll 4
    for (int p = 0; p < PAIRS; p++) {
      const u64 at = p * stride;
      const __m256i x = _mm256_add_epi8(
          _mm256_add_epi8(_mm256_shuffle_epi8(table(t0 + at), w0), _mm256_shuffle_epi8(table(t1 + at), w1)),
          _mm256_shuffle_epi8(table(t2 + at), w2));
      all[p] = _mm256_add_epi8(all[p], x);
      high[p] = _mm256_add_epi8(high[p], _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
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

extern const Kernels avx2_kernels;
const Kernels avx2_kernels = {
    "avx2",
    CPU_AVX2,
    avx2::packed_bytes,
    avx2::pack_tables,
    avx2::scratch_bytes,
    avx2::table_rows,
    avx2::make_row,
    avx2::tile_parts,
    avx2::tile_part,
    avx2::conv,
    avx2::depthwise,
    avx2::pool,
    avx2::dense,
    avx2::map,
    avx2::softmax,
};

}  // namespace runner
