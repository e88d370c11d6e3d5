// Tables of 16 entries, for instruction sets whose shuffle looks up in 16 bytes: half a byte is an index, 4 channels.
// Included before tables.inl, which says what is made here.
constexpr u32 CHANNELS = 4, ENTRY = 16, CHUNK = 21, TOGETHER = 1;
constexpr u8 NOWHERE = 0x80;  // An index whose entry is 0.
#include "counts.inl"

typedef u8 Entries __attribute__((vector_size(ENTRY)));
INLINE Entries entries(const u8* p) { return *(const Entries*)p; }

// `first` and `second` are the entries of four signs of either pixel.
template <class First, class Second>
INLINE void make_with(u8* to, u64 pitch, const u32* a, const u32* b, u32 indices, First first, Second second) {
  for (u32 i = 0; i < indices; i += 8) {
    const u32 v = *a++, w = *b++, some = indices - i < 8 ? indices - i : 8;
    for (u32 k = 0; k < some; k++, to += pitch) *(Entries*)to = first(v >> 4 * k & 15) + second(w >> 4 * k & 15);
  }
}

// The tables of all indices of a pair of pixels, null if they are not there.
template <u32 TOGETHER>
INLINE void make(u8* to, u64 pitch, const u32* a, const u32* b, u32 words, u32 indices, bool ones) {
  (void)words;
  const auto low = [](u32 v) { return entries(COUNTS.low[v]); };
  const auto high = [](u32 v) { return entries(COUNTS.high[v]); };
  const Entries low_outside = ones ? low(0) : Entries{}, high_outside = ones ? high(0) : Entries{};
  const auto low_none = [=](u32) { return low_outside; };
  const auto high_none = [=](u32) { return high_outside; };
  if (a && b) make_with(to, pitch, a, b, indices, low, high);
  else if (a) make_with(to, pitch, a, a, indices, low, high_none);
  else if (b) make_with(to, pitch, b, b, indices, low_none, high);
  else
    for (u32 i = 0; i < indices; i++, to += pitch) *(Entries*)to = low_outside + high_outside;
}
