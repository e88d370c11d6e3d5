// Loads a checked plan into memory and runs its steps, one after the other, each in parts that do not depend on the
// number of threads.
#include "check.h"
#include "core.h"
#include "denormals.h"
#include "view.h"
#include "watch.h"

using namespace runner;

struct runner_engine {
  PlanView plan;
  const Kernels* kernels;  // Of the inference that runs.
  u32 threads;
  u8 *arena = nullptr, *packed = nullptr, *scratch = nullptr;
  u8* registers = nullptr;  // Of each thread, `register_bytes` apart.
  u64 register_bytes = 0;
  // What there is to choose from for each inference, with weights that are packed for each. The second may be null.
  const Kernels* choices[CHOICES];
  u8* packed_for[CHOICES];
  Watch watch;
  runner_engine(const void* plan, const Kernels* k, u32 threads)
      : plan(plan), kernels(k), threads(threads), choices{k, k ? k->way_back : nullptr}, packed_for{}, watch{} {}
};

namespace runner {

#ifdef HAS_AMX
extern const Kernels amx_kernels, amx_only_kernels;
#endif
#if defined(__x86_64__)
extern const Kernels avx512_kernels, avx2_kernels;
#endif
#if defined(__aarch64__)
extern const Kernels dotprod_kernels, neon_kernels, dotprod_only_kernels;
#endif
#if defined(__wasm_simd128__)
extern const Kernels wasm_kernels;
#else
extern const Kernels reference_kernels;
#endif

namespace {

// Best first.
const Kernels* const ALL[] = {
#ifdef HAS_AMX
    &amx_kernels,
    &amx_only_kernels,
#endif
#if defined(__x86_64__)
    &avx512_kernels,
    &avx2_kernels,
#endif
#if defined(__aarch64__)
    &dotprod_kernels,
    &neon_kernels,
    &dotprod_only_kernels,
#endif
#if defined(__wasm_simd128__)
    &wasm_kernels,  // Alone: a browser that takes the module has them.
#else
    &reference_kernels,
#endif
};

const char* const KIND_NAMES[] = {"BinaryConv", "Map", "Conv", "Depthwise", "Dense", "Pool", "Copy", "Gather", "Softmax"};
static_assert(sizeof KIND_NAMES / sizeof *KIND_NAMES == KINDS, "one each");

bool same(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

u64 align(u64 bytes) { return (bytes + 63) & ~u64(63); }

// The arena begins in the middle of 128 bytes, as do maps then, whose sizes are mostly multiples of that. Of 32 channels
// of floats the first half, with which a map's loop begins, is then what CPUs fetch along with the second half of the pixel
// before. The other way round, loops took up to twice as long where maps exceed the second cache (Zen 4; BNext-T's 0.87
// instead of 0.73 ms).
u8* begin_arena(u8* at) { return (uintptr_t)at % 128 ? at : at + 64; }

const Tensor& at(const runner_engine& e, u32 tensor) { return e.plan.tensors[tensor]; }
u8* place(const runner_engine& e, const Tensor& t) {
  return (t.place == ARENA ? e.arena : (u8*)e.plan.data) + t.offset;
}
template <class T>
T* place(const runner_engine& e, u32 tensor) {
  return (T*)place(e, at(e, tensor));
}
template <class T>
Map2<T> map_of(const runner_engine& e, u32 tensor) {
  const Tensor& t = at(e, tensor);
  return {(T*)place(e, t), t.height, t.width, t.channels, t.stride, next_block(t)};
}
template <class T>
const T& words(const runner_engine& e, const Step& step) {
  return *(const T*)(e.plan.words + step.first);
}

BinaryConv binary_conv(const runner_engine& e, const Step& step, u8* packed) {
  const BinaryConvWords& w = words<BinaryConvWords>(e, step);
  Means means = {};
  if (w.mean != NOTHING) means = {place<const i16>(e, w.corners), place<const float>(e, w.factors), place<float>(e, w.mean), nullptr};
  return {map_of<const u32>(e, w.input), place<const u32>(e, w.kernel), map_of<i16>(e, w.output), w.window,
          w.ones != 0, means, packed, e.scratch, {}};
}

// The weights of dense layers between a binary convolution and the next one, which lie one behind the other.
Ahead weights_ahead(const runner_engine& e, const Step* step) {
  constexpr u64 MOST = 1 << 20;  // What second caches have room for besides.
  const u8 *first = nullptr, *last = nullptr;
  const Step* const end = e.plan.steps + e.plan.header->steps.count;
  while (++step < end && step->kind != BINARY_CONV) {
    if (step->kind != DENSE) continue;
    const Tensor& kernel = at(e, words<DenseWords>(e, *step).kernel);
    const u8* const from = place(e, kernel);
    if (!first) first = last = from;
    if (from >= last && from + extent(kernel) <= first + MOST) last = from + extent(kernel);
  }
  return {first, u64(last - first) / Ahead::LINE};
}

// A binary convolution's own scratch memory; the sums of its parts lie behind it.
u64 sums_at(const runner_engine& e, const BinaryConv& conv) { return align(e.kernels->scratch_bytes(conv)); }
u64 sums_count(const runner_engine& e, const BinaryConv& conv) {
  return conv.means.corners ? u64(e.kernels->convolve_parts(conv)) * 3 * conv.output.channels : 0;
}

// Pixels of a map are computed in chunks, whose sums are added up in order.
u32 chunks(u64 pixels, u32 channels) {
  const u64 wanted = pixels * channels / 16384;
  return wanted < 1 ? 1 : wanted > 16 ? 16 : u32(wanted);
}

// What the parts of a step share.
struct Work {
  const runner_engine* engine;
  union {
    BinaryConv binary_conv;
    Conv conv;
    Pool pool;
    Dense dense;
  };
  MapJob map;
  u32 chunks;
  Work() {}
};

constexpr u32 DENSE_PART = 4 * CONV_BLOCK;

void prepare_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  w.engine->kernels->prepare(w.binary_conv, part);
}
void convolve_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  w.engine->kernels->convolve(w.binary_conv, part);
}
void conv_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  w.engine->kernels->floats->conv(w.conv, part);
}
void depthwise_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  w.engine->kernels->floats->depthwise(w.conv, part);
}
void pool_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  w.engine->kernels->floats->pool(w.pool, part);
}
void dense_part(void* self, u32 part, u32) {
  const Work& w = *(Work*)self;
  const u32 from = part * DENSE_PART, to = from + DENSE_PART;
  w.engine->kernels->floats->dense(w.dense, from, to < w.dense.out ? to : w.dense.out);
}
float* sums_of(const Work& w, u32 chunk) {
  return (float*)w.engine->scratch + u64(chunk) * w.map.sums * w.map.channels;
}
void map_part(void* self, u32 part, u32 thread) {
  const Work& w = *(Work*)self;
  float* sums = sums_of(w, part);
  for (u64 i = 0, count = u64(w.map.sums) * w.map.channels; i < count; i++) sums[i] = 0;
  float* registers = (float*)(w.engine->registers + thread * w.engine->register_bytes);
  // Of pixels, or of pairs of rows.
  const u64 unit = w.map.width ? 2 * u64(w.map.width) : 1, units = w.map.pixels / unit;
  const u64 from = units * part / w.chunks * unit, to = units * (part + 1) / w.chunks * unit;
  w.engine->kernels->floats->map(w.map, from, to, registers, sums);
}

