package bnext.engine;

import java.nio.ByteBuffer;

/**
 * The engine's side, {@code android_demo/runner/native/hosts/jni.cpp}. Buffers are direct and begin at a multiple of 64
 * bytes, as {@link #aligned} makes them; what is not is refused. Whoever calls hands over every buffer that the call uses,
 * so that none is freed meanwhile.
 */
final class Native {
  // runner_status in android_demo/runner/native/core/core.h.
  static final int OK = 0;
  static final int NO_PLAN = 1;
  static final int VERSION = 2;
  static final int DAMAGED = 3;
  static final int TOO_LARGE = 5;
  static final int STOPPED = 8;

  // Fields of `tensor`.
  static final int OFFSET = 0;
  static final int BYTES = 1;
  static final int HEIGHT = 2;
  static final int WIDTH = 3;

  private static final int ALIGNMENT = 64;

  static {
    System.loadLibrary("bnext");
  }

  private Native() {}

  static ByteBuffer aligned(long bytes) {
    if (bytes > Integer.MAX_VALUE - ALIGNMENT) throw new OutOfMemoryError(bytes + " bytes are more than a buffer holds");
    ByteBuffer whole = ByteBuffer.allocateDirect((int) bytes + ALIGNMENT);
    int padding = padding(whole);
    return slice(whole, padding, (int) bytes);
  }

  static ByteBuffer slice(ByteBuffer whole, int offset, int bytes) {
    ByteBuffer part = whole.duplicate();
    part.position(offset);
    part.limit(offset + bytes);
    return part.slice();
  }

  static native int padding(ByteBuffer buffer);

  static native long memory(ByteBuffer plan, int threads);

  static native int open(ByteBuffer plan, ByteBuffer memory, int threads);

  static native String kernels(ByteBuffer memory);

  static native int inputs(ByteBuffer memory);

  static native int outputs(ByteBuffer memory);

  static native long tensor(ByteBuffer memory, int index, int field);

  static native int run(ByteBuffer plan, ByteBuffer memory);

  static native void help(ByteBuffer plan, ByteBuffer memory, int thread);

  static native void stop(ByteBuffer memory, boolean stopped);
}
