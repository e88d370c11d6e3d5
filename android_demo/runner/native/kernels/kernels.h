// What an instruction set's file has to provide, and what it is given: pointers that are checked, sizes that fit.
//
// Every function computes a part of a step, so that a pool can run the parts on threads. The parts depend on shapes
// alone, never on the number of threads: that is why results are the same for any number of them.
#pragma once
#include "../core/plan.h"

namespace runner {

// A map in memory. `stride` counts elements from a pixel to the next, of signs words; `block` those from CHANNEL_BLOCK
// channels to the next.
template <class T>
struct Map2 {
  T* data;
  u32 height, width, channels, stride;
  u64 block;
  T* at(u32 y, u32 x) const { return data + (u64(y) * width + x) * stride; }
  // From a pixel's first element to that of a channel.
  u64 channel(u32 c) const { return channel_at(c, block); }
};

// Of rows, columns or taps, up to the one before `to`.
struct Span {
  u32 from, to;
};

// Memory that a later step reads. A binary convolution computes much of little: meanwhile it can be fetched.
struct Ahead {
  const u8* next;
  u64 lines;

  Ahead share(u32 part, u32 parts) const {
    const u64 from = lines * part / parts;
    return {next + from * LINE, lines * (part + 1) / parts - from};
  }
  void fetch(u64 each) {
    const u64 now = each < lines ? each : lines;
    for (u64 line = 0; line < now; line++) __builtin_prefetch(next + line * LINE, 0, 2);
    next += now * LINE, lines -= now;
  }
  static constexpr u64 LINE = 64;
};

struct BinaryConv;

// The mean over all pixels of a function of a binary convolution's result x that is linear on both sides of a point, as
// PReLU of a batch normalization is. With c the last even number up to that point it is, for even x,
//   f0 + f1 x + f2 max(x, c) + f3 max(x, c + 2)
// so three sums of whole numbers are enough.
struct Means {
  const i16* corners;    // For each filter; null if no mean is wanted.
  const float* factors;  // f0, f1, f2, f3, each for all filters.
  float* output;
  i32* sums;  // For each part of `convolve`: three for each filter.
  inline i32* sums_of(const BinaryConv& c, u32 part) const;
};

struct BinaryConv {
  Map2<const u32> input;
  const u32* kernel;  // (filters, taps, words), bits behind the last channel 0.
  Map2<i16> output;
  Window window;
  bool ones;
  Means means;
  u8* packed;   // What `pack` wrote.
  u8* scratch;  // `scratch_bytes`, aligned to 64.
  Ahead ahead;
  u32 words() const { return (input.channels + 31) / 32; }
};

inline i32* Means::sums_of(const BinaryConv& c, u32 part) const { return sums + u64(part) * 3 * c.output.channels; }

// A block of outputs or output channels, whose weights lie beside each other; the last of a kernel may be narrower.
constexpr u32 CONV_BLOCK = 16;

struct Conv {
  Map2<const float> input;
  const float *kernel, *bias;  // (out / CONV_BLOCK, taps, in, CONV_BLOCK), (out); depthwise (taps, out)
  Map2<float> output;
  Window window;
  float least, most;
  u32 multiplier;  // Of depthwise convolutions.
};

struct Dense {
  const float* input;
  const void* kernel;  // (out / CONV_BLOCK, in, CONV_BLOCK), float or int8
  bool int8;
  const float *scale, *bias;
  float* output;
  u32 in, out;
  float least, most;
};

struct Pool {
  Map2<const float> input;  // Words, if it pools signs.
  Map2<float> output;
  Window window;
  float least, most;
  bool mean, signs;
};

struct Softmax {
  const float* input;
  float* output;
  u32 channels;
  float beta;
};

// An operand: where its first pixel is and how far apart its pixels are, in elements; 0 if one stands for all; and how far
// apart blocks of channels are.
struct Operand {
  // Null: register `number`. Of what OP_SUM writes, `number` is which of the sums it is; of what OP_PACK writes, whether
  // the rest of the last word is another's.
  u8* data;
  u32 stride, number;
  u64 block;
  u64 channel(u32 c) const { return channel_at(c, block); }
};

struct MapInstruction {
  u32 op;
  Operand d, a, b, c, s;
};

constexpr u32 MOST_INSTRUCTIONS = 64, MOST_REGISTERS = 16, MOST_SUMS = 8;

struct MapJob {
  u64 pixels;
  u32 width;  // Of a map that is pooled, otherwise 0. Strips are then within rows, and parts are pairs of rows.
  u32 channels, count, registers, sums;
  MapInstruction instructions[MOST_INSTRUCTIONS];
};

// A map is computed for so many channels and pixels at a time, so that all its registers stay in the first cache.
constexpr u32 GROUP = 16, STRIP = 64, REGISTER = GROUP * STRIP;

// The float side: rows of the output, outputs from..to, and pixels from..to. `registers` are job.registers x REGISTER
// floats; `sums` are job.sums x channels, to which the sums of these pixels are added.
struct FloatKernels {
  void (*conv)(const Conv&, u32 row);
  void (*depthwise)(const Conv&, u32 row);
  void (*pool)(const Pool&, u32 row);
  void (*dense)(const Dense&, u32 from, u32 to);
  void (*map)(const MapJob&, u64 from, u64 to, float* registers, float* sums);
  void (*softmax)(const Softmax&);
};

struct Kernels {
  const char* name;
  u64 needs;  // Bits of CPU_*, all of which it needs.

  // Binary convolutions: `packed_bytes` of memory are written once by `pack`; then `prepare` (0 parts: nothing to do)
  // and `convolve` run for each inference, all parts of the one before the other's. Sizes are 0 if they overflow.
  u64 (*packed_bytes)(const BinaryConv&);
  void (*pack)(const BinaryConv&);
  u64 (*scratch_bytes)(const BinaryConv&);
  u32 (*prepare_parts)(const BinaryConv&);
  void (*prepare)(const BinaryConv&, u32 part);
  u32 (*convolve_parts)(const BinaryConv&);
  void (*convolve)(const BinaryConv&, u32 part);

  const FloatKernels* floats;  // Another file's, where an instruction set adds nothing to it.

  // Other kernels of the same answers, bit by bit, where these are slower at times: each inference runs with whichever are
  // faster at the moment (core/watch.h). Null: these are always taken.
  const Kernels* way_back = nullptr;
};

// Features of CPUs that kernels need; hosts find out which there are.
constexpr u64 CPU_AVX2 = 1;  // with FMA
constexpr u64 CPU_NEON = 2;
constexpr u64 CPU_AVX512 = 4;  // F, BW, DQ, VL, VNNI and VPOPCNTDQ, besides AVX2
constexpr u64 CPU_AMX = 8;     // TILE and INT8, and the operating system lets this process use them
constexpr u64 CPU_DOTPROD = 16;
constexpr u64 CPU_COUNTS_FASTER = 32;  // One of its processors counts bits faster than it looks up: Cortex-X1's kind.

// Whether the compiler knows AMX, and the operating system is one that can be asked for it.
#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ : __GNUC__) >= 11
#define HAS_AMX
#endif

}  // namespace runner
