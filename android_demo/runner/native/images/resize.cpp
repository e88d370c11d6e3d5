#include "resize.h"

// Pillow is compiled without: a weight that is rounded once instead of twice may be another.
#pragma STDC FP_CONTRACT OFF

namespace {

constexpr uint32_t MOST = 1 << 20;  // Pixels in a row or column.

double bicubic(double x) {
  x = x < 0 ? -x : x;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

Axis axis(uint32_t input, uint32_t output, uint32_t size) {
  const double scale = double(input) / output;
  return {input, output, (output - size) / 2, size, scale, 2 * (scale < 1 ? 1 : scale), nullptr};
}

// The pixels from `from` to before `to` make output number `at` of those that are wanted.
struct Span {
  double centre;
  uint32_t from, to;
};
Span span(const Axis& a, uint32_t at) {
  const double centre = (a.first + at + 0.5) * a.scale;
  const double from = centre - a.support + 0.5, to = centre + a.support + 0.5;
  return {centre, from < 0 ? 0 : uint32_t(from), to < a.input ? uint32_t(to) : a.input};
}
double raw_weight(const Axis& a, const Span& s, uint32_t pixel) {
  const double step = 1 / (a.support / 2);
  return bicubic((double(pixel) - s.centre + 0.5) * step);
}
int32_t weight(const Axis& a, const Span& s, uint32_t at, uint32_t pixel) {
  const double share = a.sums[at] == 0 ? raw_weight(a, s, pixel) : raw_weight(a, s, pixel) / a.sums[at];
  return int32_t((share < 0 ? -0.5 : 0.5) + share * (1 << PRECISION));
}
void set_sums(Axis& a) {
  for (uint32_t at = 0; at < a.size; at++) {
    const Span s = span(a, at);
    double sum = 0;
    for (uint32_t pixel = s.from; pixel < s.to; pixel++) sum += raw_weight(a, s, pixel);
    a.sums[at] = sum;
  }
}

uint8_t rounded(int32_t total) {
  const int32_t value = total >> PRECISION;
  return uint8_t(value < 0 ? 0 : value > 255 ? 255 : value);
}

struct Layout {
  size_t down, from, weights, totals, row, bytes;
};
Layout layout(const Resize& r) {
  const size_t columns = r.columns, rows = r.rows;
  Layout l;
  l.down = columns * sizeof(double);
  l.from = l.down + rows * sizeof(double);
  l.weights = l.from + columns * 2 * sizeof(uint32_t);
  l.totals = l.weights + columns * r.taps * sizeof(int32_t);
  l.row = l.totals + rows * columns * r.channels * sizeof(int32_t);
  l.bytes = l.row + columns * r.channels;
  return l;
}

void set_axes(Resize& r) {
  const double across = double(r.columns) / r.width, down = double(r.rows) / r.height;
  const bool is_small = r.columns <= SMALL_IMAGE || r.rows <= SMALL_IMAGE;
  const double scale = (down > across ? down : across) / (is_small ? 1 : CROP);
  // To the nearest whole number, of two the even one, as Python's round().
  const double width = __builtin_rint(r.width * scale), height = __builtin_rint(r.height * scale);
  r.across = axis(r.width, width < r.columns ? r.columns : uint32_t(width), r.columns);
  r.down = axis(r.height, height < r.rows ? r.rows : uint32_t(height), r.rows);
  r.taps = 2 * uint32_t(__builtin_ceil(r.across.support)) + 1;
}

void add_row(Resize& r) {
  for (uint32_t y = 0; y < r.down.size; y++) {
    const Span s = span(r.down, y);
    if (r.next < s.from || r.next >= s.to) continue;
    const int32_t w = weight(r.down, s, y, r.next);
    const uint32_t count = r.columns * r.channels;
    int32_t* totals = r.totals + size_t(y) * count;
    for (uint32_t i = 0; i < count; i++) totals[i] += w * r.row[i];
  }
}

}  // namespace

size_t resize_bytes(const Resize& resize) {
  if (!resize.width || !resize.height || resize.width > MOST || resize.height > MOST) return 0;
  Resize r = resize;
  set_axes(r);
  return layout(r).bytes;
}

void resize_begin(Resize& r, void* memory) {
  set_axes(r);
  const Layout l = layout(r);
  uint8_t* base = (uint8_t*)memory;
  r.across.sums = (double*)base, r.down.sums = (double*)(base + l.down);
  r.from = (uint32_t*)(base + l.from), r.weights = (int32_t*)(base + l.weights);
  r.totals = (int32_t*)(base + l.totals), r.row = base + l.row;
  set_sums(r.across), set_sums(r.down);
  for (uint32_t x = 0; x < r.columns; x++) {
    const Span s = span(r.across, x);
    r.from[2 * x] = s.from, r.from[2 * x + 1] = s.to - s.from;
    for (uint32_t pixel = s.from; pixel < s.to; pixel++)
      r.weights[size_t(x) * r.taps + (pixel - s.from)] = weight(r.across, s, x, pixel);
  }
  for (size_t i = 0; i < size_t(r.rows) * r.columns * r.channels; i++) r.totals[i] = 1 << (PRECISION - 1);
  r.next = 0;
}

void resize_rows(Resize& r, const uint8_t* rgba, uint32_t count) {
  const Span first = span(r.down, 0), last = span(r.down, r.down.size - 1);
  for (uint32_t n = 0; n < count; n++, r.next++, rgba += size_t(r.width) * 4) {
    if (r.next < first.from || r.next >= last.to) continue;
    for (uint32_t x = 0; x < r.columns; x++) {
      const uint8_t* p = rgba + size_t(r.from[2 * x]) * 4;
      const int32_t* w = r.weights + size_t(x) * r.taps;
      int32_t red = 1 << (PRECISION - 1), green = red, blue = red;
      if (r.channels == 3) {
        for (uint32_t i = 0; i < r.from[2 * x + 1]; i++, p += 4) red += w[i] * p[0], green += w[i] * p[1], blue += w[i] * p[2];
        r.row[3 * x] = rounded(red), r.row[3 * x + 1] = rounded(green), r.row[3 * x + 2] = rounded(blue);
      } else {
        for (uint32_t i = 0; i < r.from[2 * x + 1]; i++, p += 4)
          red += w[i] * int32_t((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
        r.row[x] = rounded(red);
      }
    }
    add_row(r);
  }
}

void resize_end(const Resize& r, uint8_t* pixels) {
  for (size_t i = 0; i < size_t(r.rows) * r.columns * r.channels; i++) pixels[i] = rounded(r.totals[i]);
}
