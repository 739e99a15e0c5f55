import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.StringJoiner;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;

/** The application as servlets in Tomcat, which routes by its own mapper and takes upgrades to HTTP/2. */
public final class Upstream extends HttpServlet {
    private static final Path LOG = Path.of(System.getenv("ORACLE_LOG"));

    private final String handler;

    private Upstream(String handler) {
        this.handler = handler;
    }

    public static void main(String[] arguments) throws Exception {
        String[] address = System.getenv("ORACLE_ADDRESS").split(":");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(arguments[0]);
        tomcat.setHostname(address[0]);
        tomcat.setPort(Integer.parseInt(address[1]));
        tomcat.getConnector().setProperty("address", address[0]);
        tomcat.getConnector().addUpgradeProtocol(new Http2Protocol());
        Context context = tomcat.addContext("", arguments[0]);
        map(context, "home", "");
        map(context, "open", "/open/*");
        map(context, "asset", "/assets/*");
        map(context, "login", "/api/login");
        map(context, "posts", "/api/posts", "/api/posts/*");
        map(context, "admin", "/admin", "/admin/*");
        map(context, "secret", "/files/secret/*");
        map(context, "files", "/files/*");
        map(context, "dashboard", "/dashboard");
        map(context, "orgs", "/orgs/*");
        map(context, "none", "/");
        tomcat.start();
        tomcat.getServer().await();
    }

    private static void map(Context context, String handler, String... patterns) {
        Tomcat.addServlet(context, handler, new Upstream(handler));
        for (String pattern : patterns) {
            context.addServletMappingDecoded(pattern, handler);
        }
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String name = handler;
        if (name.equals("posts")) {
            boolean writes = request.getMethod().equals("POST") || request.getMethod().equals("DELETE");
            name = writes ? "posts-write" : "posts-read";
        }
        String text = told(name, request);
        synchronized (LOG) {
            Files.writeString(LOG, text + "\n", StandardOpenOption.APPEND);
        }
        response.setStatus(name.equals("none") ? 404 : 200);
        response.setContentType("application/json");
        response.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String told(String name, HttpServletRequest request) {
        String rest = request.getPathInfo() == null ? "" : request.getPathInfo();
        String slug = name.equals("orgs") && rest.length() > 1 ? rest.substring(1).split("/", 2)[0] : "";
        StringJoiner headers = new StringJoiner(",", "[", "]");
        for (String field : Collections.list(request.getHeaderNames())) {
            for (String value : Collections.list(request.getHeaders(field))) {
                headers.add("[" + quote(field) + "," + quote(value) + "]");
            }
        }
        return "{\"handler\":" + quote(name) + ",\"method\":" + quote(request.getMethod()) + ",\"path\":"
                + quote(request.getServletPath() + rest) + ",\"host\":" + quote(request.getServerName()) + ",\"slug\":"
                + quote(slug) + ",\"protocol\":" + quote(request.getProtocol()) + ",\"headers\":" + headers + "}";
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
