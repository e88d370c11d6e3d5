# Tells the page something, on the only thread that may.
#
#   class Answer implements Runnable {
#     private final WebView web;
#     private final String call;
.class Lbnext/app/Answer;
.super Ljava/lang/Object;
.implements Ljava/lang/Runnable;

.field private final web:Landroid/webkit/WebView;
.field private final call:Ljava/lang/String;

.method constructor <init>(Landroid/webkit/WebView;Ljava/lang/String;)V
    .locals 0
    invoke-direct {p0}, Ljava/lang/Object;-><init>()V
    iput-object p1, p0, Lbnext/app/Answer;->web:Landroid/webkit/WebView;
    iput-object p2, p0, Lbnext/app/Answer;->call:Ljava/lang/String;
    return-void
.end method

#     public void run() {
#       web.evaluateJavascript(call, null);
#     }
.method public run()V
    .locals 3
    iget-object v0, p0, Lbnext/app/Answer;->web:Landroid/webkit/WebView;
    iget-object v1, p0, Lbnext/app/Answer;->call:Ljava/lang/String;
    const/4 v2, 0x0
    invoke-virtual {v0, v1, v2}, Landroid/webkit/WebView;->evaluateJavascript(Ljava/lang/String;Landroid/webkit/ValueCallback;)V
    return-void
.end method
