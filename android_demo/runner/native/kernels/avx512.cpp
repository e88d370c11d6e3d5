// x86-64 with AVX-512 and its population count: servers since Ice Lake, AMD's CPUs since Zen 4.
//
// A vector holds a word, 32 channels, of 16 filters, and a pixel's word is broadcast: xor, population count, add. Where a
// pixel has enough channels, words are counted together. Of three words x1, x2, x3 a full adder makes the sum
// s = x1 ^ x2 ^ x3 and the carry, and popcount(s) + 2 popcount(carry) is what they have in all: two counts instead of
// three. Weights and signs are kept as (x1, x2, s). The xor of both is of that form, too, so the sum costs nothing and the
// carry one ternary operation. Seven words are two such triples, whose sums and the seventh word are a third: three
// counts, by 1, 2 and 4. (Harley and Seal's counter, see Mula, Kurz and Lemire, "Faster Population Counts Using AVX2
// Instructions", 2016, section 4; here of words that are encoded beforehand.)
#include <immintrin.h>

#include "kernels.h"

namespace runner {
namespace avx512 {

constexpr bool MULTIPLIES_LANES = false, ADDS_DISTANCES = false;

// Where channels seldom fill longer vectors, or memory is what counts, vectors are AVX2's.
namespace shorter {
#define LANES 8
#include "vectors.inl"
#include "floats.inl"
#include "means.inl"
}  // namespace shorter
#undef LANES
#undef INLINE
#undef INLINED

#define LANES 16
#include "vectors.inl"

INLINE V maximum(V a, V b) { return (V)_mm512_max_ps((__m512)a, (__m512)b); }
// gcc converts by halves what it loads by the vector extension, and makes a vector of a comparison's mask.
INLINE V load_part(const i16* p, int n) {
  return (V)_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i*)p + n)));
}
INLINE u32 below(const V* a, const V* b) { return _mm512_cmp_ps_mask((__m512)*a, (__m512)*b, _CMP_LT_OQ); }

#include "floats.inl"
#include "strips.inl"
#include "map.inl"
#include "means.inl"

// Whole blocks of channels with longer vectors, the rest with shorter ones.
static void conv_in_blocks(const Conv& job, u32 y) {
  const Conv c = job;
  const u32 o = conv_blocks(c, y, rows_of_taps(c, y), whole_columns(c));
  shorter::conv_rest(c, y, shorter::rows_of_taps(c, y), shorter::whole_columns(c), o);
}

typedef u32 Word;
constexpr u32 MOST = 8;
enum Kind : u32 { SEVENS, THREES, SINGLES, KINDS };
INLINE u32 words_of(u32 kind, u32) { return kind == SEVENS ? 7 : kind == THREES ? 3 : 1; }
INLINE bool is_encoded(u32 words) { return words >= 3; }

#include "bits.inl"

// Encodes words that are `step` apart.
INLINE void encode(u32* words, u32 count, u64 step) {
  const auto add = [&](u32 to, u32 a, u32 b) INLINED { words[to * step] ^= words[a * step] ^ words[b * step]; };
  for (; count >= 7; count -= 7, words += 7 * step) add(2, 0, 1), add(5, 3, 4), add(6, 2, 5);
  for (; count >= 3; count -= 3, words += 3 * step) add(2, 0, 1);
}
static void encode_filter(u32* to, const u32* from, u32 words) {
  for (u32 i = 0; i < words; i++) to[i * BLOCK] = from[i];
  encode(to, words, BLOCK);
}
static void encode_pixel(Word* to, const u32* from, u32 words) {
  for (u32 i = 0; i < words; i++) to[i] = from ? from[i] : 0;
  encode(to, words, 1);
}

typedef __m512i Vector;
constexpr int CARRY = 0xd4, ODD = 0x96, MAJORITY = 0xe8;  // Of (x1, x2, s), and of three bits.

INLINE Vector everywhere(const u32* word) { return _mm512_set1_epi32(int(*word)); }
INLINE Vector times(Vector sums, Vector counts, Vector factor) { return _mm512_dpwssd_epi32(sums, counts, factor); }

// Lets no operations of one pixel mix with those of the next: clang runs out of registers otherwise.
INLINE void one_by_one(Vector& sum) { __asm__ volatile("" : "+v"(sum)::"memory"); }

