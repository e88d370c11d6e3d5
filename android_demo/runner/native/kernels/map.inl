// Maps: operations on single elements, one by one as strips.inl has them, behind which this is included, or *fused*: of
// sequences that networks are full of, intermediate results stay in the CPU's registers. A sequence is a template's
// arguments, so it costs a line below to fuse another.

// Whether no slope of a group is above 1. Apart from the loops, whose registers it would take.
static __attribute__((noinline)) bool are_gentle(const float* slopes) {
  constexpr float ABOVE_ONE = 1.f + 1.f / (1 << 23);  // No number lies between.
  V a[N], b[N];
  unrolled<N>([&](auto n) INLINED { a[n.value] = load(slopes + n.value * LANES), b[n.value] = all(ABOVE_ONE); });
  return below(a, b) == (1 << GROUP) - 1;
}

// An operation of a sequence as a number: what it does, whether its result is needed behind the sequence, and where its
// operands come from: the result of an operation of the sequence, a vector that stands for all pixels, or a map.
constexpr u32 VECTOR = 30, MAPPED = 31;
constexpr u32 step(u32 op, bool kept, u32 a, u32 b = 0, u32 c = 0, u32 s = 0) {
  return op | u32(kept) << 5 | a << 6 | b << 11 | c << 16 | s << 21;
}
constexpr u32 op_of(u32 step) { return step & 31; }

// Keeps compilers from loading what comes next while results still wait for their signs: there are too few registers.
INLINE void stay_in_order() { __asm__ volatile("" ::: "memory"); }

template <u32... STEPS>
struct Sequence {
  static constexpr u32 COUNT = sizeof...(STEPS);
  static constexpr u32 STEP[] = {STEPS...};
  static constexpr u32 op(u32 i) { return op_of(STEP[i]); }
  static constexpr bool kept(u32 i) { return STEP[i] >> 5 & 1; }
  static constexpr u32 source(u32 i, u32 k) { return STEP[i] >> (6 + 5 * k) & 31; }
  static constexpr bool pools(u32 i) { return op(i) == OP_MEAN_POOL || op(i) == OP_MAX_POOL; }
  static constexpr bool has_pools() {
    for (u32 i = 0; i < COUNT; i++)
      if (pools(i)) return true;
    return false;
  }

  struct State {
    const u8* maps[COUNT][4];
    u64 strides[COUNT][4];  // Bytes.
    u8* results[COUNT];
    u64 steps[COUNT];  // Bytes from a pixel's result to the next.
    Pooled pooled[COUNT];
    V vectors[COUNT][4][N], values[COUNT][N], sums[COUNT][N];
  };

  template <u32 I>
  static INLINED void begin(const Strip& s, u32 at, State& state) {
    const MapInstruction& i = s.job.instructions[at + I];
    const Operand* const sources[4] = {&i.a, &i.b, &i.c, &i.s};
    unrolled<int(operands(op(I)))>([&](auto k) INLINED {
      constexpr u32 from = source(I, k.value);
      if constexpr (from == VECTOR) {
        const float* p = row<const float>(s, *sources[k.value]).data;
        unrolled<N>([&](auto n) INLINED { state.vectors[I][k.value][n.value] = load(p + n.value * LANES); });
      } else if constexpr (from == MAPPED && reads_int16(op(I)) && k.value == 0) {
        const Row<const i16> r = row<const i16>(s, *sources[k.value]);
        state.maps[I][k.value] = (const u8*)r.data, state.strides[I][k.value] = u64(r.stride) * 2;
      } else if constexpr (from == MAPPED) {
        const Row<const float> r = row<const float>(s, *sources[k.value]);
        state.maps[I][k.value] = (const u8*)r.data, state.strides[I][k.value] = u64(r.stride) * 4;
      }
    });
    state.steps[I] = u64(i.d.data ? i.d.stride : GROUP) * 4;
    if constexpr (pools(I)) state.pooled[I] = pooled<op(I) == OP_MEAN_POOL>(s, at + I);
    else if constexpr (op(I) == OP_PACK) state.results[I] = (u8*)signs_of(s, i.d);
    else if constexpr (op(I) == OP_SUM)
      unrolled<N>([&](auto n) INLINED { state.sums[I][n.value] = load(sum_of(s, at + I) + n.value * LANES); });
    else if constexpr (kept(I)) state.results[I] = (u8*)row<float>(s, i.d).data;
  }

