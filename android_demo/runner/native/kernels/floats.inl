// The float side of every instruction set: convolutions, pooling and dense layers on vectors. Included behind
// vectors.inl. Weights lie with the output channels side by side, so a vector holds LANES of them.

// Output columns [from, to) whose tap `kx` lies inside the input.
INLINE Span inside(const Window& w, u32 kx, u32 in_width, u32 out_width) {
  i32 first = i32(w.left) - i32(kx * w.dilation_x);  // x * stride >= first
  u32 from = first <= 0 ? 0 : (u32(first) + w.stride_x - 1) / w.stride_x;
  i32 last = i32(in_width) - 1 + first;  // x * stride <= last
  u32 to = last < 0 ? 0 : u32(last) / w.stride_x + 1;
  if (to > out_width) to = out_width;
  return {from < to ? from : to, to};
}
INLINE bool row_inside(const Window& w, u32 y, u32 ky, u32 in_height, u32* row) {
  i32 r = i32(y * w.stride_y + ky * w.dilation_y) - i32(w.top);
  *row = u32(r);
  return r >= 0 && u32(r) < in_height;
}

// Taps of a column that lie inside for all of `count` pixels from column x on: [from, to), which may be none.
INLINE Span taps_of(const Window& w, u32 x, u32 count, u32 in_width) {
  Span taps = {w.width, 0};
  for (u32 kx = 0; kx < w.width; kx++) {
    const i32 first = i32(x * w.stride_x + kx * w.dilation_x) - i32(w.left);
    const i32 last = first + i32((count - 1) * w.stride_x);
    if (first < 0 || u32(last) >= in_width) continue;
    if (kx < taps.from) taps.from = kx;
    taps.to = kx + 1;
  }
  return taps;
}

// Weights lie in blocks of CONV_BLOCK output channels, the last of which may be narrower.
struct Block {
  const float* kernel;  // (taps, in, width)
  u32 width;
};
INLINE Block block_at(const Conv& c, u32 o) {
  const u32 first = o / CONV_BLOCK * CONV_BLOCK, left = c.output.channels - first;
  const float* kernel = c.kernel + u64(first) * c.window.height * c.window.width * c.input.channels;
  return {kernel + (o - first), left < CONV_BLOCK ? left : CONV_BLOCK};
}

// The taps of a tile that lie inside: rows [top, bottom) and columns [left, right) of the kernel.
struct Taps {
  u32 top, bottom, left, right;
};

// Keeps g++ for ARM64 from taking a vector apart because its lanes are read one by one, and from loading the weights of all
// lanes at once, for which there are too few registers.
INLINE void stay_vector(V& v) {
#if defined(__aarch64__)
  __asm__ volatile("" : "+w"(v)::"memory");
#else
  (void)v;
#endif
}

