// Decides whether bytes that anybody may have made are a plan that can be run. Whatever passes here neither reads nor
// writes outside the plan and its memory, and comes to an end: all pointers are derived from tensors, whose extents are
// checked once, and all loops run over shapes, which are checked against each other.
#include "check.h"

#include "core.h"
#include "plan.h"
#include "view.h"

namespace runner {
namespace {

constexpr u64 MOST_BYTES = u64(1) << 36, MOST_ARENA = u64(1) << 32;
constexpr u32 MOST_SIDE = 1 << 16, MOST_CHANNELS = 1 << 20, MOST_WINDOW = 1 << 12, MOST_PARTS = 1 << 20;
// Multiplications (of signs 32 at a time), and elements that are moved, of all steps together: a minute or so.
constexpr u64 MOST_WORK = u64(1) << 36;

// Blocks of rows of eight words of eight bytes, each of which goes into a sum of its own: a CPU has all eight under way,
// where a CRC waits for one table after the other. A word that is another makes its sum another.
constexpr u64 LANES = 8, ROW = LANES * 8, BLOCK = 256 * ROW;

u64 mix(u64 sum, u64 word) {
  const u64 product = (sum ^ word) * 0x9e3779b97f4a7c15u;
  return product ^ product >> 32;
}

// `size` is a multiple of ROW. plan.py computes the same.
u32 checksum(const u8* data, u64 size) {
  u64 total = 0;
  for (const u8 *const end = data + size, *block_end; data < end;) {
    block_end = u64(end - data) < BLOCK ? end : data + BLOCK;
    u64 sums[LANES] = {};
    for (; data < block_end; data += ROW)
      for (u64 k = 0; k < LANES; k++) sums[k] = mix(sums[k], ((const u64*)data)[k]);
    for (u64 sum : sums) total = mix(total, sum);
  }
  return u32(total);
}

bool is_section(const Header& h, const Section& s, u64 element) {
  return s.offset % 64 == 0 && s.offset >= sizeof(Header) && s.offset <= h.size &&
         s.count <= (h.size - s.offset) / element;
}

bool finite(float f) { return f - f == 0; }

// No product of these overflows 64 bits.
bool is_tensor(const Header& h, const Tensor& t) {
  if (t.type >= TYPES || t.place >= PLACES) return false;
  if (t.height - 1 >= MOST_SIDE || t.width - 1 >= MOST_SIDE || t.channels - 1 >= MOST_CHANNELS) return false;
  if (t.stride > MOST_CHANNELS || (t.offset % element_bytes(t.type) && !is_half(t))) return false;
  if (is_blocked(t) && (t.stride != CHANNEL_BLOCK || (t.type != FLOAT && t.type != INT16))) return false;
  const u64 room = t.place == ARENA ? h.arena : h.data.count;
  return t.offset <= room && extent(t) <= room - t.offset;
}

struct Checker {
  PlanView plan;
  const Step& step;
  u64& left;  // Of the work that all steps may take.

  template <class T>
  const T* words() const {
    return step.count * 4 >= sizeof(T) ? (const T*)(plan.words + step.first) : nullptr;
  }
  const Tensor* any_tensor(u32 index, u32 type) const {
    return index < plan.header->tensors.count && plan.tensors[index].type == type ? plan.tensors + index : nullptr;
  }
  // A tensor that may be blocked.
  const Tensor* map_tensor(u32 index, u32 type) const {
    const Tensor* t = any_tensor(index, type);
    return t && !is_half(*t) ? t : nullptr;
  }
  const Tensor* tensor(u32 index, u32 type) const {
    const Tensor* t = map_tensor(index, type);
    return t && !is_blocked(*t) ? t : nullptr;
  }
  static const Tensor* written(const Tensor* t) { return t && t->place == ARENA ? t : nullptr; }
  const Tensor* written(u32 index, u32 type) const { return written(tensor(index, type)); }
  const Tensor* written_map(u32 index, u32 type) const { return written(map_tensor(index, type)); }
  // A constant or computed row of so many values without gaps.
  bool vector(u32 index, u64 channels) const {
    const Tensor* t = tensor(index, FLOAT);
    return t && pixels(*t) == 1 && t->channels == channels;
  }
  // A constant without gaps.
  bool packed(const Tensor* t) const { return t && t->stride == elements(*t); }

