// The float side of every instruction set: convolutions, pooling and dense layers on vectors. Included behind
// vectors.inl. Weights lie with the output channels side by side, so a vector holds LANES of them.

// Output columns [from, to) whose tap `kx` lies inside the input.
struct Span {
  u32 from, to;
};
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

// TILE pixels x COUNT vectors of output channels of one row, from column x and channel o on; taps kx of `taps` only.
// WIDTH is that of the block, or 0 if it is not known.
template <int TILE, int COUNT, u32 WIDTH>
static void conv_tile(const Conv& c, u32 y, u32 x, u32 o, Span taps) {
  const Block block = block_at(c, o);
  V acc[TILE][COUNT];
  unrolled<COUNT>([&](auto n) INLINED {
    const V bias = load(c.bias + o + n.value * LANES);
    unrolled<TILE>([&](auto p) INLINED { acc[p.value][n.value] = bias; });
  });
  const u32 filters = WIDTH ? WIDTH : block.width, channels = c.input.channels;
  const u64 pitch = u64(c.window.stride_x) * c.input.stride, tap = u64(c.window.dilation_x) * c.input.stride;
  // Taps that lie without gaps are one tap of more channels.
  const bool dense = tap == channels;
  const u32 count = taps.from < taps.to ? taps.to - taps.from : 0;
  const u32 runs = dense ? count > 0 : count, length = dense ? channels * count : channels;
  for (u32 ky = 0; ky < c.window.height; ky++) {
    u32 row;
    if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
    const float* w = block.kernel + (u64(ky) * c.window.width + taps.from) * channels * filters;
    const float* first = c.input.at(row, x * c.window.stride_x + taps.from * c.window.dilation_x - c.window.left);
    for (u32 run = 0; run < runs; run++, first += tap) {
      const float* a = first;
      u32 i = 0;
      if (MULTIPLIES_LANES)  // A lane of a vector costs no load of its own.
        for (; i + LANES <= length; i += LANES, a += LANES) {
          V inputs[TILE];
          unrolled<TILE>([&](auto p) INLINED { inputs[p.value] = load(a + p.value * pitch); });
          unrolled<LANES>([&](auto lane) INLINED {
            unrolled<COUNT>([&](auto n) INLINED {
              const V weights = load(w + n.value * LANES);
              unrolled<TILE>([&](auto p) INLINED { acc[p.value][n.value] += weights * inputs[p.value][lane.value]; });
            });
            w += filters;
          });
        }
      for (; i < length; i++, a++, w += filters) {
        V weights[COUNT];
        unrolled<COUNT>([&](auto n) INLINED { weights[n.value] = load(w + n.value * LANES); });
        unrolled<TILE>([&](auto p) INLINED {
          const V v = all(a[p.value * pitch]);
          unrolled<COUNT>([&](auto n) INLINED { acc[p.value][n.value] += v * weights[n.value]; });
        });
      }
    }
  }
  unrolled<TILE>([&](auto p) INLINED {
    float* out = c.output.at(y, x + p.value) + o;
    unrolled<COUNT>([&](auto n) INLINED {
      store(out + n.value * LANES, smaller(larger(acc[p.value][n.value], all(c.least)), all(c.most)));
    });
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
  c.output.at(y, x)[o] = smaller(larger(acc, c.least), c.most);
}

// As many pixels from column x on as are a power of two up to TILE and have all taps, but at least one.
template <int TILE, int COUNT, u32 WIDTH>
INLINE u32 conv_some(const Conv& c, u32 y, u32 x, u32 o) {
  if (TILE == 1 || x + TILE <= c.output.width) {
    const Span taps = taps_of(c.window, x, TILE, c.input.width);
    if (TILE == 1 || (taps.from == 0 && taps.to == c.window.width)) {
      conv_tile<TILE, COUNT, WIDTH>(c, y, x, o, taps);
      return TILE;
    }
  }
  if constexpr (TILE > 1) return conv_some<TILE / 2, COUNT, WIDTH>(c, y, x, o);
  return 1;
}
template <int TILE, int COUNT, u32 WIDTH>
INLINE void conv_columns(const Conv& c, u32 y, u32 o) {
  for (u32 x = 0; x < c.output.width;) x += conv_some<TILE, COUNT, WIDTH>(c, y, x, o);
}

static void conv(const Conv& c, u32 y) {
  // So many pixels that the vectors of a block leave registers for weights.
  constexpr int WHOLE = CONV_BLOCK / LANES, HALF = WHOLE / 2, MORE = MULTIPLIES_LANES ? 8 : 4;
  u32 o = 0;
  for (; o + CONV_BLOCK <= c.output.channels; o += CONV_BLOCK) conv_columns<4, WHOLE, CONV_BLOCK>(c, y, o);
  if (o + CONV_BLOCK / 2 == c.output.channels) return conv_columns<MORE, HALF, CONV_BLOCK / 2>(c, y, o);
  for (; o + LANES <= c.output.channels; o += LANES) conv_columns<4, 1, 0>(c, y, o);
  for (; o < c.output.channels; o++)
    for (u32 x = 0; x < c.output.width; x++) conv_single(c, y, x, o);
}

static void depthwise(const Conv& c, u32 y) {
  const u32 filters = c.output.channels;
  for (u32 x = 0; x < c.output.width; x++) {
    float* out = c.output.at(y, x);
    for (u32 o = 0; o < filters; o++) out[o] = c.bias[o];
    for (u32 ky = 0; ky < c.window.height; ky++) {
      u32 row;
      if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
      for (u32 kx = 0; kx < c.window.width; kx++) {
        const Span span = inside(c.window, kx, c.input.width, c.output.width);
        if (x < span.from || x >= span.to) continue;
        const float* a = c.input.at(row, x * c.window.stride_x + kx * c.window.dilation_x - c.window.left);
        const float* w = c.kernel + (u64(ky) * c.window.width + kx) * filters;
        u32 o = 0;
        if (c.multiplier == 1)
          for (; o + LANES <= filters; o += LANES) store(out + o, load(out + o) + load(a + o) * load(w + o));
        for (; o < filters; o++) out[o] += a[o / c.multiplier] * w[o];
      }
    }
    for (u32 o = 0; o < filters; o++) out[o] = smaller(larger(out[o], c.least), c.most);
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

// COUNT channels, or vectors of them, of a pixel from channel `at` on; `from` and `to` are what of the window is inside.
template <bool MEAN, int COUNT, class T>
INLINE void pool_channels(const Pool& p, const float* corner, u32 rows, u32 columns, float* out, float share) {
  constexpr u32 SIZE = sizeof(T) / sizeof(float);
  T value[COUNT];
  unrolled<COUNT>([&](auto n) INLINED { value[n.value] = splat(T{}, MEAN ? 0.f : -3.402823466e38f); });
  for (u32 y = 0; y < rows; y++, corner += u64(p.input.width) * p.input.stride) {
    const float* a = corner;
    for (u32 x = 0; x < columns; x++, a += p.input.stride)
      unrolled<COUNT>([&](auto n) INLINED {
        T b;
        __builtin_memcpy(&b, a + n.value * SIZE, sizeof b);
        value[n.value] = MEAN ? value[n.value] + b : larger(value[n.value], b);
      });
  }
  unrolled<COUNT>([&](auto n) INLINED {
    T v = MEAN ? value[n.value] * splat(T{}, share) : value[n.value];
    v = smaller(larger(v, splat(T{}, p.least)), splat(T{}, p.most));
    __builtin_memcpy(out + n.value * SIZE, &v, sizeof v);
  });
}

template <bool MEAN>
static void pool_floats(const Pool& p, u32 y) {
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
    float* out = p.output.at(y, x);
    const float share = height && width ? 1.f / float(height * width) : 0.f;
    u32 c = 0;
    for (; c + 4 * LANES <= p.output.channels; c += 4 * LANES)
      pool_channels<MEAN, 4, V>(p, corner + c, height, width, out + c, share);
    for (; c + LANES <= p.output.channels; c += LANES)
      pool_channels<MEAN, 1, V>(p, corner + c, height, width, out + c, share);
    for (; c < p.output.channels; c++) pool_channels<MEAN, 1, float>(p, corner + c, height, width, out + c, share);
  }
}

static void pool(const Pool& p, u32 y) {
  if (p.signs) pool_signs(p, y);
  else if (p.mean) pool_floats<true>(p, y);
  else pool_floats<false>(p, y);
}

template <class W>
INLINE void dense_rows(const Dense& d, const W* kernel, u32 from, u32 to) {
  for (u32 o = from; o < to; o++) {
    const W* w = kernel + u64(o) * d.in;
    V acc[4] = {};
    u32 i = 0;
    for (; i + 4 * LANES <= d.in; i += 4 * LANES)
      for (int n = 0; n < 4; n++) acc[n] += load(d.input + i + n * LANES) * load(w + i + n * LANES);
    for (; i + LANES <= d.in; i += LANES) acc[0] += load(d.input + i) * load(w + i);
    float s = sum((acc[0] + acc[1]) + (acc[2] + acc[3]));
    for (; i < d.in; i++) s += d.input[i] * float(w[i]);
    s = s * d.scale[o] + d.bias[o];
    d.output[o] = smaller(larger(s, d.least), d.most);
  }
}

static void dense(const Dense& d, u32 from, u32 to) {
  if (d.int8) dense_rows(d, (const i8*)d.kernel, from, to);
  else dense_rows(d, (const float*)d.kernel, from, to);
}

static void softmax(const Softmax& s) {
  float most = s.input[0], total = 0;
  for (u32 i = 1; i < s.channels; i++) most = larger(most, s.input[i]);
  for (u32 i = 0; i < s.channels; i++) total += s.output[i] = exponential((s.input[i] - most) * s.beta);
  for (u32 i = 0; i < s.channels; i++) s.output[i] /= total;
}
