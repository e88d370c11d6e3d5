# Where the camera's application writes a photo, and the page reads it: one file, whatever it is called. It lies among what
# Android may delete when storage runs short, and the next photo takes its place.
#
#   public class Photos extends ContentProvider {
.class public Lbnext/app/Photos;
.super Landroid/content/ContentProvider;

.method public constructor <init>()V
    .locals 0
    invoke-direct {p0}, Landroid/content/ContentProvider;-><init>()V
    return-void
.end method

#     private static File file(Context context) {
#       return new File(context.getCacheDir(), "photo.jpg");
#     }
.method private static file(Landroid/content/Context;)Ljava/io/File;
    .locals 3
    new-instance v0, Ljava/io/File;
    invoke-virtual {p0}, Landroid/content/Context;->getCacheDir()Ljava/io/File;
    move-result-object v1
    const-string v2, "photo.jpg"
    invoke-direct {v0, v1, v2}, Ljava/io/File;-><init>(Ljava/io/File;Ljava/lang/String;)V
    return-object v0
.end method

#     private static Uri address(Context context) {
#       return Uri.parse("content://".concat(context.getPackageName()).concat(".photos/photo.jpg"));
#     }
.method private static address(Landroid/content/Context;)Landroid/net/Uri;
    .locals 2
    const-string v0, "content://"
    invoke-virtual {p0}, Landroid/content/Context;->getPackageName()Ljava/lang/String;
    move-result-object v1
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    const-string v1, ".photos/photo.jpg"
    invoke-virtual {v0, v1}, Ljava/lang/String;->concat(Ljava/lang/String;)Ljava/lang/String;
    move-result-object v0
    invoke-static {v0}, Landroid/net/Uri;->parse(Ljava/lang/String;)Landroid/net/Uri;
    move-result-object v0
    return-object v0
.end method

