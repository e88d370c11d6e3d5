// Binary convolutions by table lookup, for instruction sets that have a byte shuffle.
//
// CHANNELS channels of a weight are an index, and a shuffle looks up as many indices at once as it has lanes: filters
// lie in lanes. A table belongs to CHANNELS channels of a *pair* of pixels with signs a and b: entry i is
// popcount(a ^ i) + 16 popcount(b ^ i), so one lookup counts the different signs of both pixels. Three lookups make a
// group: each half of a byte is at most 15 then, `all` adds up the bytes and `high` their upper halves, and before that
// overflows, after a chunk of CHUNK groups, both are subtracted from 16 bit counters, which lie in the output.
//
// The pixel (y, x) is paired with (y + half, x). A tap of the kernel moves both by the same distance, so one table
// serves all taps. A place outside the input has a table of zeros in its half, or, if it counts as +1, that of a = 0:
// borders cost nothing. Tables lie as [row][index][column], and a lookup is an offset from the first table of a pixel,
// the same for all pixels: any kernel, stride and dilation is the same loop. Where the three lookups of a group are
// three taps beside each other, neighbours share tables.
//
// A kernel of one pixel without stride or padding has no rows: its map is taken as two rows of half its pixels. Its
// tables lie as [row][index / TOGETHER][column][index % TOGETHER].
//
// The instruction set's file defines CHANNELS, ENTRY, CHUNK, BLOCK, TOGETHER, NOWHERE, MOST_PAIRS, lane_of(), make() and
// tile().

// How the three lookups of a group lie.
enum Kind : u32 {
  ANYWHERE,           // Each has an offset of its own.
  NEIGHBOURS,         // Three taps of a row beside each other: pixels beside each other share tables.
  NEIGHBOURS_BY_TWO,  // The same at stride 2.
  FLAT,               // Three indices of the same pixel, of a kernel of one pixel.
};
constexpr bool has_one_offset(Kind kind) { return kind == FLAT ? TOGETHER == 3 : kind != ANYWHERE; }

struct Geometry {
  u32 indices;         // For one pixel's channels.
  u32 groups;          // Of three lookups, for one filter.
  u32 in_height, in_width, out_height, out_width;
  u64 in_limit, out_limit;  // Pixels that are there, in order.
  u32 half;                 // Rows between the pixels of a pair.
  u32 rows, columns;        // Of tables.
  u32 inner_from, inner_to; // Columns of the output that have all taps.
  u32 blocks;               // Of BLOCK filters.
  bool flat;                // No rows, and nothing is outside.
  Kind kind;
  u32 together;             // Tables of a pixel beside each other.
  u64 pitch, row_pitch;     // Bytes from the tables of so many indices to those of the next, and from a row to the next.
};

static Geometry geometry(const BinaryConv& c) {
  const Window& w = c.window;
  Geometry g;
  g.indices = (c.input.channels + CHANNELS - 1) / CHANNELS;
  g.groups = (w.height * w.width * g.indices + 2) / 3;
  g.in_height = c.input.height, g.in_width = c.input.width;
  g.out_height = c.output.height, g.out_width = c.output.width;
  g.in_limit = u64(g.in_height) * g.in_width, g.out_limit = u64(g.out_height) * g.out_width;
  g.flat = w.height == 1 && w.width == 1 && w.stride_y == 1 && w.stride_x == 1 && !w.top && !w.left &&
           g.in_height == g.out_height && g.in_width == g.out_width;
  if (g.flat) {
    g.in_height = g.out_height = 2;
    g.in_width = g.out_width = u32((g.in_limit + 1) / 2);
  }
  g.half = (g.out_height + 1) / 2;
  g.rows = (g.half - 1) * w.stride_y + (w.height - 1) * w.dilation_y + 1;
  g.columns = (g.out_width - 1) * w.stride_x + (w.width - 1) * w.dilation_x + 1;
  g.blocks = (c.output.channels + BLOCK - 1) / BLOCK;
  g.inner_from = 0, g.inner_to = g.out_width;
  if (!g.flat && !c.ones) {
    g.inner_from = inside(w, 0, g.in_width, g.out_width).from;
    g.inner_to = inside(w, w.width - 1, g.in_width, g.out_width).to;
  }
  const bool shared = w.width == 3 && w.dilation_x == 1 && w.stride_x <= 2;
  g.kind = g.flat ? FLAT : !shared ? ANYWHERE : w.stride_x == 1 ? NEIGHBOURS : NEIGHBOURS_BY_TWO;
  g.together = g.flat ? TOGETHER : 1;
  g.pitch = u64(g.columns) * ENTRY * g.together;
  g.row_pitch = g.pitch * ((g.indices + g.together - 1) / g.together);
  return g;
}

