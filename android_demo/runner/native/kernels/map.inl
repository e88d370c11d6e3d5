// Operations on single elements: a strip of pixels at a time goes through all instructions, from register to register.
// A register is a strip in the first cache, so a step reads its inputs once and writes its results once, however many
// operations it has. Included behind vectors.inl.

// An operand of the current strip.
template <class T>
struct Row {
  T* data;
  u32 stride;
};

struct Strip {
  const MapJob& job;
  float* registers;
  u64 first;  // Pixel.
  u32 pixels;
};

template <class T>
INLINE Row<T> row(const Strip& s, const Operand& o) {
  if (!o.data) return {(T*)(s.registers + u64(o.number) * register_floats(s.job.channels)), s.job.channels};
  return {(T*)o.data + s.first * o.stride, o.stride};
}

// d = f(a, b, c) for all pixels and channels. Operands whose pixels lie without gaps are one long row.
template <class A, class F>
INLINE void each(const Strip& s, const MapInstruction& i, int operands, F f) {
  Row<float> d = row<float>(s, i.d), b = row<float>(s, operands > 1 ? i.b : i.d),
             c = row<float>(s, operands > 2 ? i.c : i.d), t = row<float>(s, operands > 3 ? i.s : i.d);
  Row<A> a = row<A>(s, i.a);
  u32 pixels = s.pixels, channels = s.job.channels;
  if (d.stride == channels && a.stride == channels && b.stride == channels && c.stride == channels &&
      t.stride == channels)
    channels *= pixels, pixels = 1;
  for (u32 p = 0; p < pixels; p++) {
    u32 k = 0;
    for (; k + LANES <= channels; k += LANES)
      store(d.data + k, f(load(a.data + k), load(b.data + k), load(c.data + k), load(t.data + k)));
    for (; k < channels; k++) put(d.data + k, f(one(a.data + k), one(b.data + k), one(c.data + k), one(t.data + k)));
    d.data += d.stride, a.data += a.stride, b.data += b.stride, c.data += c.stride, t.data += t.stride;
  }
}

INLINE void pack(const Strip& s, const MapInstruction& i) {
  Row<u32> d = row<u32>(s, i.d);
  Row<float> a = row<float>(s, i.a), b = row<float>(s, i.b);
  const u32 channels = s.job.channels;
  for (u32 p = 0; p < s.pixels; p++) {
    for (u32 k = 0; k < channels; k += 32) {
      u32 word = 0, j = k;
      const u32 end = channels - k < 32 ? channels : k + 32;
      for (; j + LANES <= end; j += LANES) word |= mask(load(a.data + j) < load(b.data + j)) << (j - k);
      for (; j < end; j++) word |= u32(a.data[j] < b.data[j]) << (j - k);
      d.data[k / 32] = word;
    }
    d.data += d.stride, a.data += a.stride, b.data += b.stride;
  }
}

INLINE void unpack(const Strip& s, const MapInstruction& i) {
  Row<float> d = row<float>(s, i.d);
  Row<const u32> a = row<const u32>(s, i.a);
  for (u32 p = 0; p < s.pixels; p++, d.data += d.stride, a.data += a.stride)
    for (u32 k = 0; k < s.job.channels; k++) d.data[k] = a.data[k / 32] >> (k % 32) & 1 ? -1.f : 1.f;
}

INLINE void add_up(const Strip& s, const MapInstruction& i, float* sums) {
  Row<float> a = row<float>(s, i.a);
  const u32 channels = s.job.channels;
  u32 k = 0;
  for (; k + 2 * LANES <= channels; k += 2 * LANES) {
    V t = load(sums + k), u = load(sums + k + LANES);
    for (u32 p = 0; p < s.pixels; p++) {
      t += load(a.data + u64(p) * a.stride + k);
      u += load(a.data + u64(p) * a.stride + k + LANES);
    }
    store(sums + k, t), store(sums + k + LANES, u);
  }
  for (; k < channels; k++)
    for (u32 p = 0; p < s.pixels; p++) sums[k] += a.data[u64(p) * a.stride + k];
}

#define EACH(A, OPERANDS, EXPRESSION)                                   \
  each<const A>(s, i, OPERANDS, [](auto a, auto b, auto c, auto t) { \
    (void)b, (void)c, (void)t;                                          \
    return EXPRESSION;                                                  \
  })

static void map(const MapJob& job, u64 from, u64 to, float* registers, float* sums) {
  const u32 most = strip_pixels(job.channels);
  for (u64 first = from; first < to; first += most) {
    const Strip s{job, registers, first, to - first < most ? u32(to - first) : most};
    u32 sum = 0;
    for (u32 n = 0; n < job.count; n++) {
      const MapInstruction& i = job.instructions[n];
      switch (i.op) {
        case OP_COPY: EACH(float, 1, a); break;
        case OP_AFFINE: EACH(i16, 3, a * b + c); break;
        case OP_AFFINE_PRELU:
          each<const i16>(s, i, 4, [](auto a, auto b, auto c, auto t) {
            auto v = a * b + c;
            return choose(v < splat(v, 0.f), v * t, v);
          });
          break;
        case OP_ADD: EACH(float, 2, a + b); break;
        case OP_SUB: EACH(float, 2, a - b); break;
        case OP_MUL: EACH(float, 2, a * b); break;
        case OP_DIV: EACH(float, 2, a / b); break;
        case OP_MIN: EACH(float, 2, smaller(a, b)); break;
        case OP_MAX: EACH(float, 2, larger(a, b)); break;
        case OP_FMA: EACH(float, 3, a * b + c); break;
        case OP_PRELU: EACH(float, 2, choose(a < splat(a, 0.f), a * b, a)); break;
        case OP_LOGISTIC: EACH(float, 1, logistic(a)); break;
        case OP_EXP: EACH(float, 1, exponential(a)); break;
        case OP_SQRT: EACH(float, 1, root(a)); break;
        case OP_TANH: EACH(float, 1, hyperbolic_tangent(a)); break;
        case OP_PACK: pack(s, i); break;
        case OP_UNPACK: unpack(s, i); break;
        case OP_SUM: add_up(s, i, sums + u64(sum++) * job.channels); break;
      }
    }
  }
}
#undef EACH