// TILE pixels x COUNT vectors of output channels of one row, from column x and channel o on. WIDTH is that of the block,
// or 0 if it is not known.
template <int TILE, int COUNT, u32 WIDTH>
INLINE void conv_tile(const Conv& c, u32 y, u32 x, u32 o, const Taps& taps) {
  const Block block = block_at(c, o);
  V acc[TILE][COUNT];
  unrolled<COUNT>([&](auto n) INLINED {
    const V bias = load(c.bias + o + n.value * LANES);
    unrolled<TILE>([&](auto p) INLINED { acc[p.value][n.value] = bias; });
  });
  const u64 filters = WIDTH ? WIDTH : block.width, channels = c.input.channels;
  // Where a vector's weights are: those behind a block's end are the next one's.
  const auto at = [&](auto n) INLINED {
    constexpr u32 AT = n.value * LANES;
    if constexpr (AT < CONV_BLOCK) return u64(AT);
    else return AT / CONV_BLOCK * u64(c.window.height) * c.window.width * channels * CONV_BLOCK + AT % CONV_BLOCK;
  };
  const u64 pitch = u64(c.window.stride_x) * c.input.stride, tap = u64(c.window.dilation_x) * c.input.stride;
  // Taps that lie without gaps are one tap of more channels.
  const bool dense = tap == channels;
  const u64 count = taps.right - taps.left, runs = dense ? count > 0 : count, length = dense ? channels * count : channels;
  const u64 next_row = u64(c.window.dilation_y) * c.input.width * c.input.stride;
  const float* w = block.kernel + (u64(taps.top) * c.window.width + taps.left) * channels * filters;
  const u64 skipped = (c.window.width - count) * channels * filters;
  const float* first = c.input.at(y * c.window.stride_y + taps.top * c.window.dilation_y - c.window.top,
                                  x * c.window.stride_x + taps.left * c.window.dilation_x - c.window.left);
  for (u32 ky = taps.top; ky < taps.bottom; ky++, first += next_row, w += skipped) {
    const float* start = first;
    for (u64 run = runs; run; run--, start += tap) {
      const float* a = start;
      u64 left = length;
      if constexpr (MULTIPLIES_LANES)  // A lane of a vector costs no load of its own.
        for (; left >= LANES; left -= LANES, a += LANES, w += LANES * filters) {
          V inputs[TILE];
          unrolled<TILE>([&](auto p) INLINED {
            inputs[p.value] = load(a + p.value * pitch);
            stay_vector(inputs[p.value]);
          });
          unrolled<LANES>([&](auto lane) INLINED {
            unrolled<COUNT>([&](auto n) INLINED {
              V weights = load(w + lane.value * filters + at(n));
              if (n.value == 0) stay_vector(weights);
              unrolled<TILE>([&](auto p) INLINED { acc[p.value][n.value] += weights * inputs[p.value][lane.value]; });
            });
          });
        }
      for (; left; left--, a++, w += filters) {
        V weights[COUNT];
        unrolled<COUNT>([&](auto n) INLINED { weights[n.value] = load(w + at(n)); });
        unrolled<TILE>([&](auto p) INLINED {
          const V v = all(a[p.value * pitch]);
          unrolled<COUNT>([&](auto n) INLINED { acc[p.value][n.value] += v * weights[n.value]; });
        });
      }
    }
  }
  const V least = all(c.least), most = all(c.most);
  float* out = c.output.at(y, x) + c.output.channel(o);
  const u64 stride = c.output.stride;
  unrolled<TILE>([&](auto p) INLINED {
    unrolled<COUNT>([&](auto n) INLINED {
      store(out + n.value * LANES, smaller(larger(acc[p.value][n.value], least), most));
    });
    out += stride;
  });
}

// A single output channel, behind the last whole vector.
static void conv_single(const Conv& c, u32 y, u32 x, u32 o) {
  float acc = c.bias[o];
  const Block block = block_at(c, o);
  const u32 filters = block.width, channels = c.input.channels;
  const Span taps = taps_of(c.window, x, 1, c.input.width);
  for (u32 ky = 0; ky < c.window.height; ky++) {
    u32 row;
    if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
    for (u32 kx = taps.from; kx < taps.to; kx++) {
      const float* a = c.input.at(row, x * c.window.stride_x + kx * c.window.dilation_x - c.window.left);
      const float* w = block.kernel + (u64(ky) * c.window.width + kx) * channels * filters;
      for (u32 i = 0; i < channels; i++) acc += a[i] * w[u64(i) * filters];
    }
  }
  c.output.at(y, x)[c.output.channel(o)] = smaller(larger(acc, c.least), c.most);
}