// Packed: an offset for each group, or for each lookup, then for each block the indices as [group][3][BLOCK].
static u64 offset_bytes(const Geometry& g) { return (u64(g.groups) * 3 * 4 + 63) / 64 * 64; }
static u64 block_bytes(const Geometry& g) { return u64(g.groups) * 3 * BLOCK; }

static u64 packed_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  return offset_bytes(g) + g.blocks * block_bytes(g);
}

static u64 scratch_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u64 tables = u64(g.rows) * g.columns;  // Below 2^56, see check.cpp.
  const u64 bytes = g.row_pitch / g.columns;
  // Offsets have 32 bits.
  return tables <= (u64(1) << 31) / bytes ? tables * bytes : 0;
}

static void pack_offsets(const BinaryConv& c, const Geometry& g) {
  const Window& w = c.window;
  u32* const offsets = (u32*)c.packed;
  for (u64 i = 0; i < offset_bytes(g) / 4; i++) offsets[i] = 0;
  u32 lookup = 0;
  // All taps of an index, then the next: the tables that a chunk reads fit the first cache.
  for (u32 i = 0; i < g.indices; i++)
    for (u32 ky = 0; ky < w.height; ky++)
      for (u32 kx = 0; kx < w.width; kx++, lookup++) {
        const u32 offset = u32(ky * w.dilation_y * g.row_pitch + i / g.together * g.pitch +
                               (kx * w.dilation_x + i % g.together) * ENTRY);
        if (!has_one_offset(g.kind)) offsets[lookup] = offset;
        else if (lookup % 3 == 0) offsets[lookup / 3] = offset;
      }
}

// A tap's indices of a block of filters, each BLOCK bytes in order of the lanes, `pitch` bytes apart. `from` is its first
// filter's pixel, and `next` words further the next one's: all filters' bits are shifted out of their words side by side.
INLINE void pack_tap(const u32* from, u64 next, u32 filters, u32 words, u32 indices, u8* to, u64 pitch) {
  u32 now[BLOCK], later[BLOCK];
  const auto take = [=](u32* lanes, u32 word) INLINED {
    for (u32 o = 0; o < BLOCK; o++) lanes[lane_of(o)] = word < words && o < filters ? from[o * next + word] : 0;
  };
  take(later, 0);
  u32 i = 0;
  for (u32 word = 0; word < words; word++) {
    for (u32 lane = 0; lane < BLOCK; lane++) now[lane] = later[lane];
    take(later, word + 1);
    for (; i < indices && i * CHANNELS < 32 * (word + 1); i++, to += pitch) {
      const u32 shift = i * CHANNELS % 32;
      for (u32 lane = 0; lane < BLOCK; lane++)
        to[lane] = u8((now[lane] >> shift | later[lane] << 1 << (31 - shift)) & ((1 << CHANNELS) - 1));
    }
  }
}

static void pack_tables(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u32 taps = c.window.height * c.window.width, words = c.words(), lookups = taps * g.indices;
  pack_offsets(c, g);
  for (u32 block = 0; block < g.blocks; block++) {
    u8* const to = c.packed + offset_bytes(g) + block * block_bytes(g);
    const u32 filters = c.output.channels - block * BLOCK;
    const u32* const kernel = c.kernel + u64(block) * BLOCK * taps * words;
    for (u32 tap = 0; tap < taps; tap++)
      pack_tap(kernel + u64(tap) * words, u64(taps) * words, filters, words, g.indices, to + tap * BLOCK, u64(taps) * BLOCK);
    // What a group has beyond the last lookup, and a block beyond the last filter, counts nothing.
    for (u64 i = u64(lookups) * BLOCK; i < block_bytes(g); i++) to[i] = NOWHERE;
    for (u32 o = filters; o < BLOCK; o++)
      for (u32 lookup = 0; lookup < lookups; lookup++) to[u64(lookup) * BLOCK + lane_of(o)] = NOWHERE;
  }
}

// A flat map has one row, of which some columns are a part, as many as make whole tiles.
INLINE u32 part_columns(const Geometry& g, u32 pairs) {
  if (!g.flat || g.columns < 2 * pairs) return g.columns;
  const u32 parts = (g.columns + pairs / 2) / pairs;
  return ((g.columns + parts - 1) / parts + MOST_PAIRS - 1) / MOST_PAIRS * MOST_PAIRS;
}
INLINE u32 column_parts(const Geometry& g, u32 pairs) {
  const u32 columns = part_columns(g, pairs);
  return (g.columns + columns - 1) / columns;
}