#     /** What starts the camera's application. The photo before is gone. */
#     static Intent wanted(Context context) {
#       file(context).delete();
#       Uri address = address(context);
#       Intent intent = new Intent("android.media.action.IMAGE_CAPTURE");
#       intent.putExtra("output", address);
#       // Leave is given for what an intent shows in these two ways, not for its extras.
#       intent.setClipData(ClipData.newRawUri(null, address));
#       intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION | Intent.FLAG_GRANT_WRITE_URI_PERMISSION);
#       return intent;
#     }
.method static wanted(Landroid/content/Context;)Landroid/content/Intent;
    .locals 4
    invoke-static {p0}, Lbnext/app/Photos;->file(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->delete()Z
    invoke-static {p0}, Lbnext/app/Photos;->address(Landroid/content/Context;)Landroid/net/Uri;
    move-result-object v0
    new-instance v1, Landroid/content/Intent;
    const-string v2, "android.media.action.IMAGE_CAPTURE"
    invoke-direct {v1, v2}, Landroid/content/Intent;-><init>(Ljava/lang/String;)V
    const-string v2, "output"
    invoke-virtual {v1, v2, v0}, Landroid/content/Intent;->putExtra(Ljava/lang/String;Landroid/os/Parcelable;)Landroid/content/Intent;
    const/4 v2, 0x0
    invoke-static {v2, v0}, Landroid/content/ClipData;->newRawUri(Ljava/lang/CharSequence;Landroid/net/Uri;)Landroid/content/ClipData;
    move-result-object v2
    invoke-virtual {v1, v2}, Landroid/content/Intent;->setClipData(Landroid/content/ClipData;)V
    const/4 v2, 0x3
    invoke-virtual {v1, v2}, Landroid/content/Intent;->addFlags(I)Landroid/content/Intent;
    return-object v1
.end method

#     /** The photo; null if there is none. */
#     static Uri[] taken(Context context, int result) {
#       boolean is = result == Activity.RESULT_OK && file(context).length() > 0;
#       return is ? new Uri[] {address(context)} : null;
#     }
.method static taken(Landroid/content/Context;I)[Landroid/net/Uri;
    .locals 5
    const/4 v0, -0x1
    if-ne p1, v0, :none
    invoke-static {p0}, Lbnext/app/Photos;->file(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->length()J
    move-result-wide v0
    const-wide/16 v2, 0x0
    cmp-long v0, v0, v2
    if-lez v0, :none
    const/4 v0, 0x1
    new-array v0, v0, [Landroid/net/Uri;
    invoke-static {p0}, Lbnext/app/Photos;->address(Landroid/content/Context;)Landroid/net/Uri;
    move-result-object v1
    const/4 v2, 0x0
    aput-object v1, v0, v2
    return-object v0
    :none
    const/4 v0, 0x0
    return-object v0
.end method

#     public ParcelFileDescriptor openFile(Uri address, String mode) throws FileNotFoundException {
#       return ParcelFileDescriptor.open(file(getContext()), ParcelFileDescriptor.parseMode(mode));
#     }
.method public openFile(Landroid/net/Uri;Ljava/lang/String;)Landroid/os/ParcelFileDescriptor;
    .locals 2
    invoke-virtual {p0}, Lbnext/app/Photos;->getContext()Landroid/content/Context;
    move-result-object v0
    invoke-static {v0}, Lbnext/app/Photos;->file(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-static {p2}, Landroid/os/ParcelFileDescriptor;->parseMode(Ljava/lang/String;)I
    move-result v1
    invoke-static {v0, v1}, Landroid/os/ParcelFileDescriptor;->open(Ljava/io/File;I)Landroid/os/ParcelFileDescriptor;
    move-result-object v0
    return-object v0
.end method

#     public Cursor query(Uri address, String[] wanted, String which, String[] values, String order) {
#       MatrixCursor found = new MatrixCursor(new String[] {"_display_name", "_size"});   // Of OpenableColumns.
#       found.addRow(new Object[] {"photo.jpg", file(getContext()).length()});
#       return found;
#     }
.method public query(Landroid/net/Uri;[Ljava/lang/String;Ljava/lang/String;[Ljava/lang/String;Ljava/lang/String;)Landroid/database/Cursor;
    .locals 7
    const/4 v0, 0x2
    const/4 v1, 0x0
    const/4 v2, 0x1
    new-array v3, v0, [Ljava/lang/String;
    const-string v4, "_display_name"
    aput-object v4, v3, v1
    const-string v4, "_size"
    aput-object v4, v3, v2
    new-instance v4, Landroid/database/MatrixCursor;
    invoke-direct {v4, v3}, Landroid/database/MatrixCursor;-><init>([Ljava/lang/String;)V
    new-array v3, v0, [Ljava/lang/Object;
    const-string v0, "photo.jpg"
    aput-object v0, v3, v1
    invoke-virtual {p0}, Lbnext/app/Photos;->getContext()Landroid/content/Context;
    move-result-object v0
    invoke-static {v0}, Lbnext/app/Photos;->file(Landroid/content/Context;)Ljava/io/File;
    move-result-object v0
    invoke-virtual {v0}, Ljava/io/File;->length()J
    move-result-wide v5
    invoke-static {v5, v6}, Ljava/lang/Long;->valueOf(J)Ljava/lang/Long;
    move-result-object v0
    aput-object v0, v3, v2
    invoke-virtual {v4, v3}, Landroid/database/MatrixCursor;->addRow([Ljava/lang/Object;)V
    return-object v4
.end method

#     public String getType(Uri address) {
#       return "image/jpeg";
#     }
.method public getType(Landroid/net/Uri;)Ljava/lang/String;
    .locals 1
    const-string v0, "image/jpeg"
    return-object v0
.end method

#     // What else a provider must have: nothing can be added, changed or deleted but by writing the file.
#     public boolean onCreate() { return true; }
#     public Uri insert(Uri address, ContentValues values) { return null; }
#     public int delete(Uri address, String which, String[] values) { return 0; }
#     public int update(Uri address, ContentValues values, String which, String[] more) { return 0; }
.method public onCreate()Z
    .locals 1
    const/4 v0, 0x1
    return v0
.end method
.method public insert(Landroid/net/Uri;Landroid/content/ContentValues;)Landroid/net/Uri;
    .locals 1
    const/4 v0, 0x0
    return-object v0
.end method
.method public delete(Landroid/net/Uri;Ljava/lang/String;[Ljava/lang/String;)I
    .locals 1
    const/4 v0, 0x0
    return v0
.end method
.method public update(Landroid/net/Uri;Landroid/content/ContentValues;Ljava/lang/String;[Ljava/lang/String;)I
    .locals 1
    const/4 v0, 0x0
    return v0
.end method