// As many pixels from column x on as are TILE, or half of it again and again, and lie before `end`.
template <int TILE, int COUNT, u32 WIDTH>
INLINE u32 conv_some(const Conv& c, u32 y, u32 x, u32 o, u32 end, const Taps& taps) {
  if (TILE == 1 || x + TILE <= end) {
    conv_tile<TILE, COUNT, WIDTH>(c, y, x, o, taps);
    return TILE;
  }
  if constexpr (TILE > 1) return conv_some<TILE / 2, COUNT, WIDTH>(c, y, x, o, end, taps);
  return 1;
}
// Columns [inner.from, inner.to) have all taps of the rows that are inside.
template <int TILE, int COUNT, u32 WIDTH>
static void conv_columns(const Conv& c, u32 y, u32 o, Taps taps, Span inner) {
  for (u32 x = 0; x < c.output.width;) {
    const bool whole = x >= inner.from && x < inner.to;
    const Span columns = whole ? Span{0, c.window.width} : taps_of(c.window, x, 1, c.input.width);
    taps.left = columns.from < columns.to ? columns.from : 0, taps.right = columns.from < columns.to ? columns.to : 0;
    // A wide tile that does not fit any more goes over pixels once more, if there are enough of them.
    if (TILE > 4 && whole && x + TILE > inner.to && inner.from + TILE <= inner.to) x = inner.to - TILE;
    if (whole) x += conv_some<TILE, COUNT, WIDTH>(c, y, x, o, inner.to, taps);
    else x += conv_some<1, COUNT, WIDTH>(c, y, x, o, x + 1, taps);
  }
}

// Rows of taps that are inside for a row of the output, and its columns that have all taps of a row.
INLINE Taps rows_of_taps(const Conv& c, u32 y) {
  Taps taps = {c.window.height, 0, 0, 0};
  for (u32 ky = 0, row; ky < c.window.height; ky++) {
    if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
    if (ky < taps.top) taps.top = ky;
    taps.bottom = ky + 1;
  }
  return taps;
}
INLINE Span whole_columns(const Conv& c) {
  const Span first = inside(c.window, 0, c.input.width, c.output.width);
  const Span last = inside(c.window, c.window.width - 1, c.input.width, c.output.width);
  return {first.from, last.to};
}

// Two blocks of a vector each: inputs are then loaded half as often, and fewer additions wait for each other. A function of
// its own, since compilers share what they compute between those that they put into one, until they lack registers.
template <int COUNT>
static __attribute__((noinline)) void conv_two_blocks(const Conv& c, u32 y, u32 o, Taps taps, Span inner) {
  conv_columns<7, COUNT, CONV_BLOCK>(c, y, o, taps, inner);
}

// The blocks that have CONV_BLOCK channels. Returns how many channels these are.
INLINE u32 conv_blocks(const Conv& c, u32 y, Taps taps, Span inner) {
  constexpr int WHOLE = CONV_BLOCK / LANES;
  u32 o = 0;
  if constexpr (WHOLE == 1)
    for (; o + 2 * CONV_BLOCK <= c.output.channels; o += 2 * CONV_BLOCK) conv_two_blocks<2>(c, y, o, taps, inner);
  for (; o + CONV_BLOCK <= c.output.channels; o += CONV_BLOCK)
    conv_columns<WHOLE == 1 ? 8 : 4, WHOLE, CONV_BLOCK>(c, y, o, taps, inner);
  return o;
}
// The channels behind them.
INLINE void conv_rest(const Conv& c, u32 y, Taps taps, Span inner, u32 o) {
  constexpr int HALF = LANES < CONV_BLOCK ? CONV_BLOCK / LANES / 2 : 1;
  if (LANES < CONV_BLOCK && o + CONV_BLOCK / 2 == c.output.channels)
    return conv_columns<8, HALF, CONV_BLOCK / 2>(c, y, o, taps, inner);
  for (; o + LANES <= c.output.channels; o += LANES) conv_columns<4, 1, 0>(c, y, o, taps, inner);
  for (; o < c.output.channels; o++)
    for (u32 x = 0; x < c.output.width; x++) conv_single(c, y, x, o);
}
static void conv(const Conv& job, u32 y) {
  const Conv c = job;  // What is written to could otherwise be what says where to write.
  const Taps taps = rows_of_taps(c, y);
  const Span inner = whole_columns(c);
  conv_rest(c, y, taps, inner, conv_blocks(c, y, taps, inner));
}

