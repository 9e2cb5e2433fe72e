// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import NIOCore

/// What the inspector knows of a request beside the request itself.
struct InspectorContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The client's address.
    let clientAddress: SocketAddress?
    /// The address that it connected to.
    let serverAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.clientAddress = source.channel.remoteAddress
        self.serverAddress = source.channel.localAddress
    }

    /// The most that a call may send, in bytes.
    var maxUploadSize: Int { 64 << 20 }
}
