// Operations on single elements. Channels are independent of each other, so a map is computed for GROUP channels at a
// time, and for STRIP pixels of these at a time: a register is STRIP x GROUP floats in the first cache, and goes from one
// operation to the next. Included behind vectors.inl.

constexpr int N = GROUP / LANES;  // Vectors of a group.

struct Strip {
  const MapJob& job;
  float *registers, *sums;
  u64 first;   // Pixel.
  u32 pixels;
  u32 from, channels;  // GROUP channels from `from` on, or fewer at the end.
};

// An operand of a strip: its first pixel's first channel, and elements from a pixel to the next.
template <class T>
struct Row {
  T* data;
  u32 stride;
};
template <class T>
INLINE Row<T> row(const Strip& s, const Operand& o) {
  if (!o.data) return {(T*)(s.registers + o.number * REGISTER), GROUP};
  return {(T*)o.data + s.first * o.stride + o.channel(s.from), o.stride};
}

// Signs of a strip are written by 16: half a word.
INLINE u16* signs_of(const Strip& s, const Operand& o) {
  return (u16*)((u32*)o.data + s.first * o.stride) + s.from / GROUP;
}
// What is behind the last channel in its word becomes zero, unless it is another's.
INLINE void finish_signs(const Strip& s, const Operand& o) {
  u16* const to = signs_of(s, o);
  const bool last = s.from + GROUP >= s.job.channels, lower_half = (u64)(uintptr_t)to % 4 == 0;
  if (!last || !lower_half || o.number) return;
  for (u32 p = 0; p < s.pixels; p++) to[1 + 2 * u64(p) * o.stride] = 0;
}

// `GENTLE`: no slope is above 1, so the larger one of a and its product is what is wanted.
template <bool GENTLE, class T>
INLINE T prelu(T a, T slope) {
  if constexpr (GENTLE) return maximum(a, a * slope);
  else return choose(a < splat(a, 0.f), a * slope, a);
}

// Operations by number, of vectors or single floats.
template <u32 OP, bool GENTLE = false, class T>
INLINE T operation(T a, T b, T c, T s) {
  (void)b, (void)c, (void)s;
  if constexpr (OP == OP_COPY) return a;
  if constexpr (OP == OP_AFFINE || OP == OP_FMA) return a * b + c;
  if constexpr (OP == OP_AFFINE_PRELU) return prelu<GENTLE>(a * b + c, s);
  if constexpr (OP == OP_ADD) return a + b;
  if constexpr (OP == OP_SUB) return a - b;
  if constexpr (OP == OP_MUL) return a * b;
  if constexpr (OP == OP_DIV) return a / b;
  if constexpr (OP == OP_MIN) return smaller(a, b);
  if constexpr (OP == OP_MAX) return larger(a, b);
  if constexpr (OP == OP_PRELU) return prelu<GENTLE>(a, b);
  if constexpr (OP == OP_LOGISTIC) return logistic(a);
  if constexpr (OP == OP_EXP) return exponential(a);
  if constexpr (OP == OP_SQRT) return root(a);
  if constexpr (OP == OP_TANH) return hyperbolic_tangent(a);
  return a;
}
constexpr bool reads_int16(u32 op) { return op == OP_AFFINE || op == OP_AFFINE_PRELU; }
constexpr u32 operands(u32 op) {
  return op == OP_AFFINE_PRELU ? 4
         : op == OP_AFFINE || op == OP_FMA ? 3
         : op == OP_COPY || op == OP_LOGISTIC || op == OP_EXP || op == OP_SQRT || op == OP_TANH ? 1
         : op == OP_MEAN_POOL ? 1 : 2;
}

// One operation on a strip.
template <u32 OP>
static void single(const Strip& s, u32 at) {
  typedef typename If<reads_int16(OP), i16, float>::Type A;
  constexpr u32 COUNT = operands(OP);
  const MapInstruction& i = s.job.instructions[at];
  Row<float> d = row<float>(s, i.d);
  Row<const A> a = row<const A>(s, i.a);
  Row<const float> b = {d.data, d.stride}, c = b, t = b;
  if constexpr (COUNT > 1) b = row<const float>(s, i.b);
  if constexpr (COUNT > 2) c = row<const float>(s, i.c);
  if constexpr (COUNT > 3) t = row<const float>(s, i.s);
  for (u32 p = 0; p < s.pixels; p++) {
    u32 k = 0;
    const auto vector = [&](u32 k) {
      store(d.data + k, operation<OP>(load(a.data + k), load(b.data + k), load(c.data + k), load(t.data + k)));
    };
    if (s.channels == GROUP) unrolled<N>([&](auto n) INLINED { vector(n.value * LANES); }), k = GROUP;
    for (; k + LANES <= s.channels; k += LANES) vector(k);
    for (; k < s.channels; k++)
      d.data[k] = operation<OP>(one(a.data + k), one(b.data + k), one(c.data + k), one(t.data + k));
    d.data += d.stride, a.data += a.stride, b.data += b.stride, c.data += c.stride, t.data += t.stride;
  }
}

