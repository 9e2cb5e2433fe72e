// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The connection below a session, as the session's event loop sees it.
enum SessionTransport {
    /// None: the session has not begun, is suspended or over.
    case none
    /// The one that the session's handler is in the pipeline of.
    case own(ChannelHandlerContext)
    /// A later one, which another handler reads and writes.
    case carried(SessionCarrier)

    var isPresent: Bool {
        if case .none = self { false } else { true }
    }

    var isWritable: Bool {
        switch self {
        case .none: false
        case .own(let context): context.channel.isWritable
        case .carried(let carrier): carrier.isWritable
        }
    }

    var allocator: ByteBufferAllocator {
        if case .own(let context) = self { context.channel.allocator } else { ByteBufferAllocator() }
    }

    func write(_ bytes: ByteBuffer) {
        switch self {
        case .none: break
        case .own(let context): context.write(SessionHandler.wrapOutboundOut(bytes), promise: nil)
        case .carried(let carrier): carrier.write(bytes)
        }
    }

    func flush() {
        switch self {
        case .none: break
        case .own(let context): context.flush()
        case .carried(let carrier): carrier.flush()
        }
    }

    func close() {
        switch self {
        case .none: break
        case .own(let context): context.close(promise: nil)
        case .carried(let carrier): carrier.close()
        }
    }

    func apply(_ limit: UnsentLimit) {
        switch self {
        case .none: break
        case .own(let context): limit.apply(to: context.channel)
        case .carried(let carrier): carrier.apply(limit)
        }
    }
}
