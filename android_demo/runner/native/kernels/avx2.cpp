// x86-64 with AVX2 and FMA: every desktop and server since about 2015.
#include <immintrin.h>

#include "kernels.h"

namespace runner {
namespace avx2 {

#define LANES 8
#include "vectors.inl"

INLINE u32 mask(VI condition) { return u32(_mm256_movemask_ps((__m256)condition)); }

#include "floats.inl"
#include "map.inl"

// A shuffle looks up 32 indices in tables of 16 entries: 4 channels of 32 filters.
constexpr u32 CHANNELS = 4, ENTRY = 16, FLUSH = 21, BLOCK = 32;
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
INLINE void make_with(u8* to, const u32* a, const u32* b, u32 words, u32 indices, First first, Second second) {
  (void)words;
  for (u32 i = 0; i < indices; i++) {
    const u32 shift = i % 8 * 4;
    _mm_store_si128((__m128i*)to, _mm_add_epi8(first(a[i / 8] >> shift & 15), second(b[i / 8] >> shift & 15)));
    to += ENTRY;
  }
}

// The tables of all indices of a pair of pixels.
INLINE void make(u8* to, const u32* a, const u32* b, bool has_a, bool has_b, u32 words, u32 indices, bool ones) {
  const auto low = [](u32 v) { return entry(COUNTS.low[v]); };
  const auto high = [](u32 v) { return entry(COUNTS.high[v]); };
  const __m128i low_outside = ones ? entry(COUNTS.low[0]) : _mm_setzero_si128();
  const __m128i high_outside = ones ? entry(COUNTS.high[0]) : _mm_setzero_si128();
  const auto low_none = [=](u32) { return low_outside; };
  const auto high_none = [=](u32) { return high_outside; };
  // The pixel that is not there is not read.
  if (has_a && has_b) make_with(to, a, b, words, indices, low, high);
  else if (has_a) make_with(to, a, a, words, indices, low, high_none);
  else if (has_b) make_with(to, b, b, words, indices, low_none, high);
  else
    for (u32 i = 0; i < indices; i++) _mm_store_si128((__m128i*)(to + i * ENTRY), _mm_add_epi8(low_outside, high_outside));
}

struct Target;
template <int PAIRS>
static void tile(const u8* tables, u64 pitch, const u32* offsets, const u8* weights, u32 groups, const Target* targets);

typedef int64_t i64;
#include "tables.inl"

INLINE __m256i table(const u8* p) { return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i*)p)); }

template <int PAIRS>
static void tile(const u8* tables, u64 pitch, const u32* offsets, const u8* weights, u32 groups, const Target* targets) {
  const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  __m256i counts[PAIRS][4];
  for (int p = 0; p < PAIRS; p++)
    for (int k = 0; k < 4; k++) counts[p][k] = zero;
  while (groups) {
    u32 left = groups < FLUSH ? groups : FLUSH;
    groups -= left;
    __m256i all[PAIRS], high[PAIRS];
    for (int p = 0; p < PAIRS; p++) all[p] = high[p] = zero;
    do {
      const __m256i w0 = _mm256_loadu_si256((const __m256i*)weights), w1 = _mm256_loadu_si256((const __m256i*)weights + 1),
                    w2 = _mm256_loadu_si256((const __m256i*)weights + 2);
      const u8 *t0 = tables + offsets[0], *t1 = tables + offsets[1], *t2 = tables + offsets[2];
      offsets += 3, weights += 3 * BLOCK;
#pragma GCC unroll 4
      for (int p = 0; p < PAIRS; p++) {
        const u64 at = p * pitch;
        const __m256i x = _mm256_add_epi8(
            _mm256_add_epi8(_mm256_shuffle_epi8(table(t0 + at), w0), _mm256_shuffle_epi8(table(t1 + at), w1)),
            _mm256_shuffle_epi8(table(t2 + at), w2));
        all[p] = _mm256_add_epi8(all[p], x);
        high[p] = _mm256_add_epi8(high[p], _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
      }
    } while (--left);
#pragma GCC unroll 4
    for (int p = 0; p < PAIRS; p++) {
      const __m256i second = high[p];
      const __m256i first = _mm256_sub_epi8(all[p], _mm256_andnot_si256(low, _mm256_slli_epi16(second, 4)));
      counts[p][0] = _mm256_add_epi16(counts[p][0], _mm256_unpacklo_epi8(first, zero));
      counts[p][1] = _mm256_add_epi16(counts[p][1], _mm256_unpackhi_epi8(first, zero));
      counts[p][2] = _mm256_add_epi16(counts[p][2], _mm256_unpacklo_epi8(second, zero));
      counts[p][3] = _mm256_add_epi16(counts[p][3], _mm256_unpackhi_epi8(second, zero));
    }
  }
  for (int p = 0; p < 2 * PAIRS; p++) {
    if (!targets[p].to) continue;
    const __m256i signs = _mm256_set1_epi16(targets[p].signs);
    for (int k = 0; k < 2; k++) {
      const __m256i n = counts[p / 2][p % 2 * 2 + k];
      _mm256_storeu_si256((__m256i*)targets[p].to + k, _mm256_sub_epi16(signs, _mm256_add_epi16(n, n)));
    }
  }
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
