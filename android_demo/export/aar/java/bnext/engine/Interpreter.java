package bnext.engine;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.CancellationException;

/**
 * A network that is ready to run. Its interface is that of TensorFlow Lite's class of this name.
 *
 * <pre>{@code
 * ByteBuffer plan = Interpreter.readPlan(context.getAssets().open("model.bnext"));
 * try (Interpreter interpreter = new Interpreter(plan, new Interpreter.Options().setNumThreads(4))) {
 *   float[] image = new float[interpreter.getInputTensor(0).numElements()];
 *   float[] scores = new float[interpreter.getOutputTensor(0).numElements()];
 *   interpreter.run(image, scores);
 * }
 * }</pre>
 *
 * <p>Any thread may call it; inferences run one after the other. Answers are the same bits for any number of threads.
 * Bad arguments are exceptions, never a crash: no caller's memory is handed to native code.
 */
public final class Interpreter implements AutoCloseable {
  /** The most threads that one takes. */
  public static final int MOST_THREADS = 64;

  /** What an interpreter may be told. */
  public static final class Options {
    private int threads = 1;

    /**
     * On how many threads it runs: the one that calls, and Java threads of its own; by default on that one alone.
     *
     * @throws IllegalArgumentException if it is below 1 or above {@link #MOST_THREADS}
     */
    public Options setNumThreads(int threads) {
      if (threads < 1 || threads > MOST_THREADS) {
        throw new IllegalArgumentException(threads + " threads; give a number from 1 to " + MOST_THREADS);
      }
      this.threads = threads;
      return this;
    }
  }

  private final Object turn = new Object();
  private final Tensor[] inputs;
  private final Tensor[] outputs;
  private final String kernels;
  private final Crew crew;
  private ByteBuffer plan;
  private volatile ByteBuffer memory;
  private long nanoseconds = -1;

  /** As {@link #Interpreter(ByteBuffer, Options)}, on one thread. */
  public Interpreter(ByteBuffer plan) {
    this(plan, new Options());
  }

  /**
   * Loads a plan: what {@code bnext-export aar} makes of a {@code .tflite} file.
   *
   * @param plan its bytes, from the buffer's position to its limit, direct or not. They are copied: what becomes of the
   *     buffer later is all the same.
   * @throws IllegalArgumentException if they are no plan, or a damaged one
   * @throws OutOfMemoryError if Java has too little memory for it
   */
  public Interpreter(ByteBuffer plan, Options options) {
    ByteBuffer own = Native.aligned(plan.remaining());
    own.put(plan.duplicate()).rewind();
    long bytes = Native.memory(own, options.threads);
    check(bytes < 0 ? (int) -bytes : Native.OK);
    ByteBuffer memory = Native.aligned(bytes);
    check(Native.open(own, memory, options.threads));
    this.plan = own;
    this.memory = memory;
    inputs = tensors(memory, 0, Native.inputs(memory), false);
    outputs = tensors(memory, inputs.length, Native.outputs(memory), true);
    kernels = Native.kernels(memory);
    crew = new Crew(own, memory, options.threads - 1);
  }

  /** All of a stream, an asset say, for the constructor; the stream is closed. */
  public static ByteBuffer readPlan(InputStream stream) throws IOException {
    try (InputStream from = stream) {
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      byte[] some = new byte[1 << 16];
      for (int count; (count = from.read(some)) >= 0; ) all.write(some, 0, count);
      return ByteBuffer.wrap(all.toByteArray());
    }
  }

  public int getInputTensorCount() {
    return inputs.length;
  }

  public int getOutputTensorCount() {
    return outputs.length;
  }

  public Tensor getInputTensor(int index) {
    return inputs[index];
  }

  public Tensor getOutputTensor(int index) {
    return outputs[index];
  }

  /** What its binary convolutions run in, such as {@code neon} or {@code avx512}. */
  public String getKernels() {
    return kernels;
  }

  /** What the last inference took, without copying; {@code null} if there was none. */
  public Long getLastNativeInferenceDurationNanoseconds() {
    synchronized (turn) {
      return nanoseconds < 0 ? null : nanoseconds;
    }
  }

  /**
   * One inference of a network that has one input and one output.
   *
   * @see #run(ByteBuffer[], ByteBuffer[])
   */
  public void run(ByteBuffer input, ByteBuffer output) {
    run(new ByteBuffer[] {input}, new ByteBuffer[] {output});
  }