  template <u32 I, u32 K>
  static INLINED V operand(const State& state, int n) {
    if constexpr (K >= operands(op(I))) return V{};
    else if constexpr (source(I, K) == VECTOR) return state.vectors[I][K][n];
    else if constexpr (source(I, K) != MAPPED) return state.values[source(I, K)][n];
    else if constexpr (reads_int16(op(I)) && K == 0) return load_part((const i16*)state.maps[I][K], n);
    else return load((const float*)state.maps[I][K] + n * LANES);
  }

  // LAST: whether it is the second column of two. Of the first, `values` are kept for it.
  template <u32 I, bool GENTLE, bool LAST>
  static INLINED void pixel(State& state) {
    if constexpr (pools(I)) {
      Pooled& d = state.pooled[I];
      unrolled<N>([&](auto n) INLINED {
        const V a = operand<I, 0>(state, n.value);
        if constexpr (LAST)
          store(d.to + n.value * LANES, pool_pair<op(I) == OP_MEAN_POOL>(load(d.start + n.value * LANES),
                                                                          state.values[I][n.value], a));
        else state.values[I][n.value] = a;
      });
      if constexpr (LAST) d.to += d.stride, d.start += d.next, stay_in_order();
    } else if constexpr (op(I) == OP_PACK) {
      V a[N], b[N];
      unrolled<N>([&](auto n) INLINED { a[n.value] = operand<I, 0>(state, n.value), b[n.value] = operand<I, 1>(state, n.value); });
      *(u16*)state.results[I] = u16(below(a, b));
      stay_in_order();
      state.results[I] += state.steps[I];
    } else if constexpr (op(I) == OP_SUM) {
      unrolled<N>([&](auto n) INLINED { state.sums[I][n.value] += operand<I, 0>(state, n.value); });
    } else {
      unrolled<N>([&](auto n) INLINED {
        state.values[I][n.value] =
            operation<op(I), GENTLE>(operand<I, 0>(state, n.value), operand<I, 1>(state, n.value),
                                     operand<I, 2>(state, n.value), operand<I, 3>(state, n.value));
      });
      if constexpr (kept(I))
        unrolled<N>([&](auto n) INLINED {
          store((float*)state.results[I] + n.value * LANES, state.values[I][n.value]);
        });
      if constexpr (kept(I)) state.results[I] += state.steps[I];
    }
    unrolled<int(operands(op(I)))>([&](auto k) INLINED {
      if constexpr (source(I, k.value) == MAPPED) state.maps[I][k.value] += state.strides[I][k.value];
    });
  }

  // The slopes of an operation, if it has some: its operand number.
  static constexpr u32 slopes(u32 i) { return op(i) == OP_AFFINE_PRELU ? 3 : op(i) == OP_PRELU ? 1 : 4; }
  static constexpr bool has_slopes() {
    for (u32 i = 0; i < COUNT; i++)
      if (slopes(i) < 4) return true;
    return false;
  }
  static INLINED bool gentle(const Strip& s, u32 at) {
    bool all_are = true;
    unrolled<int(COUNT)>([&](auto i) INLINED {
      constexpr u32 k = slopes(i.value);
      const MapInstruction& m = s.job.instructions[at + i.value];
      if constexpr (k < 4) {
        const Operand& o = k == 1 ? m.b : m.s;
        if constexpr (source(i.value, k) == VECTOR) all_are = all_are && are_gentle(row<const float>(s, o).data);
        else all_are = false;
      }
    });
    return all_are;
  }