// COUNT outputs, or vectors of them, of a pixel, each of a channel of its own. `corner` and `weights` are those of the first
// tap inside.
template <int COUNT, class T>
INLINE void depthwise_channels(const Conv& c, const float* corner, const float* weights, u32 rows, u32 columns, u32 o,
                               float* out, T least, T most) {
  constexpr u32 SIZE = sizeof(T) / sizeof(float);
  const u64 filters = c.output.channels;
  const u64 next_row = u64(c.window.dilation_y) * c.input.width * c.input.stride, next = u64(c.window.dilation_x) * c.input.stride;
  const auto at = [](const float* p, auto n) INLINED {
    T v;
    __builtin_memcpy(&v, p + n.value * SIZE, sizeof v);
    return v;
  };
  T sums[COUNT];
  unrolled<COUNT>([&](auto n) INLINED { sums[n.value] = at(c.bias + o, n); });
  for (u32 y = 0; y < rows; y++, corner += next_row, weights += c.window.width * filters) {
    const float *a = corner, *w = weights;
    for (u32 x = 0; x < columns; x++, a += next, w += filters)
      unrolled<COUNT>([&](auto n) INLINED { sums[n.value] += at(a, n) * at(w, n); });
  }
  unrolled<COUNT>([&](auto n) INLINED {
    const T v = smaller(larger(sums[n.value], least), most);
    __builtin_memcpy(out + n.value * SIZE, &v, sizeof v);
  });
}

static void depthwise(const Conv& job, u32 y) {
  const Conv c = job;
  const Taps rows = rows_of_taps(c, y);
  const u32 filters = c.output.channels, height = rows.top < rows.bottom ? rows.bottom - rows.top : 0;
  const V least = all(c.least), most = all(c.most);
  for (u32 x = 0; x < c.output.width; x++) {
    const Span columns = taps_of(c.window, x, 1, c.input.width);
    const u32 width = columns.from < columns.to ? columns.to - columns.from : 0;
    const u32 top = height ? y * c.window.stride_y + rows.top * c.window.dilation_y - c.window.top : 0;
    const u32 left = width ? x * c.window.stride_x + columns.from * c.window.dilation_x - c.window.left : 0;
    const float* const corner = c.input.at(top, left);
    const float* const w = c.kernel + (u64(rows.top) * c.window.width + columns.from) * filters;
    float* const out = c.output.at(y, x);
    u32 o = 0;
    if (c.multiplier == 1) {
      for (; o + 4 * LANES <= filters; o += 4 * LANES)
        depthwise_channels<4>(c, corner + o, w + o, height, width, o, out + o, least, most);
      for (; o + LANES <= filters; o += LANES)
        depthwise_channels<1>(c, corner + o, w + o, height, width, o, out + o, least, most);
    }
    for (; o < filters; o++)
      depthwise_channels<1>(c, corner + o / c.multiplier, w + o, height, width, o, out + o, c.least, c.most);
  }
}

static void pool_signs(const Pool& p, u32 y) {
  const u32 words = (p.input.channels + 31) / 32;
  for (u32 x = 0; x < p.output.width; x++) {
    u32* out = (u32*)p.output.at(y, x);
    for (u32 i = 0; i < words; i++) out[i] = ~u32(0);  // All -1, less than all else.
    for (u32 ky = 0; ky < p.window.height; ky++) {
      u32 row;
      if (!row_inside(p.window, y, ky, p.input.height, &row)) continue;
      for (u32 kx = 0; kx < p.window.width; kx++) {
        const Span span = inside(p.window, kx, p.input.width, p.output.width);
        if (x < span.from || x >= span.to) continue;
        const u32* a = (const u32*)p.input.at(row, x * p.window.stride_x + kx - p.window.left);
        for (u32 i = 0; i < words; i++) out[i] &= a[i];
      }
    }
  }
}

