// x86-64 with AVX-512 and its population count: servers since Ice Lake, AMD's CPUs since Zen 4.
//
// A vector holds a word, 32 channels, of 16 filters, and a pixel's word is broadcast: xor, population count, add. Where a
// pixel has enough channels, words are counted together. Of three words x1, x2, x3 a full adder makes the sum
// s = x1 ^ x2 ^ x3 and the carry, and popcount(s) + 2 popcount(carry) is what they have in all: two counts instead of
// three. Weights and signs are kept as (x1, x2, s). The xor of both is of that form, too, so the sum costs nothing and the
// carry one ternary operation. Seven words are two such triples, whose sums and the seventh word are a third: three
// counts, by 1, 2 and 4. (Harley and Seal's counter, see Mula, Kurz and Lemire, "Faster Population Counts Using AVX2
// Instructions", 2016, section 4; here of words that are encoded beforehand.)
//
// No place outside the input is read. A map consists of rectangles of pixels whose taps inside are the same; a tile is so
// many pixels of a rectangle, wherever they lie, and takes only those taps. Places that count as +1 instead are written
// around a copy of the input.
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

typedef __m512i Bits;
constexpr u32 BLOCK = 16;  // Filters of a vector.

// How the words of a pixel are counted, and where they are read.
struct Geometry {
  u32 words, sevens, threes, singles;
  bool copied;         // The input lies in the scratch memory, encoded or between places that count as +1.
  u32 top, left;       // Such places before the first row and column ...
  u32 height, width;   // ... and the input's size with all of them.
  u32 blocks;
};

static Geometry geometry(const BinaryConv& c) {
  const Window& w = c.window;
  Geometry g;
  g.words = c.words(), g.sevens = g.words / 7, g.threes = g.words % 7 / 3, g.singles = g.words % 7 % 3;
  g.copied = c.ones || g.sevens || g.threes;
  g.top = g.left = 0, g.height = c.input.height, g.width = c.input.width;
  if (c.ones) {
    g.top = w.top, g.left = w.left;
    g.height = (c.output.height - 1) * w.stride_y + (w.height - 1) * w.dilation_y + 1;
    g.width = (c.output.width - 1) * w.stride_x + (w.width - 1) * w.dilation_x + 1;
  }
  g.blocks = (c.output.channels + BLOCK - 1) / BLOCK;
  return g;
}

// A block's weights: a vector for each word of each tap.
static u64 block_bytes(const BinaryConv& c) { return u64(c.window.height) * c.window.width * c.words() * sizeof(Bits); }
static u64 packed_bytes(const BinaryConv& c) { return geometry(c).blocks * block_bytes(c); }
static u64 scratch_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  if (!g.copied) return 64;
  const u64 pixels = u64(g.height) * g.width, bytes = u64(g.words) * 4;
  return pixels <= (u64(1) << 38) / bytes ? pixels * bytes : 0;
}

// Encodes a pixel's words, which are `step` apart.
INLINE void encode(const Geometry& g, u32* words, u64 step) {
  const auto add = [&](u32 to, u32 a, u32 b) INLINED { words[to * step] ^= words[a * step] ^ words[b * step]; };
  for (u32 n = 0; n < g.sevens; n++, words += 7 * step) add(2, 0, 1), add(5, 3, 4), add(6, 2, 5);
  for (u32 n = 0; n < g.threes; n++, words += 3 * step) add(2, 0, 1);
}

static void pack(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u32 taps = c.window.height * c.window.width;
  u32* to = (u32*)c.packed;
  for (u32 block = 0; block < g.blocks; block++)
    for (u32 tap = 0; tap < taps; tap++, to += g.words * BLOCK)
      for (u32 lane = 0; lane < BLOCK; lane++) {
        const u64 filter = u64(block) * BLOCK + lane;
        const u32* from = c.kernel + (filter * taps + tap) * g.words;
        for (u32 i = 0; i < g.words; i++) to[i * BLOCK + lane] = filter < c.output.channels ? from[i] : 0;
        encode(g, to + lane, BLOCK);
      }
}

