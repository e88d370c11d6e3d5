// Convolutions of few channels or of one tap: what AVX-512 does of them apart from its tiles. So little is counted for a
// result that everything around it is what takes time: lists of tiles, narrowing, and reading results again for means.
//
// The weights of 32 filters stay at hand while pixels go by. One vector counts for the even filters, one for the odd ones:
// so the second one's counts, shifted by 16 bits, lie between those of the first, and both are written at once.

namespace narrow {

constexpr u32 FILTERS = 32;

// How many words of the input a result is made of.
static u32 words_of(const BinaryConv& c) { return c.window.height * c.window.width * c.words(); }

// 3x3 of up to 64 channels, 1x1 of up to 256: of more channels, words are better counted together.
static bool suits(const BinaryConv& c) {
  const u32 words = words_of(c);
  const bool is_narrow = c.words() <= 2 ? words <= 9 || words == 18 : words == c.words() && words <= 8;
  return is_narrow && c.output.channels % FILTERS == 0;
}

// (groups of filters, taps, words, even and odd ones, 16)
static u64 packed_bytes(const BinaryConv& c) { return u64(c.output.channels) * words_of(c) * 4; }
static void pack(const BinaryConv& c) {
  const u32 words = words_of(c);
  u32* to = (u32*)c.packed;
  for (u32 first = 0; first < c.output.channels; first += FILTERS)
    for (u32 word = 0; word < words; word++)
      for (u32 odd = 0; odd < 2; odd++)
        for (u32 lane = 0; lane < 16; lane++) *to++ = c.kernel[u64(first + 2 * lane + odd) * words + word];
}

INLINE __m512i shorts(i32 value) { return _mm512_set1_epi16(i16(value)); }

// A group of filters: sums for means (means.inl) of the pixels that were counted, which fit 16 bits up to `most` of them.
struct Group {
  const __m512i* weights;
  __m512i corner, beyond, total[3];
  i32* sums;  // For each filter; null if no mean is wanted.
  u32 filters, counted, most;