template <int COUNT>
static __attribute__((noinline)) void run_tile(const Job& job, const Tile& tile) {
  const Vector two = _mm512_set1_epi32(2), four = _mm512_set1_epi32(4);
  u64 from[COUNT];
  for (int p = 0; p < COUNT; p++) from[p] = tile.from[p];
  const Vector* weights = (const Vector*)job.weights;
  u64 output = job.output;
  u32 filters = job.filters;
  for (u32 block = job.blocks; block; block--, weights += job.next_weights, output += BLOCK, filters -= BLOCK) {
    i16* const to = job.map.data + job.map.channel(output);
    Vector sums[COUNT];
    for (int p = 0; p < COUNT; p++) sums[p] = _mm512_setzero_si512();
    const Group* group = tile.groups.first;
    for (u32 n = tile.groups.count[SEVENS]; n; n--, group++) {
      const Vector* const w = weights + group->weights;
      const u32* const a = job.input + group->from;
      const Vector w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6];
      unrolled<COUNT>([&](auto p) INLINED {
        const u32* const x = a + from[p.value];
        const Vector x0 = w0 ^ everywhere(x), x1 = w1 ^ everywhere(x + 1), s = w2 ^ everywhere(x + 2);
        const Vector c = _mm512_ternarylogic_epi32(x0, x1, s, CARRY);
        const Vector x3 = w3 ^ everywhere(x + 3), x4 = w4 ^ everywhere(x + 4), t = w5 ^ everywhere(x + 5);
        const Vector d = _mm512_ternarylogic_epi32(x3, x4, t, CARRY);
        const Vector all = w6 ^ everywhere(x + 6);
        const Vector e = _mm512_ternarylogic_epi32(s, t, all, CARRY);
        Vector& sum = sums[p.value];
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(all));
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(c, d, e, ODD)), two);
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(c, d, e, MAJORITY)), four);
        one_by_one(sum);
      });
    }
    for (u32 n = tile.groups.count[THREES]; n; n--, group++) {
      const Vector* const w = weights + group->weights;
      const u32* const a = job.input + group->from;
      const Vector w0 = w[0], w1 = w[1], w2 = w[2];
      unrolled<COUNT>([&](auto p) INLINED {
        const u32* const x = a + from[p.value];
        const Vector x0 = w0 ^ everywhere(x), x1 = w1 ^ everywhere(x + 1), s = w2 ^ everywhere(x + 2);
        Vector& sum = sums[p.value];
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(s));
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(x0, x1, s, CARRY)), two);
        one_by_one(sum);
      });
    }
    for (u32 n = tile.groups.count[SINGLES]; n; n--, group++) {
      const Vector w = weights[group->weights];
      const u32* const a = job.input + group->from;
      unrolled<COUNT>([&](auto p) INLINED {
        sums[p.value] = _mm512_add_epi32(sums[p.value], _mm512_popcnt_epi32(w ^ everywhere(a + from[p.value])));
      });
    }
    const __m256i signs = _mm256_set1_epi16(tile.signs);
    for (int p = 0; p < COUNT; p++) {
      const __m256i different = _mm512_cvtepi32_epi16(sums[p]);
      const __m256i results = _mm256_sub_epi16(signs, _mm256_add_epi16(different, different));
      if (filters >= BLOCK) _mm256_storeu_si256((__m256i*)(to + tile.to[p]), results);
      else _mm256_mask_storeu_epi16(to + tile.to[p], __mmask16((1 << filters) - 1), results);
    }
  }
}

static RunTile* tile_of(u32 pixels) {
  static_assert(MOST == 8, "one each");
  static RunTile* const RUN[] = {run_tile<1>, run_tile<2>, run_tile<3>, run_tile<4>,
                                 run_tile<5>, run_tile<6>, run_tile<7>, run_tile<8>};
  return RUN[pixels - 1];
}

#include "avx512_narrow.inl"

static u64 all_packed_bytes(const BinaryConv& c) {
  return narrow::suits(c) ? narrow::packed_bytes(c) : packed_bytes(c);
}
static void pack_all(const BinaryConv& c) { return narrow::suits(c) ? narrow::pack(c) : pack(c); }
static u64 all_scratch_bytes(const BinaryConv& c) { return narrow::suits(c) ? 64 : scratch_bytes(c); }
static u32 rows_to_copy(const BinaryConv& c) { return narrow::suits(c) ? 0 : copied_rows(c); }
static u32 all_parts(const BinaryConv& c) { return narrow::suits(c) ? narrow::parts(c) : parts(c); }

static void convolve(const BinaryConv& c, u32 part) {
  if (narrow::suits(c)) return narrow::convolve(c, part);
  const Area a = convolve_area(c, part);
  if (!c.means.corners) return;
  const u32 whole = a.from + (a.to - a.from) / SHORTS * SHORTS;
  add_pixels(c, c.means.sums_of(c, part), a.from, whole, a.first, a.last);
  shorter::add_pixels(c, c.means.sums_of(c, part), whole, a.to, a.first, a.last);
}

}  // namespace avx512

extern const FloatKernels avx512_floats;
const FloatKernels avx512_floats = {
    avx512::conv_in_blocks,
    avx512::shorter::depthwise,
    avx512::shorter::pool,
    avx512::shorter::dense,
    avx512::map,
    avx512::shorter::softmax,
};

extern const Kernels avx512_kernels;
const Kernels avx512_kernels = {
    "avx512",
    CPU_AVX512,
    avx512::all_packed_bytes,
    avx512::pack_all,
    avx512::all_scratch_bytes,
    avx512::rows_to_copy,
    avx512::copy_row,
    avx512::all_parts,
    avx512::convolve,
    &avx512_floats,
};

}  // namespace runner
