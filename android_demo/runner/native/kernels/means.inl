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
INLINE void add_wide(i32* to, const VW& v) {
  VW w;
  __builtin_memcpy(&w, to, sizeof w);
  w += v;
  __builtin_memcpy(to, &w, sizeof w);
}
INLINE VW wide(VS v) { return __builtin_convertvector(v, VW); }

// Adds what the larger one of x and a corner is known by. Where an instruction adds |x - corner|, that is what is added up:
// the larger one is (x + |x - corner| + corner) / 2.
template <bool DISTANCES, class T>
INLINE T add_larger(T sum, VS x, VS corner) {
  if constexpr (DISTANCES) return (T)add_distances(sum, x, corner);
  else return sum + (T)(x > corner ? x : corner);
}
// The larger ones' sum, of what was added for `count` pixels.
template <bool DISTANCES>
INLINE VW sum_of_larger(VU added, VU sum, VS corner, u32 count) {
  typedef i32 VWS __attribute__((vector_size(sizeof(VW))));
  if constexpr (DISTANCES)
    return (VW)((VWS)(wide((VS)sum) + __builtin_convertvector(added, VW) + wide(corner) * count) >> 1);
  else return wide((VS)added);
}

// N vectors of filters from `o` on, pixels first..last; `most` numbers, or distances from corners, fit 16 bits when they are added up.
template <int N>
INLINE void add_vectors(const BinaryConv& c, i32* sums, u32 o, u64 first, u64 last, u32 most) {
  const u32 filters = c.output.channels;
  VS corner[N], next[N];
  for (int n = 0; n < N; n++) corner[n] = load_shorts(c.means.corners + o + n * SHORTS), next[n] = corner[n] + 2;
  const u64 stride = c.output.stride;
  const i16* data = c.output.data + first * stride + c.output.channel(o);
  while (first < last) {
    const u64 end = last - first < most ? last : first + most;
    const u32 count = u32(end - first);
    VU sum[N] = {}, above[N] = {}, beyond[N] = {};
    for (; first < end; first++, data += stride)
      for (int n = 0; n < N; n++) {
        const VS x = load_shorts(data + n * SHORTS);
        sum[n] += (VU)x;
        above[n] = add_larger<ADDS_DISTANCES>(above[n], x, corner[n]);
        beyond[n] = add_larger<ADDS_DISTANCES>(beyond[n], x, next[n]);
      }
    for (int n = 0; n < N; n++) {
      i32* to = sums + o + n * SHORTS;
      add_wide(to, wide((VS)sum[n]));
      add_wide(to + filters, sum_of_larger<ADDS_DISTANCES>(above[n], sum[n], corner[n], count));
      add_wide(to + 2 * filters, sum_of_larger<ADDS_DISTANCES>(beyond[n], sum[n], next[n], count));
    }
  }
}

// Filters from..to, pixels first..last. A function of its own, so that what it takes can be told from the rest.
static __attribute__((noinline)) void add_pixels(const BinaryConv& c, i32* sums, u32 from, u32 to, u64 first, u64 last) {
  const u32 most = 32767 / (c.window.height * c.window.width * c.input.channels + 2);
  u32 o = from;
  if (most) {
    for (; o + 32 <= to; o += 32) add_vectors<32 / SHORTS>(c, sums, o, first, last, most);
    for (; o + SHORTS <= to; o += SHORTS) add_vectors<1>(c, sums, o, first, last, most);
  }
  for (; o < to; o++)
    for (u64 p = first; p < last; p++) {
      const i32 x = c.output.data[p * c.output.stride + c.output.channel(o)], corner = c.means.corners[o];
      i32* const to = sums + o;
      const u32 filters = c.output.channels;
      to[0] = i32(u32(to[0]) + u32(x));
      to[filters] = i32(u32(to[filters]) + u32(x > corner ? x : corner));
      to[2 * filters] = i32(u32(to[2 * filters]) + u32(x > corner + 2 ? x : corner + 2));
    }
}