  static bool window(const Window& w, const Tensor& in, const Tensor& out) {
    const u32 parts[] = {w.height, w.width, w.stride_y, w.stride_x, w.dilation_y, w.dilation_x};
    for (u32 part : parts)
      if (part - 1 >= MOST_WINDOW) return false;
    if (w.top > MOST_SIDE || w.left > MOST_SIDE) return false;
    // As far as positions are computed, they fit 31 bits.
    return u64(out.height) * w.stride_y + u64(w.height) * w.dilation_y < (u64(1) << 28) &&
           u64(out.width) * w.stride_x + u64(w.width) * w.dilation_x < (u64(1) << 28) && in.height && in.width;
  }
  // Whether a step of a x b x c operations, none of them 0, comes to an end soon enough.
  bool work(u64 a, u64 b, u64 c) const {
    if (a > left || b > left / a || c > left / (a * b)) return false;
    left -= a * b * c;
    return true;
  }
  static bool overlap(const Tensor& a, const Tensor& b) {
    if (a.place != b.place || a.offset >= b.offset + extent(b) || b.offset >= a.offset + extent(a)) return false;
    // Slices of one tensor's channels lie between each other, of a blocked one's behind each other.
    if (is_blocked(a) || is_blocked(b)) return true;
    const u64 pitch = a.stride * element_bytes(a.type);
    const Tensor &low = a.offset < b.offset ? a : b, &high = a.offset < b.offset ? b : a;
    const u64 between = (high.offset - low.offset) % pitch;
    return pitch != b.stride * element_bytes(b.type) || between < elements(low) * element_bytes(low.type) ||
           between + elements(high) * element_bytes(high.type) > pitch;
  }

  bool binary_conv() const {
    const BinaryConvWords* w = words<BinaryConvWords>();
    if (!w) return false;
    const Tensor *in = tensor(w->input, SIGNS), *kernel = tensor(w->kernel, SIGNS), *out = written_map(w->output, INT16);
    if (!in || !packed(kernel) || !out || kernel->place != DATA || !window(w->window, *in, *out)) return false;
    const u64 taps = u64(w->window.height) * w->window.width;
    return kernel->channels == in->channels && kernel->height == out->channels && kernel->width == taps &&
           taps * in->channels <= 32767 && work(pixels(*out), u64(out->channels) * taps, elements(*in)) &&
           !overlap(*in, *out) && (w->mean == NOTHING || means(*w, *in, *out));
  }

  // Dot products are even, and their sums fit 31 bits. The mean is written last, so it may lie where the input does.
  bool means(const BinaryConvWords& w, const Tensor& in, const Tensor& out) const {
    const Tensor *mean = written(w.mean, FLOAT), *corners = tensor(w.corners, INT16), *factors = tensor(w.factors, FLOAT);
    const u64 signs = u64(w.window.height) * w.window.width * in.channels;
    return mean && corners && factors && packed(corners) && packed(factors) && corners->place == DATA &&
           factors->place == DATA && pixels(*mean) == 1 && pixels(*corners) == 1 && pixels(*factors) == 4 &&
           mean->channels == out.channels && corners->channels == out.channels && factors->channels == out.channels &&
           in.channels % 2 == 0 && pixels(out) <= ((u64(1) << 31) - 1) / (signs + 2) && bounded(*corners, i32(signs)) &&
           !overlap(out, *mean);
  }
  bool bounded(const Tensor& corners, i32 most) const {
    const i16* values = (const i16*)(plan.data + corners.offset);
    for (u32 i = 0; i < corners.channels; i++)
      if (values[i] < -most || values[i] > most) return false;
    return true;
  }

  bool conv(bool depthwise) const {
    const ConvWords* w = words<ConvWords>();
    const DepthwiseWords* d = words<DepthwiseWords>();
    if (!w || (depthwise && !d)) return false;
    const Tensor *in = tensor(w->input, FLOAT), *kernel = tensor(w->kernel, FLOAT);
    const Tensor* out = depthwise ? written(w->output, FLOAT) : written_map(w->output, FLOAT);
    if (!in || !packed(kernel) || !out || !window(w->window, *in, *out)) return false;
    const u64 taps = u64(w->window.height) * w->window.width;
    if (!vector(w->bias, out->channels) || kernel->channels != out->channels || overlap(*in, *out)) return false;
    if (depthwise)
      return d->multiplier && u64(in->channels) * d->multiplier == out->channels && pixels(*kernel) == taps &&
             work(pixels(*out), taps, out->channels);
    return kernel->height == taps && kernel->width == in->channels &&
           work(pixels(*out), taps * in->channels, out->channels);
  }