  /** As {@link #run(ByteBuffer, ByteBuffer)}, with arrays of exactly as many numbers as the tensors have. */
  public void run(float[] input, float[] output) {
    ByteBuffer in = ByteBuffer.allocate(Float.BYTES * input.length).order(ByteOrder.nativeOrder());
    ByteBuffer out = ByteBuffer.allocate(Float.BYTES * output.length).order(ByteOrder.nativeOrder());
    in.asFloatBuffer().put(input);
    run(in, out);
    out.asFloatBuffer().get(output);
  }

  /**
   * One inference.
   *
   * @param in of each input a buffer, direct or not, from whose position to its limit are exactly the tensor's bytes,
   *     floats in the machine's order. Positions stay where they are.
   * @param out of each output a buffer that has exactly as many bytes as the tensor from its position to its limit, to be
   *     written there. Positions stay where they are.
   * @throws IllegalArgumentException if a buffer is missing, of another size or read-only; nothing has run
   * @throws IllegalStateException if the interpreter is closed
   * @throws CancellationException if it is or was cancelled, see {@link #setCancelled}; outputs are untouched
   */
  public void run(ByteBuffer[] in, ByteBuffer[] out) {
    check("input", in, inputs);
    check("output", out, outputs);
    for (int i = 0; i < out.length; i++) {
      if (out[i].isReadOnly()) throw new IllegalArgumentException("output " + i + " is read-only");
    }
    synchronized (turn) {
      ByteBuffer memory = open();
      for (int i = 0; i < in.length; i++) inputs[i].place.duplicate().put(in[i].duplicate());
      long start = System.nanoTime();
      crew.call();
      int status = Native.run(plan, memory);
      if (status == Native.STOPPED) throw new CancellationException("the inference was cancelled");
      check(status);
      nanoseconds = System.nanoTime() - start;
      for (int i = 0; i < out.length; i++) out[i].duplicate().put(outputs[i].place.duplicate());
    }
  }

  /**
   * From any thread: with {@code true} the inference that runs ends before its next step, and those that follow before
   * their first, until it is called with {@code false}.
   *
   * @throws IllegalStateException if the interpreter is closed
   */
  public void setCancelled(boolean cancelled) {
    Native.stop(open(), cancelled);
  }

  /**
   * Ends its threads and lets go of its memory, after the inference that runs. Another time it does nothing. Without it,
   * the threads and what they hold stay for as long as the process.
   */
  @Override
  public void close() {
    synchronized (turn) {
      plan = null;
      memory = null;
      crew.dismiss();
      // Parts of it.
      for (Tensor tensor : inputs) tensor.place = null;
      for (Tensor tensor : outputs) tensor.place = null;
    }
  }

  private ByteBuffer open() {
    ByteBuffer memory = this.memory;
    if (memory == null) throw new IllegalStateException("the interpreter is closed");
    return memory;
  }

  private static Tensor[] tensors(ByteBuffer memory, int first, int count, boolean areOutputs) {
    Tensor[] found = new Tensor[count];
    for (int i = 0; i < count; i++) found[i] = new Tensor(memory, first + i, areOutputs);
    return found;
  }

  private static void check(String what, ByteBuffer[] given, Tensor[] tensors) {
    if (given.length != tensors.length) {
      throw new IllegalArgumentException(given.length + " buffers for " + tensors.length + " " + what + "s");
    }
    for (int i = 0; i < given.length; i++) {
      int bytes = tensors[i].numBytes();
      if (given[i] == null || given[i].remaining() != bytes) {
        String found = given[i] == null ? "null" : given[i].remaining() + " bytes";
        throw new IllegalArgumentException(what + " " + i + ": " + found + ", " + bytes + " bytes are needed");
      }
    }
  }

  private static void check(int status) {
    switch (status) {
      case Native.OK:
        return;
      case Native.NO_PLAN:
        throw new IllegalArgumentException("not a plan, or one that is cut off; bnext-export aar makes one");
      case Native.VERSION:
        throw new IllegalArgumentException("a plan of another version; export it with this library's version");
      case Native.DAMAGED:
        throw new IllegalArgumentException("a damaged plan: its checksum does not match");
      case Native.TOO_LARGE:
        throw new IllegalArgumentException("the plan asks for more memory or work than any network");
      default:
        throw new IllegalArgumentException("the engine refuses the plan (status " + status + ")");
    }
  }
}
