// x86-64 with AMX: Intel's servers since Sapphire Rapids. What it has beyond AVX-512 is registers of 16 rows of 64 bytes
// each, and TDPBSSD: 16 pixels of 64 channels times 16 filters of them, 16,384 products of bytes, are added to 16 x 16
// sums.
//
// Signs become bytes, +1 and -1, and places outside the input 0 or 1, before each convolution. Pixels lie in rows one
// behind the other, 64 channels at a time, so that what a tap reads of 16 neighbours is 16 rows of a register, `offset`
// behind what the first tap reads. With a stride, pixels that a tap reads lie in planes of their own. Between two rows
// are as many places outside as a window needs: sums there are computed and left out. Weights stay bits until they are
// used: 16 filters become bytes once for up to 80 pixels.
//
// While the core's other hardware thread is busy, with another virtual machine say, loads into registers and products do
// not overlap any more: a product takes 45 to 80 cycles instead of 16 (Emerald Rapids), and AVX-512 is faster. So there are
// two entries: one for AMX alone, and one with a way back (core/watch.h).
#include "kernels.h"

#ifdef HAS_AMX
#include <immintrin.h>

namespace runner {

extern const Kernels avx512_kernels;
extern const FloatKernels avx512_floats;

namespace amx {

constexpr bool ADDS_DISTANCES = false;

#define LANES 16
#include "vectors.inl"
#include "means.inl"

#define AMX_FUNCTION __attribute__((target("amx-tile,amx-int8"), noinline))

constexpr u32 CHUNK = 64, ROWS = 16, FILTERS = 16;  // Channels, pixels and filters of a register.
constexpr u32 PAIR = 2 * FILTERS;                   // Filters whose results are written together.
constexpr u32 MOST_TILES = 5;                       // Registers of sums; two are for signs, one for weights.
constexpr u32 TILE = ROWS * FILTERS;
constexpr u32 MOST_TAPS = 64;

// Where AMX is worth its bytes. All else is left to AVX-512: narrow layers, where its bits are as fast, and whatever no
// network has.
static bool suits(const BinaryConv& c) {
  const Window& w = c.window;
  const u32 taps = w.height * w.width, channels = c.input.channels;
  if (channels % CHUNK || c.output.channels % PAIR || taps > MOST_TAPS) return false;
  if (w.stride_y > 4 || w.stride_x > 4 || w.dilation_y > 4 || w.dilation_x > 4) return false;
  return channels >= (taps > 1 ? 128 : 512);
}

// Pixels as bytes: (chunks, planes, `plane` places of CHUNK). A row is `pitch` places long.
struct Grid {
  u32 chunks, planes, rows, pitch, shared;
  // Registers of sums are `height` places each. In a row of them are `across`, and a row is `down` rows of pixels; or all
  // are one row, and a register begins where the one before it ends.
  u32 height, across, down, tiles, groups;
  u64 plane;
  u64 first_place(u32 tile) const { return u64(tile / across) * down * pitch + u64(tile % across) * height; }
};

static Grid grid(const BinaryConv& c) {
  const Window& w = c.window;
  const u32 width = c.output.width;
  Grid g;
  const u32 below = (w.height - 1) * w.dilation_y / w.stride_y, behind = (w.width - 1) * w.dilation_x / w.stride_x;
  // Places behind a row that are outside may be those before the next one, too.
  g.shared = 0;
  if (w.stride_x == 1 && width + behind > w.left + c.input.width) {
    const u32 right = width + behind - w.left - c.input.width, less = right < w.left ? right : w.left;
    g.shared = less < behind ? less : behind;
  }
  g.chunks = c.input.channels / CHUNK, g.planes = w.stride_y * w.stride_x;
  g.rows = c.output.height + below, g.pitch = width + behind - g.shared;
  const u64 places = u64(c.output.height - 1) * g.pitch + width;
  g.height = ROWS, g.down = c.output.height, g.tiles = g.across = u32((places + ROWS - 1) / ROWS);
  // A product takes as many cycles as registers have rows. So rows of pixels are taken apart, if that takes no more
  // registers.
  u32 height, across = 1, down = 1;
  if (width > ROWS) across = (width + ROWS - 1) / ROWS, height = (width + across - 1) / across;
  else {
    down += (ROWS - width) / g.pitch;
    if (down > c.output.height) down = c.output.height;
    height = (down - 1) * g.pitch + width;
  }
  const u32 tiles = (c.output.height + down - 1) / down * across;
  if (tiles <= g.tiles) g.height = height, g.across = across, g.down = down, g.tiles = tiles;
  g.groups = (g.tiles + MOST_TILES - 1) / MOST_TILES;
  const u64 end = g.first_place(g.tiles - 1) + g.height;
  g.plane = (end < places ? places : end) + u64(below) * g.pitch + behind;
  return g;
}

static u64 packed_bytes(const BinaryConv& c) {
  if (!suits(c)) return avx512_kernels.packed_bytes(c);
  return u64(c.output.channels) * c.window.height * c.window.width * c.input.channels / 8;
}

// (blocks of filters, chunks, taps, 16), a word being a row of a register: four channels of each filter. Of a pair of blocks
// one has the even filters, the other one the odd ones: results of both, 16 bits each, then lie side by side.
static void pack(const BinaryConv& c) {
  if (!suits(c)) return avx512_kernels.pack(c);
  const u32 taps = c.window.height * c.window.width, chunks = c.input.channels / CHUNK, words = c.words();
  u64* to = (u64*)c.packed;
  for (u32 first = 0; first < c.output.channels; first += FILTERS)
    for (u32 chunk = 0; chunk < chunks; chunk++)
      for (u32 tap = 0; tap < taps; tap++)
        for (u32 channel = 0; channel < CHUNK; channel += 4) {
          u64 row = 0;
          for (u32 n = 0; n < FILTERS; n++) {
            const u32 filter = first / PAIR * PAIR + 2 * n + first / FILTERS % 2;
            const u32 word = c.kernel[(u64(filter) * taps + tap) * words + chunk * 2 + channel / 32];
            row |= u64(word >> channel % 32 & 15) << 4 * n;
          }
          *to++ = row;
        }
}

static u64 scratch_bytes(const BinaryConv& c) {
  if (!suits(c)) return avx512_kernels.scratch_bytes(c);
  const Grid g = grid(c);
  const u64 bytes = u64(g.chunks) * g.planes * CHUNK;
  return g.plane <= (u64(1) << 38) / bytes ? g.plane * bytes : 0;
}

// A row of all planes and chunks.
static u32 prepare_parts(const BinaryConv& c) { return suits(c) ? grid(c).rows : avx512_kernels.prepare_parts(c); }
static void prepare(const BinaryConv& c, u32 row) {
  if (!suits(c)) return avx512_kernels.prepare(c, row);
  const Grid g = grid(c);
  const Window& w = c.window;
  const __m512i plus = _mm512_set1_epi8(1), minus = _mm512_set1_epi8(-1);
  const __m512i outside = _mm512_set1_epi8(c.ones ? 1 : 0);
  const u32 columns = row + 1 < g.rows ? g.pitch : g.pitch + g.shared;
  for (u32 plane = 0; plane < g.planes; plane++) {
    const u32 y = row * w.stride_y + plane / w.stride_x - w.top;  // Beyond the size, if that is negative.
    for (u32 column = 0; column < columns; column++) {
      const u32 x = column * w.stride_x + plane % w.stride_x - w.left;
      const bool inside = y < c.input.height && x < c.input.width;
      const u32* from = inside ? c.input.at(y, x) : nullptr;
      __m512i* to = (__m512i*)c.scratch + plane * g.plane + u64(row) * g.pitch + column;
      for (u32 chunk = 0; chunk < g.chunks; chunk++, to += g.planes * g.plane) {
        u64 bits = 0;
        if (inside) __builtin_memcpy(&bits, from + 2 * chunk, sizeof bits);
        *to = inside ? _mm512_mask_blend_epi8(bits, plus, minus) : outside;
      }
    }
  }
}

// AMX's instructions. The compilers' own functions for them do not tell that memory is read and written.
template <int T>
INLINE void load_tile(const void* from) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(u64(64)), "i"(T) : "memory");
}
template <int T>
INLINE void store_tile(void* to) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(u64(64)), "i"(T) : "memory");
}
template <int T>
INLINE void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(T));
}
template <int SUMS, int SIGNS, int WEIGHTS>
INLINE void multiply_tiles() {
  __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(SUMS), "i"(SIGNS), "i"(WEIGHTS));
}

