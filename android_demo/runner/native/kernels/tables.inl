// Binary convolutions by table lookup, for instruction sets that have a byte shuffle.
//
// CHANNELS channels of a weight are an index, and a shuffle looks up as many indices at once as it has lanes: filters
// lie in lanes. A table belongs to CHANNELS channels of a *pair* of pixels with signs a and b: entry i is
// popcount(a ^ i) + 16 popcount(b ^ i), so one lookup counts the different signs of both pixels. Three lookups make a
// group: each half of a byte is at most 15 then, `all` adds up the bytes and `high` their upper halves, and before that
// overflows, after FLUSH groups, both become 16 bits wide.
//
// The pixel (y, x) is paired with (y + half, x). A tap of the kernel moves both by the same distance, so one table
// serves all taps. A place outside the input has a table of zeros in its half, or, if it counts as +1, that of a = 0:
// borders cost nothing. Tables lie as [row][column][index], and a lookup is an offset from the table of a pixel's
// corner, the same for all pixels: any kernel, stride and dilation is the same loop.
//
// A kernel of one pixel without stride or padding has no rows: its map is taken as two rows of half its pixels.
//
// The instruction set's file defines CHANNELS, ENTRY, FLUSH, BLOCK, MOST_PAIRS, make() and tile().

struct Geometry {
  u32 indices;          // For one pixel's channels.
  u32 lookups, groups;  // For one filter; three lookups a group.
  u32 in_height, in_width, out_height, out_width;
  u64 in_limit, out_limit;  // Pixels that are there, in order.
  u32 half;                 // Rows between the pixels of a pair.
  u32 rows, columns;        // Of tables.
  u32 blocks;               // Of BLOCK filters.
};

static Geometry geometry(const BinaryConv& c) {
  const Window& w = c.window;
  Geometry g;
  g.indices = (c.input.channels + CHANNELS - 1) / CHANNELS;
  g.lookups = w.height * w.width * g.indices;
  g.groups = (g.lookups + 2) / 3;
  g.in_height = c.input.height, g.in_width = c.input.width;
  g.out_height = c.output.height, g.out_width = c.output.width;
  g.in_limit = u64(g.in_height) * g.in_width, g.out_limit = u64(g.out_height) * g.out_width;
  if (w.height == 1 && w.width == 1 && w.stride_y == 1 && w.stride_x == 1 && !w.top && !w.left &&
      g.in_height == g.out_height && g.in_width == g.out_width) {
    g.in_height = g.out_height = 2;
    g.in_width = g.out_width = u32((g.in_limit + 1) / 2);
  }
  g.half = (g.out_height + 1) / 2;
  g.rows = (g.half - 1) * w.stride_y + (w.height - 1) * w.dilation_y + 1;
  g.columns = (g.out_width - 1) * w.stride_x + (w.width - 1) * w.dilation_x + 1;
  g.blocks = (c.output.channels + BLOCK - 1) / BLOCK;
  return g;
}

// Packed: offsets of the lookups, then for each block the indices as [group][3][BLOCK].
static u64 offset_bytes(const Geometry& g) { return (u64(g.groups) * 3 * 4 + 63) / 64 * 64; }
static u64 block_bytes(const Geometry& g) { return u64(g.groups) * 3 * BLOCK; }

static u64 packed_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  return offset_bytes(g) + g.blocks * block_bytes(g);
}

static u64 scratch_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u64 bytes = u64(g.rows) * g.columns;  // Below 2^56, see check.cpp.
  const u64 pixel = u64(g.indices) * ENTRY;
  // Offsets have 32 bits.
  return bytes <= (u64(1) << 31) / pixel ? bytes * pixel : 0;
}

// CHANNELS bits of a pixel from bit CHANNELS * i on.
INLINE u32 index_at(const u32* words, u32 count, u32 i) {
  const u32 bit = i * CHANNELS, word = bit / 32, shift = bit % 32;
  u32 v = words[word] >> shift;
  if (shift + CHANNELS > 32 && word + 1 < count) v |= words[word + 1] << (32 - shift);
  return v & ((1 << CHANNELS) - 1);
}

static void pack_tables(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  u32* offsets = (u32*)c.packed;
  u8* to = c.packed + offset_bytes(g);
  for (u32 i = 0; i < g.groups * 3; i++) offsets[i] = 0;
  for (u64 i = 0; i < g.blocks * block_bytes(g); i++) to[i] = NOWHERE;
  u32 lookup = 0;
  for (u32 ky = 0; ky < w.height; ky++)
    for (u32 i = 0; i < g.indices; i++)
      for (u32 kx = 0; kx < w.width; kx++, lookup++) {  // Three taps beside each other share tables.
        offsets[lookup] = ((ky * w.dilation_y * g.columns + kx * w.dilation_x) * g.indices + i) * ENTRY;
        for (u32 o = 0; o < c.output.channels; o++) {
          const u32* kernel = c.kernel + ((u64(o) * w.height + ky) * w.width + kx) * c.words();
          to[o / BLOCK * block_bytes(g) + u64(lookup) * BLOCK + lane_of(o % BLOCK)] =
              u8(index_at(kernel, c.words(), i));
        }
      }
}

static u32 table_rows(const BinaryConv& c) { return geometry(c).rows; }