constexpr u32 MAKE_PAIRS = 24;  // Of a flat map, whose tables are a part.
static u32 table_parts(const BinaryConv& c) {
  const Geometry g = geometry(c);
  return g.rows * column_parts(g, MAKE_PAIRS);
}

static void make_tables(const BinaryConv& c, u32 part) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  const u32 parts = column_parts(g, MAKE_PAIRS), row = part / parts, some = part_columns(g, MAKE_PAIRS);
  const u32 from = part % parts * some, end = from + some < g.columns ? from + some : g.columns;
  const i64 upper = i64(row) - w.top, lower = upper + i64(g.half) * w.stride_y;
  // The rows of the pair's pixels, and how many columns they have.
  const auto columns = [&](i64 y) -> u64 {
    if (y < 0 || y >= g.in_height) return 0;
    const u64 left = g.in_limit - u64(y) * g.in_width;
    return left < g.in_width ? left : g.in_width;
  };
  const u64 first = columns(upper), second = columns(lower), stride = c.input.stride;
  const u32* const a = c.input.data + (first ? u64(upper) * g.in_width * stride : 0);
  const u32* const b = c.input.data + (second ? u64(lower) * g.in_width * stride : 0);
  const u32 words = c.words(), indices = g.indices;
  const u64 pitch = g.pitch, left = w.left;
  const bool ones = c.ones;
  u8* to = c.scratch + row * g.row_pitch + u64(from) * g.together * ENTRY;
  const auto make_all = [&](auto together) INLINED {
    for (u64 x = from; x < end; x++, to += together.value * ENTRY) {
      const u64 column = x - left;  // Beyond all columns, if that is negative.
      make<together.value>(to, pitch, column < first ? a + column * stride : nullptr,
                           column < second ? b + column * stride : nullptr, words, indices, ones);
    }
  };
  if (g.flat) make_all(Constant<TOGETHER>{});
  else make_all(Constant<1>{});
}

// Taps of an output row or column that lie inside.
INLINE u32 taps_inside(u32 at, u32 stride, u32 dilation, u32 before, u32 taps, u32 size) {
  const i64 first = i64(at) * stride - before, last = first + i64(taps - 1) * dilation;
  if (first >= 0 && last < i64(size)) return taps;
  u32 count = 0;
  for (i64 place = first; place <= last; place += dilation) count += place >= 0 && place < i64(size);
  return count;
}

// Parts: some rows of pairs, or some columns of a flat map's, times some blocks of filters.
constexpr u32 PART_PAIRS = 100, PART_BLOCKS = 4;
INLINE u32 part_rows(const Geometry& g) {
  const u32 rows = PART_PAIRS / g.out_width;
  return rows < 1 ? 1 : rows > g.half ? g.half : rows;
}
static u32 tile_parts(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u32 rows = part_rows(g);
  return (g.half + rows - 1) / rows * column_parts(g, PART_PAIRS) * ((g.blocks + PART_BLOCKS - 1) / PART_BLOCKS);
}

// Some pairs of a row, and where their first tables and counters are.
struct Place {
  u32 pairs;
  bool second;     // Whether they have a second pixel.
  u64 tables;      // Bytes from the first table on.
  u64 to;          // Elements of the output from its first pixel on.
  i16 starts[8];   // Half the signs of each pixel, rounded down ...
  u32 odd;         // ... and, a bit for each, whether that dropped a half.
};

// A chunk of a block of filters. Its counts are subtracted from the counters of a place's pixels, which are the halves of
// dot products: of n signs of which d differ it is 2 (n / 2 - d). The first chunk begins with `starts`, and the last
// doubles the result.
struct Chunk {
  const u8* tables;
  const u32* offsets;
  const u8* indices;
  u32 groups;
  bool first, last;
  i16* to;      // For this block's filters of the first pixel.
  u64 step;     // Elements from a pixel to the next ...
  u64 half;     // ... and to the other of its pair.
  u64 stride;   // Bytes from a pair's tables to the next; not of a flat kernel.
};

// Places of PAIRS pairs each.
typedef void Tile(const Chunk&, const Place*, u32 count);
template <int PAIRS, int KIND>
static void tile(const Chunk&, const Place*, u32 count);