// COUNT channels, or vectors of them, of a pixel; rows and columns are what of the window is inside.
template <bool MEAN, int COUNT, class T>
INLINE void pool_channels(const float* corner, u64 pitch, u32 stride, u32 rows, u32 columns, float* out, T share, T least,
                          T most) {
  constexpr u32 SIZE = sizeof(T) / sizeof(float);
  T value[COUNT];
  unrolled<COUNT>([&](auto n) INLINED { value[n.value] = splat(T{}, MEAN ? 0.f : -3.402823466e38f); });
  for (u32 y = 0; y < rows; y++, corner += pitch) {
    const float* a = corner;
    for (u32 x = 0; x < columns; x++, a += stride)
      unrolled<COUNT>([&](auto n) INLINED {
        T b;
        __builtin_memcpy(&b, a + n.value * SIZE, sizeof b);
        value[n.value] = MEAN ? value[n.value] + b : larger(value[n.value], b);
      });
  }
  unrolled<COUNT>([&](auto n) INLINED {
    const T v = smaller(larger(MEAN ? value[n.value] * share : value[n.value], least), most);
    __builtin_memcpy(out + n.value * SIZE, &v, sizeof v);
  });
}

// All channels of a pixel. HEIGHT and WIDTH are the rows and columns, or 0 if they are not known.
template <bool MEAN, u32 HEIGHT, u32 WIDTH>
INLINE void pool_pixel(const Pool& p, const float* corner, u32 height, u32 width, float* out) {
  const u32 rows = HEIGHT ? HEIGHT : height, columns = WIDTH ? WIDTH : width, stride = p.input.stride;
  const u64 pitch = u64(p.input.width) * stride;
  const float share = rows && columns ? 1.f / float(rows * columns) : 0.f;
  const V shares = all(share), least = all(p.least), most = all(p.most);
  u64 c = 0;
  const u64 channels = p.output.channels;
  for (; c + 4 * LANES <= channels; c += 4 * LANES)
    pool_channels<MEAN, 4>(corner + c, pitch, stride, rows, columns, out + c, shares, least, most);
  for (; c + LANES <= channels; c += LANES)
    pool_channels<MEAN, 1>(corner + c, pitch, stride, rows, columns, out + c, shares, least, most);
  for (; c < channels; c++)
    pool_channels<MEAN, 1>(corner + c, pitch, stride, rows, columns, out + c, share, p.least, p.most);
}

template <bool MEAN>
static void pool_floats(const Pool& job, u32 y) {
  const Pool p = job;
  const Window& w = p.window;
  const auto clipped = [](u32 at, u32 stride, u32 before, u32 taps, u32 size) {
    const i32 first = i32(at * stride) - i32(before), last = first + i32(taps);
    return Span{u32(first < 0 ? 0 : first), last < 0 ? 0 : u32(last) < size ? u32(last) : size};
  };
  const Span rows = clipped(y, w.stride_y, w.top, w.height, p.input.height);
  for (u32 x = 0; x < p.output.width; x++) {
    const Span columns = clipped(x, w.stride_x, w.left, w.width, p.input.width);
    const u32 height = rows.from < rows.to ? rows.to - rows.from : 0;
    const u32 width = columns.from < columns.to ? columns.to - columns.from : 0;
    const float* corner = p.input.at(rows.from, columns.from);
    if (height == 2 && width == 2) pool_pixel<MEAN, 2, 2>(p, corner, height, width, p.output.at(y, x));
    else pool_pixel<MEAN, 0, 0>(p, corner, height, width, p.output.at(y, x));
  }
}

static void pool(const Pool& p, u32 y) {
  if (p.signs) pool_signs(p, y);
  else if (p.mean) pool_floats<true>(p, y);
  else pool_floats<false>(p, y);
}