  template <bool GENTLE>
  static INLINED void pixels_of(u32 pixels, State& state) {
    constexpr u32 TOGETHER = has_pools() ? 2 : 1;
    do unrolled<int(TOGETHER)>([&](auto p) INLINED {
      unrolled<int(COUNT)>([&](auto i) INLINED { pixel<i.value, GENTLE, p.value == 1>(state); });
    });
    while (pixels -= TOGETHER);
  }

  // A strip of GROUP channels, from instruction `at` on.
  static void run(const Strip& s, u32 at) {
    const bool is_gentle = has_slopes() && gentle(s, at);
    State state;
    unrolled<int(COUNT)>([&](auto i) INLINED { begin<i.value>(s, at, state); });
    if constexpr (has_slopes()) is_gentle ? pixels_of<true>(s.pixels, state) : pixels_of<false>(s.pixels, state);
    else pixels_of<false>(s.pixels, state);
    unrolled<int(COUNT)>([&](auto i) INLINED {
      if constexpr (op(i.value) == OP_SUM)
        unrolled<N>([&](auto n) INLINED { store(sum_of(s, at + i.value) + n.value * LANES, state.sums[i.value][n.value]); });
      if constexpr (op(i.value) == OP_PACK) finish_signs(s, s.job.instructions[at + i.value].d);
    });
  }
};

// What instruction `i` is in a sequence from `first` to before `end`.
static u32 step_of(const MapJob& job, u32 first, u32 i, u32 end) {
  const MapInstruction& m = job.instructions[i];
  const auto same = [](const Operand& a, const Operand& b) {
    return a.data == b.data && (a.data ? a.stride == b.stride : a.number == b.number);
  };
  const Operand* const sources[4] = {&m.a, &m.b, &m.c, &m.s};
  u32 from[4] = {};
  for (u32 k = 0; k < operands(m.op) && !(m.op == OP_SUM && k == 1); k++) {
    const Operand& o = *sources[k];
    from[k] = o.data && !o.stride ? VECTOR : MAPPED;
    for (u32 j = first; j < i; j++)
      if (same(job.instructions[j].d, o)) from[k] = j - first;  // The last one's result.
  }
  // Of two results the earlier is first where that is the same.
  if ((m.op == OP_ADD || m.op == OP_MUL) && from[1] < from[0] && from[0] < VECTOR) {
    const u32 first_of_both = from[1];
    from[1] = from[0], from[0] = first_of_both;
  }
  // A register is, if it is read behind the sequence before it is written again.
  bool kept = m.d.data != nullptr;
  for (u32 j = i + 1; j < job.count && !kept; j++) {
    const MapInstruction& later = job.instructions[j];
    const Operand* const reads[4] = {&later.a, &later.b, &later.c, &later.s};
    for (u32 k = 0; k < operands(later.op) && j >= end; k++) kept = kept || same(*reads[k], m.d);
    if (same(later.d, m.d)) break;
  }
  return step(m.op, kept, from[0], from[1], from[2], from[3]);
}

struct Fused {
  u32 count;
  const u32* steps;
  void (*run)(const Strip&, u32 at);
};
template <class S>
constexpr Fused fused() { return {S::COUNT, S::STEP, S::run}; }

