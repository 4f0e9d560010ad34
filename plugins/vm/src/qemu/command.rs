//! How a VM is started.

use super::mark::Mark;
use crate::inventory::Vm;

/// QEMU's arguments for the VM; its QEMU has the mark from the start.
pub(crate) fn arguments(vm: &Vm, mark: &Mark) -> Vec<String> {
    let no_flush = if vm.no_flush { ",file.cache.no-flush=on,cache.no-flush=on" } else { "" };
    let mut words = Words::default();
    words.add("-machine", "q35").add("-accel", &vm.accel);
    words.add("-m", vm.memory).add("-smp", vm.cpus);
    words.flag("-nodefaults").flag("-no-user-config").add("-display", "none");
    // A guest that panics stands still, so that it can be seen, and so that it does not panic again and again.
    words.add("-action", "panic=pause").add("-name", format!("guest={}", comma_safe(&vm.name)));
    for (option, value) in [("-kernel", &vm.kernel), ("-initrd", &vm.initrd), ("-append", &vm.append)] {
        if let Some(value) = value {
            words.add(option, value);
        }
    }
    let disk = comma_safe(&vm.disk);
    words.add("-blockdev", format!("driver=qcow2,node-name=disk,file.driver=file,file.filename={disk}{no_flush}"));
    words.add("-device", "virtio-blk-pci,drive=disk");
    if let Some(forward) = &vm.forward {
        words.add("-netdev", format!("user,id=net,restrict=on,hostfwd=tcp:{forward}"));
        words.add("-device", "virtio-net-pci,netdev=net");
    }
    words.add("-device", "virtio-serial").socket(vm, "agent");
    words.add("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0");
    for monitor in ["qmp", "events"] {
        words.socket(vm, monitor).add("-mon", format!("chardev={monitor},mode=control"));
    }
    words.add("-serial", format!("file:{}", vm.file("console.log"))).add("-device", "pvpanic-pci");
    words.add("-object", mark.object());
    // Last: by it a process is known as this VM's.
    words.add("-pidfile", vm.file("qemu.pid"));
    words.0
}

#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.into());
        self
    }

    fn add(&mut self, option: &str, value: impl ToString) -> &mut Self {
        self.0.extend([option.to_owned(), value.to_string()]);
        self
    }

    fn socket(&mut self, vm: &Vm, name: &str) -> &mut Self {
        let path = comma_safe(&vm.file(&format!("{name}.sock")));
        self.add("-chardev", format!("socket,id={name},path={path},server=on,wait=off"))
    }
}

/// In QEMU's option lists a comma is doubled.
fn comma_safe(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use runwright_sdk::Context;

    use super::*;
    use crate::inventory::tests::context;

    fn words(change: impl Fn(&mut Vm)) -> String {
        let mut vm = Vm::find("web1", &context()).unwrap();
        change(&mut vm);
        arguments(&vm, &Mark::new("start", &Context::new("r", "s", "k"))).join(" ")
    }

    #[test]
    fn the_command_line_is_the_one_that_was_tried() {
        assert_eq!(
            words(|vm| vm.no_flush = true),
            "-machine q35 -accel tcg,thread=multi,tb-size=64 -m 128 -smp 1 -nodefaults -no-user-config \
             -display none -action panic=pause -name guest=web1 -kernel /i/k -initrd /i/i -append quiet \
             -blockdev driver=qcow2,node-name=disk,file.driver=file,file.filename=/v/d.qcow2,\
             file.cache.no-flush=on,cache.no-flush=on -device virtio-blk-pci,drive=disk \
             -netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2000-:8080 -device virtio-net-pci,netdev=net \
             -device virtio-serial -chardev socket,id=agent,path=/v/agent.sock,server=on,wait=off \
             -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0 \
             -chardev socket,id=qmp,path=/v/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control \
             -chardev socket,id=events,path=/v/events.sock,server=on,wait=off -mon chardev=events,mode=control \
             -serial file:/v/console.log -device pvpanic-pci \
             -object authz-simple,id=runwright-start-k-1,identity=runwright-start-k-1 -pidfile /v/qemu.pid"
        );
    }

    #[test]
    fn a_name_can_not_become_an_option() {
        for (name, expected) in [
            ("web2,debug-threads=on", "-name guest=web2,,debug-threads=on -"),
            // Without `guest=`, QEMU would read these as options of their own.
            ("guest=x", "-name guest=guest=x -"),
            ("debug-threads=on", "-name guest=debug-threads=on -"),
        ] {
            let words = words(|vm| vm.name = name.into());
            assert!(words.contains(expected), "{words}");
        }
    }

    #[test]
    fn the_disk_is_flushed_and_commas_are_doubled() {
        let words = words(|vm| vm.disk = "/v/a,b.qcow2".into());
        assert!(words.contains("file.filename=/v/a,,b.qcow2 -device"), "{words}");
        assert!(!words.contains("no-flush"));
    }
}
