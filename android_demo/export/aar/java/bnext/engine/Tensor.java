package bnext.engine;

import java.nio.ByteBuffer;

/** An input or an output: its shape and its size. Its numbers are floats, 4 bytes each, in the machine's own order. */
public final class Tensor {
  private final int[] shape;
  private final int bytes;

  /** Where it lies in the engine's memory; {@code null} once that is let go of. */
  ByteBuffer place;

  Tensor(ByteBuffer memory, int index, boolean isOutput) {
    bytes = (int) Native.tensor(memory, index, Native.BYTES);
    int height = (int) Native.tensor(memory, index, Native.HEIGHT);
    int width = (int) Native.tensor(memory, index, Native.WIDTH);
    int channels = bytes / Float.BYTES / height / width;
    boolean isVector = isOutput && height == 1 && width == 1;
    shape = isVector ? new int[] {1, channels} : new int[] {1, height, width, channels};
    place = Native.slice(memory, (int) Native.tensor(memory, index, Native.OFFSET), bytes);
  }

  /** {@code {1, height, width, channels}}, of outputs of a single pixel {@code {1, channels}}. */
  public int[] shape() {
    return shape.clone();
  }

  /** How many numbers it has. */
  public int numElements() {
    return bytes / Float.BYTES;
  }

  /** How many bytes they take. */
  public int numBytes() {
    return bytes;
  }
}
