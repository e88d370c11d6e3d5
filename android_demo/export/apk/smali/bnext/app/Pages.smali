# What the page asks for: pictures of somebody's choice, and the camera.
#
#   class Pages extends WebChromeClient {
#     private final Main main;
.class Lbnext/app/Pages;
.super Landroid/webkit/WebChromeClient;

.field private final main:Lbnext/app/Main;

.method constructor <init>(Lbnext/app/Main;)V
    .locals 0
    invoke-direct {p0}, Landroid/webkit/WebChromeClient;-><init>()V
    iput-object p1, p0, Lbnext/app/Pages;->main:Lbnext/app/Main;
    return-void
.end method

#     public boolean onShowFileChooser(WebView web, ValueCallback<Uri[]> chosen, FileChooserParams wanted) {
#       if (wanted.isCaptureEnabled()) {
#         main.chosen = chosen;
#         // An application that names this permission at all must have it to start the camera's own.
#         main.requestPermissions(new String[] {"android.permission.CAMERA"}, Main.PHOTO);
#         return true;
#       }
#       try {
#         main.startActivityForResult(wanted.createIntent(), 1);
#         main.chosen = chosen;
#         return true;
#       } catch (ActivityNotFoundException e) {
#         return false;                       // Then the page is told that nothing was chosen.
#       }
#     }
.method public onShowFileChooser(Landroid/webkit/WebView;Landroid/webkit/ValueCallback;Landroid/webkit/WebChromeClient$FileChooserParams;)Z
    .locals 3
    iget-object v0, p0, Lbnext/app/Pages;->main:Lbnext/app/Main;
    const/4 v2, 0x1
    invoke-virtual {p3}, Landroid/webkit/WebChromeClient$FileChooserParams;->isCaptureEnabled()Z
    move-result v1
    if-eqz v1, :gallery
    iput-object p2, v0, Lbnext/app/Main;->chosen:Landroid/webkit/ValueCallback;
    new-array v1, v2, [Ljava/lang/String;
    const-string p1, "android.permission.CAMERA"
    const/4 p3, 0x0
    aput-object p1, v1, p3
    const/4 p1, 0x2
    invoke-virtual {v0, v1, p1}, Lbnext/app/Main;->requestPermissions([Ljava/lang/String;I)V
    return v2
    :gallery
    :try_start
    invoke-virtual {p3}, Landroid/webkit/WebChromeClient$FileChooserParams;->createIntent()Landroid/content/Intent;
    move-result-object v1
    invoke-virtual {v0, v1, v2}, Lbnext/app/Main;->startActivityForResult(Landroid/content/Intent;I)V
    :try_end
    .catch Landroid/content/ActivityNotFoundException; {:try_start .. :try_end} :nobody
    iput-object p2, v0, Lbnext/app/Main;->chosen:Landroid/webkit/ValueCallback;
    return v2
    :nobody
    const/4 v2, 0x0
    return v2
.end method

#     public void onPermissionRequest(PermissionRequest request) {
#       main.asked = request;
#       main.requestPermissions(new String[] {"android.permission.CAMERA"}, 1);  // Answers at once what is known.
#     }
.method public onPermissionRequest(Landroid/webkit/PermissionRequest;)V
    .locals 4
    iget-object v0, p0, Lbnext/app/Pages;->main:Lbnext/app/Main;
    iput-object p1, v0, Lbnext/app/Main;->asked:Landroid/webkit/PermissionRequest;
    const/4 v1, 0x1
    new-array v2, v1, [Ljava/lang/String;
    const/4 v3, 0x0
    const-string p1, "android.permission.CAMERA"
    aput-object p1, v2, v3
    invoke-virtual {v0, v2, v1}, Lbnext/app/Main;->requestPermissions([Ljava/lang/String;I)V
    return-void
.end method
