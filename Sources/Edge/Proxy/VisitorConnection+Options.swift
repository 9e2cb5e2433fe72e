// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore

extension VisitorConnection {
    /// Sets what the connection needs of its channel.
    ///
    /// Here rather than as options of the listener: those take a future each.
    package static func setOptions(of channel: any Channel) throws {
        let options = channel.syncOptions
        try options?.setOption(.allowRemoteHalfClosure, value: true)
        try options?.setOption(.autoRead, value: false)
        // The second is read only where the first was filled, as in a bulk: both go on with one flush.
        try options?.setOption(.maxMessagesPerRead, value: 2)
        try options?.setOption(.recvAllocator, value: VisitorReadAllocator())
    }
}