void run_parts(const runner_pool* pool, u32 parts, runner_task task, Work& work) {
  if (pool && pool->threads > 1 && parts > 1) return pool->run(pool->self, parts, task, &work);
  for (u32 i = 0; i < parts; i++) task(&work, i, 0);
}

Operand operand(const runner_engine& e, u32 index, u64 pixels_of_map) {
  if (!(index & TENSOR)) return {nullptr, 0, index, CHANNEL_BLOCK};
  const Tensor& t = at(e, index & ~TENSOR);
  return {place(e, t), pixels(t) == 1 && pixels_of_map > 1 ? 0 : t.stride, 0, next_block(t)};
}

void set_map(const runner_engine& e, const Step& step, Work& work) {
  const MapWords& w = words<MapWords>(e, step);
  const Instruction* instructions = (const Instruction*)(&w + 1);
  MapJob& job = work.map;
  job.pixels = u64(w.height) * w.width, job.width = 0, job.channels = w.channels, job.registers = w.registers, job.sums = 0;
  job.count = u32((step.count - sizeof(MapWords) / 4) / (sizeof(Instruction) / 4));
  for (u32 n = 0; n < job.count; n++) {
    const Instruction& i = instructions[n];
    const u32 operands = operands_of(Op(i.op));
    MapInstruction& m = job.instructions[n];
    m.op = i.op;
    m.d = operand(e, i.d, job.pixels);
    m.a = operand(e, i.a, job.pixels);
    if (operands > 1) m.b = operand(e, i.b, job.pixels);
    if (operands > 2) m.c = operand(e, i.c, job.pixels);
    if (operands > 3) m.s = operand(e, i.s, job.pixels);
    if (i.op == OP_SUM) m.d.number = job.sums++;
    if (i.op == OP_PACK) m.d.number = i.c;
    if (i.op == OP_MEAN_POOL || i.op == OP_MAX_POOL) job.width = w.width;
  }
  work.chunks = chunks(job.pixels, job.channels);
  // The channels of a single pixel, where each stands for itself, are so many pixels of GROUP channels.
  if (job.pixels != 1 || job.channels % GROUP) return;
  for (u32 n = 0; n < job.count; n++) {
    const u32 op = job.instructions[n].op;
    if (op == OP_PACK || op == OP_UNPACK || op == OP_SUM) return;
  }
  job.pixels = job.channels / GROUP, job.channels = GROUP;
  for (u32 n = 0; n < job.count; n++) {
    MapInstruction& m = job.instructions[n];
    m.d.stride = m.a.stride = m.b.stride = m.c.stride = m.s.stride = GROUP;
  }
}

