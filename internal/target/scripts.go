package target

import (
	"slices"
	"strings"
)

// scripts are the extensions of files that route what follows them: PHP and CGI.
var scripts = []string{"php", "php3", "php4", "php5", "php7", "php8", "phtml", "phar", "cgi", "fcgi", "pl"}

// programs are the extensions of other files that run for what follows them
// (PATH_INFO, RFC 3875 § 4.1.5), without routing it.
var programs = []string{"py", "rb", "lua", "sh", "exe", "dll", "asp", "aspx", "ashx", "asmx", "svc", "cfm", "cfc"}

// isScript reports whether a segment names a file that routes what follows it: one
// of those, or an index document of any kind.
func isScript(segment string) bool {
	const index = "index."
	return len(segment) >= len(index) && strings.EqualFold(segment[:len(index)], index) || hasExtension(segment, scripts)
}

// runs reports whether a segment names a file that runs, whatever follows it.
func runs(segment string) bool {
	return isScript(segment) || hasExtension(segment, programs)
}

// hasExtension reports whether a segment has one of the extensions, in any letter
// case.
func hasExtension(segment string, extensions []string) bool {
	dot := strings.LastIndexByte(segment, '.')
	return dot >= 0 && slices.ContainsFunc(extensions, func(e string) bool { return strings.EqualFold(e, segment[dot+1:]) })
}

// cutAfterProgram reads "/x/report.php/path" as "/x/report.php", as those do who run
// the file and hand it the rest. Of several files it is the last: the one before is
// found in what comes out.
func cutAfterProgram(_ Readings, path string) string {
	for end := strings.LastIndexByte(path, '/'); end > 0; {
		start := strings.LastIndexByte(path[:end], '/')
		if runs(path[start+1 : end]) {
			return path[:end]
		}
		end = start
	}
	return path
}

// dropScripts reads "/x/index.php/path" as "/x/path", as front controllers do.
func dropScripts(known Readings, path string) string {
	if followScript(known, path) == path {
		return path
	}
	segments := strings.Split(path, "/")
	last := len(segments) - 1
	kept := slices.DeleteFunc(segments[:last:last], isScript)
	return strings.Join(append(kept, segments[last]), "/")
}

// followScript reads "/x/index.php/path" as "/path", as front controllers do that
// take all before it for where they are mounted.
func followScript(_ Readings, path string) string {
	for start := 0; ; {
		slash := strings.IndexByte(path[start:], '/')
		if slash < 0 {
			return path
		}
		if isScript(path[start : start+slash]) {
			return path[start+slash:]
		}
		start += slash + 1
	}
}