static void make_row(const BinaryConv& c, u32 row) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  const i64 upper = i64(row) - w.top, lower = upper + i64(g.half) * w.stride_y;
  const u64 pixel = u64(g.indices) * ENTRY;
  u8* to = c.scratch + u64(row) * g.columns * pixel;
  for (u32 x = 0; x < g.columns; x++, to += pixel) {
    const i64 column = i64(x) - w.left;
    const bool in_column = column >= 0 && column < g.in_width;
    const i64 first = upper * g.in_width + column, second = lower * g.in_width + column;
    const bool has_first = in_column && upper >= 0 && upper < g.in_height && u64(first) < g.in_limit;
    const bool has_second = in_column && lower >= 0 && lower < g.in_height && u64(second) < g.in_limit;
    static const u32 nothing[1] = {0};
    const u32* a = has_first ? c.input.data + u64(first) * c.input.stride : nothing;
    const u32* b = has_second ? c.input.data + u64(second) * c.input.stride : nothing;
    make(to, a, b, has_first, has_second, c.words(), g.indices, c.ones);
  }
}

// Taps of an output row or column that lie inside.
INLINE u32 taps_inside(u32 at, u32 stride, u32 dilation, u32 before, u32 taps, u32 size) {
  u32 count = 0;
  for (u32 k = 0; k < taps; k++) {
    const i64 place = i64(at) * stride + i64(k) * dilation - before;
    count += place >= 0 && place < size;
  }
  return count;
}

// Parts: some rows of pairs times some blocks of filters.
constexpr u32 PART_BLOCKS = 4;
INLINE u32 part_rows(const Geometry& g) {
  const u32 rows = 128 / g.out_width;
  return rows < 1 ? 1 : rows > g.half ? g.half : rows;
}
static u32 tile_parts(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u32 rows = part_rows(g);
  return (g.half + rows - 1) / rows * ((g.blocks + PART_BLOCKS - 1) / PART_BLOCKS);
}

// Where the counts of a pixel go: a dot product of `signs` signs of which n differ is signs - 2 n.
struct Target {
  i16* to;  // BLOCK results; null for a pixel that is not there.
  i16 signs;
};

template <int PAIRS>
INLINE void tile_at(const BinaryConv& c, const Geometry& g, u32 block, u32 y, u32 x, const u32* inside_x,
                    const u32* inside_y) {
  const Window& w = c.window;
  const u64 pixel = u64(g.indices) * ENTRY;
  const u32 filters = c.output.channels - block * BLOCK;
  alignas(64) i16 spare[2 * PAIRS][BLOCK];
  Target targets[2 * PAIRS];
  for (u32 p = 0; p < PAIRS; p++)
    for (u32 h = 0; h < 2; h++) {
      const u64 place = u64(y + h * g.half) * g.out_width + x + p;
      const bool there = y + h * g.half < g.out_height && place < g.out_limit;
      const u32 taps = c.ones || g.in_limit != u64(g.in_height) * g.in_width || !inside_x
                           ? w.height * w.width
                           : inside_x[p] * inside_y[h];
      Target& t = targets[2 * p + h];
      t.signs = i16(taps * c.input.channels);
      t.to = !there ? nullptr : filters >= BLOCK ? c.output.data + place * c.output.stride + block * BLOCK : spare[2 * p + h];
    }
  tile<PAIRS>(c.scratch + (u64(y) * w.stride_y * g.columns + u64(x) * w.stride_x) * pixel, w.stride_x * pixel,
              (const u32*)c.packed, c.packed + offset_bytes(g) + block * block_bytes(g), g.groups, targets);
  if (filters < BLOCK)
    for (u32 p = 0; p < 2 * PAIRS; p++) {
      if (!targets[p].to) continue;
      const u64 place = u64(y + p % 2 * g.half) * g.out_width + x + p / 2;
      for (u32 o = 0; o < filters; o++) c.output.data[place * c.output.stride + block * BLOCK + o] = spare[p][o];
    }
}

static void tile_part(const BinaryConv& c, u32 part) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  const bool flat = w.height == 1 && w.width == 1 && !w.top && !w.left;  // Nothing is outside.
  const u32 block_parts = (g.blocks + PART_BLOCKS - 1) / PART_BLOCKS, height = part_rows(g);
  const u32 first_block = part % block_parts * PART_BLOCKS, first_row = part / block_parts * height;
  const u32 last_block = first_block + PART_BLOCKS < g.blocks ? first_block + PART_BLOCKS : g.blocks;
  const u32 last_row = first_row + height < g.half ? first_row + height : g.half;
  for (u32 block = first_block; block < last_block; block++)
    for (u32 y = first_row; y < last_row; y++) {
      const u32 inside_y[2] = {
          taps_inside(y, w.stride_y, w.dilation_y, w.top, w.height, g.in_height),
          taps_inside(y + g.half, w.stride_y, w.dilation_y, w.top, w.height, g.in_height)};
      for (u32 x = 0; x < g.out_width;) {
        const u32 left = g.out_width - x;
        // 4 + 4 + ..., but 3 + 3 rather than 4 + 2 and 3 + 2 rather than 4 + 1.
        const u32 pairs = left >= 7 || left == 4 ? 4 : left > 4 ? 3 : left;
        u32 inside_x[4];
        if (!flat)
          for (u32 p = 0; p < pairs; p++)
            inside_x[p] = taps_inside(x + p, w.stride_x, w.dilation_x, w.left, w.width, g.in_width);
        const u32* columns = flat ? nullptr : inside_x;
        switch (pairs) {
          case 4: tile_at<4>(c, g, block, y, x, columns, inside_y); break;
          case 3: tile_at<3>(c, g, block, y, x, columns, inside_y); break;
          case 2: tile_at<2>(c, g, block, y, x, columns, inside_y); break;
          default: tile_at<1>(c, g, block, y, x, columns, inside_y);
        }
        x += pairs;
      }
    }
}
