# Measures with the engine's own program. The page may ask for it, and for nothing else outside of itself.
#
#   public class Measurement implements Runnable {
#     private final Main main;
#     private final int threads, seconds;
.class public Lbnext/app/Measurement;
.super Ljava/lang/Object;
.implements Ljava/lang/Runnable;

.field private final main:Lbnext/app/Main;
.field private final threads:I
.field private final seconds:I

.method constructor <init>(Lbnext/app/Main;II)V
    .locals 0
    invoke-direct {p0}, Ljava/lang/Object;-><init>()V
    iput-object p1, p0, Lbnext/app/Measurement;->main:Lbnext/app/Main;
    iput p2, p0, Lbnext/app/Measurement;->threads:I
    iput p3, p0, Lbnext/app/Measurement;->seconds:I
    return-void
.end method

#     @JavascriptInterface
#     public void measure(int threads, int seconds) {
#       new Thread(new Measurement(main, threads, seconds)).start();
#     }
.method public measure(II)V
    .locals 2
    .annotation runtime Landroid/webkit/JavascriptInterface;
    .end annotation
    iget-object v0, p0, Lbnext/app/Measurement;->main:Lbnext/app/Main;
    new-instance v1, Lbnext/app/Measurement;
    invoke-direct {v1, v0, p1, p2}, Lbnext/app/Measurement;-><init>(Lbnext/app/Main;II)V
    new-instance v0, Ljava/lang/Thread;
    invoke-direct {v0, v1}, Ljava/lang/Thread;-><init>(Ljava/lang/Runnable;)V
    invoke-virtual {v0}, Ljava/lang/Thread;->start()V
    return-void
.end method

#     // The page's `measured` gets all that the program printed; the log gets it, too, line by line.
#     public void run() {
#       String text;
#       try {
#         text = output();
#       } catch (Exception e) {
#         text = "ERROR: " + e + "\n";
#       }
#       for (String line : text.split("\n")) Log.i("bnext", line);
#       Log.i("bnext", "END");
#       String call = "measured(" + JSONObject.quote(text) + ")";
#       main.web.post(new Answer(main.web, call));
#     }
.method public run()V
    .locals 7
    :try_start
    invoke-direct {p0}, Lbnext/app/Measurement;->output()Ljava/lang/String;
    move-result-object v0
    :try_end
    .catch Ljava/lang/Exception; {:try_start .. :try_end} :failed
    :log
    const-string v1, "\n"
    invoke-virtual {v0, v1}, Ljava/lang/String;->split(Ljava/lang/String;)[Ljava/lang/String;
    move-result-object v1
    const-string v2, "bnext"
    array-length v3, v1
    const/4 v4, 0x0
    :next
    if-ge v4, v3, :logged
    aget-object v5, v1, v4
    invoke-static {v2, v5}, Landroid/util/Log;->i(Ljava/lang/String;Ljava/lang/String;)I
    add-int/lit8 v4, v4, 0x1
    goto :next
    :logged
    const-string v5, "END"
    invoke-static {v2, v5}, Landroid/util/Log;->i(Ljava/lang/String;Ljava/lang/String;)I
    invoke-static {v0}, Lorg/json/JSONObject;->quote(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, "measured("
    invoke-virtual {v1, v0}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ")"
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    iget-object v1, p0, Lbnext/app/Measurement;->main:Lbnext/app/Main;
    iget-object v1, v1, Lbnext/app/Main;->web:Landroid/webkit/WebView;
    new-instance v2, Lbnext/app/Answer;
    invoke-direct {v2, v1, v0}, Lbnext/app/Answer;-><init>(Landroid/webkit/WebView;Ljava/lang/String;)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebView;->post(Ljava/lang/Runnable;)Z
    return-void
    :failed
    move-exception v1
    new-instance v0, Ljava/lang/StringBuilder;
    const-string v2, "ERROR: "
    invoke-direct {v0, v2}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/Object;)Ljava/lang/StringBuilder;
    const-string v2, "\n"
    invoke-virtual {v0, v2}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v0}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v0
    goto :log
.end method