constexpr u64 FETCHED = 2;  // Lines ahead (kernels.h) with each register of weights.

struct Taps {
  u32 count;
  u64 offset[MOST_TAPS];  // In places.
};

// A register of weights, of the bits of its rows.
INLINE void unpack_weights(__m512i* to, const u64* rows) {
  const __m512i plus = _mm512_set1_epi8(1), minus = _mm512_set1_epi8(-1);
  unrolled<ROWS>([&](auto r) INLINED { to[r.value] = _mm512_mask_blend_epi8(rows[r.value], plus, minus); });
}

// A group of registers of pixels, which all blocks of filters go through.
struct Job {
  const __m512i* input;  // The first place of the first register, and where the others begin.
  u64 begin[MOST_TILES];
  Taps taps;
  u32 chunks;
  u64 next_chunk;  // In places.
  const u64 *weights, *end;
  // Weights are made two ahead of their use: a register is loaded from memory, not from stores on their way there.
  __m512i unpacked[4][ROWS];
  u32 now;  // Which are in use.
  Ahead ahead;
};

// The sums of TILES registers of pixels, of the next 16 filters.
template <int TILES>
static AMX_FUNCTION void run_tiles(Job& job, i32* sums) {
  const u64 count = u64(job.taps.count) * job.chunks;
  const u64* weights = job.weights;
  const __m512i* input = job.input;
  Ahead ahead = job.ahead;
  u32 now = job.now, tap = 0;
  zero_tile<0>();
  if constexpr (TILES > 1) zero_tile<1>();
  if constexpr (TILES > 2) zero_tile<2>();
  if constexpr (TILES > 3) zero_tile<3>();
  if constexpr (TILES > 4) zero_tile<4>();
  for (u64 left = count; left; left--) {
    if (weights + 2 * ROWS < job.end) unpack_weights(job.unpacked[(now + 2) % 4], weights + 2 * ROWS);
    weights += ROWS;
    const __m512i* const from = input + job.taps.offset[tap];
    load_tile<7>(job.unpacked[now]);
    load_tile<5>(from), multiply_tiles<0, 5, 7>();
    if constexpr (TILES > 1) load_tile<6>(from + job.begin[1]), multiply_tiles<1, 6, 7>();
    if constexpr (TILES > 2) load_tile<5>(from + job.begin[2]), multiply_tiles<2, 5, 7>();
    if constexpr (TILES > 3) load_tile<6>(from + job.begin[3]), multiply_tiles<3, 6, 7>();
    if constexpr (TILES > 4) load_tile<5>(from + job.begin[4]), multiply_tiles<4, 5, 7>();
    ahead.fetch(FETCHED);
    now = (now + 1) % 4;
    if (++tap == job.taps.count) tap = 0, input += job.next_chunk;
  }
  job.weights = weights, job.now = now, job.ahead = ahead;
  store_tile<0>(sums);
  if constexpr (TILES > 1) store_tile<1>(sums + TILE);
  if constexpr (TILES > 2) store_tile<2>(sums + 2 * TILE);
  if constexpr (TILES > 3) store_tile<3>(sums + 3 * TILE);
  if constexpr (TILES > 4) store_tile<4>(sums + 4 * TILE);
}

