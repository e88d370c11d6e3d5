// What the tables of tables.inl are made of, for files that define CHANNELS and ENTRY: entry i of the tables of a pixel
// with signs a is how many of CHANNELS signs differ, and for the second pixel of a pair 16 times that.
struct Counts {
  alignas(64) u8 low[ENTRY][ENTRY], high[ENTRY][ENTRY];
  constexpr Counts() : low(), high() {
    for (u32 a = 0; a < ENTRY; a++)
      for (u32 i = 0; i < ENTRY; i++) {
        u32 n = 0;
        for (u32 b = 0; b < CHANNELS; b++) n += (a ^ i) >> b & 1;
        low[a][i] = u8(n), high[a][i] = u8(n << 4);
      }
  }
};
constexpr Counts COUNTS;
