// The kernels to read first, and those that all others are tested against: plain C++, for any machine.
#include "kernels.h"

namespace runner {
namespace reference {

#define LANES 4
#include "vectors.inl"

INLINE V maximum(V a, V b) { return a > b ? a : b; }
INLINE V load_part(const i16* p, int n) { return load(p + n * LANES); }
// A bit for each element of a group: is that of a below that of b?
INLINE u32 below(const V* a, const V* b) {
  u32 bits = 0;
  for (u32 i = 0; i < GROUP; i++) bits |= u32(a[i / LANES][i % LANES] < b[i / LANES][i % LANES]) << i;
  return bits;
}

constexpr bool MULTIPLIES_LANES = false;  // A vector by a lane of another.
constexpr bool ADDS_DISTANCES = false;
#include "floats.inl"
#include "strips.inl"
#include "map.inl"
#include "means.inl"

static u64 no_bytes(const BinaryConv&) { return 64; }
static u32 no_parts(const BinaryConv&) { return 0; }
static void nothing(const BinaryConv&) {}
static void nothing(const BinaryConv&, u32) {}
static u32 rows(const BinaryConv& c) { return c.output.height; }

// One row of the output. A dot product of n signs of which d differ is n - 2 d.
static void row(const BinaryConv& c, u32 y) {
  const u32 words = c.words();
  for (u32 x = 0; x < c.output.width; x++) {
    for (u32 o = 0; o < c.output.channels; o++) {
      i32 signs = 0, different = 0;
      for (u32 ky = 0; ky < c.window.height; ky++) {
        u32 in_y;
        const bool in_row = row_inside(c.window, y, ky, c.input.height, &in_y);
        for (u32 kx = 0; kx < c.window.width; kx++) {
          const i32 in_x = i32(x * c.window.stride_x + kx * c.window.dilation_x) - i32(c.window.left);
          const bool outside = !in_row || in_x < 0 || u32(in_x) >= c.input.width;
          if (outside && !c.ones) continue;
          const u32* w = c.kernel + ((u64(o) * c.window.height + ky) * c.window.width + kx) * words;
          const u32* a = outside ? nullptr : c.input.at(in_y, u32(in_x));
          for (u32 i = 0; i < words; i++) different += __builtin_popcount(w[i] ^ (a ? a[i] : 0));
          signs += i32(c.input.channels);
        }
      }
      c.output.at(y, x)[c.output.channel(o)] = i16(signs - 2 * different);
    }
  }
  const u64 first = u64(y) * c.output.width;
  if (c.means.corners) add_pixels(c, c.means.sums_of(c, y), 0, c.output.channels, first, first + c.output.width);
}

}  // namespace reference

extern const FloatKernels reference_floats;
const FloatKernels reference_floats = {
    reference::conv,
    reference::depthwise,
    reference::pool,
    reference::dense,
    reference::map,
    reference::softmax,
};

extern const Kernels reference_kernels;
const Kernels reference_kernels = {
    "reference",
    0,
    reference::no_bytes,
    reference::nothing,
    reference::no_bytes,
    reference::no_parts,
    reference::nothing,
    reference::rows,
    reference::row,
    &reference_floats,
};

}  // namespace runner
