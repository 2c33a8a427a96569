//! What the lines of a `.pth` file that python runs are made of, in words of a fixed list: its text is
//! never kept, since captures hold no secrets.
//!
//! python runs a line that begins with `import` and takes any other for a path. Which characters end a
//! line has changed with its versions: code may begin after any of them, and ends where all see an end.

/// Words that say something of code, in the order they are told in.
const WORDS: &[&str] = &[
    // Runs text.
    "exec",
    "eval",
    "compile",
    "__import__",
    "builtins",
    "__builtins__",
    "runpy",
    // Makes text out of what does not look like it.
    "base64",
    "b64decode",
    "b32decode",
    "b16decode",
    "a85decode",
    "b85decode",
    "codecs",
    "zlib",
    "lzma",
    "bz2",
    "gzip",
    "decompress",
    "binascii",
    "unhexlify",
    "fromhex",
    "marshal",
    "pickle",
    "bytes",
    "bytearray",
    "chr",
    // Starts programs.
    "subprocess",
    "system",
    "popen",
    "Popen",
    "execv",
    "execve",
    "execvp",
    "execvpe",
    "execl",
    "execlp",
    "spawnl",
    "spawnlp",
    "spawnv",
    "spawnvp",
    "spawnve",
    "posix_spawn",
    "posix_spawnp",
    "fork",
    "pty",
    "ctypes",
    // Speaks to others.
    "socket",
    "ssl",
    "urllib",
    "urllib2",
    "urllib3",
    "urlopen",
    "urlretrieve",
    "requests",
    "http",
    "httplib",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
];

/// Characters of a text are written as numbers.
const ESCAPES: &str = "escapes";
/// Letters that python takes for others, ASCII ones.
const DISGUISED: &str = "disguised";
/// A line of code is longer than any honest one.
const LONG: &str = "long";
/// The file goes on beyond what is read of it.
const UNREAD: &str = "unread";

/// No honest line of code is near it.
const LONGEST: usize = 4096;

/// What is told of a file's text; nothing of one that python runs nothing of. `whole` says whether that is
/// all of the file.
pub(super) fn words(text: &[u8], whole: bool) -> Vec<String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut found = vec![false; WORDS.len()];
    let (mut escapes, mut disguised, mut long) = (false, false, false);
    for code in text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(code)
    {
        long |= code.len() > LONGEST;
        escapes |= has_escapes(code);
        disguised |= String::from_utf8_lossy(code).chars().any(is_disguise);
        look(code, &mut found);
    }
    let words = WORDS.iter().zip(found);
    let marks = [
        (&ESCAPES, escapes),
        (&DISGUISED, disguised),
        (&LONG, long),
        (&UNREAD, !whole),
    ];
    words
        .chain(marks)
        .filter(|(_, found)| *found)
        .map(|(word, _)| (*word).to_owned())
        .collect()
}

/// From where on a line is code: at its begin, or behind what only some pythons take for its end.
fn code(line: &[u8]) -> Option<&[u8]> {
    (0..line.len())
        .filter(|&at| at == 0 || ends_a_line(&line[..at]))
        .map(|at| &line[at..])
        .find(|code| code.starts_with(b"import ") || code.starts_with(b"import\t"))
}

/// As `str.splitlines` does it, and in an encoding of single bytes too.
fn ends_a_line(before: &[u8]) -> bool {
    matches!(before.last(), Some(0x0b | 0x0c | 0x1c..=0x1e | 0x85))
        || before.ends_with("\u{2028}".as_bytes())
        || before.ends_with("\u{2029}".as_bytes())
}

fn look(code: &[u8], found: &mut [bool]) {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let mut before: &[u8] = b"";
    for name in code
        .split(|byte| !is_name(byte))
        .filter(|name| !name.is_empty())
    {
        // Which system it is asks many a program.
        let asks = name == b"system" && before == b"platform";
        if let Some(at) = WORDS.iter().position(|word| word.as_bytes() == name)
            && !asks
        {
            found[at] = true;
        }
        before = name;
    }
}