  void add_up() {
    if (sums)
      for (u32 n = 0; n < 3; n++) add_wide(sums + n * filters, wide((VS)total[n]));
    for (__m512i& each : total) each = _mm512_setzero_si512();
    counted = 0;
  }
};

struct Different {
  __m512i even, odd;
};
INLINE void count_word(Different& d, const __m512i* weights, u32 word) {
  const __m512i w = _mm512_set1_epi32(int(word));
  d.even = _mm512_add_epi32(d.even, _mm512_popcnt_epi32(_mm512_xor_si512(weights[0], w)));
  d.odd = _mm512_add_epi32(d.odd, _mm512_popcnt_epi32(_mm512_xor_si512(weights[1], w)));
}
INLINE void finish_pixel(Group& g, const Different& d, __m512i signs, i16* to) {
  const __m512i different = _mm512_or_si512(d.even, _mm512_slli_epi32(d.odd, 16));
  const __m512i x = _mm512_sub_epi16(signs, _mm512_add_epi16(different, different));
  _mm512_storeu_si512(to, x);
  g.total[0] = _mm512_add_epi16(g.total[0], x);
  g.total[1] = _mm512_add_epi16(g.total[1], _mm512_max_epi16(x, g.corner));
  g.total[2] = _mm512_add_epi16(g.total[2], _mm512_max_epi16(x, g.beyond));
}

// Pixels beside each other that have all taps: where the first one's words are, and from a pixel to the next.
struct Pixels {
  const u32* from;
  const u64* offsets;
  u64 step, next;
  i16* to;
  u32 signs;
};

template <u32 WORDS>
static __attribute__((noinline)) void run(Group& group, const Pixels& pixels, u64 count) {
  Group g = group;  // In registers.
  const Pixels p = pixels;
  const u32* from = p.from;
  i16* to = p.to;
  const __m512i signs = shorts(i32(p.signs));
  while (count) {
    const u64 now = count < g.most - g.counted ? count : g.most - g.counted;
    for (u64 n = now; n; n--, from += p.step, to += p.next) {
      Different d = {};
      unrolled<WORDS>([&](auto k) INLINED { count_word(d, g.weights + 2 * k.value, from[p.offsets[k.value]]); });
      finish_pixel(g, d, signs, to);
    }
    count -= now, g.counted += u32(now);
    if (g.counted == g.most) g.add_up();
  }
  group = g;
}

// A pixel some of whose taps are outside.
static void run_at_border(Group& g, const BinaryConv& c, u32 y, u32 x, i16* to) {
  const Window& w = c.window;
  const u32 words = c.words();
  const __m512i* weights = g.weights;
  Different d = {};
  u32 taps = 0;
  for (u32 tap = 0; tap < w.height * w.width; tap++, weights += 2 * words) {
    const u32 in_y = y * w.stride_y + tap / w.width * w.dilation_y - w.top;  // Beyond the size, if that is negative.
    const u32 in_x = x * w.stride_x + tap % w.width * w.dilation_x - w.left;
    const bool inside = in_y < c.input.height && in_x < c.input.width;
    if (!inside && !c.ones) continue;
    for (u32 n = 0; n < words; n++) count_word(d, weights + 2 * n, inside ? c.input.at(in_y, in_x)[n] : 0);
    taps++;
  }
  finish_pixel(g, d, shorts(i32(taps * c.input.channels)), to);
  if (++g.counted == g.most) g.add_up();
}

// Parts: some rows.
static u32 parts(const BinaryConv& c) { return (c.output.height + part_rows(c) - 1) / part_rows(c); }

static void convolve(const BinaryConv& c, u32 part) {
  const Window& w = c.window;
  const u32 words = words_of(c), first_row = part * part_rows(c), width = c.output.width;
  const u32 last_row = first_row + part_rows(c) < c.output.height ? first_row + part_rows(c) : c.output.height;
  u64 offsets[18];
  for (u32 n = 0; n < words; n++) {
    const u32 tap = n / c.words(), y = tap / w.width * w.dilation_y, x = tap % w.width * w.dilation_x;
    offsets[n] = (u64(y) * c.input.width + x) * c.input.stride + n % c.words();
  }
  const auto rows_inside = [&](u32 y) {
    return same(taps_inside(y, w.stride_y, w.dilation_y, w.top, w.height, c.input.height), Span{0, w.height});
  };
  const auto columns_inside = [&](u32 x) {
    return same(taps_inside(x, w.stride_x, w.dilation_x, w.left, w.width, c.input.width), Span{0, w.width});
  };
  Span inner = {0, width};  // Columns that have all taps of a row.
  while (inner.from < width && !columns_inside(inner.from)) inner.from++;
  while (inner.to > inner.from && !columns_inside(inner.to - 1)) inner.to--;
  // Pixels of one tap each are one row.
  const bool one_row = w.height * w.width * w.stride_y * w.stride_x == 1 && inner.to - inner.from == width &&
                       c.input.width == width && !w.top && c.input.height >= c.output.height;
  typedef void Run(Group&, const Pixels&, u64);
  static Run* const RUN[] = {run<1>, run<2>, run<3>, run<4>, run<5>, run<6>, run<7>, run<8>, run<9>};
  Run* const run_pixels = words == 18 ? run<18> : RUN[words - 1];
  const u64 next = c.output.stride;
  for (u32 filter = 0; filter < c.output.channels; filter += FILTERS) {
    Group g = {};
    g.weights = (const __m512i*)c.packed + u64(filter) / FILTERS * 2 * words;
    if (c.means.corners) {
      g.corner = _mm512_loadu_si512(c.means.corners + filter), g.beyond = _mm512_add_epi16(g.corner, shorts(2));
      g.sums = c.means.sums_of(c, part) + filter;
    }
    g.filters = c.output.channels, g.most = 32767 / (w.height * w.width * c.input.channels + 2);
    for (u32 y = first_row; y < last_row; y++) {
      i16* const to = c.output.data + c.output.channel(filter) + u64(y) * width * next;
      const Span fast = rows_inside(y) ? inner : Span{0, 0};
      for (u32 x = 0; x < fast.from; x++) run_at_border(g, c, y, x, to + x * next);
      if (fast.from < fast.to) {
        const u32* const from = c.input.at(y * w.stride_y - w.top, fast.from * w.stride_x - w.left);
        const Pixels pixels = {from, offsets, u64(w.stride_x) * c.input.stride, next, to + fast.from * next,
                               w.height * w.width * c.input.channels};
        run_pixels(g, pixels, one_row ? u64(last_row - y) * width : fast.to - fast.from);
        if (one_row) break;
      }
      for (u32 x = fast.to; x < width; x++) run_at_border(g, c, y, x, to + x * next);
    }
    g.add_up();
  }
}

}  // namespace narrow
