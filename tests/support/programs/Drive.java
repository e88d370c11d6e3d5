import bnext.engine.Interpreter;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Uses the library as apps do, well and badly. The folder that its argument names has {@code plan}, {@code image} and, in
 * {@code mutants}, plans that anybody may have made. Prints a line for each case, its name and what became of it; answers
 * are files in the folder.
 */
public final class Drive {
  private interface Case {
    Object run() throws Exception;
  }

  private static Path folder;
  private static ByteBuffer plan;
  private static ByteBuffer image;
  private static int outputBytes;

  public static void main(String[] arguments) throws Exception {
    folder = Paths.get(arguments[0]);
    plan = Interpreter.readPlan(new FileInputStream(folder.resolve("plan").toFile()));
    image = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("image")));
    describe();
    say("documented", Drive::documented);
    answer();
    refuseArguments();
    refusePlans();
    cancel();
    close();
    share();
    say("end", () -> "reached");
  }

  private static void describe() {
    try (Interpreter it = new Interpreter(plan)) {
      outputBytes = it.getOutputTensor(0).numBytes();
      say("input", () -> it.getInputTensorCount() + " " + Arrays.toString(it.getInputTensor(0).shape()));
      say("output", () -> it.getOutputTensorCount() + " " + Arrays.toString(it.getOutputTensor(0).shape()));
      say("kernels", it::getKernels);
      say("no time yet", it::getLastNativeInferenceDurationNanoseconds);
      say("no such tensor", () -> it.getOutputTensor(1));
    }
  }

  /** The class of docs/export.md. */
  private static int documented() throws IOException {
    ByteBuffer pixels = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("pixels"))).order(ByteOrder.nativeOrder());
    int[] values = new int[pixels.capacity() / 4];
    pixels.asIntBuffer().get(values);
    try (Classifier classifier = new Classifier(new FileInputStream(folder.resolve("plan").toFile()))) {
      return classifier.classify(values);
    }
  }

  private static void answer() throws IOException {
    for (int threads : new int[] {1, 2, 4, 64}) {
      try (Interpreter it = interpreter(threads)) {
        ByteBuffer output = ByteBuffer.allocateDirect(outputBytes);
        for (int i = 0; i < 20; i++) it.run(image, output);
        write("threads-" + threads, output);
        if (it.getLastNativeInferenceDurationNanoseconds() <= 0) throw new AssertionError();
      }
    }
    try (Interpreter it = interpreter(2)) {
      ByteBuffer direct = ByteBuffer.allocateDirect(image.capacity() + 8);
      direct.position(3);
      direct.put(image.duplicate()).flip().position(3);
      ByteBuffer heap = ByteBuffer.allocate(outputBytes + 5);
      heap.position(5);
      it.run(direct.asReadOnlyBuffer(), heap);
      say("positions", () -> direct.position() + " " + heap.position());
      write("odd-buffers", heap.slice());
      float[] values = new float[image.capacity() / 4];
      image.duplicate().order(ByteOrder.nativeOrder()).asFloatBuffer().get(values);
      float[] scores = new float[outputBytes / 4];
      it.run(values, scores);
      ByteBuffer output = ByteBuffer.allocate(outputBytes).order(ByteOrder.nativeOrder());
      output.asFloatBuffer().put(scores);
      write("arrays", output);
    }
    ByteBuffer own = ByteBuffer.allocateDirect(plan.capacity());
    own.put(plan.duplicate()).flip();
    try (Interpreter it = new Interpreter(own)) {
      for (int i = 0; i < own.capacity(); i++) own.put(i, (byte) 0x5a);
      ByteBuffer output = ByteBuffer.allocate(outputBytes);
      it.run(image, output);
      write("plan-overwritten", output);
    }
  }

  private static void refuseArguments() {
    ByteBuffer output = ByteBuffer.allocate(outputBytes);
    try (Interpreter it = interpreter(2)) {
      say("short input", () -> run(it, ByteBuffer.allocateDirect(8), output));
      say("long input", () -> run(it, ByteBuffer.allocate(image.capacity() + 4), output));
      say("short output", () -> run(it, image, ByteBuffer.allocateDirect(0)));
      say("read-only output", () -> run(it, image, output.asReadOnlyBuffer()));
      say("no input", () -> run(it, null, output));
      say("too many", () -> { it.run(new ByteBuffer[] {image, image}, new ByteBuffer[] {output}); return "ran"; });
      say("short array", () -> { it.run(new float[3], new float[3]); return "ran"; });
      say("afterwards", () -> run(it, image, output));
    }
    say("no threads", () -> interpreter(0));
    say("too many threads", () -> interpreter(65));
    say("no plan", () -> new Interpreter(null));
  }

  private static void refusePlans() throws IOException {
    say("empty plan", () -> new Interpreter(ByteBuffer.allocate(0)));
    say("text", () -> new Interpreter(ByteBuffer.wrap(new byte[1000])));
    ByteBuffer cut = plan.duplicate();
    cut.limit(plan.capacity() - 64);
    say("cut off", () -> new Interpreter(cut));
    say("damaged", () -> new Interpreter(changed(plan.capacity() - 100)));
    say("version", () -> new Interpreter(changed(8)));
    Path[] mutants;
    try (java.util.stream.Stream<Path> files = Files.list(folder.resolve("mutants"))) {
      mutants = files.toArray(Path[]::new);
    }
    int ran = 0, refused = 0;
    for (Path file : mutants) {
      try (Interpreter it = new Interpreter(ByteBuffer.wrap(Files.readAllBytes(file)))) {
        ByteBuffer[] in = new ByteBuffer[it.getInputTensorCount()], out = new ByteBuffer[it.getOutputTensorCount()];
        for (int i = 0; i < in.length; i++) in[i] = ByteBuffer.allocate(it.getInputTensor(i).numBytes());
        for (int i = 0; i < out.length; i++) out[i] = ByteBuffer.allocate(it.getOutputTensor(i).numBytes());
        it.run(in, out);
        ran++;
      } catch (IllegalArgumentException | OutOfMemoryError e) {
        refused++;
      }
    }
    int found = ran + refused;
    say("mutants", () -> found);
  }

  private static void cancel() throws Exception {
    ByteBuffer output = ByteBuffer.allocate(outputBytes);
    try (Interpreter it = interpreter(2)) {
      it.setCancelled(true);
      say("cancelled", () -> run(it, image, output));
      say("untouched", () -> Arrays.equals(output.array(), new byte[outputBytes]));
      it.setCancelled(false);
      say("resumed", () -> run(it, image, output));
      write("resumed", output);
      AtomicInteger cancelled = new AtomicInteger();
      Thread thread = new Thread(() -> {
        try {
          while (true) it.run(image, ByteBuffer.allocate(outputBytes));
        } catch (CancellationException e) {
          cancelled.incrementAndGet();
        }
      });
      thread.start();
      Thread.sleep(20);
      it.setCancelled(true);
      thread.join();
      say("cancelled meanwhile", cancelled::get);
    }
  }

  private static void close() throws Exception {
    ByteBuffer output = ByteBuffer.allocate(outputBytes);
    Interpreter it = interpreter(4);
    AtomicInteger ended = new AtomicInteger();
    Thread[] threads = new Thread[3];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> {
        try {
          while (true) it.run(image, ByteBuffer.allocate(outputBytes));
        } catch (IllegalStateException e) {
          ended.incrementAndGet();
        }
      });
      threads[i].start();
    }
    Thread.sleep(20);
    it.close();
    it.close();
    for (Thread thread : threads) thread.join();
    say("closed meanwhile", ended::get);
    System.gc();
    say("closed", () -> run(it, image, output));
    say("cancelled when closed", () -> { it.setCancelled(true); return "done"; });
    say("described when closed", () -> Arrays.toString(it.getOutputTensor(0).shape()));
    for (int i = 0; i < 200; i++) interpreter(3).close();
    int left = 0;
    for (int tries = 0; tries < 500 && (left = engineThreads()) > 0; tries++) Thread.sleep(10);
    int threadsLeft = left;
    say("threads left", () -> threadsLeft);
  }

  private static void share() throws Exception {
    try (Interpreter it = interpreter(2)) {
      Thread[] threads = new Thread[4];
      for (int i = 0; i < threads.length; i++) {
        int number = i;
        threads[i] = new Thread(() -> {
          ByteBuffer output = ByteBuffer.allocate(outputBytes);
          for (int k = 0; k < 10; k++) it.run(image, output);
          try {
            write("shared-" + number, output);
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
        threads[i].start();
      }
      for (Thread thread : threads) thread.join();
    }
  }

  private static int engineThreads() {
    int count = 0;
    for (Thread thread : Thread.getAllStackTraces().keySet()) if (thread.getName().startsWith("bnext-")) count++;
    return count;
  }

  private static Interpreter interpreter(int threads) {
    return new Interpreter(plan, new Interpreter.Options().setNumThreads(threads));
  }

  private static String run(Interpreter interpreter, ByteBuffer input, ByteBuffer output) {
    interpreter.run(input, output);
    return "ran";
  }

  private static ByteBuffer changed(int at) {
    ByteBuffer copy = ByteBuffer.allocate(plan.capacity());
    copy.put(plan.duplicate()).flip();
    copy.put(at, (byte) (copy.get(at) + 1));
    return copy;
  }

  private static void write(String name, ByteBuffer content) throws IOException {
    byte[] bytes = new byte[content.remaining()];
    content.duplicate().get(bytes);
    Files.write(folder.resolve(name), bytes);
  }

  private static void say(String name, Case what) {
    String found;
    try {
      found = String.valueOf(what.run());
    } catch (Throwable e) {
      found = e.getClass().getSimpleName() + ": " + e.getMessage();
    }
    System.out.println(name + "\t" + found);
  }
}
