// SPDX-License-Identifier: Apache-2.0
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension Channel {
    /// Closes the channel so that the peer sees a reset, where the channel is a socket, and else as ever.
    ///
    /// A zero linger time makes the close a reset (RFC 9293 §3.10.4, ABORT). To be called on the channel's event loop.
    package func closeWithReset() {
        guard let socket = self as? any SocketOptionProvider else { return self.close(promise: nil) }
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in
            self.close(promise: nil)
        }
    }
}
