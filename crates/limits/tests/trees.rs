//! Machines, containers and control groups of both versions, as trees of the files that they have.

use pacemark_limits::{Memory, Processors, System};
use std::path::PathBuf;

const MIB: u64 = 1 << 20;

/// A tree that is removed with this.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Tree {
        let root =
            std::env::temp_dir().join(format!("pacemark-limits-{}-{name}", std::process::id()));
        let machine =
            ("proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n");
        let status = ("proc/self/status", "VmSize:\t  102400 kB\nCpus_allowed_list:\t0-7\n");
        for (path, text) in [machine, status].iter().chain(files) {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Tree(root)
    }

    /// MiB available, who bounds it, and the lowest limit in MiB.
    fn memory(&self) -> (Option<u64>, Option<String>, Option<u64>) {
        let found = Memory::of(&System::at(&self.0));
        (
            found.available.map(|n| n / MIB),
            found.bound_by.map(|limit| limit.by),
            found.limit.map(|limit| limit.bytes / MIB),
        )
    }

    fn processors(&self) -> (usize, Option<(f64, String)>) {
        let found = Processors::of(&System::at(&self.0));
        (found.usable, found.quota)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
    36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn a_machine_without_limits() {
    assert_eq!(Tree::new("none", &[]).memory(), (Some(4096), None, None));
    assert_eq!(Tree::new("none-cpu", &[]).processors(), (8, None));
    let empty = Tree::new("elsewhere", &[]);
    std::fs::remove_dir_all(empty.0.join("proc")).unwrap();
    assert_eq!(empty.memory(), (None, None, None));
    assert!(empty.processors().0 >= 1);
}

#[test]
fn the_first_version_with_groups_above() {
    let tree = Tree::new(
        "v1",
        &[
            ("proc/self/mountinfo", V1),
            ("proc/self/cgroup", "4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "524288000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "314572800\n"),
            (
                "sys/fs/cgroup/memory/a/memory.stat",
                "inactive_file 7\ntotal_inactive_file 52428800\ntotal_active_file 52428800\n",
            ),
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "419430400\n"),
            ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "250000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ],
    );
    // b has 400 - 100 left, a 500 - (300 - 100) = 300: the first of them.
    assert_eq!(tree.memory(), (Some(300), Some("control group /a/b".into()), Some(400)));
    assert_eq!(tree.processors(), (2, Some((2.5, "control group /c".into()))));
    std::fs::write(tree.0.join("sys/fs/cgroup/memory/a/memory.usage_in_bytes"), "419430400")
        .unwrap();
    assert_eq!(tree.memory(), (Some(200), Some("control group /a".into()), Some(400)));
    std::fs::write(tree.0.join("sys/fs/cgroup/memory/a/memory.usage_in_bytes"), "9999999999")
        .unwrap();
    assert_eq!(tree.memory().0, Some(0));
}

#[test]
fn a_container_of_the_first_version_sees_its_group_as_the_root() {
    let mounts = "35 31 0:32 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    for (name, group) in
        [("docker", "/docker/x"), ("namespace", "/"), ("outside", "/../y"), ("other", "/docker/z")]
    {
        let tree = Tree::new(
            name,
            &[
                ("proc/self/mountinfo", mounts),
                ("proc/self/cgroup", &format!("4:memory:{group}\n")),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"),
            ],
        );
        assert_eq!(tree.memory(), (Some(511), Some("control group /".into()), Some(512)), "{name}");
    }
    // The group above has the limit, and cannot be seen.
    let tree = Tree::new(
        "pod",
        &[
            ("proc/self/mountinfo", mounts),
            ("proc/self/cgroup", "4:memory:/docker/x\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.stat", "cache 0\nhierarchical_memory_limit 268435456\n"),
        ],
    );
    assert_eq!(tree.memory(), (Some(256), Some("control group /".into()), Some(256)));
}

#[test]
fn the_second_version() {
    let tree = Tree::new(
        "v2",
        &[
            ("proc/self/mountinfo", V2),
            ("proc/self/cgroup", "0::/kubepods/pod1/c\n"),
            ("sys/fs/cgroup/kubepods/memory.max", "max\n"),
            ("sys/fs/cgroup/kubepods/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/kubepods/pod1/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/kubepods/pod1/memory.current", "524288000\n"),
            (
                "sys/fs/cgroup/kubepods/pod1/memory.stat",
                "anon 1\ninactive_file 104857600\nactive_file 0\nfile 9\n",
            ),
            ("sys/fs/cgroup/kubepods/pod1/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/kubepods/pod1/c/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/kubepods/pod1/c/memory.high", "max\n"),
            ("sys/fs/cgroup/kubepods/pod1/c/memory.current", "0\n"),
            ("sys/fs/cgroup/kubepods/pod1/c/cpu.max", "400000 100000\n"),
        ],
    );
    assert_eq!(tree.memory(), (Some(624), Some("control group /kubepods/pod1".into()), Some(1024)));
    assert_eq!(tree.processors(), (1, Some((0.5, "control group /kubepods/pod1".into()))));
    std::fs::write(tree.0.join("sys/fs/cgroup/kubepods/pod1/c/memory.high"), "314572800\n")
        .unwrap();
    assert_eq!(
        tree.memory(),
        (Some(300), Some("control group /kubepods/pod1/c".into()), Some(300))
    );
}

#[test]
fn a_hybrid_has_each_controller_once() {
    let tree = Tree::new(
        "hybrid",
        &[
            (
                "proc/self/mountinfo",
                &format!("{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
            ),
            ("proc/self/cgroup", "4:memory:/a\n0::/u\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "419430400\n"),
            ("sys/fs/cgroup/unified/u/cpu.max", "300000 100000\n"),
        ],
    );
    assert_eq!(tree.memory(), (Some(400), Some("control group /a".into()), Some(400)));
    assert_eq!(tree.processors(), (3, Some((3.0, "control group /u".into()))));
}

#[test]
fn a_limit_of_addresses() {
    let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max address space         1073741824           unlimited            bytes     \n";
    let tree = Tree::new("ulimit", &[("proc/self/limits", limits)]);
    assert_eq!(tree.memory(), (Some(924), Some("ulimit -v".into()), Some(1024)));
    let tree = Tree::new(
        "unlimited",
        &[("proc/self/limits", &limits.replace("1073741824", "unlimited "))],
    );
    assert_eq!(tree.memory(), (Some(4096), None, None));
}

#[test]
fn nonsense_limits_nothing() {
    for (name, limit) in
        [("empty", ""), ("word", "lots"), ("negative", "-1"), ("beyond", "99999999999999999999999")]
    {
        let tree = Tree::new(
            name,
            &[
                ("proc/self/mountinfo", V2),
                ("proc/self/cgroup", "0::/a\n"),
                ("sys/fs/cgroup/a/memory.max", limit),
                ("sys/fs/cgroup/a/cpu.max", limit),
            ],
        );
        assert_eq!(
            (tree.memory(), tree.processors()),
            ((Some(4096), None, None), (8, None)),
            "{name}"
        );
    }
}

#[test]
fn this_machine() {
    assert!(Processors::of(&System::here()).usable >= 1);
    let found = Memory::of(&System::here());
    assert!(found.available.is_none_or(|bytes| bytes > 0));
}
