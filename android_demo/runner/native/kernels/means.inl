// Sums over the pixels of a binary convolution's result, see `Means` in kernels.h. Included behind vectors.inl. They are
// sums of whole numbers, so in whatever order parts add up, a mean is the same bits. They are added up without a sign:
// no plan of the compiler's lets them overflow, and with any other they must do no more harm than be wrong.

typedef i16 VS __attribute__((vector_size(LANES * 4)));
typedef u16 VU __attribute__((vector_size(LANES * 4)));
typedef u32 VW __attribute__((vector_size(LANES * 8)));
constexpr u32 SHORTS = 2 * LANES;

INLINE VS load_shorts(const i16* p) {
  VS v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
INLINE VS larger_shorts(VS a, VS b) { return a > b ? a : b; }
INLINE void add_wide(i32* to, VU v) {
  VW w;
  __builtin_memcpy(&w, to, sizeof w);
  w += __builtin_convertvector((VS)v, VW);
  __builtin_memcpy(to, &w, sizeof w);
}

// N vectors of filters from `o` on, pixels first..last; `most` numbers fit 16 bits when they are added up.
template <int N>
INLINE void add_vectors(const BinaryConv& c, i32* sums, u32 o, u64 first, u64 last, u32 most) {
  const u32 filters = c.output.channels;
  VS corner[N], next[N];
  for (int n = 0; n < N; n++) corner[n] = load_shorts(c.means.corners + o + n * SHORTS), next[n] = corner[n] + 2;
  while (first < last) {
    const u64 end = last - first < most ? last : first + most;
    VU sum[N] = {}, above[N] = {}, beyond[N] = {};
    for (; first < end; first++)
      for (int n = 0; n < N; n++) {
        const VS x = load_shorts(c.output.data + first * c.output.stride + o + n * SHORTS);
        sum[n] += (VU)x, above[n] += (VU)larger_shorts(x, corner[n]), beyond[n] += (VU)larger_shorts(x, next[n]);
      }
    for (int n = 0; n < N; n++) {
      i32* to = sums + o + n * SHORTS;
      add_wide(to, sum[n]), add_wide(to + filters, above[n]), add_wide(to + 2 * filters, beyond[n]);
    }
  }
}

// Filters from..to, pixels first..last.
static void add_pixels(const BinaryConv& c, i32* sums, u32 from, u32 to, u64 first, u64 last) {
  const u32 most = 32767 / (c.window.height * c.window.width * c.input.channels + 2);
  u32 o = from;
  if (most) {
    for (; o + 32 <= to; o += 32) add_vectors<32 / SHORTS>(c, sums, o, first, last, most);
    for (; o + SHORTS <= to; o += SHORTS) add_vectors<1>(c, sums, o, first, last, most);
  }
  for (; o < to; o++)
    for (u64 p = first; p < last; p++) {
      const i32 x = c.output.data[p * c.output.stride + o], corner = c.means.corners[o];
      i32* const to = sums + o;
      const u32 filters = c.output.channels;
      to[0] = i32(u32(to[0]) + u32(x));
      to[filters] = i32(u32(to[filters]) + u32(x > corner ? x : corner));
      to[2 * filters] = i32(u32(to[2 * filters]) + u32(x > corner + 2 ? x : corner + 2));
    }
}