// The means of a binary convolution, of the sums of all parts.
void finish_means(const BinaryConv& c, u32 parts) {
  const Means& m = c.means;
  const u32 filters = c.output.channels;
  // Nothing else points to these: so several numbers are computed at a time.
  i32* __restrict const total = m.sums;
  for (u32 part = 1; part < parts; part++) {
    const i32* __restrict const sums = m.sums_of(c, part);
    for (u32 i = 0; i < 3 * filters; i++) total[i] = i32(u32(total[i]) + u32(sums[i]));
  }
  const i32 *above = total + filters, *beyond = above + filters;
  const float *start = m.factors, *of_all = start + filters, *of_above = of_all + filters, *of_beyond = of_above + filters;
  float* __restrict const output = m.output;
  for (u32 o = 0; o < filters; o++) {
    double mean = start[o];
    mean += double(of_all[o]) * total[o];
    mean += double(of_above[o]) * above[o];
    mean += double(of_beyond[o]) * beyond[o];
    output[o] = float(mean);
  }
}

// The sums of all chunks, in order, times a scale for each channel.
void finish_sums(const Work& w) {
  u32 sum = 0;
  for (u32 n = 0; n < w.map.count; n++) {
    const MapInstruction& i = w.map.instructions[n];
    if (i.op != OP_SUM) continue;
    const u32 channels = w.map.channels;
    float* __restrict const total = sums_of(w, 0) + sum * channels;
    for (u32 chunk = 1; chunk < w.chunks; chunk++) {
      const float* __restrict const more = sums_of(w, chunk) + sum * channels;
      for (u32 k = 0; k < channels; k++) total[k] += more[k];
    }
    float* const result = (float*)i.d.data;
    const float* const scale = (const float*)i.b.data;
    for (u32 k = 0; k < channels; k++) result[k] = total[k] * scale[k];
    sum++;
  }
}