// In use, the registers are part of what a thread's state is; so they are given back after each part.
struct TileConfig {
  u8 palette = 1, start = 0, reserved[14] = {};
  u16 bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  u8 rows[16] = {};
  explicit TileConfig(u32 height) {
    for (u32 tile = 0; tile < 7; tile++) rows[tile] = u8(height);
    rows[7] = ROWS;
  }
};
static_assert(sizeof(TileConfig) == 64, "as LDTILECFG reads it");
static AMX_FUNCTION void use_tiles(u32 height) {
  const TileConfig config(height);
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
}
static AMX_FUNCTION void give_tiles_back() { __asm__ volatile("tilerelease"); }

static void set_taps(const Window& w, const Grid& g, Taps* taps) {
  taps->count = w.height * w.width;
  for (u32 tap = 0; tap < taps->count; tap++) {
    const u32 y = tap / w.width * w.dilation_y, x = tap % w.width * w.dilation_x;
    const u32 plane = y % w.stride_y * w.stride_x + x % w.stride_x;
    taps->offset[tap] = plane * g.plane + u64(y / w.stride_y) * g.pitch + x / w.stride_x;
  }
}

// Parts: a group of registers of pixels times some pairs of blocks of filters.
constexpr u32 PART_FILTERS = 4 * PAIR;
static u32 filter_parts(const BinaryConv& c) { return (c.output.channels + PART_FILTERS - 1) / PART_FILTERS; }
static u32 convolve_parts(const BinaryConv& c) {
  return suits(c) ? grid(c).groups * filter_parts(c) : avx512_kernels.convolve_parts(c);
}
static void convolve(const BinaryConv& c, u32 part) {
  if (!suits(c)) return avx512_kernels.convolve(c, part);
  const Grid g = grid(c);
  const Window& w = c.window;
  const u32 width = c.output.width;
  const u32 group = part / filter_parts(c), first_filter = part % filter_parts(c) * PART_FILTERS;
  const u32 filters_left = c.output.channels - first_filter;
  const u32 last_filter = first_filter + (filters_left < PART_FILTERS ? filters_left : PART_FILTERS);
  const u32 first_tile = u32(u64(g.tiles) * group / g.groups);
  const u32 tiles = u32(u64(g.tiles) * (group + 1) / g.groups) - first_tile;
  // Which rows of the sums are pixels, which follow each other, and the first of these.
  u16 rows[MOST_TILES * ROWS];
  u32 count = 0;
  u64 first_pixel = 0;
  Job job;
  for (u32 n = 0; n < tiles; n++) {
    const u64 begin = g.first_place(first_tile + n);
    job.begin[n] = begin - g.first_place(first_tile);
    u64 x = begin % g.pitch, y = begin / g.pitch;
    const u64 last_row = y + g.down < c.output.height ? y + g.down : c.output.height;
    for (u32 row = 0; row < g.height && y < last_row; row++) {
      if (x < width) {
        if (!count) first_pixel = y * width + x;
        rows[count++] = u16(n * ROWS + row);
      }
      if (++x == g.pitch) x = 0, y++;
    }
  }
  set_taps(w, g, &job.taps);
  job.input = (const __m512i*)c.scratch + g.first_place(first_tile);
  job.chunks = g.chunks, job.next_chunk = g.planes * g.plane;
  const u64 block_words = u64(g.chunks) * job.taps.count * ROWS;
  job.weights = (const u64*)c.packed + first_filter / FILTERS * block_words;
  job.end = (const u64*)c.packed + last_filter / FILTERS * block_words;
  job.now = 0, job.ahead = c.ahead.share(part, convolve_parts(c));
  for (u32 n = 0; n < 2; n++)
    if (job.weights + n * ROWS < job.end) unpack_weights(job.unpacked[n], job.weights + n * ROWS);
  // Sums of a pair are read while those of the next one are computed.
  alignas(64) i32 sums[2][2][MOST_TILES * TILE];
  const auto write = [&](u32 filter) INLINED {
    i16* to = c.output.data + first_pixel * c.output.stride + c.output.channel(filter);
    const i32 *const even = sums[filter / PAIR % 2][0], *const odd = sums[filter / PAIR % 2][1];
    for (u32 n = 0; n < count; n++, to += c.output.stride) {
      const __m512i a = _mm512_load_si512(even + rows[n] * FILTERS), b = _mm512_load_si512(odd + rows[n] * FILTERS);
      _mm512_storeu_si512(to, _mm512_mask_blend_epi16(0xaaaaaaaa, a, _mm512_slli_epi32(b, 16)));
    }
  };
  typedef void RunTiles(Job&, i32*);
  static_assert(MOST_TILES == 5, "one each");
  static RunTiles* const RUN[] = {run_tiles<1>, run_tiles<2>, run_tiles<3>, run_tiles<4>, run_tiles<5>};
  use_tiles(g.height);
  for (u32 filter = first_filter; filter < last_filter; filter += PAIR) {
    for (i32* each : sums[filter / PAIR % 2]) RUN[tiles - 1](job, each);
    if (filter > first_filter) write(filter - PAIR);
  }
  give_tiles_back();
  write(last_filter - PAIR);
  if (c.means.corners)
    add_pixels(c, c.means.sums_of(c, part), first_filter, last_filter, first_pixel, first_pixel + count);
}

constexpr Kernels kernels(const char* name, const Kernels* way_back) {
  return {name, CPU_AVX512 | CPU_AMX, packed_bytes, pack, scratch_bytes, prepare_parts, prepare,
          convolve_parts, convolve, &avx512_floats, way_back};
}

}  // namespace amx

extern const Kernels amx_kernels, amx_only_kernels;
const Kernels amx_kernels = amx::kernels("amx", &avx512_kernels);
const Kernels amx_only_kernels = amx::kernels("amx-only", nullptr);

}  // namespace runner
#endif
