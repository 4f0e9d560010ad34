//! Grants that give more than they seem to: programs that run others, with arguments that the plugin chooses.

use crate::grants::{ExecGrant, Grants};
use crate::pattern::is_open;
use crate::said::clean;

/// Programs that run what their arguments say, each with how.
const RUNNERS: [(&[&str], &str); 15] = [
    (
        &["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "toybox", "expect"],
        "it is a shell",
    ),
    (
        &[
            "python", "perl", "ruby", "node", "nodejs", "deno", "bun", "php", "lua", "tclsh", "java", "awk", "gawk",
            "mawk", "nawk", "jshell", "Rscript", "gdb", "bc",
        ],
        "it runs programs in its own language",
    ),
    (
        &["sed", "vi", "vim", "nvim", "view", "ed", "ex", "emacs", "nano", "less", "more", "man"],
        "its commands run others",
    ),
    (&["git", "hg", "svn"], "by `-c`, `--upload-pack` and hooks"),
    (
        &["ssh", "scp", "sftp", "autossh"],
        "by `-oProxyCommand`, and a shell on the other side reads what follows the host",
    ),
    (&["rsync"], "by `-e` and `--rsync-path`"),
    (&["find", "fd"], "by `-exec`"),
    (&["tar", "bsdtar", "cpio", "zip", "unzip"], "by `--checkpoint-action`, `--to-command` and the like"),
    (
        &["make", "cmake", "ninja", "cargo", "npm", "npx", "yarn", "pip", "go", "ansible", "ansible-playbook"],
        "by its files",
    ),
    (&["psql", "mysql", "mariadb", "sqlite3"], "by `\\!`, `.shell` and the like"),
    (
        &["apt", "apt-get", "apt-cache", "dpkg", "dnf", "yum", "rpm", "snap", "zypper"],
        "by `-o`, `--setopt` and scripts of packages",
    ),
    (
        &[
            "systemctl",
            "at",
            "batch",
            "crontab",
            "logrotate",
            "tcpdump",
            "wget",
            "curl",
            "openssl",
            "iptables",
            "mount",
        ],
        "by options or files",
    ),
    (
        &["docker", "podman", "nerdctl", "kubectl", "crictl", "ctr", "lxc", "virsh", "machinectl"],
        "in containers, and with the host's folders",
    ),
    (&["xargs", "parallel", "watch", "script", "strace", "ltrace", "perf"], "it runs what its arguments name"),
    (&["ip", "socat", "nc", "ncat", "nmap"], "by `exec` and the like"),
];

/// Programs that run the program that follows their options.
const WRAPPERS: [&str; 27] = [
    "env",
    "sudo",
    "doas",
    "su",
    "runuser",
    "setpriv",
    "setsid",
    "nice",
    "ionice",
    "nohup",
    "timeout",
    "time",
    "stdbuf",
    "chroot",
    "unshare",
    "nsenter",
    "flock",
    "chrt",
    "taskset",
    "numactl",
    "prlimit",
    "systemd-run",
    "systemd-nspawn",
    "start-stop-daemon",
    "bwrap",
    "firejail",
    "catchsegv",
];

/// Variables by which most programs, or the linker before them, load code.
const LOADING: [&str; 18] = [
    "PATH",
    "BASH_ENV",
    "ENV",
    "SHELLOPTS",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "LESSOPEN",
    "RSYNC_RSH",
];

/// What an operator should know of these grants: where a plugin may run more than the program that is named.
pub fn cautions(grants: &Grants) -> Vec<String> {
    grants.exec.iter().flat_map(|grant| [open(grant), loading(grant)]).flatten().map(|text| clean(&text)).collect()
}

/// The program that runs others with arguments that the plugin chooses, if it is one.
fn open(grant: &ExecGrant) -> Option<String> {
    let program = grant.program.to_string_lossy();
    let (runner, how) = runner(&program, &grant.args)?;
    let args = grant.args.iter().map(|arg| format!(" {arg}")).collect::<String>();
    Some(format!(
        "{program}{args}: with arguments that the plugin chooses, {runner} may run any program ({how}); name each argument \
         as it is, or take this for a grant of everything that the engine's user may do"
    ))
}

/// The program that runs others, and how, where `patterns` leave it a choice. A wrapper is looked through. Its options may
/// have paths too, so that any path may be the program; where none is known to run others, the wrapper itself does.
fn runner<'a>(program: &'a str, patterns: &'a [String]) -> Option<(&'a str, &'static str)> {
    let choice = patterns.iter().position(|pattern| is_open(pattern))?;
    let name = plain_name(program);
    if WRAPPERS.contains(&name) {
        if let Some(inner) = wrapped(name, patterns).filter(|inner| *inner < choice) {
            return runner(&patterns[inner], &patterns[inner + 1..]);
        }
        let mut paths = patterns.iter().enumerate().filter(|(_, pattern)| pattern.starts_with('/'));
        let inner = paths.find_map(|(at, path)| {
            let chosen = patterns[at + 1..].iter().any(|pattern| is_open(pattern));
            known(plain_name(path)).filter(|_| chosen)
        });
        return inner.or(Some((name, "it runs what follows its options")));
    }
    known(name)
}

