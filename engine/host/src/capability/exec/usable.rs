//! What no program can be given, whoever grants it: what Linux does not take, and what is no argument.

use crate::bindings::exec::Command;

/// Arguments and variables of one program.
const ARGS_MAX: usize = 1024;
/// Bytes of them together.
const ARG_BYTES_MAX: usize = 128 * 1024;
/// Bytes of one argument, and of one variable with its name, with the NUL at its end (Linux: MAX_ARG_STRLEN).
const ONE_ARG_BYTES_MAX: usize = 128 * 1024;

/// Why no program can be given this, whoever grants it; none where one can.
pub(super) fn unusable(command: &Command) -> Option<String> {
    let Command { program, args, env, cwd, .. } = command;
    let count = args.len() + env.len();
    if count > ARGS_MAX {
        return Some(format!("it has {count} arguments and variables, and a program gets at most {ARGS_MAX}"));
    }
    let sizes = env.iter().map(|(name, value)| (name.len() + 1 + value.len(), "one variable with its name"));
    let mut sizes = args.iter().map(|arg| (arg.len(), "one argument")).chain(sizes);
    if let Some((bytes, what)) = sizes.find(|(bytes, _)| *bytes >= ONE_ARG_BYTES_MAX) {
        let most = ONE_ARG_BYTES_MAX - 1;
        return Some(format!(
            "{what} has {bytes} bytes, and Linux takes at most {most}; hand it over by input or a file"
        ));
    }
    let texts = || args.iter().chain(env.iter().flat_map(|(name, value)| [name, value]));
    let bytes: usize = texts().map(String::len).sum();
    if bytes > ARG_BYTES_MAX {
        return Some(format!(
            "its arguments and variables have {bytes} bytes together, and a program gets at most {ARG_BYTES_MAX}; hand \
             them over by input or a file"
        ));
    }
    if texts().chain([program]).chain(cwd).any(|text| text.contains('\0')) {
        return Some("its path, an argument, a variable or its folder has a NUL in it".to_owned());
    }
    let odd = env.iter().map(|(name, _)| name).find(|name| name.is_empty() || name.contains('='));
    odd.map(|name| format!("{name:?} is no name of an environment variable"))
}
