# The application's only screen: a page that shows everything, and what a page cannot do by itself.
#
#   public class Main extends Activity {
#     WebView web;
#     ValueCallback<Uri[]> chosen;      // Waits for a picture that somebody chooses.
#     PermissionRequest asked;          // Waits for leave to use the camera.
#     File plan;                        // The network, once it has been unpacked.
#     static final int PHOTO = 2;       // What a photo is asked for by; 1 is all else.
.class public Lbnext/app/Main;
.super Landroid/app/Activity;

.field web:Landroid/webkit/WebView;
.field chosen:Landroid/webkit/ValueCallback;
.field asked:Landroid/webkit/PermissionRequest;
.field plan:Ljava/io/File;

.method public constructor <init>()V
    .locals 0
    invoke-direct {p0}, Landroid/app/Activity;-><init>()V
    return-void
.end method

#     protected void onCreate(Bundle state) {
#       super.onCreate(state);
#       FrameLayout frame = new FrameLayout(this);
#       frame.setFitsSystemWindows(true);     // Android 15 draws from edge to edge, behind its own bars.
#       web = new WebView(this);
#       web.setKeepScreenOn(true);            // A phone that dims its screen also slows down.
#       web.getSettings().setJavaScriptEnabled(true);
#       web.setWebChromeClient(new Pages(this));
#       web.addJavascriptInterface(new Measurement(this, 0, 0), "phone");
#       frame.addView(web);
#       setContentView(frame);
#       web.loadUrl("file:///android_asset/index.html");
#       int threads = getIntent().getIntExtra("threads", 0);
#       if (threads > 0) new Measurement(this, 0, 0).measure(threads, getIntent().getIntExtra("seconds", 1));
#     }
.method protected onCreate(Landroid/os/Bundle;)V
    .locals 7
    invoke-super {p0, p1}, Landroid/app/Activity;->onCreate(Landroid/os/Bundle;)V
    const/4 v5, 0x1
    const/4 v6, 0x0
    new-instance v0, Landroid/widget/FrameLayout;
    invoke-direct {v0, p0}, Landroid/widget/FrameLayout;-><init>(Landroid/content/Context;)V
    invoke-virtual {v0, v5}, Landroid/widget/FrameLayout;->setFitsSystemWindows(Z)V
    new-instance v1, Landroid/webkit/WebView;
    invoke-direct {v1, p0}, Landroid/webkit/WebView;-><init>(Landroid/content/Context;)V
    iput-object v1, p0, Lbnext/app/Main;->web:Landroid/webkit/WebView;
    invoke-virtual {v1, v5}, Landroid/webkit/WebView;->setKeepScreenOn(Z)V
    invoke-virtual {v1}, Landroid/webkit/WebView;->getSettings()Landroid/webkit/WebSettings;
    move-result-object v2
    invoke-virtual {v2, v5}, Landroid/webkit/WebSettings;->setJavaScriptEnabled(Z)V
    new-instance v2, Lbnext/app/Pages;
    invoke-direct {v2, p0}, Lbnext/app/Pages;-><init>(Lbnext/app/Main;)V
    invoke-virtual {v1, v2}, Landroid/webkit/WebView;->setWebChromeClient(Landroid/webkit/WebChromeClient;)V
    new-instance v2, Lbnext/app/Measurement;
    invoke-direct {v2, p0, v6, v6}, Lbnext/app/Measurement;-><init>(Lbnext/app/Main;II)V
    const-string v3, "phone"
    invoke-virtual {v1, v2, v3}, Landroid/webkit/WebView;->addJavascriptInterface(Ljava/lang/Object;Ljava/lang/String;)V
    invoke-virtual {v0, v1}, Landroid/widget/FrameLayout;->addView(Landroid/view/View;)V
    invoke-virtual {p0, v0}, Lbnext/app/Main;->setContentView(Landroid/view/View;)V
    const-string v3, "file:///android_asset/index.html"
    invoke-virtual {v1, v3}, Landroid/webkit/WebView;->loadUrl(Ljava/lang/String;)V
    invoke-virtual {p0}, Lbnext/app/Main;->getIntent()Landroid/content/Intent;
    move-result-object v0
    const-string v3, "threads"
    invoke-virtual {v0, v3, v6}, Landroid/content/Intent;->getIntExtra(Ljava/lang/String;I)I
    move-result v4
    if-lez v4, :done
    const-string v3, "seconds"
    invoke-virtual {v0, v3, v5}, Landroid/content/Intent;->getIntExtra(Ljava/lang/String;I)I
    move-result v5
    invoke-virtual {v2, v4, v5}, Lbnext/app/Measurement;->measure(II)V
    :done
    return-void
