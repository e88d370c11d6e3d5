// Convolutions of one tap, of up to 256 channels: what AVX-512 does of them apart from its tiles. So little is counted for
// a result that everything around it is what takes time: lists of tiles, narrowing, and reading results again for means.
//
// The weights of 32 filters stay in registers while pixels go by. One vector counts for the even filters, one for the odd
// ones: so the second one's counts, shifted by 16 bits, lie between those of the first, and both are written at once.

namespace pointwise {

constexpr u32 MOST_WORDS = 8, FILTERS = 32;

static bool suits(const BinaryConv& c) {
  const Window& w = c.window;
  const bool each_pixel = c.input.height == c.output.height && c.input.width == c.output.width;
  return w.height * w.width == 1 && w.stride_y * w.stride_x == 1 && !w.top && !w.left && each_pixel &&
         c.words() <= MOST_WORDS && c.output.channels % FILTERS == 0;
}

// (groups of filters, words, even and odd ones, 16)
static u64 packed_bytes(const BinaryConv& c) { return u64(c.output.channels) * c.words() * 4; }
static void pack(const BinaryConv& c) {
  const u32 words = c.words();
  u32* to = (u32*)c.packed;
  for (u32 first = 0; first < c.output.channels; first += FILTERS)
    for (u32 word = 0; word < words; word++)
      for (u32 odd = 0; odd < 2; odd++)
        for (u32 lane = 0; lane < 16; lane++) *to++ = c.kernel[u64(first + 2 * lane + odd) * words + word];
}

constexpr u32 PART = 256;  // Pixels.
static u64 pixels_of(const BinaryConv& c) { return u64(c.output.height) * c.output.width; }
static u32 parts(const BinaryConv& c) { return u32((pixels_of(c) + PART - 1) / PART); }

INLINE __m512i shorts(i32 value) { return _mm512_set1_epi16(i16(value)); }

// Pixels first..last, and what they add to the sums for means (means.inl).
template <u32 WORDS>
static __attribute__((noinline)) void run(const BinaryConv& c, u64 first, u64 last, i32* sums) {
  const __m512i signs = shorts(i32(c.input.channels));
  const u64 step = c.input.stride, next = c.output.stride, most = 32767 / (c.input.channels + 2);
  const __m512i* packed = (const __m512i*)c.packed;
  for (u32 filter = 0; filter < c.output.channels; filter += FILTERS, packed += 2 * WORDS) {
    __m512i even[WORDS], odd[WORDS];
    for (u32 n = 0; n < WORDS; n++) even[n] = packed[2 * n], odd[n] = packed[2 * n + 1];
    const __m512i corner = sums ? _mm512_loadu_si512(c.means.corners + filter) : signs;
    const __m512i beyond = _mm512_add_epi16(corner, shorts(2));
    i16* to = c.output.data + c.output.channel(filter) + first * next;
    const u32* from = c.input.data + first * step;
    for (u64 pixel = first; pixel < last;) {
      const u64 end = last - pixel < most ? last : pixel + most;
      __m512i total[3] = {};
      for (; pixel < end; pixel++, from += step, to += next) {
        __m512i a = _mm512_setzero_si512(), b = a;
        unrolled<WORDS>([&](auto n) INLINED {
          const __m512i word = _mm512_set1_epi32(int(from[n.value]));
          a = _mm512_add_epi32(a, _mm512_popcnt_epi32(_mm512_xor_si512(even[n.value], word)));
          b = _mm512_add_epi32(b, _mm512_popcnt_epi32(_mm512_xor_si512(odd[n.value], word)));
        });
        const __m512i different = _mm512_or_si512(a, _mm512_slli_epi32(b, 16));
        const __m512i x = _mm512_sub_epi16(signs, _mm512_add_epi16(different, different));
        _mm512_storeu_si512(to, x);
        total[0] = _mm512_add_epi16(total[0], x);
        total[1] = _mm512_add_epi16(total[1], _mm512_max_epi16(x, corner));
        total[2] = _mm512_add_epi16(total[2], _mm512_max_epi16(x, beyond));
      }
      if (!sums) continue;
      for (u32 n = 0; n < 3; n++) add_wide(sums + n * c.output.channels + filter, wide((VS)total[n]));
    }
  }
}

static void convolve(const BinaryConv& c, u32 part) {
  const u64 first = u64(part) * PART, pixels = pixels_of(c), last = first + PART < pixels ? first + PART : pixels;
  i32* const sums = c.means.corners ? c.means.sums_of(c, part) : nullptr;
  typedef void Run(const BinaryConv&, u64, u64, i32*);
  static_assert(MOST_WORDS == 8, "one each");
  static Run* const RUN[] = {run<1>, run<2>, run<3>, run<4>, run<5>, run<6>, run<7>, run<8>};
  RUN[c.words() - 1](c, first, last, sums);
}

}  // namespace pointwise