static u32 copied_rows(const BinaryConv& c) {
  const Geometry g = geometry(c);
  return g.copied ? g.height : 0;
}
static void copy_row(const BinaryConv& c, u32 row) {
  const Geometry g = geometry(c);
  u32* to = (u32*)c.scratch + u64(row) * g.width * g.words;
  const u32 y = row - g.top;  // Beyond all rows, if that is negative.
  for (u32 column = 0; column < g.width; column++, to += g.words) {
    const u32 x = column - g.left;
    const u32* from = y < c.input.height && x < c.input.width ? c.input.at(y, x) : nullptr;
    for (u32 i = 0; i < g.words; i++) to[i] = from ? from[i] : 0;
    encode(g, to, 1);
  }
}

// Taps of a row or column of the output that lie inside.
INLINE Span taps_inside(u32 at, u32 stride, u32 dilation, u32 before, u32 taps, u32 size) {
  Span inside = {0, 0};
  for (u32 tap = 0; tap < taps; tap++) {
    const u32 place = at * stride + tap * dilation - before;  // Beyond the size, if that is negative.
    if (place >= size) continue;
    if (!inside.to) inside.from = tap;
    inside.to = tap + 1;
  }
  return inside;
}
INLINE bool same(const Span& a, const Span& b) { return a.from == b.from && a.to == b.to; }

// Words that are counted together: where they are in the input, from a pixel's first tap on, and among a block's weights.
struct Group {
  u32 from, weights;
};
// Those of a rectangle's taps: first all of seven words, then all of three, then single ones.
struct Groups {
  const Group* first;
  u32 sevens, threes, singles;
};

// Up to MOST pixels of a rectangle: where their first tap inside reads, in words, and where results go, in elements.
constexpr u32 MOST = 8;
struct Tile {
  Groups groups;
  u32 pixels;
  i16 signs;  // Of a dot product.
  u64 from[MOST], to[MOST];
};

constexpr int CARRY = 0xd4, ODD = 0x96, MAJORITY = 0xe8;  // Of (x1, x2, s), and of three bits.

INLINE Bits everywhere(const u32* word) { return _mm512_set1_epi32(int(*word)); }
INLINE Bits times(Bits sums, Bits counts, Bits factor) { return _mm512_dpwssd_epi32(sums, counts, factor); }

// Lets no operations of one pixel mix with those of the next: clang runs out of registers otherwise.
INLINE void one_by_one(Bits& sum) { __asm__ volatile("" : "+v"(sum)::"memory"); }

// Some blocks of filters.
struct Job {
  const u32* input;
  const Bits* weights;
  u64 next_weights;
  const Map2<i16>& map;
  u32 output, filters, blocks;
};

