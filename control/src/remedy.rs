//! What helps against a loss, where that is known: in the summary and in the report.

use densebots_engine::limits::{
    DESCRIPTORS_OF_A_TABLE, DESCRIPTORS_OF_THE_MACHINE, EPOLL_WATCHES, KERNEL_MEMORY,
    LOCAL_ADDRESS, SOCKET_BUFFERS, SOURCE_PORTS,
};

/// What helps against a loss of this condition: a flag, or a setting of this machine.
pub(crate) fn remedy(condition: &str) -> Option<&'static str> {
    Some(match condition {
        "a demand for TLS, which is off" => "add --tls",
        SOURCE_PORTS => "add --source addresses, or widen net.ipv4.ip_local_port_range",
        LOCAL_ADDRESS => "something else holds that port: add --source addresses",
        DESCRIPTORS_OF_A_TABLE => "raise the hard limit (ulimit -Hn), or add --shards",
        DESCRIPTORS_OF_THE_MACHINE => "raise fs.file-max",
        SOCKET_BUFFERS => "raise net.ipv4.tcp_mem, or run fewer bots",
        KERNEL_MEMORY => "run fewer bots, or give this machine more memory",
        EPOLL_WATCHES => "raise fs.epoll.max_user_watches",
        _ => return None,
    })
}

/// The same behind a sentence that tells of the loss; nothing where nothing is known.
pub(crate) fn told(condition: &str) -> String {
    remedy(condition).map(|remedy| format!("; {remedy}")).unwrap_or_default()
}