// COUNT vectors of outputs from `o` on, whose weights are `width` apart from an input to the next. Inputs beside each other
// have sums of their own, so that an addition does not wait for the one before it.
template <int COUNT, class W>
INLINE void dense_vectors(const Dense& d, const W* w, u64 width, u32 o) {
  constexpr int SUMS = COUNT > 2 ? 2 : MULTIPLIES_LANES ? LANES : 8 / COUNT, STEP = MULTIPLIES_LANES ? LANES : SUMS;
  V sums[SUMS][COUNT] = {};
  const float* a = d.input;
  u32 left = d.in;
  for (; left >= STEP; left -= STEP, a += STEP, w += STEP * width) {
#if defined(__x86_64__)  // Each weight is read once, from memory: CPUs that are told sooner take 8% less (Emerald Rapids).
    constexpr u64 AHEAD = 8192, LINE = Ahead::LINE, BYTES = STEP * CONV_BLOCK * sizeof(W);
    unrolled<(BYTES + LINE - 1) / LINE>([&](auto i) INLINED { __builtin_prefetch((const u8*)w + AHEAD + i.value * LINE); });
#endif
    V inputs = all(0.f);
    if constexpr (MULTIPLIES_LANES) inputs = load(a), stay_vector(inputs);
    unrolled<STEP>([&](auto i) INLINED {
      unrolled<COUNT>([&](auto n) INLINED {
        V weights = load(w + i.value * width + n.value * LANES);
        if (MULTIPLIES_LANES && n.value == 0) stay_vector(weights);
        V& sum = sums[i.value % SUMS][n.value];
        if constexpr (MULTIPLIES_LANES) sum += weights * inputs[i.value];
        else sum += weights * all(a[i.value]);
      });
    });
  }
  for (; left; left--, a++, w += width)
    unrolled<COUNT>([&](auto n) INLINED { sums[0][n.value] += load(w + n.value * LANES) * all(*a); });
  unrolled<COUNT>([&](auto n) INLINED {
    for (int rest = SUMS / 2; rest; rest /= 2)
      for (int i = 0; i < rest; i++) sums[i][n.value] += sums[i + rest][n.value];
    const u32 at = o + n.value * LANES;
    const V s = sums[0][n.value] * load(d.scale + at) + load(d.bias + at);
    store(d.output + at, smaller(larger(s, all(d.least)), all(d.most)));
  });
}

// Outputs from..to, which begin with a block.
template <class W>
INLINE void dense_blocks(const Dense& d, const W* kernel, u32 from, u32 to) {
  for (; from < to; from += CONV_BLOCK) {
    const W* const w = kernel + u64(from) * d.in;
    const u32 width = d.out - from < CONV_BLOCK ? d.out - from : CONV_BLOCK;
    if (width == CONV_BLOCK) {
      dense_vectors<CONV_BLOCK / LANES>(d, w, CONV_BLOCK, from);
      continue;
    }
    u32 k = 0;
    for (; k + LANES <= width; k += LANES) dense_vectors<1>(d, w + k, width, from + k);
    for (; k < width; k++) {
      float sum = 0;
      for (u32 i = 0; i < d.in; i++) sum += d.input[i] * float(w[u64(i) * width + k]);
      d.output[from + k] = smaller(larger(sum * d.scale[from + k] + d.bias[from + k], d.least), d.most);
    }
  }
}

static void dense(const Dense& job, u32 from, u32 to) {
  const Dense d = job;
  if (d.int8) dense_blocks(d, (const i8*)d.kernel, from, to);
  else dense_blocks(d, (const float*)d.kernel, from, to);
}

static void softmax(const Softmax& s) {
  float most = s.input[0], total = 0;
  for (u32 i = 1; i < s.channels; i++) most = larger(most, s.input[i]);
  for (u32 i = 0; i < s.channels; i++) total += s.output[i] = exponential((s.input[i] - most) * s.beta);
  for (u32 i = 0; i < s.channels; i++) s.output[i] /= total;
}
