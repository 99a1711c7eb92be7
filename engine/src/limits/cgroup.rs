//! What a control group leaves of the machine, version 1 and 2.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The directories that may limit this process in a controller, from its own group upwards.
///
/// Inside a container the path of the group is often that of the host, which does not exist there;
/// the walk upwards then ends at the container's own root, which is the right one.
fn groups(root: &Path, controller: &str) -> Vec<PathBuf> {
    let list = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mount = root.join("sys/fs/cgroup");
    let mut found = Vec::new();
    for line in list.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (fields.next(), fields.next()) else { continue };
        let bases = match names {
            "" => [mount.clone(), mount.join("unified")],
            _ if names.split(',').any(|name| name == controller) => {
                [mount.join(names), mount.join(controller)]
            }
            _ => continue,
        };
        let inside: PathBuf = Path::new(path)
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        // A path out of the namespace ("/../..") says nothing about what is mounted here.
        let outside = Path::new(path).components().any(|part| part == Component::ParentDir);
        let inside = if outside { PathBuf::new() } else { inside };
        for base in bases {
            found.extend(inside.ancestors().map(|group| base.join(group)));
        }
    }
    found
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Memory limit and memory left, in bytes, of the tightest group; `None` if none has a limit.
pub(super) fn memory(root: &Path) -> Option<(u64, u64)> {
    let mut tightest: Option<(u64, u64)> = None;
    for group in groups(root, "memory") {
        let versions = [
            ("memory.max", "memory.current", "inactive_file "),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
        ];
        for (limit, usage, cache) in versions {
            let Some(limit) = number(&group.join(limit)) else { continue };
            let usage = number(&group.join(usage)).unwrap_or(0);
            let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            // File pages not in use go before anything is refused.
            let cache = stat.lines().find_map(|line| line.strip_prefix(cache)?.parse().ok());
            let left = limit.saturating_sub(usage.saturating_sub(cache.unwrap_or(0)));
            let (least, most) = tightest.unwrap_or((u64::MAX, u64::MAX));
            tightest = Some((least.min(limit), most.min(left)));
        }
    }
    tightest
}

/// Cores' worth of time that the tightest group may use, rounded up; `None` if none has a quota.
pub(super) fn cores(root: &Path) -> Option<u32> {
    let quota = |group: &PathBuf| {
        let (quota, period) = match fs::read_to_string(group.join("cpu.max")) {
            Ok(both) => {
                let (quota, period) = both.trim().split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            }
            Err(_) => {
                let quota = number(&group.join("cpu.cfs_quota_us"))?; // -1 is none
                (quota, number(&group.join("cpu.cfs_period_us"))?)
            }
        };
        (period > 0).then(|| u32::try_from(u64::div_ceil(quota, period)).unwrap_or(u32::MAX))
    };
    groups(root, "cpu").iter().filter_map(quota).min().map(|cores| cores.max(1))
}
