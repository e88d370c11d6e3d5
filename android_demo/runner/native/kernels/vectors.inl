// Vectors of LANES floats by the compilers' own extension, the same text for every instruction set. An instruction set's
// file defines LANES and includes this inside its namespace, so that each has functions of its own.

typedef float V __attribute__((vector_size(LANES * 4)));
typedef i32 VI __attribute__((vector_size(LANES * 4)));

#define INLINE static inline __attribute__((always_inline))

// f(0), f(1), ..., f(COUNT - 1), each with its number as a constant `value`.
#define INLINED __attribute__((always_inline))
template <int VALUE>
struct Constant {
  static constexpr int value = VALUE;
};
template <int COUNT, int FROM = 0, class F>
INLINE void unrolled(F f) {
  if constexpr (FROM < COUNT) {
    f(Constant<FROM>{});
    unrolled<COUNT, FROM + 1>(f);
  }
}
template <bool CONDITION, class A, class B>
struct If {
  typedef A Type;
};
template <class A, class B>
struct If<false, A, B> {
  typedef B Type;
};

INLINE V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
INLINE void store(float* p, V v) { __builtin_memcpy(p, &v, sizeof v); }
// f - 0 is f, so nothing is left of it; f + 0 is not, for -0.0.
INLINE V all(float f) { return f - V{}; }
INLINE V load(const i16* p) {
  typedef i16 V16 __attribute__((vector_size(LANES * 2)));
  V16 v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, V);
}
INLINE V load(const i8* p) {
  typedef i8 V8 __attribute__((vector_size(LANES)));
  V8 v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, V);
}

// The same operations on single floats, for the channels behind the last whole vector.
INLINE float one(const float* p) { return *p; }
INLINE float one(const i16* p) { return float(*p); }

INLINE V choose(VI condition, V yes, V no) { return condition ? yes : no; }
INLINE float choose(bool condition, float yes, float no) { return condition ? yes : no; }
INLINE V splat(V, float f) { return all(f); }
INLINE float splat(float, float f) { return f; }
template <class T>
INLINE T smaller(T a, T b) { return choose(a < b, a, b); }
template <class T>
INLINE T larger(T a, T b) { return choose(a > b, a, b); }

INLINE VI whole(V v) { return __builtin_convertvector(v, VI); }
INLINE i32 whole(float v) { return i32(v); }
INLINE V as_float(VI v) { return (V)v; }
INLINE float as_float(i32 v) {
  float f;
  __builtin_memcpy(&f, &v, 4);
  return f;
}
INLINE V exact(VI v) { return __builtin_convertvector(v, V); }
INLINE float exact(i32 v) { return float(v); }

// exp(x), within 2 units in the last place: x = n log 2 + r, a polynomial of r (Cephes), n into the exponent.
template <class T>
INLINE T exponential(T x) {
  x = smaller(larger(x, splat(x, -87.33f)), splat(x, 88.37f));
  T t = x * splat(x, 1.44269504f);
  auto n = whole(t + choose(t < splat(x, 0.f), splat(x, -0.5f), splat(x, 0.5f)));
  T k = exact(n), r = (x - k * splat(x, 0.693359375f)) + k * splat(x, 2.12194440e-4f);
  T p = splat(x, 1.9875691500e-4f);
  p = p * r + splat(x, 1.3981999507e-3f);
  p = p * r + splat(x, 8.3334519073e-3f);
  p = p * r + splat(x, 4.1665795894e-2f);
  p = p * r + splat(x, 1.6666665459e-1f);
  p = p * r + splat(x, 5.0000001201e-1f);
  p = p * r * r + r + splat(x, 1.f);
  // In two factors: 2^n alone has no exponent for the largest n.
  auto half = n / 2;
  return p * as_float((half + 127) << 23) * as_float((n - half + 127) << 23);
}
template <class T>
INLINE T logistic(T x) { return splat(x, 1.f) / (splat(x, 1.f) + exponential(splat(x, 0.f) - x)); }
template <class T>
INLINE T hyperbolic_tangent(T x) {
  return splat(x, 1.f) - splat(x, 2.f) / (exponential(x + x) + splat(x, 1.f));
}
INLINE float root(float x) { return __builtin_sqrtf(x); }
INLINE V root(V x) {
  for (int i = 0; i < LANES; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
