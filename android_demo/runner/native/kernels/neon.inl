// What both files of ARM64 add up sums for means with.
#define LANES 4
#include "vectors.inl"

constexpr bool ADDS_DISTANCES = true;
template <class T, class U>
INLINE int16x8_t add_distances(T sum, U a, U b) {
  return vabaq_s16((int16x8_t)sum, (int16x8_t)a, (int16x8_t)b);
}
#include "means.inl"