template <int KIND>
INLINE Tile* tile_of(u32 pairs) {
  static Tile* const TILES[] = {tile<1, KIND>, tile<2, KIND>, tile<3, KIND>, tile<MOST_PAIRS, KIND>};
  return TILES[pairs - 1];
}
static Tile* choose_tile(Kind kind, u32 pairs) {
  return kind == NEIGHBOURS          ? tile_of<NEIGHBOURS>(pairs)
         : kind == NEIGHBOURS_BY_TWO ? tile_of<NEIGHBOURS_BY_TWO>(pairs)
         : kind == FLAT              ? tile_of<FLAT>(pairs)
                                     : tile_of<ANYWHERE>(pairs);
}

// `rows`: how many rows of taps are inside, for the first and the second pixels of a row of pairs.
INLINE void set_place(const BinaryConv& c, const Geometry& g, Place& place, u32 y, u32 x, u32 pairs, bool second,
                      const u32* rows) {
  const Window& w = c.window;
  place.pairs = pairs, place.second = second, place.odd = 0;
  place.tables = u64(y) * w.stride_y * g.row_pitch + u64(x) * w.stride_x * g.together * ENTRY;
  place.to = (u64(y) * g.out_width + x) * c.output.stride;
  const u32 signs[2] = {rows[0] * c.input.channels, rows[1] * c.input.channels};
  const bool all_inside = x >= g.inner_from && x + pairs <= g.inner_to;
  const u32 all[2] = {signs[0] * w.width, signs[1] * w.width};
  for (u32 p = 0; p < 4; p++)
    for (u32 h = 0; h < 2; h++) {
      place.starts[2 * p + h] = i16(all[h] / 2);
      place.odd |= all[h] % 2 << (2 * p + h);
    }
  if (all_inside) return;
  place.odd = 0;
  for (u32 p = 0; p < pairs; p++) {
    const u32 columns = taps_inside(x + p, w.stride_x, w.dilation_x, w.left, w.width, g.in_width);
    for (u32 h = 0; h < 2; h++) {
      place.starts[2 * p + h] = i16(signs[h] * columns / 2);
      place.odd |= signs[h] * columns % 2 << (2 * p + h);
    }
  }
}

// A dot product of an odd number of signs is odd: what halving it has dropped.
static void add_odd(const BinaryConv& c, const Geometry& g, const Place& place, u32 from, u32 to) {
  for (u32 h = 0; h < 1 + u32(place.second); h++)
    for (u32 p = 0; p < place.pairs; p++) {
      i16* out = c.output.data + place.to + (u64(h) * g.half * g.out_width + p) * c.output.stride;
      if (place.odd >> (2 * p + h) & 1)
        for (u32 o = from; o < to; o++) out[c.output.channel(o)]++;
    }
}

// Some places of a part, for all of its blocks: those of a row have at most two numbers of pairs, so each has a list.
constexpr u32 MOST_PLACES = 64;
struct Batch {
  Place places[2][MOST_PLACES];
  u32 pairs[2], counts[2];
};

// Weights are fetched so many bytes ahead of a chunk that is whole. A CPU does not do so itself: it sees a chunk read again
// and again, once for each place, before the next one.
constexpr u32 AHEAD = 8192;

// All chunks of a block of filters at some places, one after the other. `to` is for the block's filters, see `Chunk`.
INLINE void run_chunks(const BinaryConv& c, const Geometry& g, u32 block, i16* to, u64 step, u64 half, Tile* run,
                       const Place* places, u32 count) {
  const u32 offsets = has_one_offset(g.kind) ? CHUNK : 3 * CHUNK;
  Chunk chunk = {c.scratch,
                 (const u32*)c.packed,
                 c.packed + offset_bytes(g) + block * block_bytes(g),
                 CHUNK,
                 true,
                 false,
                 to,
                 step,
                 half,
                 u64(c.window.stride_x) * ENTRY};
  for (u32 left = g.groups; left; left -= chunk.groups) {
    if (left <= CHUNK) chunk.groups = left, chunk.last = true;
    if (chunk.groups == CHUNK)
      unrolled<(CHUNK * 3 * BLOCK + 63) / 64>([&](auto line) INLINED {
        __builtin_prefetch(chunk.indices + AHEAD + line.value * 64, 0, 2);
      });
    run(chunk, places, count);
    chunk.first = false, chunk.offsets += offsets, chunk.indices += CHUNK * 3 * BLOCK;
  }
}