/// `\x41`, `\u0041`, `\N{…}`, `\101`.
fn has_escapes(code: &[u8]) -> bool {
    code.windows(2)
        .any(|pair| pair[0] == b'\\' && matches!(pair[1], b'x' | b'u' | b'U' | b'N' | b'0'..=b'7'))
}

/// Whether it may stand in a name and is there taken for a letter or digit of ASCII (NFKC).
fn is_disguise(letter: char) -> bool {
    matches!(
        letter,
        '\u{aa}' | '\u{ba}' | '\u{17f}' | '\u{2b0}'..='\u{2b8}' | '\u{2e1}'..='\u{2e3}'
            | '\u{1d2c}'..='\u{1d6a}' | '\u{2071}' | '\u{207f}' | '\u{2090}'..='\u{209c}'
            | '\u{2102}'..='\u{2149}' | '\u{2160}'..='\u{217f}' | '\u{2c7c}' | '\u{2c7d}'
            | '\u{fb00}'..='\u{fb06}' | '\u{ff10}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d7ff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        words(text.as_bytes(), true).join(" ")
    }

    #[test]
    fn honest_files_say_nothing_that_counts() {
        for (text, expected) in [
            (
                "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; \
                 enabled and __import__('_distutils_hack').add_shim(); ",
                "__import__",
            ),
            (
                "import __editable___x_1_0_finder; __editable___x_1_0_finder.install()\n",
                "",
            ),
            ("import _virtualenv", ""),
            (
                "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1)\
                 .f_locals['sitedir'], *('google',));importlib = has_mfs and __import__('importlib.util');\
                 has_mfs and __import__('importlib.machinery');m = has_mfs and sys.modules.setdefault('google', \
                 importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('google', \
                 [os.path.dirname(p)])));m = m or sys.modules.setdefault('google', types.ModuleType('google'));\
                 mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n",
                "__import__",
            ),
            (
                "import os, sys;exec('if \"COV_CORE_SOURCE\" in os.environ:\\n try:\\n  from pytest_cov.embed \
                 import init\\n  init()\\n except Exception as exc:\\n  sys.stderr.write(str(exc))\\n')\n",
                "exec",
            ),
            ("import sys; sys.__plen = len(sys.path)\n/srv/app\n", ""),
            ("/srv/base64\n# import base64\nsocket\n", ""),
            (
                "import sys, platform; platform.system(); sys.executable\n",
                "",
            ),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn a_hook_that_decodes_starts_or_connects_says_so() {
        assert_eq!(
            said("/x\nimport os, base64;exec(base64.b64decode('eA=='))\n"),
            "exec base64 b64decode"
        );
        assert_eq!(said("import\tos; os.system('x')"), "system");
        assert_eq!(
            said("import subprocess, sys; subprocess.Popen([sys.executable])"),
            "subprocess Popen"
        );
        assert_eq!(
            said("import urllib.request as u;u.urlopen('x')"),
            "urllib urlopen"
        );
    }

    #[test]
    fn no_end_of_a_line_hides_code() {
        for text in [
            "\u{feff}import base64",
            "/x\rimport base64",
            "/x\u{b}import base64",
            "/x\u{2028}import base64",
            "/x\u{85}import base64",
            // Space to a python that ends lines at \n only.
            "import os;\u{c} base64",
        ] {
            assert_eq!(said(text), "base64", "{text:?}");
        }
        assert_eq!(said(" import base64\nimporting base64\n"), "");
    }

    #[test]
    fn code_that_is_written_so_as_not_to_be_read_says_that() {
        assert_eq!(said(r"import os; exec('\x69mport x')"), "exec escapes");
        assert_eq!(said("import os, ｂａｓｅ６４"), "disguised");
        assert_eq!(said("import os; 'é à ß'"), "");
        let long = format!("import os; x = '{}'", "a".repeat(LONGEST));
        assert_eq!(said(&long), "long");
        assert_eq!(said(&format!("/{}", "a".repeat(LONGEST + 1))), "");
        assert_eq!(words(b"/x\n", false), ["unread"]);
    }
}
