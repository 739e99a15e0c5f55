<?php
// The application as a front controller that routes by REQUEST_URI, below its own
// script too, as Symfony, Laravel and WordPress do.
$path = preg_replace('~^https?://[^/?]*~i', '', explode('?', $_SERVER['REQUEST_URI'], 2)[0]);
if (str_starts_with($path, $_SERVER['SCRIPT_NAME'])) {
    $path = substr($path, strlen($_SERVER['SCRIPT_NAME']));
}
$path = '/' . ltrim(rawurldecode($path), '/');
$method = $_SERVER['REQUEST_METHOD'];
$slug = '';
$handler = 'none';
$routes = [
    '~^/$~' => 'home',
    '~^/open/~' => 'open',
    '~^/assets/~' => 'asset',
    '~^/api/login/?$~' => 'login',
    '~^/api/posts(/[^/]+)?/?$~' => in_array($method, ['POST', 'DELETE'], true) ? 'posts-write' : 'posts-read',
    '~^/admin(/.*)?$~s' => 'admin',
    '~^/files/secret/~' => 'secret',
    '~^/files/~' => 'files',
    '~^/dashboard/?$~' => 'dashboard',
    '~^/orgs/(?<slug>[^/]+)(/.*)?$~s' => 'orgs',
];
foreach ($routes as $pattern => $name) {
    if (preg_match($pattern, $path, $found)) {
        $handler = $name;
        $slug = $found['slug'] ?? '';
        break;
    }
}
$handler = $script ?? $handler;
$headers = [];
foreach ($_SERVER as $name => $value) {
    if (str_starts_with($name, 'HTTP_')) {
        $headers[] = [substr($name, 5), $value];
    }
}
$text = json_encode([
    'handler' => $handler, 'method' => $method, 'path' => $path, 'host' => $_SERVER['HTTP_HOST'] ?? '',
    'slug' => $slug, 'protocol' => $_SERVER['SERVER_PROTOCOL'], 'headers' => $headers,
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
file_put_contents(getenv('ORACLE_LOG'), $text . "\n", FILE_APPEND);
http_response_code($handler === 'none' ? 404 : 200);
header('Content-Type: application/json');
echo $text;