/// Where the program stands that this wrapper runs, if that is certain.
fn wrapped(wrapper: &str, patterns: &[String]) -> Option<usize> {
    let valueless = |pattern: &str| match wrapper {
        "sudo" => pattern == "-n",
        "env" => !pattern.starts_with(['-', '/']) && pattern.contains('='),
        _ => false,
    };
    let first = patterns.iter().position(|pattern| !valueless(pattern))?;
    (matches!(wrapper, "sudo" | "env") && patterns[first].starts_with('/')).then_some(first)
}

/// The program, if it is known to run others, and how.
fn known(name: &str) -> Option<(&str, &'static str)> {
    let known = RUNNERS.iter().find(|(names, _)| names.contains(&name)).map(|(_, how)| (name, *how));
    known.or_else(|| {
        name.starts_with("qemu-system").then_some((name, "by the scripts of `-netdev`, and it opens any file"))
    })
}

/// The program's name without its folder and version: `python3.13` is `python`.
fn plain_name(program: &str) -> &str {
    let name = program.rsplit('/').next().unwrap_or(program);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    // `sqlite3` is called so.
    if RUNNERS.iter().any(|(names, _)| names.contains(&name)) { name } else { plain }
}

fn loading(grant: &ExecGrant) -> Option<String> {
    let loads =
        |name: &&String| LOADING.contains(&name.as_str()) || name.starts_with("LD_") || name.starts_with("GIT_");
    let name = grant.env.iter().find(loads)?;
    let program = grant.program.display();
    Some(format!("{program}: by its variable {name} the plugin may have it run other code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(exec: &str) -> Vec<String> {
        cautions(&toml::from_str(&format!("exec = [{exec}]")).unwrap())
    }

    #[test]
    fn a_wrapper_is_looked_through_to_the_program() {
        for (exec, runner) in [
            ("{ program = '/usr/bin/flock', args = ['/run/x.lock', '/usr/bin/git', 'pull', '*'] }", "git may run"),
            ("{ program = '/usr/bin/env', args = ['-C', '/srv', '/bin/sh', '-c', '*'] }", "sh may run"),
            ("{ program = '/usr/sbin/chroot', args = ['/srv', '/bin/ls', '*'] }", "chroot may run"),
        ] {
            assert!(told(exec)[0].contains(runner), "{:?}", told(exec));
        }
    }

    #[test]
    fn programs_that_run_others_are_told_where_the_plugin_has_a_choice() {
        for open in [
            "{ program = '/usr/bin/git', args = ['pull', '*'] }",
            "{ program = '/usr/bin/python3.13', args = ['**'] }",
            "{ program = '/bin/sh', args = ['-c', '*'] }",
            "{ program = '/usr/bin/find', args = ['/srv', '-*'] }",
            "{ program = '/usr/bin/sqlite3', args = ['/srv/db', '*...'] }",
            "{ program = '/usr/bin/qemu-system-x86_64', args = ['**'] }",
            "{ program = '/usr/bin/sudo', args = ['-n', '*'] }",
            "{ program = '/usr/bin/env', args = ['A=b', '/usr/bin/apt-get', '**'] }",
            "{ program = '/usr/bin/env', args = ['-C', '/srv', '/bin/sh', '-c', '*'] }",
            "{ program = '/usr/bin/env', args = ['-C', '/srv', '/bin/ls', '*'] }",
            "{ program = '/usr/bin/flock', args = ['/run/x.lock', '/usr/bin/git', 'pull', '*'] }",
            "{ program = '/usr/sbin/chroot', args = ['/srv', '/bin/sh', '-c', '*'] }",
            "{ program = '/usr/sbin/chroot', args = ['/srv', '/bin/ls', '*'] }",
            "{ program = '/usr/bin/sudo', args = ['-n', '/usr/bin/flock', '/run/x.lock', '/bin/sh', '-c', '*'] }",
            "{ program = '/usr/bin/sudo', args = ['-u', 'root', '/bin/ls', '*'] }",
            "{ program = '/usr/bin/sudo', args = ['/opt/*'] }",
            "{ program = '/bin/ls', args = [], env = ['LD_PRELOAD'] }",
            "{ program = '/bin/ls', args = [], env = ['PATH'] }",
        ] {
            assert_eq!(told(open).len(), 1, "{open}: {:?}", told(open));
        }
        for closed in [
            "{ program = '/usr/bin/git', args = ['pull', '--ff-only'] }",
            "{ program = '/usr/bin/ssh', args = ['ops@web1', '/usr/bin/uptime'] }",
            "{ program = '/usr/bin/sudo', args = ['-n', '/usr/sbin/lvs', '/dev/vg0/*'] }",
            "{ program = '/usr/bin/env', args = ['TZ=UTC', '/bin/ls', '/srv/git', '*'] }",
            "{ program = '/usr/bin/flock', args = ['/run/x.lock', '/usr/bin/git', 'pull', '--ff-only'] }",
            "{ program = '/usr/bin/df', args = ['*'] }",
            "{ program = '/usr/bin/qemu-img', args = ['create', '**'], env = ['TZ'] }",
        ] {
            assert_eq!(told(closed), Vec::<String>::new(), "{closed}");
        }
    }
}
