// Binary convolutions that count bits, for instruction sets that count them in vectors: xor, population count, add. A block
// of 16 filters lies in the lanes of one or several vectors, 32 channels in each lane, and words of pixels are broadcast.
//
// No place outside the input is read. A map consists of rectangles of pixels whose taps inside are the same; a tile is so
// many pixels of a rectangle, wherever they lie, and takes only those taps. Places that count as +1 instead are written
// around a copy of the input.
//
// An instruction set's file includes this inside its namespace and defines, before:
//   Word                 a word of a pixel: u32, or a vector of such
//   MOST                 how many pixels a tile has at most
//   KINDS, words_of()    how many words are counted together: a pixel's first ones by the first kind, and so on
//   is_encoded()         whether pixels of so many words are copied, as `encode_pixel` writes them
// and behind it what is declared here: `encode_filter`, `encode_pixel`, `tile_of`. Its `convolve` is `convolve_area` and the
// sums for means.

constexpr u32 BLOCK = 16;  // Filters.
struct alignas(64) Bits {
  u32 words[BLOCK];
};

// How many groups of each kind a pixel has, and where its words are read.
struct Geometry {
  u32 words, groups[KINDS];
  bool copied;         // The input lies in the scratch memory, encoded or between places that count as +1.
  u32 top, left;       // Such places before the first row and column ...
  u32 height, width;   // ... and the input's size with all of them.
  u32 blocks;
};

static Geometry geometry(const BinaryConv& c) {
  const Window& w = c.window;
  Geometry g;
  g.words = c.words();
  for (u32 kind = 0, rest = g.words; kind < KINDS; kind++) {
    g.groups[kind] = rest / words_of(kind, g.words);
    rest %= words_of(kind, g.words);
  }
  g.copied = c.ones || is_encoded(g.words);
  g.top = g.left = 0, g.height = c.input.height, g.width = c.input.width;
  if (c.ones) {
    g.top = w.top, g.left = w.left;
    g.height = (c.output.height - 1) * w.stride_y + (w.height - 1) * w.dilation_y + 1;
    g.width = (c.output.width - 1) * w.stride_x + (w.width - 1) * w.dilation_x + 1;
  }
  g.blocks = (c.output.channels + BLOCK - 1) / BLOCK;
  return g;
}

// One tap of a filter, its words BLOCK apart; and a pixel, or where there is none one that counts as +1.
static void encode_filter(u32* to, const u32* from, u32 words);
static void encode_pixel(Word* to, const u32* from, u32 words);

// A block's weights: for each word of each tap, that of all filters.
static u64 block_bytes(const BinaryConv& c) { return u64(c.window.height) * c.window.width * c.words() * sizeof(Bits); }
static u64 packed_bytes(const BinaryConv& c) { return geometry(c).blocks * block_bytes(c); }
static u64 scratch_bytes(const BinaryConv& c) {
  const Geometry g = geometry(c);
  if (!g.copied) return 64;
  const u64 pixels = u64(g.height) * g.width;
  // Groups say in 32 bits where their words are.
  return pixels <= (u64(1) << 32) / g.words ? pixels * g.words * sizeof(Word) : 0;
}

static void pack(const BinaryConv& c) {
  const Geometry g = geometry(c);
  const u32 taps = c.window.height * c.window.width;
  Bits* to = (Bits*)c.packed;
  for (u32 block = 0; block < g.blocks; block++)
    for (u32 tap = 0; tap < taps; tap++, to += g.words)
      for (u32 lane = 0; lane < BLOCK; lane++) {
        const u64 filter = u64(block) * BLOCK + lane;
        if (filter < c.output.channels) encode_filter(&to->words[lane], c.kernel + (filter * taps + tap) * g.words, g.words);
        else
          for (u32 i = 0; i < g.words; i++) to[i].words[lane] = 0;
      }
}

static u32 copied_rows(const BinaryConv& c) {
  const Geometry g = geometry(c);
  return g.copied ? g.height : 0;
}
static void copy_row(const BinaryConv& c, u32 row) {
  const Geometry g = geometry(c);
  Word* to = (Word*)c.scratch + u64(row) * g.width * g.words;
  const u32 y = row - g.top;  // Beyond all rows, if that is negative.
  for (u32 column = 0; column < g.width; column++, to += g.words) {
    const u32 x = column - g.left;
    encode_pixel(to, y < c.input.height && x < c.input.width ? c.input.at(y, x) : nullptr, g.words);
  }
}

