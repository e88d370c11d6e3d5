import android.app.Activity;
import android.content.ContentProvider;
import android.content.Context;
import android.content.Intent;
import android.net.Uri;
import android.util.Log;
import android.webkit.PermissionRequest;
import android.webkit.WebChromeClient;
import android.webkit.WebChromeClient.FileChooserParams;
import android.webkit.WebView;
import android.widget.FrameLayout;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Starts the app's activity, assembled for Android and translated for this machine, among stand-ins for Android's classes.
 * The folder that its argument names has {@code assets}, {@code lib} and {@code files}. Prints what happens.
 */
public final class UseApp {
  public static void main(String[] arguments) throws Exception {
    Context.folder = new File(arguments[0]);
    Activity app = start();
    FrameLayout frame = (FrameLayout) app.content;
    WebView web = (WebView) frame.views.get(0);
    say("shown", web.url + " " + web.settings.script + " " + frame.fits + " " + web.keepsOn + " " + web.objects.keySet());

    List<Object> chosen = new ArrayList<>();
    say("chooses", web.client.onShowFileChooser(web, chosen::add, new FileChooserParams()) + " " + app.done);
    Intent picture = new Intent("a picture");
    app.result(picture);
    say("chosen", ((Uri[]) chosen.get(0)).length);
    app.result(picture);
    say("chosen once", chosen.size());
    web.client.onShowFileChooser(web, chosen::add, new FileChooserParams());
    app.result(null);
    say("nothing chosen", chosen.get(1));
    app.nobody = true;
    say("no gallery", web.client.onShowFileChooser(web, chosen::add, new FileChooserParams()));

    for (boolean may : new boolean[] {false, true}) {
      app.mayUseCamera = may;
      PermissionRequest request = new PermissionRequest();
      web.client.onPermissionRequest(request);
      say("camera " + may, request.answer + " " + app.done.get(app.done.size() - 1));
    }

    photograph(start());

    Object phone = web.objects.get("phone");
    phone.getClass().getMethod("measure", int.class, int.class).invoke(phone, 2, 0);
    web.posted.poll(60, TimeUnit.SECONDS).run();
    say("measured", web.evaluated);
    say("logged", String.join("|", Log.lines));

    Log.lines.clear();
    app = new bnext.app.Main();
    app.extras.put("threads", 1);
    app.extras.put("seconds", 0);
    app.create();
    web = (WebView) ((FrameLayout) app.content).views.get(0);
    web.posted.poll(60, TimeUnit.SECONDS).run();
    say("started to measure", Log.lines.get(Log.lines.size() - 1) + " " + Log.lines.contains("bnext INFO: Num threads: [1]"));

    Context.folder = new File(arguments[0], "nowhere");
    web = (WebView) ((FrameLayout) start().content).views.get(0);
    phone = web.objects.get("phone");
    phone.getClass().getMethod("measure", int.class, int.class).invoke(phone, 1, 0);
    web.posted.poll(60, TimeUnit.SECONDS).run();
    say("nothing there", web.evaluated);
  }

  /** What comes of photos: each of these is what the page gets, after what was asked for. */
  private static void photograph(Activity app) throws Exception {
    WebChromeClient client = ((WebView) ((FrameLayout) app.content).views.get(0)).client;
    FileChooserParams wanted = new FileChooserParams();
    wanted.capture = true;
    List<Uri[]> got = new ArrayList<>();
    say("photo not allowed", client.onShowFileChooser(null, got::add, wanted) + " " + app.done + " " + got.remove(0));

    app.mayUseCamera = app.nobody = true;
    say("no camera", client.onShowFileChooser(null, got::add, wanted) + " " + got.remove(0));

    app.nobody = false;
    app.done.clear();
    say("photo asked for", client.onShowFileChooser(null, got::add, wanted) + " " + app.done + " " + got);
    app.result(2, -1);
    say("photo not written", got.remove(0));

    client.onShowFileChooser(null, got::add, wanted);
    ContentProvider photos = new bnext.app.Photos();
    photos.attachInfo(app, null);
    Uri anything = Uri.parse("content://org.example.fish.photos/../../databases/secret");
    photos.openFile(anything, "w").file.writeBytes("a photo");
    app.result(2, 0);
    say("photo cancelled", got.remove(0));

    client.onShowFileChooser(null, got::add, wanted);
    say("photo before", new File(Context.folder, "files/photo.jpg").exists());
    photos.openFile(anything, "w").file.writeBytes("another photo");
    app.result(2, -1);
    Uri taken = got.remove(0)[0];
    say("photo", taken + " " + photos.getType(taken) + " " + photos.query(taken, null, null, null, null));
    say("photo read", photos.openFile(taken, "r").file.readLine());
    say("photos are fixed", photos.onCreate() + " " + photos.insert(taken, null) + " " + photos.delete(taken, null, null) + " "
        + photos.update(taken, null, null, null));
  }

  private static Activity start() {
    Activity app = new bnext.app.Main();
    app.create();
    return app;
  }

  private static void say(String name, Object what) {
    System.out.println(name + "\t" + what);
  }
}
