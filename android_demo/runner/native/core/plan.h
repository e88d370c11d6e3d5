// The plan: one file, the same for all machines, mapped and read in place. Little endian; every section starts at a
// multiple of 64 bytes. `check.cpp` decides whether bytes are a plan; everything behind it may trust them.
//
//   Header | tensors | steps | words | names | data
//
// android_demo/runner/plan.py writes what this file declares.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace runner {

typedef uint8_t u8;
typedef int8_t i8;
typedef int16_t i16;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;

constexpr u64 MAGIC = 0x4e414c50584e42ull;  // "BNXPLAN\0"
constexpr u32 VERSION = 4;

struct Section {
  u64 offset;  // From the start of the plan.
  u64 count;   // Elements; bytes of names and data.
};

struct Header {
  u64 magic;
  u32 version;
  u32 checksum;  // Of everything behind the header, see check.cpp.
  u64 size;      // Bytes of the whole plan.
  u64 arena;     // Bytes of memory in which all tensors that are computed have their places.
  Section tensors, steps, words, names, data;
  u32 inputs, outputs;  // The first tensors are the inputs, those behind them the outputs.
  u32 reserved[2];
};
static_assert(sizeof(Header) == 128, "two cache lines");

// Types of elements. A tensor of signs has 32 channels in a word, bit 0 first, 1 for -1; the bits behind its last
// channel are 0. Signs that a map writes may begin in the middle of a word, behind those of other channels.
enum Type : u32 { FLOAT, INT16, SIGNS, INT8, TYPES };

enum Place : u32 { ARENA, DATA, PLACES };

// A tensor is *blocked* if its stride is less than its channels: so many channels of all pixels lie before the same number
// of the next channels (nChw32c, as oneDNN calls it). What goes through a map block by block then goes through memory
// without gaps.
constexpr u32 CHANNEL_BLOCK = 32;

// Pixels in rows, each with its channels. Slices of channels are tensors too: their stride is that of the whole.
struct Tensor {
  u32 type, place;
  u32 height, width, channels;
  u32 stride;  // From a pixel to the next, in elements; of signs in words. CHANNEL_BLOCK if it is blocked.
  u64 offset;  // Bytes from the start of the arena or of the data.
};
static_assert(sizeof(Tensor) == 32, "as the compiler writes it");

// One step of the computation: its arguments are `words[first]` and those behind it, as its kind says.
struct Step {
  u32 kind, first, count;
  u32 name;  // Where its name begins among the names; it ends with a zero.
};

enum Kind : u32 { BINARY_CONV, MAP, CONV, DEPTHWISE, DENSE, POOL, COPY, GATHER, SOFTMAX, KINDS };

// Geometry of a window that moves over a map. A place outside the input counts as nothing.
struct Window {
  u32 height, width;
  u32 stride_y, stride_x;
  u32 dilation_y, dilation_x;
  u32 top, left;  // Rows and columns of padding before the first.
};

constexpr u32 NOTHING = 0xffffffff;  // Instead of a tensor's number.

// Dot products of +-1, int16. `kernel` has a row for each filter and a pixel for each tap.
struct BinaryConvWords {
  u32 input, kernel, output;
  Window window;
  u32 ones;  // Whether places outside the input count as +1 instead.
  // Means over all pixels, see kernels.h: of one pixel, INT16, and four pixels. `mean` is NOTHING if none is wanted.
  u32 mean, corners, factors;
};

// Float convolution. `kernel` has a row for each tap, a pixel for each input channel and a channel for each filter, all
// of which lie in blocks of CONV_BLOCK filters, see kernels.h.
struct ConvWords {
  u32 input, kernel, bias, output;
  Window window;
  float least, most;  // Bounds of the result: the fused activation.
};

// Depthwise convolution. `kernel` has a pixel for each tap and a channel for each output; output o reads channel
// o / multiplier.
struct DepthwiseWords {
  u32 input, kernel, bias, output;
  Window window;
  float least, most;
  u32 multiplier;
};

