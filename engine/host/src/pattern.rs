//! The one pattern language of grants: text in which `*` stands for any characters without `/`.

/// Does `text` fit `pattern`, in which `*` stands for any characters but `/`?
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // The last star, and the text position up to which it has been stretched.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((at, stretched)) = star.filter(|(_, stretched)| text[*stretched] != b'/') {
            star = Some((at, stretched + 1));
            p = at + 1;
            t = stretched + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The end of a last argument pattern that may fit any number of arguments.
const REPEATED: &str = "...";

/// Does `argument` fit `pattern`, in which a lone `*` is any argument that is no option?
///
/// An argument that begins with `-` fits only a pattern that begins with `-` itself: programs take it as an option,
/// wherever it stands, and many have an option that runs other programs. Where `*` is only a part, the argument must not
/// climb out of a folder: `/vms/*` is no way to `/vms/../etc`.
fn argument_fits(pattern: &str, argument: &str) -> bool {
    if argument.starts_with('-') && !pattern.starts_with('-') {
        return false;
    }
    if pattern == "*" {
        return true;
    }
    let climbs = || argument.split(['/', '=', ',', ':']).any(|part| part == "..");
    fits(pattern, argument) && !(pattern.contains('*') && climbs())
}

/// Do all `arguments` fit the `patterns`? A last `**` stands for any rest, options and all; a last pattern that ends in
/// `...` for any number of arguments that fit what stands before these dots.
pub(crate) fn arguments_fit(patterns: &[String], arguments: &[String]) -> bool {
    let Some((last, first)) = patterns.split_last() else { return arguments.is_empty() };
    let Some((begin, rest)) = arguments.split_at_checked(first.len()) else { return false };
    each_fits(first, begin)
        && match last.strip_suffix(REPEATED) {
            Some(repeated) => rest.iter().all(|argument| argument_fits(repeated, argument)),
            None if last == "**" => true,
            None => each_fits(std::slice::from_ref(last), rest),
        }
}

fn each_fits(patterns: &[String], arguments: &[String]) -> bool {
    patterns.len() == arguments.len()
        && patterns.iter().zip(arguments).all(|(pattern, argument)| argument_fits(pattern, argument))
}

/// Whether the patterns leave anything open.
pub(crate) fn is_open(pattern: &str) -> bool {
    pattern.contains('*') || pattern.ends_with(REPEATED)
}

/// What is wrong with the argument patterns of one program, if anything is.
pub(crate) fn arguments_problem(patterns: &[String]) -> Option<&'static str> {
    let early = patterns.iter().rev().skip(1);
    let only_last = |pattern: &String| pattern == "**" || (pattern.ends_with(REPEATED) && pattern.contains('*'));
    if early.clone().any(only_last) {
        return Some("`**` and a pattern that ends in `...` must be the last");
    }
    patterns
        .iter()
        .any(|pattern| pattern.contains("**") && pattern != "**")
        .then_some("`**` stands for all arguments that follow, so it stands alone; within one argument write `*`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_one_part() {
        for (pattern, text) in [
            ("/vms/*/qmp.sock", "/vms/web-1/qmp.sock"),
            ("/vms/*.sock", "/vms/.sock"),
            ("*", ""),
            ("a*b*c", "aXbYbZc"),
            ("**", "ab"),
            ("ä*", "äö"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/vms/*/qmp.sock", "/vms/a/b/qmp.sock"),
            ("/vms/*", "/vms/a/b"),
            ("/vms/*", "/vms"),
            ("a*b", "a/b"),
            ("a*b*c", "a/bc"),
            ("", "a"),
            ("a", ""),
            ("*a", "a/ba"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_not_slow() {
        let started = std::time::Instant::now();
        assert!(!fits(
            &"a*".repeat(100),
            &"a".repeat(50_000).replace("aaaaaaaaaa", "aaaaaaaaab").repeat(2).replace('a', "c")
        ));
        assert!(!fits(&format!("{}b", "a*".repeat(50)), &"a".repeat(20_000)));
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn arguments_fit_one_by_one() {
        let fit = |patterns: &[&str], arguments: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            arguments_fit(&owned(patterns), &owned(arguments))
        };
        assert!(fit(&[], &[]));
        assert!(!fit(&[], &["x"]));
        assert!(fit(&["**"], &[]));
        assert!(fit(&["create", "**"], &["create", "-f", "a/b"]));
        assert!(!fit(&["create", "**"], &["convert"]));
        assert!(!fit(&["create", "*"], &["create"]));
        assert!(fit(&["create", "*"], &["create", "/any/../thing"]));
        assert!(fit(&["ls", "*..."], &["ls"]) && fit(&["ls", "*..."], &["ls", "a", "/b"]));
        assert!(!fit(&["ls", "*..."], &[]) && !fit(&["ls", "*..."], &["ls", "a", "-b"]));
        assert!(fit(&["/srv/*..."], &["/srv/a", "/srv/b"]) && !fit(&["/srv/*..."], &["/srv/a", "/etc"]));
        assert!(fit(&["--x=*..."], &["--x=1", "--x=2"]) && !fit(&["--x=*..."], &["--y=1"]));
        assert!(fit(&["--disk=/vms/*"], &["--disk=/vms/a.qcow2"]));
        assert!(!fit(&["--disk=/vms/*"], &["--disk=/vms/../etc"]));
        assert!(!fit(&["--disk=/vms/*"], &["--disk=/vms/.."]));
        assert!(!fit(&["file=*"], &["file=.."]));
        assert!(!fit(&["-*"], &["-a", "-b"]));
    }

    #[test]
    fn an_option_fits_only_what_begins_like_one() {
        let fit = |pattern: &str, argument: &str| arguments_fit(&[pattern.to_owned()], &[argument.to_owned()]);
        for option in
            ["--upload-pack=/tmp/x", "-oProxyCommand=id", "--checkpoint-action=exec=id", "-exec", "-e", "-", "--"]
        {
            for pattern in ["*", "*.service", "*=*", "*..."] {
                assert!(!fit(pattern, option), "{pattern} {option}");
            }
            assert!(fit(option, option) && fit("**", option), "{option}");
        }
        assert!(fit("-*", "-oProxyCommand=id") && fit("--since=*", "--since=-1h") && fit("*", "a-b"));
        // A literal `--` before it does not help: not every program ends its options there.
        let after =
            |argument: &str| arguments_fit(&["--".to_owned(), "*".to_owned()], &["--".to_owned(), argument.to_owned()]);
        assert!(after("x") && !after("-x"));
    }

    #[test]
    fn what_stands_for_several_arguments_stands_last_and_alone() {
        let problem = |patterns: &[&str]| {
            arguments_problem(&patterns.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).is_some()
        };
        assert!(!problem(&["a", "**"]) && !problem(&["a", "*..."]) && !problem(&["wait...", "x"]) && !problem(&[]));
        assert!(problem(&["**", "a"]) && problem(&["*...", "a"]) && problem(&["a**"]) && problem(&["**..."]));
    }
}