  bool dense() const {
    const DenseWords* w = words<DenseWords>();
    if (!w || w->kernel >= plan.header->tensors.count) return false;
    const Tensor *in = tensor(w->input, FLOAT), *out = written(w->output, FLOAT), *kernel = plan.tensors + w->kernel;
    if (!in || !out || (kernel->type != FLOAT && kernel->type != INT8) || !packed(kernel)) return false;
    return pixels(*in) == 1 && pixels(*out) == 1 && kernel->height == 1 && kernel->width == in->channels &&
           kernel->channels == out->channels && vector(w->scale, out->channels) && vector(w->bias, out->channels) &&
           work(in->channels, out->channels, 1) && !overlap(*in, *out);
  }

  bool pool() const {
    const PoolWords* w = words<PoolWords>();
    if (!w || w->input >= plan.header->tensors.count) return false;
    const u32 type = plan.tensors[w->input].type;
    const Tensor *in = tensor(w->input, type), *out = written(w->output, type);
    if (!out || (type != FLOAT && type != SIGNS) || !window(w->window, *in, *out)) return false;
    return w->window.dilation_y == 1 && w->window.dilation_x == 1 && in->channels == out->channels &&
           work(pixels(*out), u64(w->window.height) * w->window.width, out->channels) && !overlap(*in, *out);
  }

  // Whether all elements that the strides lead to lie within the tensor.
  static bool reach(const Tensor& t, u32 start, const u32* sizes, const u32* strides) {
    u64 last = start;
    for (int k = 0; k < 6; k++) last += u64(sizes[k] - 1) * strides[k];
    return last < extent(t) / element_bytes(t.type);
  }

  bool copy() const {
    const CopyWords* w = words<CopyWords>();
    if (!w || w->output >= plan.header->tensors.count) return false;
    const Tensor* out = written(w->output, plan.tensors[w->output].type);
    if (!out) return false;
    u64 count = 1;
    for (u32 size : w->sizes) {
      if (size - 1 >= MOST_CHANNELS) return false;
      count *= size;
      if (count > MOST_BYTES) return false;
    }
    // No element is written twice.
    if (count > extent(*out) / element_bytes(out->type) || !work(count, 1, 1)) return false;
    if (!reach(*out, w->out_start, w->sizes, w->out_strides)) return false;
    if (w->input == NOTHING) return true;
    const Tensor* in = tensor(w->input, out->type);
    return in && reach(*in, w->in_start, w->sizes, w->in_strides) && !overlap(*in, *out);
  }

  bool gather() const {
    const GatherWords* w = words<GatherWords>();
    if (!w) return false;
    const Tensor *in = tensor(w->input, FLOAT), *out = written(w->output, FLOAT);
    if (!in || !out || pixels(*in) != pixels(*out) || overlap(*in, *out)) return false;
    if (!work(pixels(*out), out->channels, 1)) return false;
    if (step.count - sizeof(GatherWords) / 4 < out->channels) return false;
    const u32* indices = (const u32*)(w + 1);
    for (u32 i = 0; i < out->channels; i++)
      if (indices[i] >= in->channels) return false;
    return true;
  }

  bool softmax() const {
    const SoftmaxWords* w = words<SoftmaxWords>();
    if (!w) return false;
    const Tensor *in = tensor(w->input, FLOAT), *out = written(w->output, FLOAT);
    return in && out && in->channels == out->channels && pixels(*in) == pixels(*out) && finite(w->beta) &&
           work(pixels(*out), out->channels, 1) && !overlap(*in, *out);
  }

  bool operand(const MapWords& w, u32 index, u32 type) const {
    if (!(index & TENSOR)) return type == FLOAT && index < w.registers;
    const Tensor* t = map_tensor(index & ~TENSOR, type);
    return t && of_size(w, *t);
  }
  static bool of_size(const MapWords& w, const Tensor& t) {
    return t.channels == w.channels && (pixels(t) == 1 || (t.height == w.height && t.width == w.width));
  }
  // Whether a result is written that is half as high and as wide.
  bool halved(const MapWords& w, u32 index) const {
    const Tensor* t = index & TENSOR ? written_map(index & ~TENSOR, FLOAT) : nullptr;
    return t && t->channels == w.channels && t->height * 2 == w.height && t->width * 2 == w.width;
  }
  // Pixels of a result that is written: all of them, or one that stands for none of the others.
  bool result(const MapWords& w, u32 index, u32 type, bool one) const {
    if (!(index & TENSOR)) return operand(w, index, type) && !one;
    const Tensor* t = written(any_tensor(index & ~TENSOR, type));
    return t && of_size(w, *t) && pixels(*t) == (one ? 1 : u64(w.height) * w.width);
  }