// output[o] = sum over i of kernel[i][o] input[i] x scale[o] + bias[o]. `kernel` has a pixel for each input and a channel for
// each output, in blocks of CONV_BLOCK outputs. Those of a float kernel have a scale, too.
struct DenseWords {
  u32 input, kernel, scale, bias, output;
  float least, most;
};

// Largest or mean value under a window; of signs the largest. The mean is of the places inside the input.
struct PoolWords {
  u32 input, output;
  Window window;
  float least, most;
  u32 mean;
};

// Moves single elements: for all i below `sizes`, output[out_start + i . out_strides] = input[...].
// Where the input has no element because it is `NOTHING`, zeros.
struct CopyWords {
  u32 input, output;
  u32 in_start, out_start;
  u32 sizes[6], in_strides[6], out_strides[6];
};

// output channel i is input channel indices[i], at every pixel; the indices follow.
struct GatherWords {
  u32 input, output;
};

struct SoftmaxWords {
  u32 input, output;
  float beta;
};

// Operations on single elements, in order, for all pixels of a map; the instructions follow.
struct MapWords {
  u32 height, width, channels;
  u32 registers;  // How many intermediate results there are at a time.
};

// An operand is a register (its number), or a tensor of the map's size, or one of a single pixel that stands for all.
constexpr u32 TENSOR = 0x80000000;  // | number of the tensor.

enum Op : u32 {
  OP_COPY,          // d = a
  OP_AFFINE,        // d = a b + c          a: int16
  OP_AFFINE_PRELU,  // d = prelu(a b + c, s)  a: int16
  OP_ADD,
  OP_SUB,
  OP_MUL,
  OP_DIV,
  OP_MIN,
  OP_MAX,
  OP_FMA,       // d = a b + c
  OP_PRELU,     // d = a < 0 ? a b : a
  OP_LOGISTIC,  // d = 1 / (1 + exp(-a))
  OP_EXP,
  OP_SQRT,
  OP_TANH,
  OP_PACK,  // d = signs: 1 (for -1) where a < b; c: 1 if the rest of d's last word is another tensor's
  OP_SUM,   // d = b x sum of a over all pixels; d and b have one pixel
  OP_UNPACK,  // d = -1 where signs a have a 1, otherwise +1
  OP_MEAN_POOL,  // d = mean of each 2x2 pixels of a; d is half as high and as wide
  OP_MAX_POOL,   // d = the largest of b, which has one pixel, and each 2x2 pixels of a
  OPS
};

struct Instruction {
  u32 op, d, a, b, c, s;
};

inline u64 element_bytes(u32 type) { return type == INT8 ? 1 : type == INT16 ? 2 : 4; }
inline u64 elements(const Tensor& t) { return t.type == SIGNS ? (u64(t.channels) + 31) / 32 : t.channels; }
inline u64 pixels(const Tensor& t) { return u64(t.height) * t.width; }
inline bool is_blocked(const Tensor& t) { return t.stride < elements(t); }
// Elements from a block of channels to the next.
inline u64 next_block(const Tensor& t) { return is_blocked(t) ? pixels(t) * CHANNEL_BLOCK : CHANNEL_BLOCK; }
// Where channel `c` lies in a pixel, if blocks are `next` apart.
inline u64 channel_at(u32 c, u64 next) { return c / CHANNEL_BLOCK * next + c % CHANNEL_BLOCK; }
// Whether it begins in the middle of a word.
inline bool is_half(const Tensor& t) { return t.type == SIGNS && t.offset % 4 == 2; }
// Bytes from a tensor's first element to behind its last.
inline u64 extent(const Tensor& t) {
  if (is_half(t)) return ((pixels(t) - 1) * t.stride + (u64(t.channels) + 16 + 31) / 32) * 4 - 2;
  const u64 last = is_blocked(t) ? channel_at(u32(elements(t) - 1), next_block(t)) + 1 : elements(t);
  return ((pixels(t) - 1) * t.stride + last) * element_bytes(t.type);
}

}  // namespace runner