static void run_block(const BinaryConv& c, const Geometry& g, u32 block, const Batch& batch) {
  const u32 filters = c.output.channels - block * BLOCK;
  const u64 half = u64(g.half) * g.out_width * c.output.stride;
  for (u32 list = 0; list < 2; list++) {
    const u32 count = batch.counts[list];
    if (!count) continue;
    const Place* const places = batch.places[list];
    Tile* const run = choose_tile(g.kind, batch.pairs[list]);
    i16* const to = c.output.data + c.output.channel(block * BLOCK);
    if (filters >= BLOCK) {
      run_chunks(c, g, block, to, c.output.stride, half, run, places, count);
      continue;
    }
    // Counters behind the last filter are the next pixel's: count elsewhere.
    for (u32 n = 0; n < count; n++) {
      alignas(64) i16 counters[2][4][BLOCK];
      Place place = places[n];
      place.to = 0;
      run_chunks(c, g, block, counters[0][0], BLOCK, 4 * BLOCK, run, &place, 1);
      for (u32 h = 0; h < 1 + u32(place.second); h++)
        for (u32 p = 0; p < place.pairs; p++)
          __builtin_memcpy(to + places[n].to + p * c.output.stride + h * half, counters[h][p], filters * sizeof(i16));
    }
  }
}

static void tile_part(const BinaryConv& c, u32 part) {
  const Geometry g = geometry(c);
  const u32 block_parts = (g.blocks + PART_BLOCKS - 1) / PART_BLOCKS, height = part_rows(g);
  const u32 first_block = part % block_parts * PART_BLOCKS, area = part / block_parts;
  const u32 column_count = column_parts(g, PART_PAIRS), columns = part_columns(g, PART_PAIRS);
  const u32 first_row = area / column_count * height, first_column = area % column_count * columns;
  const u32 last_block = first_block + PART_BLOCKS < g.blocks ? first_block + PART_BLOCKS : g.blocks;
  const u32 last_row = first_row + height < g.half ? first_row + height : g.half;
  const u32 from = first_block * BLOCK, to = last_block < g.blocks ? last_block * BLOCK : c.output.channels;
  // The same number of pairs in all places of a row, or one less; and the last one of an odd number of flat pixels.
  const bool is_last = g.out_width - first_column <= columns;
  const u32 last_column = is_last ? g.out_width : first_column + columns;
  const u32 lone = g.flat && is_last && g.out_limit % 2, whole = last_column - first_column - lone;
  const u32 tiles = (whole + MOST_PAIRS - 1) / MOST_PAIRS, least = tiles ? whole / tiles : 0;
  const u32 longer = whole - least * tiles;
  Batch batch;
  batch.pairs[0] = least + 1, batch.pairs[1] = least;
  batch.counts[0] = batch.counts[1] = 0;
  const auto run = [&] {
    for (u32 block = first_block; block < last_block; block++) run_block(c, g, block, batch);
    if (c.input.channels % 2)
      for (u32 list = 0; list < 2; list++)
        for (u32 n = 0; n < batch.counts[list]; n++) add_odd(c, g, batch.places[list][n], from, to);
    batch.counts[0] = batch.counts[1] = 0;
  };
  const auto add = [&](u32 list, u32 y, u32 x, bool second, const u32* rows) INLINED {
    set_place(c, g, batch.places[list][batch.counts[list]++], y, x, batch.pairs[list], second, rows);
    if (batch.counts[list] == MOST_PLACES) run();
  };
  for (u32 y = first_row; y < last_row; y++) {
    u32 rows[2] = {c.window.height, c.window.height};
    if (!g.flat && !c.ones)
      for (u32 h = 0; h < 2; h++)
        rows[h] = taps_inside(y + h * g.half, c.window.stride_y, c.window.dilation_y, c.window.top, c.window.height,
                              g.in_height);
    u32 x = first_column;
    for (u32 n = 0; n < longer; n++, x += least + 1) add(0, y, x, y + g.half < g.out_height, rows);
    for (u32 n = longer; n < tiles; n++, x += least) add(1, y, x, y + g.half < g.out_height, rows);
  }
  run();
  if (lone && last_row == g.half) {
    batch.pairs[1] = 1;
    const u32 rows[2] = {1, 1};
    add(1, g.half - 1, g.out_width - 1, false, rows);
    run();
  }
  if (!c.means.corners) return;
  const u64 first = u64(first_row) * g.out_width + first_column;
  const u64 last = u64(last_row - 1) * g.out_width + last_column, half = u64(g.half) * g.out_width;
  const auto limited = [&](u64 pixel) { return pixel < g.out_limit ? pixel : g.out_limit; };
  add_pixels(c, c.means.sums_of(c, part), from, to, first, limited(last < half ? last : half));
  add_pixels(c, c.means.sums_of(c, part), from, to, limited(first + half), limited(last + half));
}