void copy(const runner_engine& e, const CopyWords& w) {
  const Tensor& out = at(e, w.output);
  const u64 bytes = element_bytes(out.type);
  const u8* from = w.input == NOTHING ? nullptr : place<const u8>(e, w.input) + w.in_start * bytes;
  u8* to = place(e, out) + w.out_start * bytes;
  u32 index[6] = {};
  const u64 row = w.sizes[5], in_step = w.in_strides[5] * bytes, out_step = w.out_strides[5] * bytes;
  for (;;) {
    u64 in = 0, o = 0;
    for (int k = 0; k < 5; k++) in += u64(index[k]) * w.in_strides[k] * bytes, o += u64(index[k]) * w.out_strides[k] * bytes;
    if (from && in_step == bytes && out_step == bytes) __builtin_memcpy(to + o, from + in, row * bytes);
    else
      for (u64 i = 0; i < row; i++)
        for (u64 b = 0; b < bytes; b++) to[o + i * out_step + b] = from ? from[in + i * in_step + b] : 0;
    int k = 4;
    while (k >= 0 && ++index[k] == w.sizes[k]) index[k--] = 0;
    if (k < 0) return;
  }
}

void gather(const runner_engine& e, const GatherWords& w) {
  const Map2<const float> in = map_of<const float>(e, w.input);
  const Map2<float> out = map_of<float>(e, w.output);
  const u32* indices = (const u32*)(&w + 1);
  for (u64 p = 0; p < u64(out.height) * out.width; p++)
    for (u32 i = 0; i < out.channels; i++) out.data[p * out.stride + i] = in.data[p * in.stride + indices[i]];
}

void run_step(const runner_engine& e, const Step& step, u8*& packed, const runner_pool* pool) {
  const Kernels& k = *e.kernels;
  Work work;
  work.engine = &e;
  switch (step.kind) {
    case BINARY_CONV: {
      work.binary_conv = binary_conv(e, step, packed);
      packed += align(k.packed_bytes(work.binary_conv));
      BinaryConv& conv = work.binary_conv;
      conv.ahead = weights_ahead(e, &step);
      const u32 parts = k.convolve_parts(conv);
      conv.means.sums = (i32*)(e.scratch + sums_at(e, conv));
      i32* const sums = conv.means.sums;
      for (u64 i = 0, count = sums_count(e, conv); i < count; i++) sums[i] = 0;
      run_parts(pool, k.prepare_parts(conv), prepare_part, work);
      run_parts(pool, parts, convolve_part, work);
      if (conv.means.corners) finish_means(conv, parts);
      break;
    }
    case MAP:
      set_map(e, step, work);
      run_parts(pool, work.chunks, map_part, work);
      finish_sums(work);
      break;
    case CONV:
    case DEPTHWISE: {
      const ConvWords& w = words<ConvWords>(e, step);
      work.conv = {map_of<const float>(e, w.input), place<const float>(e, w.kernel), place<const float>(e, w.bias),
                   map_of<float>(e, w.output), w.window, w.least, w.most,
                   step.kind == DEPTHWISE ? words<DepthwiseWords>(e, step).multiplier : 1};
      run_parts(pool, work.conv.output.height, step.kind == CONV ? conv_part : depthwise_part, work);
      break;
    }
    case DENSE: {
      const DenseWords& w = words<DenseWords>(e, step);
      const Tensor& kernel = at(e, w.kernel);
      work.dense = {place<const float>(e, w.input), place(e, kernel), kernel.type == INT8, place<const float>(e, w.scale),
                    place<const float>(e, w.bias), place<float>(e, w.output), kernel.width, kernel.channels, w.least,
                    w.most};
      run_parts(pool, (work.dense.out + DENSE_PART - 1) / DENSE_PART, dense_part, work);
      break;
    }
    case POOL: {
      const PoolWords& w = words<PoolWords>(e, step);
      work.pool = {map_of<const float>(e, w.input), map_of<float>(e, w.output), w.window, w.least, w.most, w.mean != 0,
                   at(e, w.input).type == SIGNS};
      run_parts(pool, work.pool.output.height, pool_part, work);
      break;
    }
    case COPY: copy(e, words<CopyWords>(e, step)); break;
    case GATHER: gather(e, words<GatherWords>(e, step)); break;
    case SOFTMAX: {
      const SoftmaxWords& w = words<SoftmaxWords>(e, step);
      const Map2<const float> in = map_of<const float>(e, w.input);
      const Map2<float> out = map_of<float>(e, w.output);
      for (u64 p = 0; p < u64(in.height) * in.width; p++)
        k.floats->softmax({in.data + p * in.stride, out.data + p * out.stride, in.channels, w.beta});
      break;
    }
  }
}

