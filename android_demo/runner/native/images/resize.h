// A picture becomes a network's input, as bnext_keras/preprocessing.py:load_image does it with Pillow, bit for bit:
// resized (bicubic, with the window widened where it shrinks) so that the centre of the wanted size is CROP of its
// shorter side, or all of it where that size is small, cut out, normalized. Rows come in one after the other, so that no
// picture has to be in memory.
//
//   resize_bytes(resize)                 how much memory does it take?
//   resize_begin(resize, memory)         for a picture's width and height
//   resize_rows(resize, rgba, count)     all of its rows, in order
//   resize_end(resize, pixels)           the 8 bit pixels of the result
#pragma once
#include <stddef.h>
#include <stdint.h>

// What `default_crop` there says.
constexpr double CROP = 0.95;
constexpr uint32_t SMALL_IMAGE = 64;
// Pillow's: so many bits of a weight are behind the point.
constexpr int PRECISION = 32 - 8 - 2;

// One direction: what of the input makes an output, and how much it counts.
struct Axis {
  uint32_t input, output;  // Pixels; of the output all, of which `size` from `first` on are wanted.
  uint32_t first, size;
  double scale, support;
  double* sums;  // Of the weights of each wanted output, before they are divided by it.
};

struct Resize {
  uint32_t width, height;    // Of the picture.
  uint32_t columns, rows;    // Of the result.
  uint32_t channels;         // 3, or 1: grey, as ITU-R 601-2 has it.
  // What `resize_begin` sets.
  Axis across, down;
  uint32_t taps;             // Room for the weights of a column.
  uint32_t* from;            // Of each column: the first pixel of a row that counts, and how many do.
  int32_t* weights;          // (columns, taps)
  uint8_t* row;              // One row of the picture, resized.
  int32_t* totals;           // (rows, columns, channels)
  uint32_t next;             // The row that comes next.
};

// 0 if the picture has no pixels, or more in a row than anybody's.
size_t resize_bytes(const Resize& resize);
// `memory` is aligned to 8 bytes.
void resize_begin(Resize& resize, void* memory);
// Rows of RGBA; the alpha does not count.
void resize_rows(Resize& resize, const uint8_t* rgba, uint32_t count);
// (rows, columns, channels)
void resize_end(const Resize& resize, uint8_t* pixels);