// Taps of a row or column of the output that lie inside.
INLINE Span taps_inside(u32 at, u32 stride, u32 dilation, u32 before, u32 taps, u32 size) {
  Span inside = {0, 0};
  for (u32 tap = 0; tap < taps; tap++) {
    const u32 place = at * stride + tap * dilation - before;  // Beyond the size, if that is negative.
    if (place >= size) continue;
    if (!inside.to) inside.from = tap;
    inside.to = tap + 1;
  }
  return inside;
}
INLINE bool same(const Span& a, const Span& b) { return a.from == b.from && a.to == b.to; }

// Words that are counted together: where they are in the input, from a pixel's first tap on, and among a block's weights.
struct Group {
  u32 from, weights;
};
// Those of a rectangle's taps, and how many there are of each kind.
struct Groups {
  const Group* first;
  u32 count[KINDS];
};

// Up to MOST pixels of a rectangle: where their first tap inside reads, in words, and where results go, in elements.
struct Tile {
  Groups groups;
  u32 pixels;
  i16 signs;  // Of a dot product.
  u64 from[MOST], to[MOST];
};

// Some blocks of filters.
struct Job {
  const Word* input;
  const Bits* weights;
  u64 next_weights;
  const Map2<i16>& map;
  u32 words;  // Of a pixel.
  u32 output, filters, blocks;
};

typedef void RunTile(const Job&, const Tile&);
static RunTile* tile_of(u32 pixels);

// Parts: some rows times some blocks of filters.
constexpr u32 PART_PIXELS = 256, PART_BLOCKS = 8;
INLINE u32 part_rows(const BinaryConv& c) {
  const u32 rows = PART_PIXELS / c.output.width;
  return rows < 1 ? 1 : rows > c.output.height ? c.output.height : rows;
}
static u32 parts(const BinaryConv& c) {
  const u32 rows = part_rows(c);
  return (c.output.height + rows - 1) / rows * ((geometry(c).blocks + PART_BLOCKS - 1) / PART_BLOCKS);
}

// A list of tiles, which all blocks of filters go through: MOST_TILES, or fewer with MANY_GROUPS. A rectangle has at most
// as many groups as an int16 counts signs, should each tap be of one channel.
constexpr u32 MOST_TILES = 32, MANY_GROUPS = 1 << 11, MOST_GROUPS = 1 << 15;
struct List {
  u32 tiles, groups;
  Tile tile[MOST_TILES];
  Group group[MANY_GROUPS + MOST_GROUPS];
};

static Groups find_groups(const BinaryConv& c, const Geometry& g, const Span& rows, const Span& columns, u64 step,
                          List& list) {
  const Window& w = c.window;
  const u32 taps = (rows.to - rows.from) * (columns.to - columns.from);
  const u64 next_row = step * g.width * w.dilation_y, next_column = step * w.dilation_x;
  Groups groups = {list.group + list.groups, {}};
  for (u32 kind = 0, first = 0; kind < KINDS; kind++) {
    const u32 count = g.groups[kind], words = words_of(kind, g.words);
    for (u32 ky = rows.from; ky < rows.to; ky++)
      for (u32 kx = columns.from; kx < columns.to; kx++)
        for (u32 n = 0, word = first; n < count; n++, word += words)
          list.group[list.groups++] = {u32((ky - rows.from) * next_row + (kx - columns.from) * next_column) + word,
                                       (ky * w.width + kx) * g.words + word};
    groups.count[kind] = count * taps, first += count * words;
  }
  return groups;
}

// The filters and pixels of a part.
struct Area {
  u32 from, to;
  u64 first, last;
};