// Where everything lies in the memory that is handed in.
struct Layout {
  u64 arena, packed[CHOICES], scratch, registers, register_bytes, total;
};

// Binary convolutions with one choice of kernels: bytes of their weights, or 0 if they overflow, and of what they work in.
u64 packed_bytes(const runner_engine& e, u64* scratch) {
  u64 packed = 0;
  for (u64 i = 0; i < e.plan.header->steps.count; i++) {
    const Step& step = e.plan.steps[i];
    if (step.kind != BINARY_CONV) continue;
    const BinaryConv conv = binary_conv(e, step, nullptr);
    const u64 p = e.kernels->packed_bytes(conv);
    if (!p || !e.kernels->scratch_bytes(conv)) return 0;
    const u64 s = sums_at(e, conv) + sums_count(e, conv) * 4;
    packed += align(p);
    if (s > *scratch) *scratch = s;
  }
  return packed ? packed : 64;
}

bool layout(runner_engine e, Layout* l) {
  u64 scratch = 64, registers = 64;
  for (u64 i = 0; i < e.plan.header->steps.count; i++) {
    const Step& step = e.plan.steps[i];
    if (step.kind != MAP) continue;
    const MapWords& w = words<MapWords>(e, step);
    u64 sums = 0;
    const Instruction* instructions = (const Instruction*)(&w + 1);
    for (u32 n = 0; n < (step.count - sizeof(MapWords) / 4) / (sizeof(Instruction) / 4); n++)
      sums += instructions[n].op == OP_SUM;
    const u64 s = chunks(u64(w.height) * w.width, w.channels) * sums * w.channels * 4;
    if (s > scratch) scratch = s;
    const u64 r = u64(w.registers) * REGISTER * 4;
    if (r > registers) registers = r;
  }
  l->arena = align(sizeof(runner_engine));
  u64 end = l->arena + align(e.plan.header->arena) + 64;
  for (u32 choice = 0; choice < CHOICES && e.choices[choice]; choice++) {
    e.kernels = e.choices[choice];
    const u64 bytes = packed_bytes(e, &scratch);
    if (!bytes) return false;
    l->packed[choice] = end;
    end += bytes;
  }
  l->scratch = end;
  l->registers = l->scratch + align(scratch);
  l->register_bytes = align(registers);
  l->total = l->registers + e.threads * l->register_bytes;
  return l->total < (u64(1) << 40);
}

// Makes a choice of kernels those of the inference to come.
void take(runner_engine& e, Choice choice) { e.kernels = e.choices[choice], e.packed = e.packed_for[choice]; }

void pack(const runner_engine& e) {
  u8* packed = e.packed;
  for (u64 i = 0; i < e.plan.header->steps.count; i++) {
    const Step& step = e.plan.steps[i];
    if (step.kind != BINARY_CONV) continue;
    const BinaryConv conv = binary_conv(e, step, packed);
    e.kernels->pack(conv);
    packed += align(e.kernels->packed_bytes(conv));
  }
}

}  // namespace
}  // namespace runner

