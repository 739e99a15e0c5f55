// Records what path-to-regexp makes of random patterns and paths, one JSON object
// a line: {pattern, error} or {pattern, paths, reference, dotAll}. The last two
// hold, for each path, false or what the parameters took (null: no part), without
// and with flag s.
//
//   npm install path-to-regexp@6.3.0
//   node record.mjs 42 2500 | gzip -9n > recorded.jsonl.gz
//
// The arguments are a seed and a number of patterns. Made with Node 20.20.2.
import { pathToRegexp } from "path-to-regexp";

let state = BigInt(process.argv[2] ?? 42);
const count = Number(process.argv[3] ?? 2500);

// random is SplitMix64, as a number below 1.
function random() {
  const mask = 0xffffffffffffffffn;
  state = (state + 0x9e3779b97f4a7c15n) & mask;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const many = (n, make) => Array.from({ length: n }, make).join("");

const texts = [..."abksKS1-.éßσςΣωµμǆǅ日_ ıİiιᾀᾈﬀ", "\u212a", "\u017f", "\u0345", "😀", "💩", "/", "/", "ab", "foo", "#", "\n", "\u2028"];
const atoms = [..."abksi-.éßσω{}#/", ".", ".", "[a-c]", "[^a]", "[^/]", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "[\\w.-]",
  "(?:a|b)", "(?:foo|)", "(?=a)", "(?!b)", "(?!ab|k)", "(?!a$)", "(?<=a)", "(?<!b)", "\\1", "\\2", "\\b", "\\B", "^", "$", "[]", "[^]",
  "\\u212a", "\\x41", "\\cJ", "\\c", "[\\c1]", "\\0", "\\8", "\\101", "[\\b]", "[\\1]", "\\q", "\\-", "\\/", "[/]", "[k-s]", "[^k]", "[^\\u212a]",
  "[\\u017f-\\u0180]", "😀", "[😀]", "[^😀]", "\\uD83D", "\\ud83d\\ude00", "[\\uD800-\\uDBFF]", "[ǆ]", "[^σ]", "[ı]", "(?:(?=ab)a|.)",
  "(?<n>b)", "\\k<n>", "\\k", "{2", "{1}", "a{2}", "a{1,}", "b{0,1}", "a{2,1}", "[b-a]", "[\\d-z]", "[", "(?i:a)", "(?a)", "(?:a*)*", "(?:a|b*)*",
  "(?!on)", "[^?]*\\.", "js(?!on)"];
const quantifiers = ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "**"];

function expression(depth) {
  const alternative = () => many(1 + below(4), () => {
    const nested = depth > 0 && random() < 0.15;
    const atom = nested ? pick(["(?:", "(?=", "(?!", "(?<=", "(?<!"]) + expression(depth - 1) + ")" : pick(atoms);
    return atom + pick(quantifiers);
  });
  return alternative() + (random() < 0.2 ? "|" + alternative() : "");
}

function piece(_, i) {
  const text = pick(texts);
  return pick([
    () => text,
    () => "/" + text,
    () => `/:p${i}` + pick(["", "", "?", "*", "+"]),
    () => pick([".", "-", "--", "x"]) + `:q${i}` + pick(["", "?"]),
    () => pick(["/", "", "."]) + pick([`:r${i}`, ""]) + `(${expression(1)})` + pick(["", "?", "*", "+"]),
    () => pick(["/", "", "."]) + pick([`:r${i}`, ""]) + `(${expression(1)})` + pick(["", "?", "*", "+"]),
    () => `{${pick(["/", "-", "", "/k/", "."])}${pick([`:b${i}`, "", `(${expression(0)})`])}${pick(["-", "x", ""])}}` + pick(["", "?", "*", "+"]),
    () => "(.*)",
    () => (random() < 0.3 ? pick(["\\", "*", "+", "{", "}", ":", "(", ")", "\\(", "()", "([)", "(])"]) : "/((?!" + pick(["api", "a|b", "k$"]) + ").*)"),
  ])();
}
const pattern = () => (random() < 0.9 ? "/" : "") + many(1 + below(4), piece);

const inputs = [...texts, ..."ABÉẞΩΜǄΙJ?{", "js", "json", "aa", "bb", "/k/", "\r", "\u2126"];
function path(from) {
  let out = "/" + many(below(6), () => pick(inputs));
  if (random() < 0.6) {
    out = from
      .replace(/\(\.\*\)/g, () => pick(["", "a", "/a\nb", "😀"]))
      .replace(/[./]?:\w+[?*+]?/g, () => pick(["", "/a", "/a", "/b/k", ".s", "/😀", "-a"]))
      .replace(/[{}()\\?*+[\]^$|]/g, "");
    out = pick([out, out, out.toUpperCase(), out.toLowerCase()]);
  }
  return (out + (random() < 0.15 ? pick(["/", "#", "?", "\n"]) : "")).toWellFormed();
}

// took is what the parameters took. An expression with a named group of its own
// would shift the numbers, so only the match itself counts there.
function took(re, keys, text) {
  const m = re.exec(text);
  if (!m) return false;
  const groups = m.slice(1).map((g) => g?.toWellFormed() ?? null);
  return groups.length === keys.length ? groups : true;
}

for (let i = 0; i < count; i++) {
  const line = { pattern: pattern().toWellFormed() };
  try {
    const keys = [];
    const { source } = pathToRegexp(line.pattern, keys);
    line.paths = Array.from({ length: 4 }, () => path(line.pattern));
    line.reference = line.paths.map((p) => took(new RegExp(source, "i"), keys, p));
    line.dotAll = line.paths.map((p) => took(new RegExp(source, "is"), keys, p));
  } catch (e) {
    line.error = e.message;
  }
  console.log(JSON.stringify(line));
}