#     // What the phone is, what the program prints, and its exit status.
#     private String output() throws Exception {
#       String program = main.getApplicationInfo().nativeLibraryDir + "/libbnext_runner.so";
#       Process process = new ProcessBuilder(new String[] {
#           program, "--graph=" + plan(), "--num_threads=" + threads, "--min_secs=" + seconds
#       }).redirectErrorStream(true).start();
#       Scanner all = new Scanner(process.getInputStream()).useDelimiter("\\A");
#       StringBuilder text = new StringBuilder("INFO: Device: ").append(Build.MODEL);
#       text.append("\nINFO: Android: ").append(Build.VERSION.RELEASE).append("\n");
#       if (all.hasNext()) text.append(all.next());
#       return text.append("INFO: Status: ").append(process.waitFor()).append("\n").toString();
#     }
.method private output()Ljava/lang/String;
    .locals 8
    iget-object v0, p0, Lbnext/app/Measurement;->main:Lbnext/app/Main;
    invoke-direct {p0}, Lbnext/app/Measurement;->plan()Ljava/io/File;
    move-result-object v2

    const/4 v1, 0x4
    new-array v1, v1, [Ljava/lang/String;
    invoke-virtual {v0}, Lbnext/app/Main;->getApplicationInfo()Landroid/content/pm/ApplicationInfo;
    move-result-object v3
    iget-object v3, v3, Landroid/content/pm/ApplicationInfo;->nativeLibraryDir:Ljava/lang/String;
    const-string v4, "/libbnext_runner.so"
    invoke-virtual {v3, v4}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v3
    const/4 v4, 0x0
    aput-object v3, v1, v4
    const-string v3, "--graph="
    invoke-virtual {v2}, Ljava/io/File;->getPath()Ljava/lang/String;
    move-result-object v2
    invoke-virtual {v3, v2}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v3
    const/4 v4, 0x1
    aput-object v3, v1, v4
    const-string v3, "--num_threads="
    iget v2, p0, Lbnext/app/Measurement;->threads:I
    invoke-static {v2}, Ljava/lang/Integer;->toString(I)Ljava/lang/String;
    move-result-object v2
    invoke-virtual {v3, v2}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v3
    const/4 v4, 0x2
    aput-object v3, v1, v4
    const-string v3, "--min_secs="
    iget v2, p0, Lbnext/app/Measurement;->seconds:I
    invoke-static {v2}, Ljava/lang/Integer;->toString(I)Ljava/lang/String;
    move-result-object v2
    invoke-virtual {v3, v2}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v3
    const/4 v4, 0x3
    aput-object v3, v1, v4

    new-instance v2, Ljava/lang/ProcessBuilder;
    invoke-direct {v2, v1}, Ljava/lang/ProcessBuilder;-><init>([Ljava/lang/String;)V
    const/4 v4, 0x1
    invoke-virtual {v2, v4}, Ljava/lang/ProcessBuilder;->redirectErrorStream(Z)Ljava/lang/ProcessBuilder;
    invoke-virtual {v2}, Ljava/lang/ProcessBuilder;->start()Ljava/lang/Process;
    move-result-object v2
    invoke-virtual {v2}, Ljava/lang/Process;->getInputStream()Ljava/io/InputStream;
    move-result-object v4
    new-instance v3, Ljava/util/Scanner;
    invoke-direct {v3, v4}, Ljava/util/Scanner;-><init>(Ljava/io/InputStream;)V
    const-string v4, "\\A"
    invoke-virtual {v3, v4}, Ljava/util/Scanner;->useDelimiter(Ljava/lang/String;)Ljava/util/Scanner;
    move-result-object v3

    new-instance v0, Ljava/lang/StringBuilder;
    const-string v1, "INFO: Device: "
    invoke-direct {v0, v1}, Ljava/lang/StringBuilder;-><init>(Ljava/lang/String;)V
    sget-object v1, Landroid/os/Build;->MODEL:Ljava/lang/String;
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v1, "\nINFO: Android: "
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    sget-object v1, Landroid/os/Build$VERSION;->RELEASE:Ljava/lang/String;
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    const-string v1, "\n"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v3}, Ljava/util/Scanner;->hasNext()Z
    move-result v1
    if-eqz v1, :silent
    invoke-virtual {v3}, Ljava/util/Scanner;->next()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    :silent
    const-string v1, "INFO: Status: "
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v2}, Ljava/lang/Process;->waitFor()I
    move-result v1
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(I)Ljava/lang/StringBuilder;
    const-string v1, "\n"
    invoke-virtual {v0, v1}, Ljava/lang/StringBuilder;->append(Ljava/lang/String;)Ljava/lang/StringBuilder;
    invoke-virtual {v0}, Ljava/lang/StringBuilder;->toString()Ljava/lang/String;
    move-result-object v0
    return-object v0
.end method

#     // The network as a file: a program can read no assets. Each process unpacks it once, since an update may change it.
#     private File plan() throws Exception {
#       synchronized (main) {
#         if (main.plan == null) {
#           File file = new File(main.getFilesDir(), "plan");
#           Files.copy(main.getAssets().open("plan"), file.toPath(), StandardCopyOption.REPLACE_EXISTING);
#           main.plan = file;
#         }
#         return main.plan;
#       }
#     }
.method private plan()Ljava/io/File;
    .locals 8
    iget-object v0, p0, Lbnext/app/Measurement;->main:Lbnext/app/Main;
    monitor-enter v0
    :try_start
    iget-object v1, v0, Lbnext/app/Main;->plan:Ljava/io/File;
    if-nez v1, :done
    const-string v2, "plan"
    invoke-virtual {v0}, Lbnext/app/Main;->getFilesDir()Ljava/io/File;
    move-result-object v3
    new-instance v1, Ljava/io/File;
    invoke-direct {v1, v3, v2}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    invoke-virtual {v0}, Lbnext/app/Main;->getAssets()Landroid/content/res/AssetManager;
    move-result-object v3
    invoke-virtual {v3, v2}, Landroid/content/res/AssetManager;->open(Ljava/lang/String;)Ljava/io/InputStream;
    move-result-object v3
    invoke-virtual {v1}, Ljava/io/File;->toPath()Ljava/nio/file/Path;
    move-result-object v4
    const/4 v5, 0x1
    new-array v5, v5, [Ljava/nio/file/CopyOption;
    const/4 v6, 0x0
    sget-object v7, Ljava/nio/file/StandardCopyOption;->REPLACE_EXISTING:Ljava/nio/file/StandardCopyOption;
    aput-object v7, v5, v6
    invoke-static {v3, v4, v5}, Ljava/nio/file/Files;->copy(Ljava/io/InputStream;Ljava/nio/file/Path;[Ljava/nio/file/CopyOption;)J
    iput-object v1, v0, Lbnext/app/Main;->plan:Ljava/io/File;
    :done
    monitor-exit v0
    :try_end
    .catchall {:try_start .. :try_end} :failed
    return-object v1
    :failed
    move-exception v1
    monitor-exit v0
    throw v1
.end method