extern "C" {

const struct runner_kernels* runner_choose(const char* name, uint64_t features) {
  for (const Kernels* k : ALL)
    if ((k->needs & features) == k->needs && (!name || same(name, k->name))) return (const runner_kernels*)k;
  return nullptr;
}

const char* runner_name(const struct runner_kernels* kernels) { return ((const Kernels*)kernels)->name; }

uint64_t runner_memory(const void* plan, const struct runner_kernels* kernels, uint32_t threads) {
  const runner_engine e(plan, (const Kernels*)kernels, threads);
  Layout l;
  return kernels && threads - 1 < 1024 && layout(e, &l) ? l.total : 0;
}

int runner_load(const void* plan, uint64_t size, const struct runner_kernels* kernels, uint32_t threads, void* memory,
                uint64_t bytes, struct runner_engine** engine) {
  const int status = check(plan, size, false);
  if (status) return status;
  if (!kernels) return RUNNER_NO_KERNELS;
  const u64 total = runner_memory(plan, kernels, threads);
  if (!total) return RUNNER_TOO_LARGE;
  if (!memory || (u64)(uintptr_t)memory % 64 || bytes < total) return RUNNER_NO_MEMORY;
  runner_engine& e = *(runner_engine*)memory;
  e = runner_engine(plan, (const Kernels*)kernels, threads);
  Layout l;
  layout(e, &l);
  u8* base = (u8*)memory;
  e.arena = begin_arena(base + l.arena), e.scratch = base + l.scratch;
  e.registers = base + l.registers, e.register_bytes = l.register_bytes;
  // What a plan forgets to write is the same every time.
  for (u8* byte = e.arena; byte < base + l.packed[USUAL]; byte++) *byte = 0;
  for (u32 choice = 0; choice < CHOICES && e.choices[choice]; choice++) {
    e.packed_for[choice] = base + l.packed[choice];
    take(e, Choice(choice));
    pack(e);
  }
  *engine = &e;
  return RUNNER_OK;
}

uint32_t runner_inputs(const struct runner_engine* e) { return e->plan.header->inputs; }
uint32_t runner_outputs(const struct runner_engine* e) { return e->plan.header->outputs; }

int runner_tensor(const struct runner_engine* e, uint32_t index, struct runner_view* view) {
  if (index >= runner_inputs(e) + runner_outputs(e)) return 0;
  const Tensor& t = at(*e, index);
  *view = {place(*e, t), extent(t), t.height, t.width, t.channels};
  return 1;
}

uint32_t runner_steps(const struct runner_engine* e) { return u32(e->plan.header->steps.count); }
const char* runner_step_name(const struct runner_engine* e, uint32_t step) {
  return e->plan.names + e->plan.steps[step].name;
}
const char* runner_step_kind(const struct runner_engine* e, uint32_t step) {
  return KIND_NAMES[e->plan.steps[step].kind];
}

int runner_run(struct runner_engine* e, const struct runner_pool* pool, const struct runner_profile* profile,
               const uint32_t* stop) {
  const NoDenormals zeros;
  const Choice choice = e->choices[WAY_BACK] ? e->watch.next() : USUAL;
  take(*e, choice);
  const u64 start = cpu_ticks();
  u8* packed = e->packed;
  u64 before = profile ? profile->clock() : 0;
  for (u64 i = 0; i < e->plan.header->steps.count; i++) {
    if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED)) return RUNNER_STOPPED;
    run_step(*e, e->plan.steps[i], packed, pool);
    if (!profile) continue;
    const u64 now = profile->clock();
    profile->ticks[i] += now - before;
    before = now;
  }
  e->watch.took(choice, cpu_ticks() - start);
  return RUNNER_OK;
}
}