template <>
void single<OP_PACK>(const Strip& s, u32 at) {
  const MapInstruction& i = s.job.instructions[at];
  u16* to = signs_of(s, i.d);
  Row<const float> a = row<const float>(s, i.a), b = row<const float>(s, i.b);
  for (u32 p = 0; p < s.pixels; p++) {
    u32 signs = 0, k = 0;
    if (s.channels == GROUP) {
      V values[N], thresholds[N];
      unrolled<N>([&](auto n) INLINED {
        values[n.value] = load(a.data + n.value * LANES), thresholds[n.value] = load(b.data + n.value * LANES);
      });
      signs = below(values, thresholds), k = GROUP;
    }
    for (; k < s.channels; k++) signs |= u32(a.data[k] < b.data[k]) << k;
    *to = u16(signs);
    to += 2 * i.d.stride, a.data += a.stride, b.data += b.stride;
  }
  finish_signs(s, i.d);
}

template <>
void single<OP_UNPACK>(const Strip& s, u32 at) {
  const MapInstruction& i = s.job.instructions[at];
  Row<float> d = row<float>(s, i.d);
  const u32* words = (const u32*)i.a.data + s.first * i.a.stride;
  for (u32 p = 0; p < s.pixels; p++, d.data += d.stride, words += i.a.stride)
    for (u32 k = 0; k < s.channels; k++) {
      const u32 channel = s.from + k;
      d.data[k] = words[channel / 32] >> (channel % 32) & 1 ? -1.f : 1.f;
    }
}

INLINE float* sum_of(const Strip& s, u32 at) {
  return s.sums + u64(s.job.instructions[at].d.number) * s.job.channels + s.from;
}

template <>
void single<OP_SUM>(const Strip& s, u32 at) {
  Row<const float> a = row<const float>(s, s.job.instructions[at].a);
  float* sums = sum_of(s, at);
  u32 k = 0;
  for (; k + LANES <= s.channels; k += LANES) {
    V t = load(sums + k);
    for (u32 p = 0; p < s.pixels; p++) t += load(a.data + u64(p) * a.stride + k);
    store(sums + k, t);
  }
  for (; k < s.channels; k++)
    for (u32 p = 0; p < s.pixels; p++) sums[k] += a.data[u64(p) * a.stride + k];
}

// What a strip is pooled to: two columns of a row at a time. The upper row of two begins with zeros, or with what the
// result is at least, and leaves what the lower one begins with: where that is, and elements from a result to the next.
struct Pooled {
  float* to;
  u32 stride;
  const float* start;
  u32 next;
};
template <bool MEAN>
INLINE Pooled pooled(const Strip& s, u32 at) {
  static const float zeros[GROUP] = {};
  const MapInstruction& i = s.job.instructions[at];
  const u64 row = s.first / s.job.width, column = s.first % s.job.width;
  float* const to = (float*)i.d.data + (row / 2 * (s.job.width / 2) + column / 2) * i.d.stride + i.d.channel(s.from);
  if (row % 2) return {to, i.d.stride, to, i.d.stride};
  return {to, i.d.stride, MEAN ? zeros : (const float*)i.b.data + s.from, 0};
}
template <bool MEAN, class T>
INLINE T pool_pair(T start, T a, T b) {
  return MEAN ? start + (a + b) * splat(a, 0.25f) : larger(start, larger(a, b));
}

template <bool MEAN>
static void single_pool(const Strip& s, u32 at) {
  Pooled d = pooled<MEAN>(s, at);
  const Row<const float> a = row<const float>(s, s.job.instructions[at].a);
  for (u32 p = 0; p < s.pixels; p += 2, d.to += d.stride, d.start += d.next) {
    const float *left = a.data + u64(p) * a.stride, *right = left + a.stride;
    u32 k = 0;
    for (; k + LANES <= s.channels; k += LANES)
      store(d.to + k, pool_pair<MEAN>(load(d.start + k), load(left + k), load(right + k)));
    for (; k < s.channels; k++) d.to[k] = pool_pair<MEAN>(d.start[k], left[k], right[k]);
  }
}
template <>
void single<OP_MEAN_POOL>(const Strip& s, u32 at) { single_pool<true>(s, at); }
template <>
void single<OP_MAX_POOL>(const Strip& s, u32 at) { single_pool<false>(s, at); }