static Area convolve_area(const BinaryConv& c, u32 part) {
  const Geometry g = geometry(c);
  const Window& w = c.window;
  const u32 block_parts = (g.blocks + PART_BLOCKS - 1) / PART_BLOCKS, height = part_rows(c);
  const u32 first_block = part % block_parts * PART_BLOCKS, first_row = part / block_parts * height;
  const u32 last_block = first_block + PART_BLOCKS < g.blocks ? first_block + PART_BLOCKS : g.blocks;
  const u32 last_row = first_row + height < c.output.height ? first_row + height : c.output.height;
  // Words from a pixel to the next, and from a row to the next.
  const u64 step = g.copied ? g.words : c.input.stride, pitch = step * g.width, next = step * w.stride_x;
  const u64 next_weights = block_bytes(c) / sizeof(Bits);
  // So many blocks that their weights stay in the first cache from a tile to the next.
  const u32 together = u32((1 << 14) / block_bytes(c)) + 1;
  // What later steps read is fetched, too: some lines for each tile, as many as do not wait for each other.
  constexpr u64 MOST_LINES = 8;
  Ahead ahead = c.ahead.share(part, parts(c));
  const u64 tiles = (u64(last_row - first_row) * c.output.width + MOST - 1) / MOST * (last_block - first_block) / together + 1;
  const u64 ahead_each = ahead.lines / tiles < MOST_LINES ? ahead.lines / tiles + 1 : MOST_LINES;
  List list;
  list.tiles = list.groups = 0;
  Job job = {g.copied ? (const Word*)c.scratch : (const Word*)c.input.data, nullptr, next_weights, c.output, g.words, 0, 0, 0};
  const auto run_all = [&] {
    for (u32 block = first_block; block < last_block; block += job.blocks) {
      job.weights = (const Bits*)c.packed + block * next_weights, job.output = block * BLOCK;
      job.filters = c.output.channels - block * BLOCK;
      job.blocks = together < last_block - block ? together : last_block - block;
      // Weights of the blocks to come are fetched meanwhile, some for each tile.
      static_assert(sizeof(Bits) == Ahead::LINE, "so lines are counted as weights are");
      Ahead weights = {(const u8*)(job.weights + job.blocks * next_weights), 0};
      if (block + job.blocks < g.blocks) weights.lines = job.blocks * next_weights;
      const u64 weights_each = weights.lines / (list.tiles + 1) + 1;
      for (u32 n = 0; n < list.tiles; n++) {
        weights.fetch(weights_each), ahead.fetch(ahead_each);
        tile_of(list.tile[n].pixels)(job, list.tile[n]);
      }
    }
    list.tiles = 0;
  };
  const auto rows_inside = [&](u32 y) { return taps_inside(y, w.stride_y, w.dilation_y, w.top - g.top, w.height, g.height); };
  const auto columns_inside = [&](u32 x) { return taps_inside(x, w.stride_x, w.dilation_x, w.left - g.left, w.width, g.width); };
  for (u32 top = first_row, bottom; top < last_row; top = bottom) {
    const Span rows = rows_inside(top);
    for (bottom = top + 1; bottom < last_row && same(rows_inside(bottom), rows);) bottom++;
    for (u32 left = 0, right; left < c.output.width; left = right) {
      const Span columns = columns_inside(left);
      for (right = left + 1; right < c.output.width && same(columns_inside(right), columns);) right++;
      if (list.groups > MANY_GROUPS) run_all(), list.groups = 0;
      const Groups groups = find_groups(c, g, rows, columns, step, list);
      const i16 signs = i16((rows.to - rows.from) * (columns.to - columns.from) * c.input.channels);
      // As many pixels in all tiles of the rectangle, or one less.
      const u32 pixels = (bottom - top) * (right - left), wanted = (pixels + MOST - 1) / MOST;
      u32 y = top, x = left;
      u64 from = 0, to = 0;
      const auto begin_row = [&] {
        const u32 in_y = y * w.stride_y + rows.from * w.dilation_y + g.top - w.top;
        const u32 in_x = left * w.stride_x + columns.from * w.dilation_x + g.left - w.left;
        from = in_y * pitch + in_x * step, to = (u64(y) * c.output.width + left) * c.output.stride, x = left;
      };
      begin_row();
      for (u32 n = 0; n < wanted; n++) {
        Tile& tile = list.tile[list.tiles++];
        tile.groups = groups, tile.signs = signs, tile.pixels = pixels / wanted + (n < pixels % wanted);
        for (u32 p = 0; p < tile.pixels; p++) {
          tile.from[p] = from, tile.to[p] = to;
          from += next, to += c.output.stride;
          if (++x == right) y++, begin_row();
        }
        if (list.tiles == MOST_TILES) run_all();
      }
    }
  }
  run_all();
  const u32 from = first_block * BLOCK, end = last_block * BLOCK;
  return {from, end < c.output.channels ? end : c.output.channels, u64(first_row) * c.output.width,
          u64(last_row) * c.output.width};
}
