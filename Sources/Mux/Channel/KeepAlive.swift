// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Keep-alive probes of TCP (RFC 9293 §3.8.4), which end connections whose peer vanished while nothing was sent to it.
package enum KeepAlive {
    /// The options of a TCP socket, and what to set them to.
    ///
    /// After a minute of silence comes a probe every 15 s, and the end after four without an answer. A listener hands the
    /// options on to the connections that it accepts.
    package static let options: [(option: ChannelOptions.Types.SocketOption, value: SocketOptionValue)] = {
        let always: ChannelOptions.Types.SocketOption = .socketOption(.so_keepalive)
        #if os(Linux)
        // TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT of tcp(7).
        let timing: [(CInt, SocketOptionValue)] = [(4, 60), (5, 15), (6, 4)]
        #else
        // TCP_KEEPALIVE, TCP_KEEPINTVL, TCP_KEEPCNT of Darwin's tcp(4).
        let timing: [(CInt, SocketOptionValue)] = [(0x10, 60), (0x101, 15), (0x102, 4)]
        #endif
        return [(always, 1)] + timing.map { (.init(level: .tcp, name: .init(rawValue: $0.0)), $0.1) }
    }()
}