  bool map() const {
    const MapWords* w = words<MapWords>();
    if (!w) return false;
    const u64 rest = step.count - sizeof(MapWords) / 4, count = rest / (sizeof(Instruction) / 4);
    if (w->height - 1 >= MOST_SIDE || w->width - 1 >= MOST_SIDE || w->channels - 1 >= MOST_CHANNELS) return false;
    if (count > MOST_INSTRUCTIONS || w->registers > MOST_REGISTERS || rest % (sizeof(Instruction) / 4)) return false;
    if (!work(u64(w->height) * w->width, w->channels, count + 1)) return false;
    const Instruction* instructions = (const Instruction*)(w + 1);
    u32 sums = 0;
    for (u64 n = 0; n < count; n++) {
      const Instruction& i = instructions[n];
      if (i.op >= OPS) return false;
      const u32 operands = operands_of(Op(i.op));
      // What is no float is no register either.
      const u32 first = i.op == OP_AFFINE || i.op == OP_AFFINE_PRELU ? INT16 : i.op == OP_UNPACK ? SIGNS : FLOAT;
      const u32 inputs[] = {i.a, i.b, i.c, i.s};
      for (u32 k = 0; k < operands; k++)
        if (!operand(*w, inputs[k], k == 0 ? first : u32(FLOAT))) return false;
      if (first != FLOAT && !(i.a & TENSOR)) return false;
      const bool halves = i.op == OP_MEAN_POOL || i.op == OP_MAX_POOL;
      if (halves ? !halved(*w, i.d) : !result(*w, i.d, i.op == OP_PACK ? SIGNS : FLOAT, i.op == OP_SUM)) return false;
      const bool one = i.op == OP_SUM || i.op == OP_MAX_POOL;
      if (one && (!(i.b & TENSOR) || pixels(plan.tensors[i.b & ~TENSOR]) != 1)) return false;
      if (i.op == OP_SUM && ++sums > MOST_SUMS) return false;
    }
    return true;
  }

  bool valid() const {
    switch (step.kind) {
      case BINARY_CONV: return binary_conv();
      case MAP: return map();
      case CONV: return conv(false);
      case DEPTHWISE: return conv(true);
      case DENSE: return dense();
      case POOL: return pool();
      case COPY: return copy();
      case GATHER: return gather();
      case SOFTMAX: return softmax();
    }
    return false;
  }
};

}  // namespace
}  // namespace runner

using namespace runner;

int runner::check(const void* bytes, u64 size, bool with_checksum) {
  if (!bytes || (u64)(uintptr_t)bytes % 8 || size < sizeof(Header)) return RUNNER_NO_PLAN;
  const Header& h = *(const Header*)bytes;
  if (h.magic != MAGIC) return RUNNER_NO_PLAN;
  if (h.version != VERSION) return RUNNER_VERSION;
  if (h.size != size || size % ROW) return RUNNER_NO_PLAN;
  if (with_checksum && checksum((const u8*)bytes + sizeof(Header), size - sizeof(Header)) != h.checksum)
    return RUNNER_DAMAGED;
  if (h.size > MOST_BYTES || h.arena > MOST_ARENA) return RUNNER_TOO_LARGE;
  if (!is_section(h, h.tensors, sizeof(Tensor)) || !is_section(h, h.steps, sizeof(Step)) ||
      !is_section(h, h.words, 4) || !is_section(h, h.names, 1) || !is_section(h, h.data, 1))
    return RUNNER_INVALID;
  if (h.tensors.count > MOST_PARTS || h.steps.count > MOST_PARTS) return RUNNER_TOO_LARGE;
  const PlanView plan(bytes);
  if (h.names.count == 0 || plan.names[h.names.count - 1] != 0) return RUNNER_INVALID;
  if (h.inputs > h.tensors.count || h.outputs > h.tensors.count - h.inputs) return RUNNER_INVALID;
  for (u64 i = 0; i < h.tensors.count; i++) {
    const Tensor& t = plan.tensors[i];
    if (!is_tensor(h, t)) return RUNNER_INVALID;
    // Hosts read and write them as a whole. Outputs may be signs: that is how they are looked at.
    if (i < u64(h.inputs) + h.outputs &&
        (t.place != ARENA || t.stride != elements(t) || !(t.type == FLOAT || (t.type == SIGNS && i >= h.inputs))))
      return RUNNER_INVALID;
  }
  u64 left = MOST_WORK;
  for (u64 i = 0; i < h.steps.count; i++) {
    const Step& step = plan.steps[i];
    if (step.name >= h.names.count || step.first > h.words.count || step.count > h.words.count - step.first)
      return RUNNER_INVALID;
    if (!Checker{plan, step, left}.valid()) return RUNNER_INVALID;
  }
  return RUNNER_OK;
}

extern "C" int runner_check(const void* bytes, uint64_t size) { return check(bytes, size, true); }