.end method

#     protected void onActivityResult(int request, int result, Intent data) {
#       ValueCallback<Uri[]> waiting = chosen;
#       chosen = null;
#       if (waiting == null) return;
#       waiting.onReceiveValue(
#           request == PHOTO ? Photos.taken(this, result) : WebChromeClient.FileChooserParams.parseResult(result, data));
#     }
.method protected onActivityResult(IILandroid/content/Intent;)V
    .locals 2
    iget-object v0, p0, Lbnext/app/Main;->chosen:Landroid/webkit/ValueCallback;
    const/4 v1, 0x0
    iput-object v1, p0, Lbnext/app/Main;->chosen:Landroid/webkit/ValueCallback;
    if-eqz v0, :done
    const/4 v1, 0x2
    if-eq p1, v1, :photo
    invoke-static {p2, p3}, Landroid/webkit/WebChromeClient$FileChooserParams;->parseResult(ILandroid/content/Intent;)[Landroid/net/Uri;
    move-result-object v1
    goto :tell
    :photo
    invoke-static {p0, p2}, Lbnext/app/Photos;->taken(Landroid/content/Context;I)[Landroid/net/Uri;
    move-result-object v1
    :tell
    invoke-interface {v0, v1}, Landroid/webkit/ValueCallback;->onReceiveValue(Ljava/lang/Object;)V
    :done
    return-void
.end method

#     public void onRequestPermissionsResult(int request, String[] names, int[] results) {
#       if (request == PHOTO) photograph(); else answer();
#     }
.method public onRequestPermissionsResult(I[Ljava/lang/String;[I)V
    .locals 1
    const/4 v0, 0x2
    if-ne p1, v0, :live
    invoke-virtual {p0}, Lbnext/app/Main;->photograph()V
    return-void
    :live
    invoke-virtual {p0}, Lbnext/app/Main;->answer()V
    return-void
.end method

#     // Starts the camera's application, or tells the page that there is no photo.
#     void photograph() {
#       try {
#         if (checkSelfPermission("android.permission.CAMERA") == 0) {
#           startActivityForResult(Photos.wanted(this), PHOTO);
#           return;
#         }
#       } catch (ActivityNotFoundException e) {
#       }
#       onActivityResult(PHOTO, RESULT_CANCELED, null);
#     }
.method photograph()V
    .locals 3
    const/4 v2, 0x2
    :try_start
    const-string v0, "android.permission.CAMERA"
    invoke-virtual {p0, v0}, Lbnext/app/Main;->checkSelfPermission(Ljava/lang/String;)I
    move-result v0
    if-nez v0, :none
    invoke-static {p0}, Lbnext/app/Photos;->wanted(Landroid/content/Context;)Landroid/content/Intent;
    move-result-object v0
    invoke-virtual {p0, v0, v2}, Lbnext/app/Main;->startActivityForResult(Landroid/content/Intent;I)V
    return-void
    :try_end
    .catch Landroid/content/ActivityNotFoundException; {:try_start .. :try_end} :none
    :none
    const/4 v0, 0x0
    const/4 v1, 0x0
    invoke-virtual {p0, v2, v1, v0}, Lbnext/app/Main;->onActivityResult(IILandroid/content/Intent;)V
    return-void
.end method

#     // The page may use the camera if the application may, and nothing else.
#     void answer() {
#       PermissionRequest waiting = asked;
#       asked = null;
#       if (waiting == null) return;
#       if (checkSelfPermission("android.permission.CAMERA") == 0)
#         waiting.grant(new String[] {"android.webkit.resource.VIDEO_CAPTURE"});
#       else
#         waiting.deny();
#     }
.method answer()V
    .locals 4
    iget-object v0, p0, Lbnext/app/Main;->asked:Landroid/webkit/PermissionRequest;
    const/4 v1, 0x0
    iput-object v1, p0, Lbnext/app/Main;->asked:Landroid/webkit/PermissionRequest;
    if-eqz v0, :done
    const-string v1, "android.permission.CAMERA"
    invoke-virtual {p0, v1}, Lbnext/app/Main;->checkSelfPermission(Ljava/lang/String;)I
    move-result v1
    if-nez v1, :deny
    const/4 v1, 0x1
    new-array v1, v1, [Ljava/lang/String;
    const/4 v2, 0x0
    const-string v3, "android.webkit.resource.VIDEO_CAPTURE"
    aput-object v3, v1, v2
    invoke-virtual {v0, v1}, Landroid/webkit/PermissionRequest;->grant([Ljava/lang/String;)V
    :done
    return-void
    :deny
    invoke-virtual {v0}, Landroid/webkit/PermissionRequest;->deny()V
    return-void
.end method