// Longer ones first. prelu(a x + b) of a binary convolution:
constexpr u32 NORMALIZED = step(OP_AFFINE_PRELU, false, MAPPED, VECTOR, VECTOR, VECTOR);
constexpr u32 SCALED = step(OP_AFFINE, false, MAPPED, VECTOR, VECTOR);
constexpr u32 IMPROVED = step(OP_ADD, true, 0, 1), IMPROVED_SIGNS = step(OP_PACK, true, 2, VECTOR);
constexpr u32 PASSED_ON = step(OP_ADD, false, 0, 1), LARGEST = step(OP_MAX_POOL, true, 2, VECTOR);
constexpr u32 POSITIVE = step(OP_MAX, false, 0, VECTOR), NORMALIZED_AFTER = step(OP_FMA, false, 1, VECTOR, VECTOR);
constexpr u32 SIGNS_OF_MAP = step(OP_PACK, true, MAPPED, VECTOR);
static const Fused FUSED[] = {
    // BNext: times the gate, plus the residual; signs; what the next block's shortcut pools, or takes as it is.
    fused<Sequence<NORMALIZED, step(OP_FMA, true, 0, VECTOR, MAPPED), step(OP_PACK, true, 1, VECTOR),
                   step(OP_PRELU, true, 1, VECTOR)>>(),
    fused<Sequence<NORMALIZED, step(OP_FMA, false, 0, VECTOR, MAPPED), step(OP_PACK, true, 1, VECTOR),
                   step(OP_PRELU, false, 1, VECTOR), step(OP_MEAN_POOL, true, 3)>>(),
    fused<Sequence<NORMALIZED, step(OP_FMA, false, 0, VECTOR, MAPPED), step(OP_PACK, true, 1, VECTOR),
                   step(OP_PRELU, true, 1, VECTOR)>>(),
    fused<Sequence<NORMALIZED, step(OP_FMA, true, 0, VECTOR, MAPPED), step(OP_PACK, true, 1, VECTOR)>>(),
    // BNext's blocks of stride 2: the gate is of the residual.
    fused<Sequence<NORMALIZED, step(OP_MUL, false, 0, VECTOR), step(OP_FMA, true, 1, MAPPED, MAPPED),
                   step(OP_SUM, true, 2), step(OP_PACK, true, 2, VECTOR)>>(),
    // BNext's first block, and its last.
    fused<Sequence<step(OP_SUM, true, MAPPED), step(OP_PACK, true, MAPPED, VECTOR)>>(),
    fused<Sequence<NORMALIZED, step(OP_FMA, false, 0, VECTOR, MAPPED), step(OP_PRELU, false, 1, VECTOR),
                   step(OP_SUM, true, 2)>>(),
    // MeliusNet: a dense block's new channels, and those that are improved.
    fused<Sequence<SCALED, step(OP_PACK, true, 0, VECTOR)>>(),
    fused<Sequence<SCALED, SCALED, IMPROVED, LARGEST, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS>>(),
    fused<Sequence<SCALED, SCALED, PASSED_ON, LARGEST, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS>>(),
    fused<Sequence<SCALED, SCALED, PASSED_ON, LARGEST, IMPROVED_SIGNS, IMPROVED_SIGNS>>(),
    fused<Sequence<SCALED, SCALED, PASSED_ON, LARGEST>>(),
    fused<Sequence<SCALED, SCALED, IMPROVED, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS, IMPROVED_SIGNS>>(),
    fused<Sequence<SCALED, SCALED, IMPROVED, IMPROVED_SIGNS, IMPROVED_SIGNS>>(),
    fused<Sequence<SCALED, SCALED, IMPROVED>>(),
    // Bi-Real Net: plus the residual. ReActNet: a PReLU behind it.
    fused<Sequence<SCALED, step(OP_ADD, true, 0, MAPPED), step(OP_PACK, true, 1, VECTOR)>>(),
    fused<Sequence<SCALED, step(OP_ADD, false, 0, MAPPED), step(OP_MEAN_POOL, true, 1), step(OP_PACK, true, 1, VECTOR)>>(),
    fused<Sequence<SCALED, step(OP_ADD, false, 0, MAPPED), step(OP_PRELU, true, 1, VECTOR), step(OP_PACK, true, 2, VECTOR)>>(),
    fused<Sequence<SCALED, step(OP_ADD, false, 0, MAPPED), step(OP_PRELU, false, 1, VECTOR), step(OP_MEAN_POOL, true, 2),
                   step(OP_PACK, true, 2, VECTOR)>>(),
    // Real-to-Binary: times the gate, PReLU, plus the residual, whose mean is the next gate's.
    fused<Sequence<SCALED, step(OP_MUL, false, VECTOR, 0), step(OP_PRELU, false, 1, VECTOR), step(OP_ADD, true, 2, MAPPED),
                   step(OP_SUM, true, 3), step(OP_PACK, true, 3, VECTOR)>>(),
    // BinaryDenseNet: new channels, for all blocks behind.
    fused<Sequence<step(OP_AFFINE, true, MAPPED, VECTOR, VECTOR), step(OP_MAX_POOL, true, 0, VECTOR),
                   step(OP_PACK, true, 0, VECTOR), step(OP_PACK, true, 0, VECTOR)>>(),
    fused<Sequence<SCALED, step(OP_MAX_POOL, true, 0, VECTOR), step(OP_PACK, true, 0, VECTOR)>>(),
    // QuickNet: ReLU before the normalization, plus the residual; signs, or the transition's ReLU.
    fused<Sequence<SCALED, POSITIVE, NORMALIZED_AFTER, step(OP_ADD, true, 2, MAPPED), step(OP_PACK, true, 3, VECTOR)>>(),
    fused<Sequence<SCALED, POSITIVE, NORMALIZED_AFTER, step(OP_ADD, false, 2, MAPPED), step(OP_MAX, true, 3, VECTOR)>>(),
    fused<Sequence<SCALED, POSITIVE, NORMALIZED_AFTER, step(OP_ADD, false, 2, MAPPED), step(OP_MAX, false, 3, VECTOR),
                   step(OP_SUM, true, 4)>>(),
    fused<Sequence<SIGNS_OF_MAP, SIGNS_OF_MAP, SIGNS_OF_MAP, SIGNS_OF_MAP>>(),
    fused<Sequence<SIGNS_OF_MAP, SIGNS_OF_MAP>>(),
    fused<Sequence<NORMALIZED, step(OP_FMA, true, 0, VECTOR, MAPPED)>>(),
};