template <int COUNT>
static __attribute__((noinline)) void run_tile(const Job& job, const Tile& tile) {
  const Bits two = _mm512_set1_epi32(2), four = _mm512_set1_epi32(4);
  u64 from[COUNT];
  for (int p = 0; p < COUNT; p++) from[p] = tile.from[p];
  const Bits* weights = job.weights;
  u64 output = job.output;
  u32 filters = job.filters;
  for (u32 block = job.blocks; block; block--, weights += job.next_weights, output += BLOCK, filters -= BLOCK) {
    i16* const to = job.map.data + job.map.channel(output);
    Bits sums[COUNT];
    for (int p = 0; p < COUNT; p++) sums[p] = _mm512_setzero_si512();
    const Group* group = tile.groups.first;
    for (u32 n = tile.groups.sevens; n; n--, group++) {
      const Bits* const w = weights + group->weights;
      const u32* const a = job.input + group->from;
      const Bits w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6];
      unrolled<COUNT>([&](auto p) INLINED {
        const u32* const x = a + from[p.value];
        const Bits x0 = w0 ^ everywhere(x), x1 = w1 ^ everywhere(x + 1), s = w2 ^ everywhere(x + 2);
        const Bits c = _mm512_ternarylogic_epi32(x0, x1, s, CARRY);
        const Bits x3 = w3 ^ everywhere(x + 3), x4 = w4 ^ everywhere(x + 4), t = w5 ^ everywhere(x + 5);
        const Bits d = _mm512_ternarylogic_epi32(x3, x4, t, CARRY);
        const Bits all = w6 ^ everywhere(x + 6);
        const Bits e = _mm512_ternarylogic_epi32(s, t, all, CARRY);
        Bits& sum = sums[p.value];
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(all));
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(c, d, e, ODD)), two);
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(c, d, e, MAJORITY)), four);
        one_by_one(sum);
      });
    }
    for (u32 n = tile.groups.threes; n; n--, group++) {
      const Bits* const w = weights + group->weights;
      const u32* const a = job.input + group->from;
      const Bits w0 = w[0], w1 = w[1], w2 = w[2];
      unrolled<COUNT>([&](auto p) INLINED {
        const u32* const x = a + from[p.value];
        const Bits x0 = w0 ^ everywhere(x), x1 = w1 ^ everywhere(x + 1), s = w2 ^ everywhere(x + 2);
        Bits& sum = sums[p.value];
        sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(s));
        sum = times(sum, _mm512_popcnt_epi32(_mm512_ternarylogic_epi32(x0, x1, s, CARRY)), two);
        one_by_one(sum);
      });
    }
    for (u32 n = tile.groups.singles; n; n--, group++) {
      const Bits w = weights[group->weights];
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

typedef void RunTile(const Job&, const Tile&);
INLINE RunTile* tile_of(u32 pixels) {
  static_assert(MOST == 8, "one each");
  static RunTile* const RUN[] = {run_tile<1>, run_tile<2>, run_tile<3>, run_tile<4>,
                                 run_tile<5>, run_tile<6>, run_tile<7>, run_tile<8>};
  return RUN[pixels - 1];
}

// Parts: some rows times some blocks of filters.
constexpr u32 PART_PIXELS = 256, PART_BLOCKS = 8;
INLINE u32 part_rows(const BinaryConv& c) {
  const u32 rows = PART_PIXELS / c.output.width;
  return rows < 1 ? 1 : rows > c.output.height ? c.output.height : rows;
}
static u32 parts(const BinaryConv& c) {
  const u32 rows = part_rows(c);
  return (c.output.height + rows - 1) / rows * ((geometry(c).blocks + PART_BLOCKS - 1) / PART_BLOCKS);
}

// A list of tiles, which all blocks of filters go through: MOST_TILES, or fewer with MANY_GROUPS. A rectangle has at most
// as many groups as an int16 counts signs, should each tap be of one channel.
constexpr u32 MOST_TILES = 32, MANY_GROUPS = 1 << 11, MOST_GROUPS = 1 << 15;
struct List {
  u32 tiles, groups;
  Tile tile[MOST_TILES];
  Group group[MANY_GROUPS + MOST_GROUPS];
};

static Groups find_groups(const BinaryConv& c, const Geometry& g, const Span& rows, const Span& columns, u64 step,
                          List& list) {
  const Window& w = c.window;
  const u32 taps = (rows.to - rows.from) * (columns.to - columns.from);
  const u64 next_row = step * g.width * w.dilation_y, next_column = step * w.dilation_x;
  const Groups groups = {list.group + list.groups, g.sevens * taps, g.threes * taps, g.singles * taps};
  const auto add = [&](u32 count, u32 words, u32 first) {
    for (u32 ky = rows.from; ky < rows.to; ky++)
      for (u32 kx = columns.from; kx < columns.to; kx++)
        for (u32 n = 0, word = first; n < count; n++, word += words)
          list.group[list.groups++] = {u32((ky - rows.from) * next_row + (kx - columns.from) * next_column) + word,
                                       (ky * w.width + kx) * g.words + word};
  };
  add(g.sevens, 7, 0);
  add(g.threes, 3, g.sevens * 7);
  add(g.singles, 1, g.sevens * 7 + g.threes * 3);
  return groups;
}

static void convolve(const BinaryConv& c, u32 part) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  const u32 block_parts = (g.blocks + PART_BLOCKS - 1) / PART_BLOCKS, height = part_rows(c);
  const u32 first_block = part % block_parts * PART_BLOCKS, first_row = part / block_parts * height;
  const u32 last_block = first_block + PART_BLOCKS < g.blocks ? first_block + PART_BLOCKS : g.blocks;
  const u32 last_row = first_row + height < c.output.height ? first_row + height : c.output.height;
  // Words from a pixel to the next, and from a row to the next.
  const u64 step = g.copied ? g.words : c.input.stride, pitch = step * g.width, next = step * w.stride_x;
  const u64 next_weights = block_bytes(c) / sizeof(Bits);
  // So many blocks that their weights stay in the first cache from a tile to the next.
  const u32 together = u32((1 << 14) / block_bytes(c)) + 1;
  List list;
  list.tiles = list.groups = 0;
  Job job = {g.copied ? (const u32*)c.scratch : c.input.data, nullptr, next_weights, c.output, 0, 0, 0};
  const auto run_all = [&] {
    for (u32 block = first_block; block < last_block; block += job.blocks) {
      job.weights = (const Bits*)c.packed + block * next_weights, job.output = block * BLOCK;
      job.filters = c.output.channels - block * BLOCK;
      job.blocks = together < last_block - block ? together : last_block - block;
      // Weights of the blocks to come are fetched meanwhile, some for each tile.
      const char* ahead = (const char*)(job.weights + job.blocks * next_weights);
      const u64 lines = block + job.blocks < g.blocks ? job.blocks * next_weights : 0, each = lines / (list.tiles + 1) + 1;
      u64 line = 0;
      for (u32 n = 0; n < list.tiles; n++) {
        for (u64 end = line + each; line < end && line < lines; line++) __builtin_prefetch(ahead + line * sizeof(Bits), 0, 2);
        tile_of(list.tile[n].pixels)(job, list.tile[n]);
      }
    }
    list.tiles = 0;
  };
  const auto rows_inside = [&](u32 y) { return taps_inside(y, w.stride_y, w.dilation_y, w.top - g.top, w.height, g.height); };
  const auto columns_inside = [&](u32 x) { return taps_inside(x, w.stride_x, w.dilation_x, w.left - g.left, w.width, g.width); };
  for (u32 top = first_row, bottom; top < last_row; top = bottom) {
    const Span rows = rows_inside(top);
    for (bottom = top + 1; bottom < last_row && same(rows_inside(bottom), rows);) bottom++;
    for (u32 left = 0, right; left < c.output.width; left = right) {
      const Span columns = columns_inside(left);
      for (right = left + 1; right < c.output.width && same(columns_inside(right), columns);) right++;
      if (list.groups > MANY_GROUPS) run_all(), list.groups = 0;
      const Groups groups = find_groups(c, g, rows, columns, step, list);
      const i16 signs = i16((rows.to - rows.from) * (columns.to - columns.from) * c.input.channels);
      // As many pixels in all tiles of the rectangle, or one less.
      const u32 pixels = (bottom - top) * (right - left), wanted = (pixels + MOST - 1) / MOST;
      u32 y = top, x = left;
      u64 from = 0, to = 0;
      const auto begin_row = [&] {
        const u32 in_y = y * w.stride_y + rows.from * w.dilation_y + g.top - w.top;
        const u32 in_x = left * w.stride_x + columns.from * w.dilation_x + g.left - w.left;
        from = in_y * pitch + in_x * step, to = (u64(y) * c.output.width + left) * c.output.stride, x = left;
      };
      begin_row();
      for (u32 n = 0; n < wanted; n++) {
        Tile& tile = list.tile[list.tiles++];
        tile.groups = groups, tile.signs = signs, tile.pixels = pixels / wanted + (n < pixels % wanted);
        for (u32 p = 0; p < tile.pixels; p++) {
          tile.from[p] = from, tile.to[p] = to;
          from += next, to += c.output.stride;
          if (++x == right) y++, begin_row();
        }
        if (list.tiles == MOST_TILES) run_all();
      }
    }
  }
  run_all();
  if (!c.means.corners) return;
  const u32 from = first_block * BLOCK, end = last_block * BLOCK, to = end < c.output.channels ? end : c.output.channels;
  const u64 first = u64(first_row) * c.output.width, last = u64(last_row) * c.output.width;
  const u32 whole = from + (to - from) / SHORTS * SHORTS;
  add_pixels(c, c.means.sums_of(c, part), from, whole, first, last);
  shorter::add_pixels(c, c.means.sums_of(c, part), whole, to, first, last);
}

}  // namespace avx512

extern const Kernels avx512_kernels;
const Kernels avx512_kernels = {
    "avx512",
    CPU_AVX512,
    avx512::packed_bytes,
    avx512::pack,
    avx512::scratch_bytes,
    avx512::copied_rows,
    avx512::copy_row,
    avx512::parts,
    avx512::convolve,
    avx512::conv_in_blocks,
    avx512::shorter::depthwise,
    avx512::shorter::pool,
    avx512::shorter::dense,
    avx512::map,
    avx512::shorter::softmax,
};

}  // namespace runner
