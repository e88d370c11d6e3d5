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

// TILE pixels x N vectors of output channels of one row, from column x and channel o on.
template <int TILE, int N>
static void conv_tile(const Conv& c, u32 y, u32 x, u32 o) {
  V acc[TILE][N];
  for (int n = 0; n < N; n++)
    for (int p = 0; p < TILE; p++) acc[p][n] = load(c.bias + o + n * LANES);
  const u32 filters = c.output.channels, channels = c.input.channels;
  const u64 pitch = u64(c.window.stride_x) * c.input.stride;
  for (u32 ky = 0; ky < c.window.height; ky++) {
    u32 row;
    if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
    for (u32 kx = 0; kx < c.window.width; kx++) {
      const Span span = inside(c.window, kx, c.input.width, c.output.width);
      const float* w = c.kernel + (u64(ky) * c.window.width + kx) * channels * filters + o;
      if (span.from <= x && x + TILE <= span.to) {
        const float* a = c.input.at(row, x * c.window.stride_x + kx * c.window.dilation_x - c.window.left);
        for (u32 i = 0; i < channels; i++, w += filters) {
          V weights[N];
          for (int n = 0; n < N; n++) weights[n] = load(w + n * LANES);
          for (int p = 0; p < TILE; p++) {
            const V v = all(a[p * pitch + i]);
            for (int n = 0; n < N; n++) acc[p][n] += v * weights[n];
          }
        }
      } else {  // At the border, some pixels only.
        for (int p = 0; p < TILE; p++) {
          if (x + p < span.from || x + p >= span.to) continue;
          const float* a = c.input.at(row, (x + p) * c.window.stride_x + kx * c.window.dilation_x - c.window.left);
          const float* v = w;
          for (u32 i = 0; i < channels; i++, v += filters)
            for (int n = 0; n < N; n++) acc[p][n] += all(a[i]) * load(v + n * LANES);
        }
      }
    }
  }
  for (int p = 0; p < TILE; p++)
    for (int n = 0; n < N; n++)
      store(c.output.at(y, x + p) + o + n * LANES, smaller(larger(acc[p][n], all(c.least)), all(c.most)));
}

// A single output channel, behind the last whole vector.
static void conv_single(const Conv& c, u32 y, u32 x, u32 o) {
  float acc = c.bias[o];
  const u32 filters = c.output.channels, channels = c.input.channels;
  for (u32 ky = 0; ky < c.window.height; ky++) {
    u32 row;
    if (!row_inside(c.window, y, ky, c.input.height, &row)) continue;
    for (u32 kx = 0; kx < c.window.width; kx++) {
      const Span span = inside(c.window, kx, c.input.width, c.output.width);
      if (x < span.from || x >= span.to) continue;
      const float* a = c.input.at(row, x * c.window.stride_x + kx * c.window.dilation_x - c.window.left);
      const float* w = c.kernel + (u64(ky) * c.window.width + kx) * channels * filters + o;
      for (u32 i = 0; i < channels; i++) acc += a[i] * w[u64(i) * filters];
    }
  }
  c.output.at(y, x)[o] = smaller(larger(acc, c.least), c.most);
}

template <int N>
INLINE void conv_columns(const Conv& c, u32 y, u32 o) {
  u32 x = 0;
  for (; x + 4 <= c.output.width; x += 4) conv_tile<4, N>(c, y, x, o);
  for (; x < c.output.width; x++) conv_tile<1, N>(c, y, x, o);
}

static void conv(const Conv& c, u32 y) {
  u32 o = 0;
  for (; o + 2 * LANES <= c.output.channels; o += 2 * LANES) conv_columns<2>(c, y, o);
  for (; o + LANES <= c.output.channels; o += LANES) conv_columns<1>(c, y, o);
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

// `some` channels of a pixel: a vector or one float.
template <class T>
INLINE void pool_channels(const Pool& p, u32 y, u32 x, u32 c, T zero) {
  T value = p.mean ? zero : splat(zero, -3.402823466e38f);
  u32 count = 0;
  for (u32 ky = 0; ky < p.window.height; ky++) {
    u32 row;
    if (!row_inside(p.window, y, ky, p.input.height, &row)) continue;
    for (u32 kx = 0; kx < p.window.width; kx++) {
      const Span span = inside(p.window, kx, p.input.width, p.output.width);
      if (x < span.from || x >= span.to) continue;
      T a;
      __builtin_memcpy(&a, p.input.at(row, x * p.window.stride_x + kx - p.window.left) + c, sizeof a);
      value = p.mean ? value + a : larger(value, a);
      count++;
    }
  }
  if (p.mean && count) value = value / splat(zero, float(count));
  value = smaller(larger(value, splat(zero, p.least)), splat(zero, p.most));
  __builtin_memcpy(p.output.at(y, x) + c, &value, sizeof value);
}

static void pool(const Pool& p, u32 y) {
  if (p.signs) return pool_signs(p, y);
  for (u32 x = 0; x < p.output.width; x++) {
    u32 c = 0;
    for (; c + LANES <= p.output.channels; c += LANES) pool_channels(p, y, x, c, V{});
    for (; c < p.output.channels; c++) pool_channels(p, y, x, c, 0.f);
  }
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