template <u32... OPS_>
struct Singles {
  static constexpr void (*RUN[])(const Strip&, u32) = {single<OPS_>...};
};
typedef Singles<OP_COPY, OP_AFFINE, OP_AFFINE_PRELU, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MIN, OP_MAX, OP_FMA, OP_PRELU,
                OP_LOGISTIC, OP_EXP, OP_SQRT, OP_TANH, OP_PACK, OP_SUM, OP_UNPACK, OP_MEAN_POOL, OP_MAX_POOL>
    Operations;
static_assert(sizeof Operations::RUN / sizeof *Operations::RUN == OPS, "one each, in order");

static void map(const MapJob& job, u64 from, u64 to, float* registers, float* sums) {
  // Which sequences it consists of.
  u32 starts[MOST_INSTRUCTIONS + 1], count = 0;
  void (*runs[MOST_INSTRUCTIONS])(const Strip&, u32);
  for (u32 at = 0; at < job.count;) {
    const Fused* found = nullptr;
    for (const Fused& f : FUSED) {
      if (found || at + f.count > job.count) continue;
      u32 i = 0;
      while (i < f.count && job.instructions[at + i].op == op_of(f.steps[i])) i++;
      if (i < f.count) continue;
      i = 0;
      while (i < f.count && step_of(job, at, at + i, at + f.count) == f.steps[i]) i++;
      if (i == f.count) found = &f;
    }
    starts[count] = at, runs[count++] = found ? found->run : nullptr;
    at += found ? found->count : 1;
  }
  // Groups that lie beside each other in memory take turns.
  for (u32 block = 0; block < job.channels; block += CHANNEL_BLOCK) {
    const u32 end_of_block = job.channels - block < CHANNEL_BLOCK ? job.channels : block + CHANNEL_BLOCK;
    u32 pixels;
    for (u64 first = from; first < to; first += pixels) {
      const u64 left = job.width ? job.width - first % job.width : to - first;
      pixels = left < STRIP ? u32(left) : STRIP;
      for (u32 k = block; k < end_of_block; k += GROUP) {
        const Strip s{job, registers, sums, first, pixels, k, end_of_block - k < GROUP ? end_of_block - k : GROUP};
        for (u32 n = 0; n < count; n++) {
          const u32 at = starts[n], end = n + 1 < count ? starts[n + 1] : job.count;
          if (runs[n] && s.channels == GROUP) runs[n](s, at);
          else
            for (u32 i = at; i < end; i++) Operations::RUN[job.instructions[i].op](s, i);
        }
      }
    }
  }
}
