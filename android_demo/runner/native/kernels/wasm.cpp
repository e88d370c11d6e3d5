// WebAssembly with vectors of 128 bits, in every browser since 2023; with the relaxed ones, if it is compiled with them.
#include <wasm_simd128.h>

#include "kernels.h"

namespace runner {
namespace wasm {

#define LANES 4
#include "vectors.inl"

// A shuffle is `tbl` on ARM whichever is taken. On x86-64 the relaxed one is a single instruction instead of two, and
// so is the larger one of two floats: they leave open what comes of indices from 16 to 127, and of NaN.
#if defined(__wasm_relaxed_simd__)
INLINE v128_t lookup(v128_t table, v128_t indices) { return wasm_i8x16_relaxed_swizzle(table, indices); }
INLINE V maximum(V a, V b) { return (V)wasm_f32x4_relaxed_max((v128_t)a, (v128_t)b); }
#else
INLINE v128_t lookup(v128_t table, v128_t indices) { return wasm_i8x16_swizzle(table, indices); }
INLINE V maximum(V a, V b) { return (V)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
#endif
INLINE V load_part(const i16* p, int n) { return load(p + n * LANES); }
INLINE u32 below(const V* a, const V* b) {
  const v128_t first = wasm_i16x8_narrow_i32x4((v128_t)(a[0] < b[0]), (v128_t)(a[1] < b[1]));
  const v128_t second = wasm_i16x8_narrow_i32x4((v128_t)(a[2] < b[2]), (v128_t)(a[3] < b[3]));
  return wasm_i8x16_bitmask(wasm_i8x16_narrow_i16x8(first, second));
}

constexpr bool MULTIPLIES_LANES = false;  // A vector by a lane of another.
constexpr bool ADDS_DISTANCES = false;
#include "floats.inl"
#include "strips.inl"
#include "map.inl"
#include "means.inl"

// A shuffle looks up 16 indices in tables of 16 entries: 4 channels. 16 filters are in the lanes of a vector,
// and a block is two of them, so that a table is read once for two lookups.
// ARM has registers for three pairs, and x86-64 spills with two already.
constexpr u32 VECTORS = 2, BLOCK = 16 * VECTORS, MOST_PAIRS = 3;
constexpr u32 lane_of(u32 filter) { return filter; }

#include "nibbles.inl"

typedef int64_t i64;
#include "tables.inl"

template <int PAIRS, int KIND>
INLINE void tile_at(const Chunk& chunk, const Place& place) {
  constexpr bool SHARED = KIND == NEIGHBOURS || KIND == NEIGHBOURS_BY_TWO;
  const u8 *tables = chunk.tables + place.tables, *indices = chunk.indices;
  const u32* offsets = chunk.offsets;
  u32 groups = chunk.groups;
  const u32 stride = KIND == ANYWHERE ? u32(chunk.stride) : KIND == NEIGHBOURS_BY_TWO ? 2 * ENTRY : ENTRY;
  constexpr int F = VECTORS;
  v128_t all[PAIRS][F], high[PAIRS][F];
  unrolled<PAIRS>([&](auto p) INLINED {
    unrolled<F>([&](auto f) INLINED { all[p.value][f.value] = high[p.value][f.value] = wasm_i8x16_splat(0); });
  });
  do {
    v128_t w[3][F];
    unrolled<3>([&](auto k) INLINED {
      unrolled<F>([&](auto f) INLINED { w[k.value][f.value] = wasm_v128_load(indices + k.value * BLOCK + f.value * 16); });
    });
    const u8* t0 = tables + offsets[0];
    const u8* t[3] = {t0, SHARED ? t0 + ENTRY : tables + offsets[1], SHARED ? t0 + 2 * ENTRY : tables + offsets[2]};
    offsets += SHARED ? 1 : 3, indices += 3 * BLOCK;
    unrolled<PAIRS>([&](auto p) INLINED {
      v128_t x[F];
      unrolled<3>([&](auto k) INLINED {
        const v128_t entries = wasm_v128_load(t[k.value] + p.value * stride);
        unrolled<F>([&](auto f) INLINED {
          const v128_t n = lookup(entries, w[k.value][f.value]);
          x[f.value] = k.value ? wasm_i8x16_add(x[f.value], n) : n;
        });
      });
      unrolled<F>([&](auto f) INLINED {
        all[p.value][f.value] = wasm_i8x16_add(all[p.value][f.value], x[f.value]);
        high[p.value][f.value] = wasm_i8x16_add(high[p.value][f.value], wasm_u8x16_shr(x[f.value], 4));
      });
    });
  } while (--groups);
  i16 nowhere[BLOCK];
  i16* const counters[2] = {chunk.to + place.to, place.second ? chunk.to + place.to + chunk.half : nowhere};
  const u32 steps[2] = {u32(chunk.step), place.second ? u32(chunk.step) : 0};
  unrolled<2 * PAIRS>([&](auto pixel) INLINED {
    constexpr int p = pixel.value / 2, h = pixel.value % 2;
    i16* to = counters[h] + p * steps[h];
    unrolled<F>([&](auto f) INLINED {
      const v128_t second = high[p][f.value];
      const v128_t n = h ? second : wasm_i8x16_sub(all[p][f.value], wasm_i8x16_shl(second, 4));
      const v128_t starts = wasm_i16x8_splat(place.starts[2 * p + h]);
      v128_t left[2];
      for (int k = 0; k < 2; k++) left[k] = chunk.first ? starts : wasm_v128_load(to + f.value * 16 + k * 8);
      left[0] = wasm_i16x8_sub(left[0], wasm_u16x8_extend_low_u8x16(n));
      left[1] = wasm_i16x8_sub(left[1], wasm_u16x8_extend_high_u8x16(n));
      for (int k = 0; k < 2; k++)
        wasm_v128_store(to + f.value * 16 + k * 8, chunk.last ? wasm_i16x8_shl(left[k], 1) : left[k]);
    });
  });
}

template <int PAIRS, int KIND>
static __attribute__((noinline)) void tile(const Chunk& chunk, const Place* place, u32 places) {
  for (const Place* const end = place + places; place != end; place++) tile_at<PAIRS, KIND>(chunk, *place);
}

}  // namespace wasm

extern const FloatKernels wasm_floats;
const FloatKernels wasm_floats = {wasm::conv, wasm::depthwise, wasm::pool, wasm::dense, wasm::map, wasm::softmax};

extern const Kernels wasm_kernels;
const Kernels wasm_kernels = {
    "wasm",
    0,
    wasm::packed_bytes,
    wasm::pack_tables,
    wasm::scratch_bytes,
    wasm::table_parts,
    wasm::make_tables,
    wasm::tile_parts,
    wasm::tile_part,
    &wasm_floats,
};

}  // namespace runner
