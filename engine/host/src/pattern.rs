//! The one pattern language of grants: text in which `*` stands for any characters without `/`.

/// Does `text` fit `pattern`?
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
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

/// Does `argument` fit `pattern`, in which a lone `*` is any argument?
///
/// Where `*` is only a part, the argument must not climb out of a folder: `/vms/*` is no way to `/vms/../etc`.
fn argument_fits(pattern: &str, argument: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let climbs = || argument.split(['/', '=', ',', ':']).any(|part| part == "..");
    fits(pattern, argument) && !(pattern.contains('*') && climbs())
}

/// Do all `arguments` fit the `patterns`, of which a last `**` stands for any rest?
pub(crate) fn arguments_fit(patterns: &[String], arguments: &[String]) -> bool {
    match patterns.split_last() {
        Some((rest, first)) if rest == "**" => {
            arguments.len() >= first.len() && each_fits(first, &arguments[..first.len()])
        }
        _ => arguments.len() == patterns.len() && each_fits(patterns, arguments),
    }
}

fn each_fits(patterns: &[String], arguments: &[String]) -> bool {
    patterns.iter().zip(arguments).all(|(pattern, argument)| argument_fits(pattern, argument))
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
        assert!(fit(&["--disk=/vms/*"], &["--disk=/vms/a.qcow2"]));
        assert!(!fit(&["--disk=/vms/*"], &["--disk=/vms/../etc"]));
        assert!(!fit(&["--disk=/vms/*"], &["--disk=/vms/.."]));
        assert!(!fit(&["file=*"], &["file=.."]));
        assert!(!fit(&["-*"], &["-a", "-b"]));
    }
}
